"""The list of songs that could not be classified, beside a file of predictions: `genres.csv.failed.csv`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import records, tables
from genrescope.files import csv_line, write_text, writing
from genrescope.inference.encodings import records_of

if TYPE_CHECKING:
    from collections.abc import Callable

_COLUMNS = ("path", "reason")


def list_beside(out: Path) -> Path:
    """Return the place of the list that belongs to a file of predictions."""
    return out.with_name(f"{out.name}.failed.csv")


class FailedSongs:
    """Songs with the reasons why they failed, a row each. It is there only while there are such songs.

    The next run tries them again. A song leaves the list when it is classified, or no longer exists and is not asked
    for. A row that was half written does not count.

    Args:
        out: the file of predictions that it lies beside.
        classified: whether a song, by its path, stands in that file.

    Attributes:
        path: the list.

    Raises:
        DataError: there is something else in its place.
    """

    def __init__(self, out: Path, classified: Callable[[str], bool]) -> None:
        self.path = list_beside(out)
        self._classified, self._tried = classified, set[str]()
        self._writer = records.RecordWriter(self.path)
        self._reasons = self._read() if self.path.exists() else {}

    def __enter__(self) -> FailedSongs:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        left = {path: reason for path, reason in self._reasons.items() if self._counts(path)}
        if left:
            write_text(self.path, csv_line(_COLUMNS) + "".join(map(csv_line, left.items())))
        else:
            with writing(self.path):
                self.path.unlink(missing_ok=True)

    def add(self, path: str, reason: str) -> None:
        """Add a song; it is in the file when this returns."""
        header = "" if self.path.exists() else csv_line(_COLUMNS)
        self._writer.add_text(header + csv_line([path, reason]))
        self._reasons[path] = reason
        self._tried.add(path)

    def _read(self) -> dict[str, str]:
        """Return the songs of the list by their paths, each with its reason."""
        with writing(self.path):
            self._cut_torn_row()
        rows = tables.read_table(self.path, required=_COLUMNS) if self.path.exists() else []
        return {row["path"]: row["reason"] for row in rows}

    def _cut_torn_row(self) -> None:
        """Cut off what a power loss or a full disk left half written."""
        header, content = csv_line(_COLUMNS).encode(), self.path.read_bytes()
        if header.startswith(content):
            self.path.unlink()
        elif content.startswith(header):
            *_, (end, _) = records_of(self.path, quoted=True)
            os.truncate(self.path, end)

    def _counts(self, path: str) -> bool:
        return not self._classified(path) and (path in self._tried or os.path.lexists(Path(path)))
