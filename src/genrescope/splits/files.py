"""A split, and the file that keeps it.

A split file is a table `id,part` under one line that tells how it was made and what its fingerprint is:

```
# genrescope split: stratified-group (seed 0, 5 folds); fingerprint 0123456789abcdef; data fedcba9876543210
```
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from genrescope.errors import DataError, nearest
from genrescope.files import csv_line, fingerprint, write_text
from genrescope.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PARTS = ("train", "validation", "test")
"""The customary parts, in the order they are shown."""

_LONGEST = 10_000  # bytes of the line above the table
_MARK = "# genrescope split: "
_LINE = re.compile(
    re.escape(_MARK) + r"(?P<method>.*); fingerprint (?P<fingerprint>[0-9a-f]{16})(?:; data (?P<data>[0-9a-f]{16}))?\s*"
)


@dataclass(frozen=True)
class Split:
    """A part for every track; tracks without a part take no part.

    Attributes:
        parts: part by track id.
        method: how it was made.
        notes: what a reader should know, a sentence each.
        data: fingerprint of the store that it was made of; empty where unknown.
    """

    parts: Mapping[str, str]
    method: str
    notes: tuple[str, ...] = field(default=())
    data: str = ""

    def ids(self, part: str) -> list[str]:
        """Return the ids of a part, sorted.

        Raises:
            DataError: no track has that part; the nearest that tracks have is named.
        """
        found = sorted(track_id for track_id, its in self.parts.items() if its == part)
        if not found:
            raise DataError(f'the split has no part "{part}"; {nearest(part, list(self.counts))}')
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Number of tracks by part, the customary parts first, then folds by their number."""
        counted = Counter(self.parts.values())
        return {part: counted[part] for part in ordered(counted)}

    @property
    def by_part(self) -> dict[str, list[str]]:
        """The sorted ids of every part, in the order of `counts`."""
        return {part: self.ids(part) for part in self.counts}

    @property
    def fingerprint(self) -> str:
        """16 digits that are equal for equal splits."""
        return fingerprint(dict(self.parts))


def ordered(parts: Iterable[str]) -> list[str]:
    """Return parts in the order they are shown: the customary ones first, then by number and name.

    Example:
        >>> ordered(["10", "9", "test", "train"])
        ['train', 'test', '9', '10']
    """

    def place(part: str) -> tuple[int, int, str]:
        number = re.search(r"\d+", part)
        return PARTS.index(part) if part in PARTS else len(PARTS), int(number.group()) if number else 0, part

    return sorted(set(parts), key=place)


def read(path: Path) -> Split:
    """Read a split file: CSV with the columns `id` and `part`, made here or elsewhere.

    Where the line above the table tells a fingerprint that its tracks no longer give, the split says so in a note.

    Raises:
        DataError: it cannot be read, or names a track twice.
    """
    parts: dict[str, str] = {}
    for row in read_table(path, required=("id", "part"), comment=_MARK):
        if row["id"] in parts:
            raise DataError(f"{path}: track {row['id']} stands there twice")
        parts[row["id"]] = row["part"]
    line = _line(path)
    if line is None:
        return Split(parts, f"file {path.name}")
    split = Split(parts, line["method"], data=line["data"] or "")
    if split.fingerprint == line["fingerprint"]:
        return split
    note = (
        f"{path.name} was edited since it was made: its first line tells the fingerprint {line['fingerprint']}, its "
        f"tracks give {split.fingerprint}"
    )
    return replace(split, method=f"{split.method}, edited", notes=(note,))


def made_here(path: Path) -> bool:
    """Whether a file begins as split files do that were made here."""
    return _line(path) is not None


def write(split: Split, path: Path) -> None:
    """Write a split file, whole or not at all."""
    data = f"; data {split.data}" if split.data else ""
    line = f"{_MARK}{' '.join(split.method.split())}; fingerprint {split.fingerprint}{data}\n"
    write_text(path, line + "".join(map(csv_line, [("id", "part"), *sorted(split.parts.items())])))


def _line(path: Path) -> re.Match[str] | None:
    with path.open("rb") as file:
        first = file.readline(_LONGEST)
    return _LINE.fullmatch(first.decode("utf-8", "surrogateescape").removeprefix("\ufeff").rstrip("\r\n"))
