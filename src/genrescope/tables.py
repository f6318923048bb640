"""CSV and TSV files with a header line, and TOML files, as people write them."""

from __future__ import annotations

import csv
import dataclasses
import io
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from genrescope.errors import DataError
from genrescope.files import csv_line, read_text, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from _typeshed import DataclassInstance

_Row = TypeVar("_Row", bound="DataclassInstance")
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "str": str, "int": int, "float": float, "float | None": lambda text: float(text) if text else None,
}  # fmt: skip


def read_table(path: Path, *, required: Iterable[str], comment: str | None = None) -> list[dict[str, str]]:
    """Read a CSV or TSV file with a header line into a dict per row; file names that are no UTF-8 keep their bytes.

    Args:
        path: the file.
        required: columns that it must have.
        comment: how a line above the header begins that is no part of the table.

    Raises:
        DataError: it cannot be read, or lacks a required column.
    """
    try:
        text = read_text(path).removeprefix("\ufeff")
    except OSError as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    if comment is not None and text.startswith(comment):
        text = text.partition("\n")[2]
    header = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if "\t" in header else ",")
    missing = [name for name in required if name not in (reader.fieldnames or ())]
    if missing:
        found = " ".join(", ".join(reader.fieldnames or ()).split())  # one line, whatever the file holds
        raise DataError(
            f"{path} has no column {', '.join(missing)}; its first line names: {found[:200]} (read as a table)"
        )
    try:
        return [{key: value or "" for key, value in row.items() if isinstance(key, str)} for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from error


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


def write_table(path: Path, kind: type, rows: Iterable[object]) -> None:
    """Write dataclass instances as a CSV file, whole or not at all."""
    names = [field.name for field in dataclasses.fields(kind)]
    lines = [csv_line([getattr(row, name) for name in names]) for row in rows]
    write_text(path, csv_line(names) + "".join(lines))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        DataError: it cannot be read, or is none.
    """
    try:
        return tomllib.loads(read_text(path, strict=True).removeprefix("\ufeff"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
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
