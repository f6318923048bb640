"""Changes of a file as replaced stretches of bytes: all else stays where and as it was.

Tags are written by replacing the bytes of single fields. So what nobody asked to change (sound, pictures, fields
that no library knows) is copied, never decoded and written again; and a change can be undone to the byte.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from genrescope.errors import GenrescopeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_BLOCK = 1 << 20  # bytes copied at a time


class TagError(GenrescopeError):
    """A file whose tags cannot be written, or not without a risk. The message is the reason, without the file."""


class Data(Protocol):
    """The bytes of a file: `bytes`, or what reads a file as it is asked for (`tags.formats`)."""

    def __len__(self) -> int: ...

    def __getitem__(self, where: slice, /) -> bytes: ...


@dataclass(frozen=True)
class Edit:
    """A stretch of bytes that is replaced.

    Attributes:
        start: where it begins in the original.
        end: where it ends there; equal to `start` where something is inserted.
        new: what takes its place.
    """

    start: int
    end: int
    new: bytes

    @property
    def growth(self) -> int:
        """How many bytes it adds; negative where it removes some."""
        return len(self.new) - (self.end - self.start)


def growth(edits: Iterable[Edit]) -> int:
    """Return how many bytes edits add altogether."""
    return sum(edit.growth for edit in edits)


def tidy(data: Data, edits: Iterable[Edit]) -> list[Edit]:
    """Return edits in the order of the file, without those that change nothing.

    Raises:
        TagError: two of them overlap.
    """
    kept = sorted((each for each in edits if data[each.start : each.end] != each.new), key=lambda e: (e.start, e.end))
    for before, after in itertools.pairwise(kept):
        if after.start < before.end:
            raise TagError("its tags overlap each other")
    return kept


def pieces(data: Data, edits: Sequence[Edit]) -> Iterator[bytes]:
    r"""Yield the file as it is with the edits, in pieces.

    Example:
        >>> b"".join(pieces(b"genre: Other.", [Edit(7, 12, b"Rock")]))
        b'genre: Rock.'
    """
    place = 0
    for edit in edits:
        yield from _copied(data, place, edit.start)
        yield edit.new
        place = edit.end
    yield from _copied(data, place, len(data))


def _copied(data: Data, start: int, end: int) -> Iterator[bytes]:
    for place in range(start, end, _BLOCK):
        yield data[place : min(place + _BLOCK, end)]


def inverse(data: Data, edits: Sequence[Edit]) -> list[Edit]:
    r"""Return the edits that make the changed file the original again.

    Example:
        >>> inverse(b"genre: Other.", [Edit(7, 12, b"Rock")])
        [Edit(start=7, end=11, new=b'Other')]
    """
    undone, moved = [], 0
    for edit in edits:
        start = edit.start + moved
        undone.append(Edit(start, start + len(edit.new), data[edit.start : edit.end]))
        moved += edit.growth
    return undone
