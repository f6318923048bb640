"""Files of predictions: JSON Lines with all that is known, CSV with a column for each genre.

A second run goes on where the first was stopped.
"""

from __future__ import annotations

import contextlib
import csv
import json
from typing import TYPE_CHECKING

from genrescope import locks, records
from genrescope.errors import DataError
from genrescope.files import csv_line, undefused, writing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from genrescope.inference.prediction import Prediction

_CSV_COLUMNS = ("path", "genre", "confidence", "unknown", "seconds", "warning")


class PredictionFile:
    """A JSON Lines or CSV file of predictions that a second run goes on with.

    Each song is one line, written and flushed at once. On opening, a half-written last line is cut off and the songs
    that stand there are known, so they need not be classified again. Failures are not written.

    Args:
        path: the file; made if need be.
        kind: `jsonl` or `csv`.
        genres: the model's genres, the columns of a CSV file.

    Attributes:
        done: the songs that stood there already, by their paths.

    Raises:
        DataError: the file holds something else.
        OutputError: it cannot be written, or another process writes it.
    """

    def __init__(self, path: Path, kind: str, genres: Sequence[str]) -> None:
        self._kind, self._genres = kind, list(genres)
        header = header_line(kind, self._genres)
        self._writer = records.RecordWriter(path)
        with contextlib.ExitStack() as held:
            held.enter_context(locks.file(path, by="predict"))
            held.callback(self._writer.close)
            done = _read_songs(path, kind, header) if path.is_file() else None
            self.done: set[str] = done or set()
            # To write something now tells before any work whether it can be written.
            self._writer.add_text(header if done is None else "")
            self._held = held.pop_all()

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def write(self, prediction: Prediction) -> None:
        """Append a song.

        Raises:
            OutputError: the disk is full, say.
        """
        self._writer.add_text(to_line(prediction, kind=self._kind, genres=self._genres))


def header_line(kind: str, genres: Sequence[str]) -> str:
    """Return the first line of a file of predictions; JSON Lines have none."""
    return "" if kind == "jsonl" else csv_line([*_CSV_COLUMNS, *genres])


def to_line(prediction: Prediction, *, kind: str, genres: Sequence[str]) -> str:
    """Return a prediction as one line of `jsonl` or `csv`; CSV leaves the windows out."""
    facts = prediction.to_dict()
    if kind == "jsonl":
        return records.to_line(facts)
    values = [facts[name] if facts[name] is not None else "" for name in _CSV_COLUMNS]
    return csv_line([*values, *(facts["scores"][genre] for genre in genres)])


def _read_songs(path: Path, kind: str, header: str) -> set[str] | None:
    """Return the songs in a file of predictions; None where not even its first line is finished."""
    begins = header.encode() or b'{"path": "'
    with writing(path), path.open("rb") as file:
        found = file.read(len(begins))
    if not begins.startswith(found):
        raise DataError(f"{path} holds something else than {kind} predictions of this model; choose another --out")
    lines = list(records.read_lines(path))
    rows = map(json.loads, lines) if kind == "jsonl" else csv.DictReader(lines)
    try:
        return {undefused(row["path"]) if kind == "csv" else row["path"] for row in rows} if lines else None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} holds something else than predictions; choose another --out") from error
