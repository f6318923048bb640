"""APEv2 at the end of a file: single items are replaced, all others stay as they are to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.tags import id3v1
from genrescope.tags.edits import Edit, TagError, growth

if TYPE_CHECKING:
    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data

_MARK = b"APETAGEX"
_FRAME = 32  # bytes of its header and of its footer
_HAS_HEADER = 1 << 31
_IS_HEADER = 1 << 29
_LYRICS = b"LYRICS200"


@dataclass(frozen=True)
class _Tag:
    start: int  # of the header, or of the items where there is none
    items: int
    footer: int
    version: int
    flags: int
    count: int


def edits_of(data: Data, change: Change, *, create: bool) -> list[Edit]:
    """Return the edits of the tag at the end of a file.

    Args:
        data: the file.
        change: what is to be written.
        create: whether the file gets a tag if it has none.

    Raises:
        TagError: the tag is damaged.
    """
    end = _end(data)
    tag = _found(data, end)
    if tag is None:
        return [Edit(end, end, _made(change))] if create else []
    names = {name.casefold() for name in change.with_genre_as("Genre")}
    items = _items(data, tag)
    removed = [Edit(start, stop, b"") for start, stop, name in items if name.casefold() in names]
    new = _new_items(change, tag.version)
    edits = [*removed, Edit(tag.footer, tag.footer, b"".join(new))]
    size = tag.footer + _FRAME - tag.items + growth(edits)
    count = tag.count - len(removed) + len(new)
    frame = _frame(tag.version, size, count)
    footer = Edit(
        tag.footer, tag.footer + _FRAME, edits.pop().new + _MARK + frame + data[tag.footer + 20 : tag.footer + 32]
    )
    if tag.start < tag.items:
        edits.append(Edit(tag.start + 8, tag.start + 20, frame))
    return [*edits, footer]


def _end(data: Data) -> int:
    """Return where an APEv2 tag ends: before ID3v1, and before Lyrics3, which stands there too."""
    end = id3v1.start_of(data)
    if end is None:
        return len(data)
    if data[end - 9 : end] == _LYRICS and (digits := data[end - 15 : end - 9]).isdigit():
        return max(0, end - 15 - int(digits))
    return end


def _found(data: Data, end: int) -> _Tag | None:
    footer = end - _FRAME
    if footer < 0 or data[footer : footer + 8] != _MARK:
        return None
    version, size, count, flags = (
        int.from_bytes(data[footer + at : footer + at + 4], "little") for at in (8, 12, 16, 20)
    )
    items = end - size
    if not 0 <= items <= footer or flags & _IS_HEADER:
        raise TagError("its APEv2 tag is damaged")
    start = items
    if flags & _HAS_HEADER and items >= _FRAME and data[items - _FRAME : items - _FRAME + 8] == _MARK:
        start = items - _FRAME
    return _Tag(start, items, footer, version, flags, count)


def _items(data: Data, tag: _Tag) -> list[tuple[int, int, str]]:
    """Return where each item begins and ends, with its name."""
    found, place = [], tag.items
    for _ in range(tag.count):
        size = int.from_bytes(data[place : place + 4], "little")
        name, mark, _ = data[place + 8 : min(place + 264, tag.footer)].partition(b"\0")
        end = place + 8 + len(name) + 1 + size
        if not mark or end > tag.footer:
            raise TagError("its APEv2 tag is damaged")
        found.append((place, end, name.decode("latin-1")))
        place = end
    if place != tag.footer:
        raise TagError("its APEv2 tag is damaged: it has more items than it counts")
    return found


def _new_items(change: Change, version: int) -> list[bytes]:
    return [
        _item(name, values if version >= 2000 else (change.joined(values),))
        for name, values in change.with_genre_as("Genre").items()
        if values
    ]


def _item(name: str, values: tuple[str, ...]) -> bytes:
    text = "\0".join(values).encode()
    return len(text).to_bytes(4, "little") + bytes(4) + name.encode() + b"\0" + text


def _frame(version: int, size: int, count: int) -> bytes:
    """Return version, size and count as header and footer have them."""
    return b"".join(number.to_bytes(4, "little") for number in (version, size, count))


def _made(change: Change) -> bytes:
    items = _new_items(change, 2000)
    held = b"".join(items)
    frame = _MARK + _frame(2000, len(held) + _FRAME, len(items))
    header, footer = ((_HAS_HEADER | kind).to_bytes(4, "little") + bytes(8) for kind in (_IS_HEADER, 0))
    return frame + header + held + frame + footer
