"""ASF (wma): single attributes are replaced, all other objects of its header stay as they are to the byte.

Of several values the first stands in the Extended Content Description, the others in the Metadata Library, as
Windows' own programs, TagLib and mutagen have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from genrescope.tags.edits import Edit, TagError, growth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data

_HEADER = UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c").bytes_le
_FILE = UUID("8cabdca1-a947-11cf-8ee4-00c00c205365").bytes_le
_EXTENSION = UUID("5fbf03b5-a92e-11cf-8ee3-00c00c205365").bytes_le
_DESCRIPTION = UUID("d2d0a440-e307-11d2-97f0-00a0c95ea850").bytes_le
_LIBRARY = UUID("44231c94-9498-49d1-a141-1d134e457054").bytes_le

_HEAD = 24  # bytes of an object before its content: what it is, and its size
_FILE_SIZE = _HEAD + 16  # where the file's properties have the file's size
_LARGEST_VALUE = 0xFFFF


@dataclass(frozen=True)
class _Object:
    kind: bytes
    start: int
    end: int


@dataclass(frozen=True)
class _Attribute:
    name: str
    start: int
    end: int


def is_asf(data: Data, start: int) -> bool:
    """Whether an ASF file begins here."""
    return data[start : start + 16] == _HEADER


def edits_of(data: Data, change: Change) -> list[Edit]:
    """Return the edits of an ASF file.

    Raises:
        TagError: its header is damaged, or would become too large.
    """
    size = int.from_bytes(data[16:24], "little")
    objects = list(_objects(data, 30, size))
    wanted = change.with_genre_as("WM/Genre")
    names = {name.casefold() for name in wanted} | ({"wm/genreid"} if change.genres is not None else set())
    first = [_entry(name, values[0]) for name, values in wanted.items() if values]
    others = [_library_entry(name, value) for name, values in wanted.items() for value in values[1:]]
    edits, added = _in_description(data, objects, names, first)
    edits += _in_extension(data, objects, names, others)
    total = growth(edits)
    count = int.from_bytes(data[24:28], "little") + added
    edits += [Edit(16, 24, (size + total).to_bytes(8, "little")), Edit(24, 28, count.to_bytes(4, "little"))]
    return edits + [
        Edit(each.start + _FILE_SIZE, each.start + _FILE_SIZE + 8, (len(data) + total).to_bytes(8, "little"))
        for each in objects
        if each.kind == _FILE
    ]


def _objects(data: Data, place: int, end: int) -> Iterator[_Object]:
    if end > len(data):
        raise TagError("its ASF header is cut short")
    while place + _HEAD <= end:
        stop = place + int.from_bytes(data[place + 16 : place + _HEAD], "little")
        if stop < place + _HEAD or stop > end:
            raise TagError(f"its ASF header is damaged at byte {place}")
        yield _Object(data[place : place + 16], place, stop)
        place = stop


def _in_description(data: Data, objects: list[_Object], names: set[str], new: list[bytes]) -> tuple[list[Edit], int]:
    """Return the edits of the Extended Content Description, and how many objects are added."""
    found = next((each for each in objects if each.kind == _DESCRIPTION), None)
    if found is not None:
        return _replaced(data, found, list(_attributes(data, found)), names, new), 0
    if not new:
        return [], 0
    end = objects[-1].end if objects else 30
    return [Edit(end, end, _object(_DESCRIPTION, _counted(new)))], 1


def _in_extension(data: Data, objects: list[_Object], names: set[str], new: list[bytes]) -> list[Edit]:
    """Return the edits of the Metadata Library in the header's extension."""
    extension = next((each for each in objects if each.kind == _EXTENSION), None)
    if extension is None:
        if new:
            raise TagError("its ASF header has no extension, so that it can have one genre only")
        return []
    inside = extension.start + _HEAD + 22
    library = next((each for each in _objects(data, inside, extension.end) if each.kind == _LIBRARY), None)
    if library is not None:
        attributes = list(_library_attributes(data, library))
        edits = _replaced(data, library, attributes, names, new)
    elif new:
        edits = [Edit(extension.end, extension.end, _object(_LIBRARY, _counted(new)))]
    else:
        return []
    size, held_size = extension.end - extension.start + growth(edits), extension.end - inside + growth(edits)
    return [
        *edits,
        Edit(extension.start + 16, extension.start + 24, size.to_bytes(8, "little")),
        Edit(inside - 4, inside, held_size.to_bytes(4, "little")),
    ]


def _replaced(
    data: Data, found: _Object, attributes: list[_Attribute], names: set[str], new: list[bytes]
) -> list[Edit]:
    """Return the edits of an object with a list of attributes: some go, new ones come at its end."""
    removed = [Edit(each.start, each.end, b"") for each in attributes if each.name.casefold() in names]
    end = attributes[-1].end if attributes else found.start + _HEAD + 2
    edits = [*removed, Edit(end, end, b"".join(new))]
    left = len(attributes) - len(removed) + len(new)
    if left > 0xFFFF:
        raise TagError("its ASF header has no room for more attributes")
    size = found.end - found.start + growth(edits)
    numbers = size.to_bytes(8, "little") + left.to_bytes(2, "little")
    return [*edits, Edit(found.start + 16, found.start + 26, numbers)]


def _attributes(data: Data, found: _Object) -> Iterator[_Attribute]:
    """Yield the attributes of an Extended Content Description: size of the name, name, type, size, value."""
    place = found.start + _HEAD + 2
    for _ in range(int.from_bytes(data[place - 2 : place], "little")):
        value = place + 2 + int.from_bytes(data[place : place + 2], "little")
        end = value + 4 + int.from_bytes(data[value + 2 : value + 4], "little")
        yield _attribute(data, found, place, end, data[place + 2 : value])
        place = end


def _library_attributes(data: Data, found: _Object) -> Iterator[_Attribute]:
    """Yield the attributes of a Metadata Library: language, stream, sizes, name, value."""
    place = found.start + _HEAD + 2
    for _ in range(int.from_bytes(data[place - 2 : place], "little")):
        value = place + 12 + int.from_bytes(data[place + 4 : place + 6], "little")
        end = value + int.from_bytes(data[place + 8 : place + 12], "little")
        yield _attribute(data, found, place, end, data[place + 12 : value])
        place = end


def _attribute(data: Data, found: _Object, start: int, end: int, name: bytes) -> _Attribute:
    if end > found.end or end <= start:
        raise TagError(f"its ASF header is damaged at byte {start}")
    return _Attribute(name.decode("utf-16-le", "replace").rstrip("\0"), start, end)


def _entry(name: str, value: str) -> bytes:
    key, text = _utf16(name), _utf16(value)
    if len(text) > _LARGEST_VALUE:
        raise TagError("a value is too long for ASF")
    return len(key).to_bytes(2, "little") + key + bytes(2) + len(text).to_bytes(2, "little") + text


def _library_entry(name: str, value: str) -> bytes:
    key, text = _utf16(name), _utf16(value)
    head = bytes(4) + len(key).to_bytes(2, "little") + bytes(2) + len(text).to_bytes(4, "little")
    return head + key + text


def _counted(entries: list[bytes]) -> bytes:
    return len(entries).to_bytes(2, "little") + b"".join(entries)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def _object(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + _HEAD).to_bytes(8, "little") + body
