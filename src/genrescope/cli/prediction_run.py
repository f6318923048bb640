"""The run of the command predict: songs go in as they are found, results go where they belong, and all is counted."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter, deque
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from genrescope.cli.console import say
from genrescope.cli.prediction_outputs import name_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from rich.progress import Progress

    from genrescope.inference.inputs import PathStream
    from genrescope.inference.outputs import Output
    from genrescope.inference.prediction import Failure, Prediction
    from genrescope.inference.rows import RowSpec

_NAMED = 20  # failures that are named at the end; all are in the list beside the file
_GENRES = 12  # that are counted one by one

Predict: TypeAlias = "Callable[[Iterable[Path]], Iterator[Prediction | Failure]]"


class Run:
    """One run over songs.

    Args:
        outputs: where results go.
        spec: the lowest confidence of a genre.
        bar: shows the progress.

    Attributes:
        kept: songs that all outputs had already.
        done: songs that were classified.
        written: how many of them each output did not have.
        failures: the first songs that failed, and their reasons.
        failed: how many failed.
    """

    def __init__(self, outputs: Sequence[Output], spec: RowSpec, bar: Progress) -> None:
        self._outputs, self._spec, self._bar = outputs, spec, bar
        self._identities: deque[str] = deque()
        self._genres: Counter[str] = Counter()
        self._begun = time.monotonic()
        self.failures: list[tuple[str, str]] = []
        self.written = [0] * len(outputs)
        self.kept = self.done = self.failed = self.below = 0

    @property
    def seen(self) -> int:
        """All songs that were asked for."""
        return self.kept + self.done + self.failed

    def over(self, songs: Sequence[Path], stream: PathStream | None, predict: Predict) -> None:
        """Classify songs.

        Args:
            songs: those that are known from the start.
            stream: paths of more of them, as another program names them.
            predict: yields a result for each song in order, as `Classifier.predict_many`.
        """
        from genrescope.inference.inputs import songs_from

        left = [song for song in songs if not self._is_there(song)]
        total = None if stream else len(songs)
        self._bar.add_task("classifying", total=total, completed=self.kept)
        if stream is None:
            self._take(predict(self._given(left)))
            return
        more = (song for song in songs_from(stream, seen=songs) if not self._is_there(song))
        with _stopping(stream):
            self._take(predict(self._given(chain(left, more))), stream)

    def _is_there(self, song: Path) -> bool:
        from genrescope.inference.songs import identity

        known = identity(song)
        there = all(output.has(song, known) for output in self._outputs)
        self.kept += there
        return there

    def _given(self, songs: Iterable[Path]) -> Iterator[Path]:
        """Yield songs, each with its identity noted before it is opened: one that changes meanwhile is done again."""
        from genrescope.inference.songs import identity

        for song in songs:
            self._identities.append(identity(song))
            yield song

    def _take(self, results: Iterator[Prediction | Failure], stream: PathStream | None = None) -> None:
        with contextlib.closing(cast("Generator[Prediction | Failure]", results)):
            try:
                for result in results:
                    self._sort(result, self._identities.popleft())
            finally:
                if stream is not None:
                    stream.stop()  # before the results are closed, whose thread may wait for a path

    def _sort(self, result: Prediction | Failure, identity: str) -> None:
        from genrescope.inference.prediction import Failure

        if isinstance(result, Failure):
            self._fail(result)
        else:
            self._count(result)
            for place, output in enumerate(self._outputs):
                if result.path is None or not output.has(result.path, identity):
                    output.write(result, identity)
                    self.written[place] += 1
        speed = (self.done + self.failed) / max(time.monotonic() - self._begun, 1e-3)
        self._bar.update(self._bar.task_ids[-1], advance=1, detail=f"{speed:.1f} songs/s")

    def _fail(self, failure: Failure) -> None:
        self.failed += 1
        if self.failed <= _NAMED:
            self.failures.append((failure.name, failure.reason))
        for output in self._outputs:
            output.fail(failure)

    def _count(self, prediction: Prediction) -> None:
        self.done += 1
        counts = self._spec.counts(prediction.confidence)
        self.below += not counts
        self._genres["unknown" if prediction.unknown or not counts else prediction.genre] += 1

    def summarise(self, *, quiet: bool) -> None:
        """Say how many songs were classified, how fast, and how many of each genre."""
        seconds = time.monotonic() - self._begun
        if self.done > 1:
            common = self._genres.most_common()
            counts = ", ".join(f"{genre} {count}" for genre, count in common[:_GENRES])
            others = sum(count for _, count in common[_GENRES:])
            more = f", other genres {others}" if others else ""
            say(f"{self.done} songs in {seconds:.1f} s, {self.done / seconds:.1f} songs/s: {counts}{more}", quiet=quiet)
        if self.below:
            limit = f"--min-confidence {self._spec.min_confidence:g}"
            say(f"{self.below} of {self.done} songs are below {limit}: no genre, their scores are kept", quiet=quiet)

    def name_failures(self, listed: Path | None, *, quiet: bool) -> None:
        """Name the first songs that failed, and say where all of them stand."""
        if listed is not None:
            for name, reason in self.failures:
                name_failure(name, reason)
        if self.failed:
            where = f"; the next run tries them again. All of them: {listed}" if listed is not None else ""
            say(f"{self.failed} of {self.seen} files could not be used{where}", quiet=quiet, style="yellow")


@contextlib.contextmanager
def _stopping(stream: PathStream) -> Iterator[None]:
    """End the paths on Ctrl-C, so that no thread waits for the next one."""
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: Any) -> None:
        stream.stop()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
