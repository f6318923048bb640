"""Whether a changed copy has the same sound, and the same tags but for those that were to be written.

Tags are written without mutagen (`tags.edits`) and compared with it, so that two programs would have to err alike.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from genrescope import audio
from genrescope.errors import reason_of
from genrescope.tags import id3_tag, id3v1
from genrescope.tags.edits import TagError
from genrescope.tags.formats import is_mpeg, opened
from genrescope.tags.read import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data

_GENRES = frozenset(
    ["tcon", "tco", "\xa9gen", "gnre", "genre", "wm/genre", "wm/genreid", "txxx:genre", "----:com.apple.itunes:genre"]
)
_RATE = 44_100  # at which sound is compared where that is asked for

Fields = dict[str, list[str]]
"""Hashes of the values of each field of a file, pictures too, by tag and name."""


@dataclass(frozen=True)
class Before:
    """What must be the same afterwards.

    Attributes:
        sound: identity of the coded sound.
        fields: all fields of all tags.
    """

    sound: str
    fields: Fields

    @classmethod
    def of(cls, path: Path) -> Before:
        """Read a file before it is changed.

        Raises:
            TagError: its tags or its sound cannot be read.
        """
        return cls(audio.sound_id(path), fields_of(path))


def check(before: Before, copy: Path, change: Change) -> None:
    """Compare a changed copy with what was read of the file.

    Raises:
        TagError: its sound or another tag is not the same, or the new genre does not stand there.
    """
    if audio.sound_id(copy) != before.sound:
        raise TagError("its sound would not have been the same")
    old, new = (_others(fields, change) for fields in (before.fields, fields_of(copy)))
    if different := sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)):
        raise TagError(f"other tags would not have been the same: {', '.join(different[:5])}")
    if change.genres is not None and (found := read(copy).genres) not in (change.genres, _joined(change)):
        raise TagError(f"its genre would have been read as {', '.join(found) or 'none'}")


def _joined(change: Change) -> tuple[str, ...]:
    return (change.joined(change.genres),) if change.genres else ()


def check_decoded(old: Path, new: Path) -> None:
    """Decode both files, and compare the samples to the bit.

    Raises:
        TagError: they are not the same.
        AudioError: the sound cannot be decoded.
    """
    streams = (audio.blocks(path, rate=_RATE) for path in (old, new))
    for one, other in zip_longest(*streams):
        if one is None or other is None or one.tobytes() != other.tobytes():
            raise TagError("its decoded sound would not have been the same")


def fields_of(path: Path) -> Fields:
    """Read every field of every tag of a file by mutagen.

    Raises:
        TagError: mutagen cannot read it.
    """
    found: Fields = {}
    try:
        with opened(path) as data:
            for name, text in _all(path, data):
                found.setdefault(name, []).append(_hashed(text))
    except TagError:
        raise
    except Exception as error:  # damaged tags make mutagen throw all kinds of things
        raise TagError(f"its tags cannot be verified: {reason_of(error)}") from error
    return found


def values_of(path: Path, field: str) -> tuple[str, ...]:
    """Return the values of a custom field; none where it is missing, or the tags cannot be read."""
    wanted = field.casefold()
    with contextlib.suppress(Exception), opened(path) as data:
        for _, tags in _tags(path, data):
            values = [value for name, value in _items(tags) if name.casefold() in _spelt(wanted)]
            if values:
                return tuple(text for value in values for text in _texts(value))
    return ()


def _texts(value: Any) -> Iterator[str]:
    value = getattr(value, "text", value)
    for each in [value] if isinstance(value, str) or not hasattr(value, "__iter__") else value:
        text = each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each)
        yield from text.split("\0")


def _others(fields: Mapping[str, list[str]], change: Change) -> Fields:
    """Return the fields that a change does not name."""
    named = {spelt for field in change.fields for spelt in _spelt(field.casefold())}
    named |= _GENRES if change.genres is not None else set()
    return {name: values for name, values in fields.items() if name.partition(" ")[2].casefold() not in named}


def _spelt(field: str) -> tuple[str, str, str]:
    return field, f"txxx:{field}", f"----:com.apple.itunes:{field}"


def _hashed(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _all(path: Path, data: Data) -> Iterator[tuple[str, str]]:
    """Yield `<tag> <name>` of each field with what identifies its value."""
    for label, tags in _tags(path, data):
        for name, value in _items(tags):
            extra = f"{getattr(value, 'language', '')}{getattr(value, 'stream', '')}"
            yield f"{label} {name}", f"{value!r}{extra}"
        for frame in getattr(tags, "unknown_frames", ()):
            yield f"{label} unknown", repr(frame)
    if (start := id3v1.start_of(data)) is not None:
        yield "ID3v1 all", repr(data[start : start + 127])


def _tags(path: Path, data: Data) -> Iterator[tuple[str, Any]]:
    """Yield the tags of a file, each with a label: ID3v2 at its beginning, APEv2 at its end, and its format's own."""
    from mutagen.apev2 import APENoHeaderError, APEv2
    from mutagen.id3 import ID3

    id3_of: Any = ID3  # it has no types
    ape_of: Any = APEv2
    places = id3_tag.stacked(data)
    for number, (start, end) in enumerate(places):
        yield f"ID3v2-{number}", id3_of(io.BytesIO(data[start:end]), translate=False, load_v1=False)
    with contextlib.suppress(APENoHeaderError):
        yield "APEv2", ape_of(path)
    if not is_mpeg(data, places[-1][1] if places else 0):
        yield from _own(path)


def _own(path: Path) -> Iterator[tuple[str, Any]]:
    import mutagen
    from mutagen.apev2 import APEv2File
    from mutagen.id3 import ID3FileType

    library: Any = mutagen
    file = library.File(path)
    if file is None:
        raise TagError("its tags cannot be verified: mutagen does not know its format")
    if not isinstance(file, ID3FileType | APEv2File):
        yield "own", file.tags
        yield from (
            (name, part) for name in ("pictures", "cuesheet", "seektable") if (part := getattr(file, name, None))
        )


def _items(tags: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and values: of a mapping, of a list of pairs, or of a block without names."""
    if tags is None:
        return
    if hasattr(tags, "keys") and not isinstance(tags, list):
        yield from ((str(name), tags[name]) for name in tags.keys())  # noqa: SIM118 - iterating gives no names everywhere
    elif isinstance(tags, list):
        for each in tags:
            yield each if isinstance(each, tuple) else ("picture", getattr(each, "data", each))
    else:
        yield "block", tags
