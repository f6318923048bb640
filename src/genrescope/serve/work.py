"""The work that a request brings: a song is decoded in a process, then scored in a thread."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from genrescope.errors import GenrescopeError, reason_of
from genrescope.features.song_frames import Cut, Order, Wanted, order_workers, received
from genrescope.inference.classifier import fingerprint_of
from genrescope.inference.explain import explain
from genrescope.inference.predictor import DecodedSong, Predictor
from genrescope.inference.scorer import Scorer
from genrescope.serve.faults import Refused
from genrescope.threads import limited
from genrescope.workers import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from genrescope.features.placement import Choice
    from genrescope.inference.explanation import Explanation
    from genrescope.inference.prediction import Prediction, WindowScores
    from genrescope.modelfile import Model
    from genrescope.serve.settings import Limits
    from genrescope.worker import Worker
    from genrescope.workers import Pool


class Cancelled(GenrescopeError):  # noqa: N818 - it is no fault
    """Nobody waits for this song any more."""


class Ticket:
    """Whether somebody still waits for a song; to cancel it ends its decoder at once."""

    def __init__(self) -> None:
        self._cancelled, self._lock = False, threading.Lock()
        self._worker: Worker | None = None

    def cancel(self) -> None:
        """Let the work end as soon as may be."""
        with self._lock:
            self._cancelled = True
            if self._worker is not None:
                self._worker.kill()

    def check(self) -> None:
        """Go on, or raise `Cancelled`."""
        if self._cancelled:
            raise Cancelled

    def hold(self, worker: Worker | None) -> None:
        """Note which worker decodes the song."""
        with self._lock:
            self._worker = worker
            if self._cancelled and worker is not None:
                worker.kill()


class Task(Protocol):
    """What is done for a song. Both steps run in threads, and raise what went wrong."""

    def decode(self, ticket: Ticket) -> Any:
        """Return what is scored."""

    def score(self, sound: Any, ticket: Ticket) -> Any:
        """Return the result."""


class Workshop:
    """A model, and the processes that decode for it.

    Args:
        model: in memory.
        fingerprint: of `modelfile.fingerprint`.
        limits: what a song may take.
        jobs: processes.
    """

    def __init__(self, model: Model, fingerprint: str, limits: Limits, jobs: int) -> None:
        self.model, self.limits = model, limits
        self._fingerprint = fingerprint
        self._pool: Pool[Order | Cut] = order_workers(model.header.front_end, jobs, Guard(limits.decode_seconds))

    def fingerprint(self, choice: Choice) -> str:
        """Return what identifies predictions with these windows, as `predict` writes it."""
        return fingerprint_of(self._fingerprint, choice)

    def predictor(self, choice: Choice) -> Predictor:
        """Return what scores these windows of a song."""
        return Predictor(self.model.header, Scorer.of(self.model, choice=choice))

    def worked(self, order: Order | Cut, ticket: Ticket, use: Callable[[Any], Any]) -> Any:
        """Give a file to a worker, and return what `use` makes of the parts that it sends."""
        ticket.check()
        worker = self._pool.give(order)
        try:
            ticket.hold(worker)
            return use(worker.parts())
        except Exception:
            ticket.check()  # a killed worker is no fault of the file
            raise
        finally:
            ticket.hold(None)
            self._pool.take_back(worker)

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


@dataclass(frozen=True)
class PredictTask:
    """A song to classify.

    Attributes:
        workshop: with what.
        path: its file.
        name: as the client calls it.
        choice: which windows.
        on_decoded: called with the seconds that are decoded.
        on_windows: called with the song's length, the number of the first window, and windows, as they are scored.
    """

    workshop: Workshop
    path: Path
    name: str
    choice: Choice
    on_decoded: Callable[[float], None] = lambda _: None
    on_windows: Callable[[float, int, Sequence[WindowScores]], None] = lambda *_: None

    def decode(self, ticket: Ticket) -> DecodedSong:
        """Return the song's frames.

        Raises:
            Refused: the file cannot be used.
        """
        header = self.workshop.model.header
        wanted = Wanted(header.front_end, header.windows, self.choice)

        def observe(frames: int) -> None:
            ticket.check()
            self.on_decoded(header.front_end.seconds(frames))

        with unusable():
            order = Order(self.path, wanted, self.workshop.limits.sound_seconds)
            found = self.workshop.worked(order, ticket, lambda sent: received(sent, wanted, observe=observe))
        return DecodedSong(None, self.name, found.frames, found.samples / header.front_end.sample_rate)

    def score(self, sound: DecodedSong, ticket: Ticket) -> Prediction:
        """Return the prediction."""

        def observe(first: int, windows: Sequence[WindowScores]) -> None:
            ticket.check()
            self.on_windows(sound.seconds, first, windows)

        with limited(1):
            return self.workshop.predictor(self.choice).predict(sound, observe=observe)


@dataclass(frozen=True)
class ExplainTask:
    """A part of a song to explain.

    Attributes:
        workshop: with what.
        path: its file.
        start: where the part begins, in seconds.
        seconds: its length.
    """

    workshop: Workshop
    path: Path
    start: float
    seconds: float

    def decode(self, ticket: Ticket) -> Any:
        """Return the part's waveform.

        Raises:
            Refused: the file cannot be used, or ends before.
        """
        with unusable():
            (wave,) = self.workshop.worked(Cut(self.path, self.start, self.seconds), ticket, list)
        if not len(wave):
            raise Refused(422, f"the song ends before {self.start:g} s")
        return wave

    def score(self, sound: Any, ticket: Ticket) -> Explanation:
        """Return what was found."""
        ticket.check()
        model = self.workshop.model
        with limited(1):
            return explain(model, sound, sample_rate=model.header.front_end.sample_rate)


@contextlib.contextmanager
def unusable() -> Iterator[None]:
    """Turn what a decoder throws into a refusal, with the sentence that the command line prints."""
    try:
        yield
    except (Cancelled, Refused):
        raise
    except Exception as error:
        raise Refused(422, reason_of(error)) from error
