"""Averages over windows that arrive one by one: since some beginning, or over the last few seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from genrescope.inference.pooling import pooled, unpooled
from genrescope.inference.scorer import novelty_of
from genrescope.inference.verdict import Average

if TYPE_CHECKING:
    from torch import Tensor

    from genrescope.modelfile import Header


@dataclass(frozen=True)
class Window:
    """One window that was scored.

    Attributes:
        start: where it begins, in seconds from the beginning of the stream.
        end: where it ends.
        values: float64 (labels,), what is averaged of its scores.
        logits: float64 (labels and others,).
        silent: whether it is without sound.
        level: of its newest second, in dB of full scale.
        quiet: whether its newest second is without sound.
        counts: whether it is one of those that `predict` scores, and not one between them.
        speech: whether somebody speaks at its end; None where that is not known.
    """

    start: float
    end: float
    values: Tensor
    logits: Tensor
    silent: bool
    level: float
    quiet: bool
    counts: bool
    speech: bool | None = None


class Reading:
    """From averaged numbers back to labels: what a model's header says of them."""

    def __init__(self, header: Header) -> None:
        self._header, self._pooling = header, header.windows.pooling

    def values(self, scores: Tensor) -> Tensor:
        """Return what is averaged of probabilities of shape (windows, labels), as float64."""
        return pooled(scores, pooling=self._pooling, exclusive=self._header.exclusive).double()

    def scores(self, values: Tensor) -> dict[str, float]:
        """Return the scores by label of averaged values of shape (labels,), the highest first."""
        mean = unpooled(values[None].float(), pooling=self._pooling, exclusive=self._header.exclusive)[0]
        named = zip(self._header.labels, mean.tolist(), strict=True)
        return dict(sorted(named, key=lambda item: -item[1]))

    def is_unknown(self, logits: Tensor) -> bool:
        """Whether averaged logits of shape (labels and others,) are probably none of the labels."""
        labels = len(self._header.labels)
        return len(logits) > labels and self._header.is_unknown(novelty_of(logits.float(), labels))

    def average(self, values: Tensor, logits: Tensor, *, windows: int, start: float) -> Average:
        """Return what averaged values and logits say."""
        scores = self.scores(values)
        genre = next(iter(scores))
        return Average(
            genre, scores[genre], scores, self.is_unknown(logits), self._header.counted(scores), windows, start
        )


class Running:
    """The mean over all windows since some beginning, in constant memory.

    As in `predict`, silent windows count only where there are no others.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.restart()

    def restart(self) -> None:
        """Begin again with the next window."""
        self._start = math.nan
        self._sums: dict[bool, tuple[Tensor, Tensor]] = {}
        self._counts = {False: 0, True: 0}

    def add(self, window: Window) -> None:
        """Count a window."""
        if not self._sums:
            self._start = window.start
        new, before = (window.values, window.logits), self._sums.get(window.silent)
        self._sums[window.silent] = new if before is None else (before[0] + new[0], before[1] + new[1])
        self._counts[window.silent] += 1

    @property
    def has_sound(self) -> bool:
        """Whether there is a window that is not silent."""
        return self._counts[False] > 0

    def average(self) -> Average | None:
        """Return what the windows make together; None where there is none."""
        if not self._sums:
            return None
        silent = not self.has_sound
        values, logits = self._sums[silent]
        count = self._counts[silent]
        return self._reading.average(values / count, logits / count, windows=count, start=self._start)


class Smoothed:
    """The exponentially weighted mean of the last windows with sound; a window between two weighs as its step does.

    Args:
        reading: how the numbers are read.
        seconds: after which the weight of a window has fallen to 1/e; 0 takes the newest window alone.
    """

    def __init__(self, reading: Reading, seconds: float) -> None:
        self._reading, self._seconds = reading, seconds
        self.restart()

    def restart(self) -> None:
        """Begin again with the next window."""
        self._mean: tuple[Tensor, Tensor] | None = None
        self._end = 0.0

    def add(self, window: Window) -> None:
        """Count a window."""
        new = window.values, window.logits
        if self._mean is None:
            self._mean = new
        else:
            share = 1 - math.exp((self._end - window.end) / self._seconds) if self._seconds else 1.0
            self._mean = torch.lerp(self._mean[0], new[0], share), torch.lerp(self._mean[1], new[1], share)
        self._end = window.end

    def scores(self) -> dict[str, float]:
        """Return the scores by label, the highest first; empty before the first window."""
        return {} if self._mean is None else self._reading.scores(self._mean[0])

    def is_unknown(self) -> bool:
        """Whether the last windows are probably none of the labels."""
        return self._mean is not None and self._reading.is_unknown(self._mean[1])
