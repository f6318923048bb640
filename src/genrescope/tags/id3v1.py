"""ID3v1, the 128 bytes at the end of a file: its genre is a number from a list."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from genrescope.tags.artists import spelling
from genrescope.tags.edits import Edit

if TYPE_CHECKING:
    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data

_SIZE = 128
_NONE = 255  # players show no genre for it
_REFERENCE = re.compile(r"\(?(\d{1,3})\)?")


def start_of(data: Data) -> int | None:
    """Return where the tag begins; None where there is none."""
    start = len(data) - _SIZE
    return start if start >= 0 and data[start : start + 3] == b"TAG" else None


def edits_of(data: Data, change: Change) -> list[Edit]:
    """Return the edit that keeps a tag in step, if there is one: the number of the first genre that has one."""
    if start_of(data) is None or change.genres is None:
        return []
    number = next((number for genre in change.genres if (number := number_of(genre)) is not None), _NONE)
    return [Edit(len(data) - 1, len(data), bytes([number]))]


def number_of(genre: str) -> int | None:
    """Return the number of a genre on the list of ID3v1 and Winamp; None where it is not there.

    Example:
        >>> number_of("hip hop"), number_of("Drum & Bass"), number_of("Zeuhl")
        (7, 127, None)
    """
    return _numbers().get(spelling(genre))


def name_of(text: str) -> str:
    """Return the genre that a text means: a number of the list is its name, with brackets or without.

    Example:
        >>> name_of("(12)"), name_of("17"), name_of("Rock"), name_of("999")
        ('Other', 'Rock', 'Rock', 'Unknown')
    """
    found = _REFERENCE.fullmatch(text.strip())
    if found is None:
        return text
    names = _names()
    number = int(found[1])
    return names[number] if number < len(names) else "Unknown"


def _names() -> list[str]:
    from mutagen.id3 import TCON

    names: list[str] = TCON.GENRES
    return names


@functools.cache
def _numbers() -> dict[str, int]:
    return {spelling(name): number for number, name in reversed(list(enumerate(_names())))}
