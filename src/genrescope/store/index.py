"""The index of a store: what each track is, and what became of its file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.tables import read_rows, write_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class IndexRow:
    """A row of `index.csv`: a track and what became of its file.

    Attributes:
        id: the track's id.
        path: its audio file, relative to the data set's folder where it lies inside.
        genre: its label; several, or `not-mine`, as `sources.labels` writes them.
        group: its artist or recording; empty where unknown.
        seconds: length of the decoded sound.
        sample_rate: of the file, per second.
        channels: of the file.
        sha256: of the file's bytes.
        status: `ok`, or the reason why the file could not be used.
        part: its part in the data set's own official split; empty where there is none.
    """

    id: str
    path: str
    genre: str
    group: str
    seconds: float
    sample_rate: int
    channels: int
    sha256: str
    status: str = "ok"
    part: str = ""


def write_index(path: Path, rows: Iterable[IndexRow]) -> None:
    """Write `index.csv`."""
    write_table(path, IndexRow, rows)


def read_index(path: Path) -> list[IndexRow]:
    """Read `index.csv`.

    Raises:
        DataError: it is damaged.
    """
    return read_rows(path, IndexRow, remedy="prepare the store again")


def genre_counts(genres: Iterable[str]) -> dict[str, int]:
    """Count tracks by genre, in alphabetical order.

    Example:
        >>> genre_counts(["rock", "jazz", "rock"])
        {'jazz': 1, 'rock': 2}
    """
    return dict(sorted(Counter(genres).items()))
