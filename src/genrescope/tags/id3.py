"""ID3v2 in all its versions: single frames are replaced, all others stay as they are to the byte.

A tag keeps its version. Padding takes up what is added, so that the sound seldom moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.tags.edits import Edit, growth, pieces, tidy
from genrescope.tags.id3_tag import (
    EXTENDED,
    FOOTER,
    UNSYNCHRONISED,
    decoded,
    header,
    in_sevens,
    parsed,
    stacked,
    unstuffed,
)

if TYPE_CHECKING:
    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data
    from genrescope.tags.id3_tag import Frame, Tag

_PADDING = 1024  # bytes that a tag gets when it grows, so that the next change finds room


def at_start(data: Data, change: Change, *, create: bool) -> list[Edit]:
    """Return the edits of the tags at the beginning of a file.

    The first one gets all fields. The others, and the first where `create` is not set, only follow if they have a
    genre.

    Args:
        data: the file.
        change: what is to be written.
        create: whether the file gets a tag if it has none.

    Raises:
        TagError: a tag is damaged.
    """
    places = stacked(data)
    if not places:
        return [Edit(0, 0, made(change))] if create else []
    edits: list[Edit] = []
    for number, (start, end) in enumerate(places):
        tag = parsed(data, start, end)
        if (create and number == 0) or any(_is_genre(frame) for frame in tag.frames):
            edits += edited(data, start, end, change)
    return edits


def made(change: Change) -> bytes:
    """Return a new tag, ID3v2.4."""
    body = _frames(change, 4)
    return header(4, 0, len(body) + _PADDING) + body + bytes(_PADDING)


def edited(data: Data, start: int, end: int, change: Change) -> list[Edit]:
    """Return the edits of the tag that stands in a stretch of a file.

    Raises:
        TagError: the tag is damaged, or would become too large.
    """
    tag = parsed(data, start, end)
    if tag.flags & UNSYNCHRONISED and tag.version < 4:
        return [Edit(start, tag.end, _plain(data, tag, change))]
    return _of_frames(data, tag, change)


def _plain(data: Data, tag: Tag, change: Change) -> bytes:
    """Return a tag of 2.2 or 2.3 whose bytes are no longer stuffed, changed."""
    body = unstuffed(data[tag.start + 10 : tag.end])
    whole = header(tag.version, tag.flags & ~UNSYNCHRONISED, len(body)) + body
    return b"".join(pieces(whole, tidy(whole, _of_frames(whole, parsed(whole, 0, len(whole)), change))))


def _of_frames(data: Data, tag: Tag, change: Change) -> list[Edit]:
    removed = [frame for frame in tag.frames if _is_replaced(frame, change, tag.version)]
    edits = [Edit(frame.start, frame.end, b"") for frame in removed]
    flags = tag.flags
    if tag.crc is not None:
        edits.append(Edit(*tag.crc, b""))
        flags &= ~EXTENDED
    edits.append(Edit(tag.used, tag.used, _frames(change, tag.version)))
    padding = tag.limit - tag.used - growth(edits)
    if tag.flags & FOOTER:  # which is not allowed beside padding
        padding = 0
    elif padding < 0:
        padding = _PADDING
    edits[-1] = Edit(tag.used, tag.limit, edits[-1].new + bytes(padding))
    head = header(tag.version, flags, tag.limit - tag.start - 10 + growth(edits))
    edits.append(Edit(tag.start, tag.start + 10, head))
    if tag.flags & FOOTER:
        edits.append(Edit(tag.limit, tag.end, b"3DI" + head[3:]))
    return edits


def _is_genre(frame: Frame) -> bool:
    return frame.name in ("TCON", "TCO")


def _is_replaced(frame: Frame, change: Change, version: int) -> bool:
    if _is_genre(frame):
        return change.genres is not None
    if frame.name not in ("TXXX", "TXX") or not frame.body:
        return False
    name = decoded(frame.body, version)[0].casefold()
    if name == "genre":  # which some programs write beside the frame for it
        return change.genres is not None
    return name in (field.casefold() for field in change.fields)


def _frames(change: Change, version: int) -> bytes:
    """Return the frames that hold a change."""
    short = version == 2
    held = b""
    if change.genres:
        values = change.genres if version == 4 else (change.joined(change.genres),)
        held += _frame("TCO" if short else "TCON", _text(values, version), version)
    for name, values in change.fields.items():
        if values:
            texts = values if version == 4 else (change.joined(values),)
            held += _frame("TXX" if short else "TXXX", _text((name, *texts), version), version)
    return held


def _text(values: tuple[str, ...], version: int) -> bytes:
    r"""Return the content of a text frame: UTF-8 in 2.4; before it the Latin alphabet if it suffices, else UTF-16."""
    if version == 4:
        return b"\x03" + "\0".join(values).encode()
    try:
        return b"\x00" + "\0".join(values).encode("latin-1")
    except UnicodeEncodeError:
        return b"\x01" + b"\0\0".join(b"\xff\xfe" + value.encode("utf-16-le") for value in values)


def _frame(name: str, body: bytes, version: int) -> bytes:
    if version == 2:
        return name.encode() + len(body).to_bytes(3, "big") + body
    size = in_sevens(len(body)) if version == 4 else len(body).to_bytes(4, "big")
    return name.encode() + size + b"\0\0" + body
