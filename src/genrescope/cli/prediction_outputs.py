"""Where the command predict puts its results: a table or lines on stdout, and files."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from genrescope.cli.console import err, out, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from genrescope.inference.outputs import Output
    from genrescope.inference.prediction import Failure, Prediction
    from genrescope.inference.rows import RowSpec
    from genrescope.modelfile import Header

_TOP = 3  # genres or tags of a song
_ROWS = 500  # of a table, which is shown in parts, so that memory does not grow with the songs


def name_failure(name: str, reason: str) -> None:
    """Name a song that failed, on stderr."""
    err().print(f"skipped {name}: {reason}", style="yellow", markup=False)


class _Shown:
    """What stdout shows: no song is there already, and failures are named as they come."""

    def has(self, song: Path, identity: str) -> bool:
        return False

    def fail(self, failure: Failure) -> None:
        name_failure(failure.name, failure.reason)


class Lines(_Shown):
    """JSON Lines or CSV on stdout, a line as soon as a song is done."""

    def __init__(self, kind: str, spec: RowSpec) -> None:
        from genrescope.inference.outputs import PredictionLines

        self._lines = PredictionLines(kind, spec)
        sys.stdout.write(self._lines.header)

    def write(self, prediction: Prediction, identity: str) -> None:
        """Write a song's line."""
        sys.stdout.write(self._lines.line(prediction, identity))
        sys.stdout.flush()


class Table(_Shown):
    """A table on stdout, printed once all songs are done, or 500 of them: genres with confidences, or tags with scores.

    Args:
        top: genres or tags of each song.
        header: the model's.
        spec: the lowest confidence of a genre.
    """

    def __init__(self, top: int, header: Header, spec: RowSpec) -> None:
        self._top, self._header, self._spec = top, header, spec
        self._begin()

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        self._show()

    def write(self, prediction: Prediction, identity: str = "") -> None:
        """Add a row."""
        from rich.text import Text

        self._rows.add_row(
            Text(prediction.name),
            *map(Text, self._found(prediction)),
            str(len(prediction.windows)),
            Text(f"warning: {prediction.warning}" if prediction.warning else ""),
        )
        if self._rows.row_count == _ROWS:
            self._show()
            self._begin()

    def _begin(self) -> None:
        header = self._header
        found = ["genre", "confidence", "then"] if header.exclusive else ["genres" if header.tags else "tags"]
        found += [", ".join(header.tags)] if header.tags else []
        windows = f"windows of {header.window_seconds:.2f} s"
        self._rows = table("song", *found, windows, "", right=("confidence", windows))

    def _found(self, prediction: Prediction) -> tuple[str, ...]:
        top = prediction.top(self._top)
        if not self._header.exclusive:
            others = (", ".join(next(iter(tags)) for tags in prediction.tags.values()),) if prediction.tags else ()
            return (self._tags(prediction, top), *others)
        then = ", ".join(f"{genre} {100 * score:.0f} %" for genre, score in top[1:])
        is_unknown = prediction.unknown or not self._spec.counts(prediction.confidence)
        genre = f"unknown (nearest: {prediction.genre})" if is_unknown else prediction.genre
        return genre, f"{100 * prediction.confidence:.1f} %", then

    def _tags(self, prediction: Prediction, top: list[tuple[str, float]]) -> str:
        """Return labels that do not exclude each other, in brackets where they are below a threshold."""
        limited = self._header.thresholds or self._spec.min_confidence
        labels = prediction.labels if self._header.thresholds else prediction.scores
        counted = {label for label in labels if self._spec.counts(prediction.scores[label])}
        shown = (f"{tag} {score:.2f}" if tag in counted else f"({tag} {score:.2f})" for tag, score in top)
        return ("none: " if limited and not counted else "") + ", ".join(shown)

    def _show(self) -> None:
        if self._rows.row_count:
            out().print(self._rows)


@contextlib.contextmanager
def shown(kind: str, spec: RowSpec, header: Header, *, top: int | None) -> Iterator[Output]:
    """Return what stdout gets: a table, or lines."""
    if kind == "table":
        with Table(top or _TOP, header, spec) as rows:
            yield rows
    else:
        yield Lines(kind, spec)
