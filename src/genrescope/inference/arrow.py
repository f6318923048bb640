"""Predictions as tables of pandas and Apache Arrow, and in Parquet files. Both packages are an extra, `tables`."""

from __future__ import annotations

import os
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO

from genrescope import extras, records
from genrescope.files import replacing
from genrescope.inference.prediction import Failure, Prediction
from genrescope.inference.rows import FIRST, LAST, text
from genrescope.inference.song_file import check, foreign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from genrescope.inference.rows import RowSpec

_ROWS = 1000  # in a row group
_NUMBERS = ("confidence", "seconds")
_FACTS = ("path", "name", "genre", "confidence", "unknown", "labels", "seconds", "warning", "error")


def require(what: str) -> None:
    """Refuse work without the packages.

    Raises:
        MissingPackageError: one is missing; the message has the command that installs it.
    """
    extras.require("tables", what)


def to_pandas(results: Iterable[Prediction | Failure]) -> Any:
    """Return results as a `pandas.DataFrame`, a row for each song, with the columns of `to_arrow`.

    Raises:
        MissingPackageError: pandas or pyarrow is not installed.
    """
    return to_arrow(results).to_pandas()


def to_arrow(results: Iterable[Prediction | Failure]) -> Any:
    """Return results as a `pyarrow.Table`, a row for each song in their order.

    Columns: `path`, `name`, `genre`, `confidence`, `unknown`, `labels` (a list), `seconds`, `warning`, `error`, then
    each label's score, and `embedding` (a list of float32) if a prediction has one. A failure has `path`, `name` and
    `error`, and nothing else; a prediction has no `error`. Windows and tags are left out (`Prediction.to_dict`).

    Args:
        results: what `Classifier.predict_many` yields, or any predictions and failures.

    Raises:
        MissingPackageError: pandas or pyarrow is not installed.
    """
    require("A table of predictions")
    import pyarrow as pa

    found = list(results)
    predictions = [each for each in found if isinstance(each, Prediction)]
    labels = list(dict.fromkeys(chain.from_iterable(map(_labels, predictions))))
    columns = {name: [_fact(each, name) for each in found] for name in _FACTS}
    table = {name: pa.array(values, _type(name)) for name, values in columns.items()}
    for label in labels:
        scores = [each.scores.get(label) if isinstance(each, Prediction) else None for each in found]
        table[f"{label} (score)" if label in _FACTS else label] = pa.array(scores, pa.float64())
    if any(each.embedding is not None for each in predictions):
        vectors = [each.embedding if isinstance(each, Prediction) else None for each in found]
        table["embedding"] = pa.array(vectors, pa.list_(pa.float32()))
    return pa.table(table)


def write(path: Path, rows: Iterable[dict[str, Any]], spec: RowSpec) -> None:
    """Write rows of a table of predictions as a Parquet file, whole or not at all, a thousand at a time.

    Raises:
        OutputError: it cannot be written.
    """
    with replacing(os.path.realpath(path)) as temporary:
        write_to(temporary, rows, spec)


def write_to(file: Path | BinaryIO, rows: Iterable[dict[str, Any]], spec: RowSpec) -> None:
    """Write rows of a table of predictions as Parquet, a thousand at a time: equal rows give equal bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(column, _type(column, spec)) for column in spec.columns])
    with parquet.ParquetWriter(file, schema) as writer:
        for some in _batches(rows):
            writer.write_batch(pa.RecordBatch.from_pylist(some, schema=schema))


def to_lines(path: Path, lines: Path, spec: RowSpec) -> None:
    """Write the rows of a Parquet file as JSON Lines, whole or not at all.

    Raises:
        DataError: it is no Parquet file of predictions, or those of another model, or has other columns.
    """
    with replacing(lines) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in _rows(path):
            check(row, spec.model, spec.columns, shown=path)
            file.write(records.to_line(row))


def refuse_foreign(path: Path) -> None:
    """Refuse a file that holds something else than predictions.

    Raises:
        DataError: it does.
    """
    next(_rows(path), None)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    left = iter(rows)
    while some := list(islice(left, _ROWS)):
        yield some


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            if names[: len(FIRST)] != FIRST or names[-len(LAST) :] != LAST:
                raise foreign(path)
            for batch in file.iter_batches(_ROWS):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise foreign(path) from error


def _labels(prediction: Prediction) -> dict[str, float]:
    """Return a prediction's labels, in the model's order where its windows tell it."""
    return prediction.windows[0].scores if prediction.windows else prediction.scores


def _fact(result: Prediction | Failure, name: str) -> Any:
    if name in {"path", "name"}:
        value = getattr(result, name)
        return None if value is None else text(str(value))
    if isinstance(result, Failure):
        return text(result.reason) if name == "error" else None
    return None if name == "error" else getattr(result, name)


def _type(column: str, spec: RowSpec | None = None) -> Any:
    """Return the type of a column: text, but for numbers, truth values and lists."""
    import pyarrow as pa

    if column in _NUMBERS:
        return pa.float64()
    if spec is not None and column in spec.score_columns:
        return pa.string() if spec.top is not None and column.startswith("genre_") else pa.float64()
    if spec is None and column == "labels":
        return pa.list_(pa.string())
    return pa.bool_() if column == "unknown" else pa.string()
