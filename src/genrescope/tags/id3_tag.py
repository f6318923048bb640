"""ID3v2 as it stands in a file: its tags, their frames, and the texts in them.

The structure of ID3v2.2, 2.3 and 2.4 is that of the documents at id3.org.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.tags.edits import TagError

if TYPE_CHECKING:
    from genrescope.tags.edits import Data

_LARGEST = (1 << 28) - 1  # bytes: what four times seven bits can count
STACKED = 8
"""Tags in a row that are looked at."""

UNSYNCHRONISED, EXTENDED, FOOTER = 0x80, 0x40, 0x10  # flags of the header
_LENGTH, _FRAME_UNSYNCHRONISED = 0x01, 0x02  # flags of a frame of 2.4 that leave its text legible


@dataclass(frozen=True)
class Frame:
    """A frame: its name, where it stands, and its content."""

    name: str
    start: int
    end: int
    body: bytes | None
    """The content; None where it is compressed or encrypted."""


@dataclass(frozen=True)
class Tag:
    """A tag as it stands in a file.

    Attributes:
        start: of its header.
        end: behind its padding or footer.
        version: 2, 3 or 4.
        flags: of its header.
        first: where its frames begin.
        used: where they end.
        frames: its frames.
        crc: where an extended header with a checksum stands, which goes when the tag changes.
    """

    start: int
    end: int
    version: int
    flags: int
    first: int
    used: int
    frames: tuple[Frame, ...]
    crc: tuple[int, int] | None = None

    @property
    def limit(self) -> int:
        """Where its frames and padding must end."""
        return self.end - 10 if self.flags & FOOTER else self.end


def size_at(data: Data, start: int, end: int) -> int | None:
    """Return the bytes of a tag that begins here, header and footer counted; None where none does."""
    head = data[start : min(start + 10, end)]
    if len(head) < 10 or not head.startswith(b"ID3") or max(head[6:]) > 127 or head[3] not in (2, 3, 4):
        return None
    return 10 + _from_sevens(head[6:]) + (10 if head[5] & FOOTER and head[3] == 4 else 0)


def stacked(data: Data, start: int = 0) -> list[tuple[int, int]]:
    """Return where the tags at the beginning of a file begin and end."""
    found: list[tuple[int, int]] = []
    while len(found) < STACKED and (size := size_at(data, start, len(data))) is not None:
        found.append((start, start + size))
        start += size
    return found


def decoded(body: bytes, version: int) -> list[str]:
    """Return the texts of a text frame; those of a custom field begin with its name."""
    coding = {0: "latin-1", 1: "utf-16", 2: "utf-16-be"}.get(body[0], "utf-8")
    if coding == "latin-1" and version == 4:
        return body[1:].decode(coding).split("\0")
    texts, mark = [], body[1:3]
    for part in _split(body[1:], wide=coding.startswith("utf-16")):
        own = part if coding != "utf-16" or part[:2] in (b"\xff\xfe", b"\xfe\xff") else mark + part
        texts.append(own.decode(coding, "replace"))
    return texts


def _split(body: bytes, *, wide: bool) -> list[bytes]:
    if not wide:
        return body.split(b"\0")
    found, begun = [], 0
    for place in range(0, len(body) - 1, 2):
        if body[place : place + 2] == b"\0\0":
            found.append(body[begun:place])
            begun = place + 2
    return [*found, body[begun:]]


def header(version: int, flags: int, size: int) -> bytes:
    """Return the ten bytes before the frames; `size` counts what follows them.

    Raises:
        TagError: the tag is too large.
    """
    if size > _LARGEST:
        raise TagError("its ID3v2 tag would be larger than 256 MB")
    return b"ID3" + bytes([version, 0, flags]) + in_sevens(size)


def in_sevens(number: int) -> bytes:
    r"""Return a number as four bytes of seven bits.

    Example:
        >>> in_sevens(300)
        b'\x00\x00\x02,'
    """
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def _from_sevens(data: bytes) -> int:
    return sum(byte << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))


def parsed(data: Data, start: int, end: int) -> Tag:
    """Read the tag that begins at `start`; `end` is where it must end at the latest.

    Raises:
        TagError: there is none, it is damaged, or of a kind that cannot be changed.
    """
    size = size_at(data, start, end)
    if size is None or start + size > end:
        raise TagError("its ID3v2 tag is cut short, or damaged")
    version, flags = data[start + 3 : start + 4][0], data[start + 5 : start + 6][0]
    if version == 2 and flags & EXTENDED:
        raise TagError("its ID3v2.2 tag is compressed, in a way that was never defined")
    if flags & UNSYNCHRONISED and version < 4:
        return Tag(start, start + size, version, flags, start + 10, start + 10, _unstuffed_frames(data, start, size))
    first, crc = _behind_extended(data, start, version, flags)
    limit = start + size - (10 if version == 4 and flags & FOOTER else 0)
    frames, used = _walk(data, first, limit, version)
    return Tag(start, start + size, version, flags, first, used, frames, crc)


def _unstuffed_frames(data: Data, start: int, size: int) -> tuple[Frame, ...]:
    """Return the frames of a stuffed tag; their places are those in the tag once it is no longer stuffed."""
    body = unstuffed(data[start + 10 : start + size])
    head = data[start : start + 10]
    whole = header(head[3], head[5] & ~UNSYNCHRONISED, len(body)) + body
    return parsed(whole, 0, len(whole)).frames


def unstuffed(data: bytes) -> bytes:
    """Return bytes without the zero that stands behind each 255 in an unsynchronised tag."""
    return data.replace(b"\xff\x00", b"\xff")


def _behind_extended(data: Data, start: int, version: int, flags: int) -> tuple[int, tuple[int, int] | None]:
    """Return where frames begin, and where an extended header with a checksum stands."""
    first = start + 10
    if not flags & EXTENDED or version == 2:
        return first, None
    head = data[first : first + 6]
    if version == 3:
        size = 4 + int.from_bytes(head[:4], "big")
        checked = bool(head[4:5] and head[4] & 0x80)
    else:
        size = _from_sevens(head[:4])
        checked = bool(head[5:6] and head[5] & 0x20)
    if not 6 <= size <= 64:
        raise TagError("the extended header of its ID3v2 tag is damaged")
    return first + size, (first, first + size) if checked else None


def _walk(data: Data, first: int, limit: int, version: int) -> tuple[tuple[Frame, ...], int]:
    """Return the frames of a tag, and where they end.

    Old versions of iTunes wrote sizes in tags of 2.4 as 2.3 has them; what leads to a whole tag is right.
    """
    try:
        return _walked(data, first, limit, version, sevens=version == 4)
    except TagError:
        if version != 4:
            raise
        return _walked(data, first, limit, version, sevens=False)


def _walked(data: Data, place: int, limit: int, version: int, *, sevens: bool) -> tuple[tuple[Frame, ...], int]:
    frames = []
    long = 3 if version == 2 else 4
    head = 6 if version == 2 else 10
    while place + head <= limit and (name := data[place : place + long]) != bytes(long):
        size = data[place + long : place + 2 * long]
        if not re.fullmatch(rb"[A-Z][A-Z0-9]{%d}[A-Z0-9 ]" % (long - 2), name) or (sevens and max(size) > 127):
            raise TagError(f"its ID3v2 tag is damaged at byte {place}")
        end = place + head + (_from_sevens(size) if sevens else int.from_bytes(size, "big"))
        if end > limit:
            raise TagError(f"its ID3v2 tag is damaged: the frame at byte {place} is longer than the tag")
        flags = data[place + 9 : place + 10][0] if version > 2 else 0
        frames.append(Frame(name.decode(), place, end, _body(data[place + head : end], flags, version)))
        place = end
    if any(data[place:limit]):
        raise TagError(f"its ID3v2 tag is damaged at byte {place}: no frame begins there")
    return tuple(frames), place


def _body(body: bytes, flags: int, version: int) -> bytes | None:
    if version == 4:
        if flags & ~(_LENGTH | _FRAME_UNSYNCHRONISED):
            return None
        body = body[4:] if flags & _LENGTH else body
        return unstuffed(body) if flags & _FRAME_UNSYNCHRONISED else body
    return None if flags else body
