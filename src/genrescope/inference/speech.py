"""Whether somebody is speaking: what plays between songs is no genre."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from genrescope.features import speech_measures
from genrescope.features.level import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

WEIGHTS = (
    6.019, 0.08091, 0.101, 0.1797, 0.003282, -0.09913, -0.3307, 4.128, 2.294, 0.4162, -5.192, 0.8379, -0.3535, -2.688,
    -2.62, -0.02185, -0.004282, 0.1904, -0.07504, 0.06813, -5.203, -8.611,
)  # fmt: skip
"""Of the measures, in the order of `speech_measures.NAMES`. Chosen by `python -m benchmarks.live_speech --fit`."""

BIAS = 0.7828
"""What is added to the weighted measures: the logit of speech."""

GAPS = 0.1
"""The share of quiet frames that speech has at least: 99 % of what speakers say has 0.2 and more, even noise has 0."""

BEGINS, ENDS = 1.5, 0.5
"""The mean logit of the last 6 seconds above which speech begins, and below which it ends: chosen in the same way."""

MEASUREMENTS = 4
"""How many measurements that mean is of: one a second, of 3 seconds each."""


def logits(waves: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """Return how surely waveforms of shape (batch, samples), 3 seconds each, are speech: above 0 where it is likely."""
    found = speech_measures.measures(waves, rate)
    sure: npt.NDArray[np.float32] = found @ np.asarray(WEIGHTS, np.float32) + np.float32(BIAS)
    without_gaps = found[:, speech_measures.NAMES.index("low_energy")] < GAPS
    return np.where(without_gaps, np.minimum(sure, 0), sure)


class Speech:
    """Follows a waveform, and says when there is speech.

    Args:
        rate: samples per second. Below `speech_measures.LOWEST_RATE` nothing is known.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._held = np.empty(0, np.float32)
        self._heard = 0  # seconds after which there was a measurement
        self._logits: deque[float] = deque(maxlen=MEASUREMENTS)
        self._is_speech: bool | None = None
        self._states: deque[tuple[float, bool | None]] = deque()

    def passing(self, pieces: Iterable[npt.NDArray[np.float32]]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield a waveform's pieces, of shape (samples,), as they come, and measure them."""
        for piece in pieces:
            if self._rate >= speech_measures.LOWEST_RATE:
                self._measure(piece)
            yield piece

    def at(self, seconds: float) -> bool | None:
        """Whether there was speech then; moments are to be asked for in order.

        Returns:
            None where it is not known: in the first 6 seconds, and after silence.
        """
        while len(self._states) > 1 and self._states[1][0] <= seconds:
            self._states.popleft()
        return self._states[0][1] if self._states and self._states[0][0] <= seconds else None

    def _measure(self, piece: npt.NDArray[np.float32]) -> None:
        self._held = np.concatenate([self._held, piece])
        length = round(speech_measures.SECONDS * self._rate)
        while len(self._held) >= length:
            wave = self._held[:length]
            self._held = self._held[self._rate :]
            self._states.append((speech_measures.SECONDS + self._heard, self._follow(wave)))
            self._heard += 1
        self._held = self._held.copy()

    def _follow(self, wave: npt.NDArray[np.float32]) -> bool | None:
        """Take the next 3 seconds, a second later than those before, and return what holds."""
        if np.sqrt(np.mean(np.square(wave))) < SILENCE:
            self._logits.clear()
            self._is_speech = None
            return None
        self._logits.append(float(logits(wave[None], self._rate)[0]))
        if len(self._logits) == MEASUREMENTS:
            self._is_speech = sum(self._logits) / MEASUREMENTS > (ENDS if self._is_speech else BEGINS)
        return self._is_speech
