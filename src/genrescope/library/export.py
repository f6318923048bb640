"""Everything that a library knows, in a file for other programs: CSV, JSON Lines or Parquet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from genrescope import extras
from genrescope.errors import DataError
from genrescope.files import csv_line, replacing
from genrescope.library.listing import COLUMNS, csv_row, facts
from genrescope.records import to_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from genrescope.library.database import Library
    from genrescope.library.rows import Entry, StoredModel

_ROWS = 2000  # songs that are held at once


def export(library: Library, model: StoredModel | None, path: Path, *, on_song: Callable[[int], None]) -> int:
    """Write everything that is known of all songs, missing ones too; return how many there are.

    CSV has a column for each label's score. JSON Lines and Parquet also have the windows' scores, the tags by kind,
    and the embedding. The file is written whole or not at all.

    Args:
        library: the library.
        model: whose predictions are written.
        path: ends in `.csv`, `.jsonl` or `.parquet`.
        on_song: called with the number of songs written.

    Raises:
        DataError: another ending.
        MissingPackageError: Parquet without its package.
        OutputError: it cannot be written.
    """
    writers = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise DataError(f"{path}: accepted are names that end in {', '.join(writers)}")
    if path.suffix.lower() == ".parquet":
        extras.require("tables", "writing Parquet")
    numbers = [row["id"] for row in library.rows("SELECT id FROM songs ORDER BY path, id")]
    with replacing(path) as temporary:
        writer(temporary, model, _everything(library, model, numbers, on_song))
    return len(numbers)


def _everything(
    library: Library, model: StoredModel | None, numbers: Sequence[int], on_song: Callable[[int], None]
) -> Iterator[list[dict[str, Any]]]:
    """Yield rows with all that is known, some thousand at a time."""
    for first in range(0, len(numbers), _ROWS):
        some = numbers[first : first + _ROWS]
        vectors = dict(zip(*library.embeddings(model, songs=some), strict=True)) if model and model.width else {}
        yield [
            facts(entry, model) | _inner(entry) | {"embedding": _floats(vectors.get(entry.song.id))}
            for entry in library.entries(model, windows=True, songs=some)
        ]
        on_song(min(first + _ROWS, len(numbers)))


def _inner(entry: Entry) -> dict[str, Any]:
    found = entry.prediction
    inner = found.to_dict() if found else {"scores": {}, "tags": {}, "windows": []}
    return {name: inner[name] for name in ("scores", "tags", "windows")}


def _floats(vector: Any) -> list[float] | None:
    return None if vector is None else [round(float(value), 6) for value in vector]


def _write_csv(path: Path, model: StoredModel | None, parts: Iterable[list[dict[str, Any]]]) -> None:
    labels = model.labels if model else ()
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(csv_line([*COLUMNS, *(f"score {label}" for label in labels)]))
        for rows in parts:
            file.writelines(csv_row(row, [row["scores"].get(label) for label in labels]) for row in rows)


def _write_jsonl(path: Path, _: StoredModel | None, parts: Iterable[list[dict[str, Any]]]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        for rows in parts:
            file.writelines(map(to_line, rows))


def _write_parquet(path: Path, model: StoredModel | None, parts: Iterable[list[dict[str, Any]]]) -> None:
    """Write lists as lists, scores as columns, and windows and tags as JSON in a cell."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    labels = model.labels if model else ()
    many = {"tag_genres", "labels", "doubts", "correction"}
    kinds = {"confidence": pa.float64(), "seconds": pa.float64(), "unknown": pa.bool_(), "missing": pa.bool_()}
    columns = [(name, pa.list_(pa.string()) if name in many else kinds.get(name, pa.string())) for name in COLUMNS]
    columns += [(f"score {label}", pa.float32()) for label in labels]
    columns += [("windows", pa.string()), ("tags", pa.string()), ("embedding", pa.list_(pa.float32()))]
    with pq.ParquetWriter(path, schema := pa.schema(columns)) as file:
        for rows in parts:
            flat = [
                row
                | {f"score {label}": row["scores"].get(label) for label in labels}
                | {"path": _shown(row["path"]), "windows": json.dumps(row["windows"]), "tags": json.dumps(row["tags"])}
                for row in rows
            ]
            file.write_table(pa.Table.from_pylist(flat, schema=schema))


def _shown(path: str) -> str:
    """Return a path as Unicode: Parquet takes no bytes of another encoding."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
