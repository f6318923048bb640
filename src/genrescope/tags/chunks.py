"""Files of chunks: WAV and AIFF (IFF), and DSF. Their tags are an ID3v2 chunk; WAV has INFO too.

A header that does not fit the file is not repaired here: such a file is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from genrescope.tags import id3
from genrescope.tags.edits import Edit, TagError, growth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data

_Order = Literal["little", "big"]
_LARGEST = (1 << 32) - 1
_ID3 = (b"id3 ", b"ID3 ")


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    start: int
    end: int  # of its content, without the byte that makes it even

    @property
    def body(self) -> int:
        return self.start + 8


def of_iff(data: Data, change: Change) -> list[Edit]:
    """Return the edits of a WAV, AIFF or AIFF-C file.

    Raises:
        TagError: its header does not fit the file, or it has no room for more.
    """
    order: _Order = "little" if data[:4] == b"RIFF" else "big"
    stated = 8 + int.from_bytes(data[4:8], order)
    if not stated <= len(data) <= stated + (stated & 1):
        raise TagError(f"its header counts {stated:,} bytes, and the file has {len(data):,}")
    chunks = list(_chunks(data, 12, stated, order))
    names = [chunk.name for chunk in chunks]
    if order == "little":
        edits = _tag(data, chunks, change, order, new=b"id3 ") + _info(data, chunks, change)
    else:
        edits = _tag(data, chunks, change, order, new=b"ID3 ")
    if b"data" not in names and b"SSND" not in names:
        raise TagError("it has no chunk of sound")
    missing = len(data) & 1  # the byte that makes the last chunk even
    if missing and any(edit.start == len(data) for edit in edits):
        edits.insert(0, Edit(len(data), len(data), b"\0"))
    size = len(data) - 8 + growth(edits)
    if size > _LARGEST:
        raise TagError("it is full: its header can count 4 GB")
    return _joined([*edits, Edit(4, 8, size.to_bytes(4, order))])


def _joined(edits: list[Edit]) -> list[Edit]:
    """Join what is inserted at one place, in its order."""
    found: dict[tuple[int, int], bytes] = {}
    for edit in edits:
        found[edit.start, edit.end] = found.get((edit.start, edit.end), b"") + edit.new
    return [Edit(start, end, new) for (start, end), new in found.items()]


def _chunks(data: Data, place: int, end: int, order: _Order) -> Iterator[_Chunk]:
    while place + 8 <= end:
        stop = place + 8 + int.from_bytes(data[place + 4 : place + 8], order)
        if stop > end:
            raise TagError(f"its chunks are damaged at byte {place}: one is longer than the file")
        yield _Chunk(data[place : place + 4], place, stop)
        place = stop + (stop - place) % 2


def _tag(data: Data, chunks: list[_Chunk], change: Change, order: _Order, *, new: bytes) -> list[Edit]:
    """Return the edits of the chunk with ID3v2; it comes last where there is none."""
    found = [chunk for chunk in chunks if chunk.name in _ID3]
    if not found:
        return [Edit(len(data), len(data), _chunk(new, id3.made(change), order))]
    edits = []
    for chunk in found:
        edits += _inside(data, chunk, id3.edited(data, chunk.body, chunk.end, change), order)
    return edits


def _inside(data: Data, chunk: _Chunk, edits: list[Edit], order: _Order) -> list[Edit]:
    """Return edits in a chunk with the one of its size, and of the byte that makes it even."""
    size = chunk.end - chunk.body
    grown = size + growth(edits)
    was_padded = chunk.end < len(data) and size % 2 == 1
    pad = Edit(chunk.end, chunk.end + was_padded, bytes(grown % 2))
    return [*edits, pad, Edit(chunk.start + 4, chunk.start + 8, grown.to_bytes(4, order))]


def _chunk(name: bytes, body: bytes, order: _Order) -> bytes:
    return name + len(body).to_bytes(4, order) + body + bytes(len(body) % 2)


def _info(data: Data, chunks: list[_Chunk], change: Change) -> list[Edit]:
    """Return the edits of the INFO chunk, whose genre is `IGNR`: one text."""
    if change.genres is None:
        return []
    text = change.joined(change.genres).encode() + b"\0"
    new = _chunk(b"IGNR", text, "little") if change.genres else b""
    found = [chunk for chunk in chunks if chunk.name == b"LIST" and data[chunk.body : chunk.body + 4] == b"INFO"]
    if not found:
        return [Edit(len(data), len(data), _chunk(b"LIST", b"INFO" + new, "little"))] if new else []
    edits = []
    for number, info in enumerate(found):
        held = list(_chunks(data, info.body + 4, info.end, "little"))
        removed = [
            Edit(each.start, min(each.end + (each.end - each.start) % 2, info.end), b"")
            for each in held
            if each.name == b"IGNR"
        ]
        place = info.body + 4  # as the first: behind the last one a byte may be missing
        added = [Edit(place, place, new)] if number == 0 else []
        edits += _inside(data, info, [*added, *removed], "little")
    return edits


def of_dsf(data: Data, change: Change) -> list[Edit]:
    """Return the edits of a DSF file, whose ID3v2 tag comes last.

    Raises:
        TagError: its header does not fit the file.
    """
    total, place = (int.from_bytes(data[at : at + 8], "little") for at in (12, 20))
    if total != len(data) or place > len(data):
        raise TagError(f"its header counts {total:,} bytes, and the file has {len(data):,}")
    edits = id3.edited(data, place, len(data), change) if place else [Edit(total, total, id3.made(change))]
    size = (total + growth(edits)).to_bytes(8, "little")
    return [*edits, Edit(12, 20, size), Edit(20, 28, (place or total).to_bytes(8, "little"))]
