"""How rows stand in a file: as JSON Lines, or as CSV whose cells may hold line ends."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from genrescope import records
from genrescope.files import csv_line, undefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

Row: TypeAlias = dict[str, Any]
"""Values by the names of their columns."""


class Encoding(Protocol):
    """How rows stand in a file."""

    begins: bytes
    header: str
    quoted: bool
    columns: tuple[str, ...] | None

    def encode(self, row: Row) -> str:
        """Return a row with its line end."""

    def decode(self, texts: Iterable[str]) -> Iterator[Row]:
        """Yield the rows of a file's records; ValueError for a record that is none."""


class JsonLines:
    """A JSON object a line.

    Args:
        columns: the names of every object's values; None where they differ.
    """

    begins, header, quoted = b'{"path": "', "", False

    def __init__(self, columns: Sequence[str] | None = None) -> None:
        self.columns = None if columns is None else tuple(columns)

    def encode(self, row: Row) -> str:
        """Return a row with its line end."""
        return records.to_line(row)

    def decode(self, texts: Iterable[str]) -> Iterator[Row]:
        """Yield the rows of a file's records."""
        yield from map(json.loads, texts)


class Csv:
    """A line of cells for each row, under a line of column names.

    Args:
        columns: the names.
        fixed: how many of them every file of this kind begins with.
    """

    quoted = True

    def __init__(self, columns: Sequence[str], *, fixed: int) -> None:
        self.columns: tuple[str, ...] | None = tuple(columns)
        self.header = csv_line(columns)
        self.begins = csv_line(columns[:fixed]).rstrip("\n").encode()

    def encode(self, row: Row) -> str:
        """Return a row with its line end; what is None stays empty."""
        return csv_line(["" if row[name] is None else row[name] for name in self.columns or ()])

    def decode(self, texts: Iterable[str]) -> Iterator[Row]:
        """Yield the rows of a file's records by the names in its own first line."""
        columns: list[str] | None = None
        for cells in csv.reader(texts, strict=True):
            if columns is None:
                columns = cells
            else:
                yield dict(zip(columns, map(undefused, cells), strict=True))


def records_of(path: Path, *, quoted: bool) -> Iterator[tuple[int, str]]:
    """Yield the whole records of a file, each with the place where it ends; line ends in quotation marks are text."""
    end, held, is_open = 0, list[bytes](), False
    with path.open("rb") as file:
        for line in file:
            end += len(line)
            held.append(line)
            is_open ^= quoted and line.count(b'"') % 2 == 1
            if line.endswith(b"\n") and not is_open:
                yield end, b"".join(held).decode("utf-8", "surrogateescape")
                held = []
