"""Vorbis comments, as FLAC and Ogg have them: entries `NAME=value`, of which a name may have several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.tags.edits import Edit, TagError

if TYPE_CHECKING:
    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data

_STREAMINFO, _PADDING, _COMMENT = 0, 1, 4  # kinds of FLAC's metadata blocks
_LARGEST_BLOCK = (1 << 24) - 1
_VENDOR = b"genrescope"


def changed(comment: bytes, change: Change) -> bytes:
    """Return a comment with other values; what stands behind its entries is kept.

    Raises:
        TagError: it is damaged.
    """
    vendor, entries, rest = _parsed(comment)
    for name, values in change.with_genre_as("GENRE").items():
        entries = _with(entries, name, values)
    return _packed(vendor, entries) + rest


def _with(entries: list[bytes], name: str, values: tuple[str, ...]) -> list[bytes]:
    """Return entries with other values for a name, at the place where it first stood, and spelt as it was."""
    places = [number for number, entry in enumerate(entries) if _name(entry) == name.casefold()]
    spelt = entries[places[0]].partition(b"=")[0] if places else name.encode()
    place = places[0] if places else len(entries)
    kept = [entry for number, entry in enumerate(entries) if number not in places]
    return [*kept[:place], *(spelt + b"=" + value.encode() for value in values), *kept[place:]]


def _name(entry: bytes) -> str:
    return entry.partition(b"=")[0].decode("latin-1").casefold()


def _parsed(comment: bytes) -> tuple[bytes, list[bytes], bytes]:
    vendor, place = _sized(comment, 0)
    count, place = int.from_bytes(comment[place : place + 4], "little"), place + 4
    entries = []
    for _ in range(count):
        entry, place = _sized(comment, place)
        entries.append(entry)
    return vendor, entries, comment[place:]


def _sized(comment: bytes, place: int) -> tuple[bytes, int]:
    end = place + 4 + int.from_bytes(comment[place : place + 4], "little")
    if place + 4 > len(comment) or end > len(comment):
        raise TagError("its Vorbis comment is damaged")
    return comment[place + 4 : end], end


def _packed(vendor: bytes, entries: list[bytes]) -> bytes:
    parts = [_with_size(vendor), len(entries).to_bytes(4, "little"), *map(_with_size, entries)]
    return b"".join(parts)


def _with_size(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


# -- FLAC ---------------------------------------------------------------------------------------------------------


def of_flac(data: Data, start: int, change: Change) -> list[Edit]:
    """Return the edits of a FLAC file whose mark stands at `start`; its padding takes up what is added.

    Raises:
        TagError: its metadata blocks are damaged, or the comment would become too large.
    """
    blocks = _blocks(data, start + 4)
    comments = [block for block in blocks if block[0] == _COMMENT]
    if not blocks or blocks[0][0] != _STREAMINFO or len(comments) > 1:
        raise TagError("its FLAC metadata is damaged: it does not begin with STREAMINFO, or has several comments")
    if comments:
        _, place, end = comments[0]
        new = changed(data[place + 4 : end], change)
        edits = [Edit(place + 4, end, new), Edit(place + 1, place + 4, size(new))]
    else:
        new = changed(_packed(_VENDOR, []), change)
        _, place, end = blocks[0]
        last = data[place : place + 1][0] & 128
        edits = [
            Edit(place, place + 1, bytes([_STREAMINFO])),
            Edit(end, end, bytes([last | _COMMENT]) + size(new) + new),
        ]
    return edits + _from_padding(blocks, sum(edit.growth for edit in edits))


def size(block: bytes) -> bytes:
    """Return the size of a FLAC metadata block as its head has it.

    Raises:
        TagError: it is too large for one.
    """
    if len(block) > _LARGEST_BLOCK:
        raise TagError("its Vorbis comment would be larger than 16 MB")
    return len(block).to_bytes(3, "big")


def _blocks(data: Data, place: int) -> list[tuple[int, int, int]]:
    """Return the kind of each metadata block, where it begins, and where it ends."""
    found = []
    last = 0
    while not last:
        head = data[place : place + 4]
        end = place + 4 + int.from_bytes(head[1:4], "big")
        if len(head) < 4 or end > len(data):
            raise TagError("its FLAC metadata is damaged")
        last = head[0] & 128
        found.append((head[0] & 127, place, end))
        place = end
    return found


def _from_padding(blocks: list[tuple[int, int, int]], added: int) -> list[Edit]:
    """Return the edits that take what is added out of the padding, if there is enough."""
    for kind, place, end in blocks:
        room = end - place - 4 - added
        if kind == _PADDING and 0 <= room <= _LARGEST_BLOCK:
            return [Edit(place + 1, place + 4, room.to_bytes(3, "big")), Edit(place + 4, end, bytes(room))]
    return []
