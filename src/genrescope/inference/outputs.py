"""Files of predictions: JSON Lines with all that is known, CSV and Parquet with a column for each label.

A second run goes on where the first was stopped.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from genrescope import locks
from genrescope.files import writing
from genrescope.inference import rows
from genrescope.inference.encodings import Csv, Encoding, JsonLines
from genrescope.inference.failed_songs import FailedSongs
from genrescope.inference.song_file import SongFile

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.inference.prediction import Failure, Prediction
    from genrescope.inference.rows import RowSpec

KINDS = ("jsonl", "csv", "parquet")


class Output(Protocol):
    """Where results go."""

    def has(self, song: Path, identity: str) -> bool:
        """Whether a song is there already, by whatever path; `identity` is that of its file as it is now."""

    def write(self, prediction: Prediction, identity: str) -> None:
        """Write a song's result."""

    def fail(self, failure: Failure) -> None:
        """Note that a song failed."""


class PredictionFile:
    """A file of predictions that a second run goes on with. Only one process may have it open.

    Each song is written and flushed at once, and stands in the file once, with its absolute path, the identity of its
    file and the model's fingerprint. Songs that failed are listed in a file beside it (`FailedSongs`).

    A Parquet file appears when the run ends. Until then its rows are in `<name>.partial.jsonl` beside it.

    Args:
        path: the file; made if need be.
        kind: `jsonl`, `csv` or `parquet`.
        spec: what rows hold, and the model that makes them.
        replace: begin afresh if the file holds predictions already.

    Attributes:
        failed: the list of songs that failed; None where the file is a device.

    Raises:
        DataError: the file holds something else, or predictions of another model.
        OutputError: it cannot be written, or another process writes it.
        MissingPackageError: Parquet needs a package that is not installed.
    """

    def __init__(self, path: Path, kind: str, spec: RowSpec, *, replace: bool = False) -> None:
        self._path, self._kind, self._spec = path, kind, spec
        journal = path.with_name(f"{path.name}.partial.jsonl") if kind == "parquet" else path
        with contextlib.ExitStack() as held:
            held.enter_context(locks.file(path, by="predict"))
            if kind == "parquet":
                self._unpack(journal, replace=replace)
                held.push(lambda error, *_: None if error else self._pack(journal))
            encoding = _encoding(kind, spec)
            self._rows = held.enter_context(
                SongFile(journal, encoding, spec.model, amend=spec.amended, shown=path, replace=replace)
            )
            regular = path.is_file() or not path.exists()
            self.failed = held.enter_context(FailedSongs(path, self._rows.knows)) if regular else None
            self._held = held.pop_all()

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._held.__exit__(*error)  # type: ignore[arg-type]

    def __len__(self) -> int:
        """How many songs it has."""
        return len(self._rows)

    def has(self, song: Path, identity: str) -> bool:
        """Whether a song is there already, by whatever path; `identity` is that of its file as it is now."""
        return self._rows.has(self._named(song) or "", identity)

    def write(self, prediction: Prediction, identity: str) -> None:
        """Append a song.

        Raises:
            OutputError: the disk is full, say.
        """
        make = self._spec.record if self._kind == "jsonl" else self._spec.flat
        self._rows.write([make(prediction, identity) | {"path": self._named(prediction.path)}])

    def fail(self, failure: Failure) -> None:
        """Note that a song failed; what an earlier version of it gave is dropped."""
        path = self._named(failure.path) or failure.name
        self._rows.forget(path)
        if self.failed is not None:
            self.failed.add(path, failure.reason)

    def _named(self, path: Path | None) -> str | None:
        named = rows.absolute(path)
        return rows.text(named) if named is not None and self._kind == "parquet" else named

    def _unpack(self, journal: Path, *, replace: bool) -> None:
        """Put the rows of a Parquet file where more can be added, unless a run that was stopped has done so."""
        from genrescope.inference import arrow

        arrow.require("A Parquet file")
        if self._path.exists() and replace:
            arrow.refuse_foreign(self._path)
        elif self._path.exists() and not journal.exists():
            arrow.to_lines(self._path, journal, self._spec)

    def _pack(self, journal: Path) -> None:
        """Make a Parquet file of the rows, whole or not at all."""
        from genrescope.inference import arrow

        if self._rows.changed or not self._path.exists():
            arrow.write(self._path, self._rows.rows(), self._spec)
        with writing(journal):
            journal.unlink()


class PredictionLines:
    """Predictions as lines of text, for a stream that is read by another program.

    Args:
        kind: `jsonl` or `csv`.
        spec: what rows hold.

    Attributes:
        header: the first line of a table; empty for JSON Lines.
    """

    def __init__(self, kind: str, spec: RowSpec) -> None:
        self._make = spec.record if kind == "jsonl" else spec.flat
        self._encoding = _encoding(kind, spec)
        self.header = self._encoding.header

    def line(self, prediction: Prediction, identity: str) -> str:
        """Return a prediction as one line."""
        return self._encoding.encode(self._make(prediction, identity))


def _encoding(kind: str, spec: RowSpec) -> Encoding:
    if kind == "csv":
        return Csv(spec.columns, fixed=len(rows.FIRST))
    return JsonLines(spec.columns if kind == "parquet" else None)
