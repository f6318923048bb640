"""The numbers of the front end, apart from its arithmetic: what only reads or names them need not load torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from genrescope.audio import SAMPLE_RATE
from genrescope.files import fingerprint


@dataclass(frozen=True)
class LogMelSpec:
    """The numbers of the front end, each written once.

    Attributes:
        sample_rate: samples per second of the wave.
        n_fft: samples in a frame, and length of its Fourier transform.
        hop: samples from one frame to the next.
        n_mels: number of mel bands.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz.
        floor: added to the power of every band before the logarithm, so that silence is finite.
        window: name of the frame's window; `"hamming"` (periodic) is the one there is.

    Raises:
        ValueError: the numbers contradict each other.

    Example:
        >>> LogMelSpec().frames(30 * 22050)
        1292
    """

    sample_rate: int = SAMPLE_RATE
    n_fft: int = 2048
    hop: int = 512
    n_mels: int = 128
    f_min: float = 0.0
    f_max: float = 11_025.0
    floor: float = 1e-6
    window: str = "hamming"

    def __post_init__(self) -> None:
        if self.window != "hamming":
            raise ValueError(f'window "{self.window}"; accepted is "hamming"')
        if self.n_mels < 1 or self.hop < 1 or self.n_fft < 2:
            raise ValueError(f"n_mels {self.n_mels}, hop {self.hop}, n_fft {self.n_fft}; all must be positive")
        if self.n_fft % self.hop or self.n_fft % 2:
            raise ValueError(f"n_fft {self.n_fft} is not an even multiple of hop {self.hop}")
        if not 0 <= self.f_min < self.f_max <= self.sample_rate / 2:
            raise ValueError(
                f"bands from {self.f_min} to {self.f_max} Hz; accepted is 0 <= f_min < f_max <= half the rate"
            )
        if not 0 < self.floor < math.inf:
            raise ValueError(f"floor {self.floor}; accepted is a positive power")

    def frames(self, samples: int) -> int:
        """Return the number of frames of a wave: one for every hop begun, and one more, since frames are centred."""
        return samples // self.hop + 1

    def seconds(self, frames: float) -> float:
        """Return how long a number of frames lasts, in seconds."""
        return frames * self.hop / self.sample_rate

    @property
    def silence(self) -> float:
        """The value of every band in digital silence: `log(floor)`."""
        return math.log(self.floor)

    @property
    def fingerprint(self) -> str:
        """16 digits that identify the front end: equal for equal numbers."""
        return fingerprint(dataclasses.asdict(self))
