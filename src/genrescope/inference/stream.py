"""Scoring sound that does not end: windows as they become whole, verdicts from them, in memory that does not grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope.audio.reader import UnreadableError
from genrescope.audio.resampling import resampled
from genrescope.errors import AudioError
from genrescope.features.front_end import make, parts
from genrescope.features.level import SILENCE, levels
from genrescope.inference.averages import Reading, Window
from genrescope.inference.chunks import Runs
from genrescope.inference.pace import Pace
from genrescope.inference.playing import Playing
from genrescope.inference.speech import Speech
from genrescope.threads import limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from genrescope.inference.chunks import Chunk, Run
    from genrescope.inference.scorer import Scorer
    from genrescope.inference.verdict import Verdict
    from genrescope.modelfile import Header

_QUIETEST = 1e-5  # amplitude: -100 dB


class Steps:
    """Where windows begin in an endless stream: those that `predict` scores, and some between them.

    Args:
        step: frames from one window of `predict` to the next.
        parts: in how many parts each step is divided.

    Example:
        >>> steps = Steps(187, 3)
        >>> [steps.start(number) for number in range(5)], [steps.counts(number) for number in range(5)]
        ([0, 62, 124, 187, 249], [True, False, False, True, False])
    """

    def __init__(self, step: int, parts: int) -> None:
        self._step, self.parts = step, parts

    def start(self, number: int) -> int:
        """Return the first frame of a window."""
        whole, part = divmod(number, self.parts)
        return whole * self._step + part * self._step // self.parts

    def counts(self, number: int) -> bool:
        """Whether `predict` scores it, too."""
        return number % self.parts == 0


class Stream:
    """The verdicts on a stream of sound.

    Args:
        header: of the model.
        scorer: of the model.
        every: seconds from one verdict to the next.
        keep_up: leave windows out where scoring takes longer than the sound takes to come.
        threads: processor threads of torch.
    """

    def __init__(self, header: Header, scorer: Scorer, *, every: float, keep_up: bool, threads: int) -> None:
        self._header, self._scorer, self._threads = header, scorer, threads
        self._spec, self._length = header.front_end, header.windows.frames
        self._front_end = make(self._spec)
        step = header.windows.hop or self._length
        self._steps = Steps(step, min(step, max(1, round(self._spec.seconds(step) / every))))
        self._newest = max(1, step // self._steps.parts)
        self._pace = Pace() if keep_up else None
        self._reading = Reading(header)
        self._playing = Playing(self._reading, every=every)
        self._speech = Speech(self._spec.sample_rate)

    def verdicts(self, chunks: Iterable[Chunk | npt.NDArray[Any]], rate: int) -> Iterator[Verdict]:
        """Yield verdicts as windows become whole, and the last one when the chunks end.

        Raises:
            AudioError: samples are not finite, or absurd.
        """
        try:
            for run in Runs(chunks, rate):
                self._playing.begin_run(run)
                yield from self._of_run(run, rate)
                self._playing.end_run(run)
        except UnreadableError as error:
            raise AudioError("stream", [("array", str(error))]) from None
        last = self._playing.last()
        if last is not None:
            yield last

    def _of_run(self, run: Run, rate: int) -> Iterator[Verdict]:
        """Yield the verdicts on sound without a gap."""
        held, base, number = np.empty((0, self._spec.width), self._spec.dtype), 0, 0
        self._speech = Speech(self._spec.sample_rate)
        heard = self._speech.passing(resampled(run, rate, self._spec.sample_rate))
        for part in parts(heard, self._front_end):
            held = np.concatenate([held, part])
            end, waiting = base + len(held), []
            while self._steps.start(number) + self._length <= end:
                waiting.append(number)
                number += 1
            yield from self._scored(held, base, waiting, run)
            keep = min(self._steps.start(number), max(base, end - self._length))
            held, base = held[keep - base :].copy(), keep
        yield from self._at_end(held, base, run)

    def _at_end(self, held: npt.NDArray[Any], base: int, run: Run) -> Iterator[Verdict]:
        """Score what no whole window has held: a run shorter than one, and the end where windows are spread."""
        end = base + len(held)
        rest = end % self._length
        if end and end < self._length:
            yield from self._made(held, [0], [True], base, run)
        elif self._header.windows.placement == "spread" and rest >= self._length / 2:
            yield from self._made(held, [len(held) - self._length], [True], base, run)

    def _scored(self, held: npt.NDArray[Any], base: int, waiting: Sequence[int], run: Run) -> Iterator[Verdict]:
        """Score the windows that have become whole, or as many of them as there is time for."""
        if not waiting:
            return
        counts = [self._steps.counts(number) for number in waiting]
        chosen = waiting if self._pace is None else self._pace.choose(waiting, counts)
        self._playing.skipped += len(waiting) - len(chosen)
        starts = [self._steps.start(number) - base for number in chosen]
        yield from self._made(held, starts, [self._steps.counts(number) for number in chosen], base, run)

    def _made(
        self, held: npt.NDArray[Any], starts: list[int], counts: list[bool], base: int, run: Run
    ) -> Iterator[Verdict]:
        """Score windows, and yield the verdicts that they bring."""
        if self._pace is None:
            logits = self._logits(held, starts)
        else:
            with self._pace.measuring(len(starts)):
                logits = self._logits(held, starts)
        values = self._reading.values(self._scorer.probabilities(logits[:, : len(self._header.labels)]))
        for place, start in enumerate(starts):
            frames = held[start : start + self._length]
            loud = levels(frames, self._spec)
            newest = loud[-self._newest :]
            window = Window(
                self._spec.seconds(base + start), self._spec.seconds(base + start + len(frames)), values[place],
                logits[place].double(), bool((loud < SILENCE).all()), decibels(newest), bool((newest < SILENCE).all()),
                counts[place], self._speech.at(self._spec.seconds(base + start + len(frames))),
            )  # fmt: skip
            verdict = self._playing.see(window, run)
            if verdict is not None:
                yield verdict

    def _logits(self, held: npt.NDArray[Any], starts: list[int]) -> Any:
        with limited(self._threads):
            return self._scorer.logits_at(held, starts)


def decibels(loud: npt.NDArray[np.floating[Any]]) -> float:
    """Return the level of frames by the amplitude of each, in dB of full scale, -100 at least.

    Example:
        >>> decibels(np.full(4, 0.1, np.float32))
        -20.0
    """
    return round(20 * float(np.log10(max(_QUIETEST, np.sqrt(np.mean(np.square(loud)))))), 3)
