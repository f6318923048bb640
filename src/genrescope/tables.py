"""CSV and TSV files with a header line, and TOML files, as people write them."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from genrescope.errors import DataError
from genrescope.files import csv_line, read_text, undefused, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from _typeshed import DataclassInstance

_SEPARATORS = (",", ";", "\t")
_Row = TypeVar("_Row", bound="DataclassInstance")
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "str": str, "int": int, "float": float, "float | None": lambda text: float(text) if text else None,
}  # fmt: skip


def read_table(path: Path, *, required: Iterable[str], comment: str | None = None) -> list[dict[str, str]]:
    """Read a table with a header line into a dict per row, as `numbered_rows`.

    Raises:
        DataError: as `numbered_rows`.
    """
    return [row for _, row in numbered_rows(path, required=required, comment=comment)]


def numbered_rows(
    path: Path, *, required: Iterable[str], comment: str | None = None
) -> list[tuple[int, dict[str, str]]]:
    """Read a table with a header line into a dict per row, each with the number of the line that it begins on.

    Commas, semicolons and tabs are told apart by the header; UTF-8 and UTF-16 by their marks. Rows without any text
    are passed over. Bytes that are no UTF-8 are kept, as `os.fsdecode` keeps them.

    Args:
        path: the file.
        required: columns that it must have.
        comment: how a line above the header begins that is no part of the table.

    Raises:
        DataError: it cannot be read, lacks a required column, or a row has not as many cells as there are columns.
    """
    text = _text(path)
    skipped = 0
    first = text.partition("\n")[0]
    if (comment is not None and first.startswith(comment)) or first.lower().startswith("sep="):  # a spreadsheet's word
        text, skipped = text.partition("\n")[2], 1
    separator, blanks = _separator(text, required := list(required))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=blanks, strict=True)
    begins = skipped + 1
    columns: list[str] | None = None
    rows = []
    try:
        for cells in reader:
            if columns is None:
                columns = _columns(path, cells, required)
            elif any(cell.strip() for cell in cells):
                rows.append((begins, _row(path, begins, columns, cells)))
            begins = skipped + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {begins}: {error}; is a quotation mark missing?") from error
    if columns is None:
        _columns(path, [], required)
    return rows


def _text(path: Path) -> str:
    """Return a table's text, whatever a spreadsheet has written it in."""
    try:
        held = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read as a table: {error.strerror or error}") from error
    if held.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in held[:2]:
        try:
            return held.decode("utf-16-be" if held.startswith(b"\0") else "utf-16")
        except UnicodeDecodeError as error:
            raise DataError(f"{path} cannot be read as a table in UTF-16: {error}; save it in UTF-8") from error
    return held.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def _separator(text: str, required: Sequence[str]) -> tuple[str, bool]:
    """Return what stands between cells, and whether a blank follows it.

    It is what cuts the first line into the required columns; else what stands there most often.
    """
    header = text.partition("\n")[0]
    cut = {mark: [cell.strip(' \t\r"') for cell in header.split(mark)] for mark in _SEPARATORS}
    fits = [mark for mark in _SEPARATORS if len(cut[mark]) > 1 and set(required) <= set(cut[mark])]
    mark = max(fits or _SEPARATORS, key=lambda mark: len(cut[mark]))
    return mark, f"{mark} " in header


def _columns(path: Path, cells: Sequence[str], required: Sequence[str]) -> list[str]:
    columns = [cell.strip() for cell in cells]
    if missing := [name for name in required if name not in columns]:
        found = " ".join(", ".join(columns).split())  # one line, whatever the file holds
        raise DataError(
            f"{path} has no column {', '.join(missing)}; its first line names: {found[:200]} (read as a table)"
        )
    return columns


def _row(path: Path, line: int, columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if len(cells) != len(columns):
        raise DataError(
            f"{path}, line {line}: {len(cells)} cells for {len(columns)} columns ({', '.join(columns)[:200]}); put "
            "quotation marks around a cell that holds a separator"
        )
    return dict(zip(columns, map(undefused, cells), strict=True))


def read_rows(path: Path, kind: type[_Row], *, remedy: str) -> list[_Row]:
    """Read what `write_table` wrote of a dataclass whose fields are text, numbers, or numbers that may be missing.

    Raises:
        DataError: it cannot be read, or is damaged; `remedy` says what to do.
    """
    types = {field.name: _FROM_TEXT[str(field.type)] for field in dataclasses.fields(kind)}
    try:
        return [
            kind(**{name: read(row[name]) for name, read in types.items()}) for row in read_table(path, required=types)
        ]
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}); {remedy}") from error


def table_text(kind: type, rows: Iterable[object]) -> str:
    """Return dataclass instances as the text of a CSV file."""
    names = [field.name for field in dataclasses.fields(kind)]
    return csv_line(names) + "".join(csv_line([getattr(row, name) for name in names]) for row in rows)


def write_table(path: Path, kind: type, rows: Iterable[object]) -> None:
    """Write dataclass instances as a CSV file, whole or not at all."""
    write_text(path, table_text(kind, rows))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        DataError: it cannot be read, or is none.
    """
    try:
        return tomllib.loads(read_text(path, strict=True).removeprefix("\ufeff"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid TOML: {error}") from error


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one with dotted keys; TOML takes `a.b = 1` for a table in a table.

    Example:
        >>> flat({"model": {"dropout": 0.1}, "training.epochs": 2})
        {'model.dropout': 0.1, 'training.epochs': 2}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found
