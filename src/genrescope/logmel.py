"""The front end: from a wave to its log-mel spectrogram.

Equal to librosa's `log(melspectrogram(window="hamming") + 1e-6)` within 1e-4, several times faster, and a torch module
that runs on any device.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genrescope.audio import SAMPLE_RATE
from genrescope.files import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt


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
        if self.n_fft % self.hop or self.n_fft % 2:
            raise ValueError(f"n_fft {self.n_fft} is not an even multiple of hop {self.hop}")
        if not 0 <= self.f_min < self.f_max <= self.sample_rate / 2:
            raise ValueError(
                f"bands from {self.f_min} to {self.f_max} Hz; accepted is 0 <= f_min < f_max <= half the rate"
            )
        if self.floor <= 0:
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


class LogMel(nn.Module):
    """Log-mel spectrogram, `log(mel_power + floor)`.

    The power spectrum of centred, zero-padded, Hamming-windowed frames is gathered into triangular bands that are
    evenly spaced on Slaney's mel scale and of equal area ("slaney" norm), as librosa computes it.

    What makes it fast on a CPU: frames are worked through in blocks that stay in the cache; the filterbank is a
    handful of small dense products over the bins that each group of bands touches, since a bin belongs to two bands
    at most; and the sum of squares of real and imaginary part is left to those products, by giving both parts the
    same weight. It is a front end: no gradient flows back to the wave.

    Args:
        spec: the numbers; the default is what every model of genrescope hears.

    Example:
        >>> import torch
        >>> LogMel()(torch.zeros(1, 22050)).shape
        torch.Size([1, 44, 128])
    """

    _BANDS = 16  # mel bands in a group
    _BLOCK = 256  # frames in a block on a CPU: 2 MB of samples, twice a core's second-level cache, was fastest
    _BLOCK_DEVICE = 16_384  # on an accelerator: what keeps it busy, in 256 MB

    def __init__(self, spec: LogMelSpec | None = None) -> None:
        super().__init__()
        self.spec = spec or LogMelSpec()
        # Periodic: one sample of a window of n_fft + 1 is left out. Computed in double, rounded once.
        window = torch.hamming_window(self.spec.n_fft, periodic=True, dtype=torch.float64)
        self.register_buffer("window", window.float(), persistent=False)
        filters = mel_filters(self.spec)
        self._groups: list[tuple[int, int, int, int]] = []
        for first in range(0, self.spec.n_mels, self._BANDS):
            rows = filters[first : first + self._BANDS]
            touched = np.flatnonzero(rows.any(axis=0))
            low, high = (int(touched[0]), int(touched[-1]) + 1) if len(touched) else (0, 1)
            # Real and imaginary parts lie side by side: every weight stands twice.
            weights = torch.from_numpy(rows[:, low:high].T.repeat(2, axis=0)).float().contiguous()
            self.register_buffer(f"weights{len(self._groups)}", weights, persistent=False)
            self._groups.append((first, first + len(rows), 2 * low, 2 * high))

    @torch.no_grad()
    def forward(self, wave: Tensor) -> Tensor:
        """Compute the log-mel spectrogram of a batch of waves.

        Args:
            wave: float of shape (batch, samples), in [-1, 1], at `spec.sample_rate`.

        Returns:
            float32 of shape (batch, frames, n_mels); natural logarithm of power. `spec.frames(samples)` frames.

        Raises:
            ValueError: the shape is not (batch, samples).
        """
        if wave.ndim != 2 or wave.shape[1] == 0:
            raise ValueError(f"wave of shape {tuple(wave.shape)}; accepted is (batch, samples), not empty")
        half = self.spec.n_fft // 2
        return self._frames(F.pad(wave.float(), (half, half)))

    def stream(self, pieces: Iterable[npt.NDArray[np.float32]]) -> Iterator[Tensor]:
        """Compute the log-mel of one long wave that comes in pieces, in memory that does not grow with it.

        Args:
            pieces: float32 arrays of shape (samples,); their sizes do not matter.

        Yields:
            float32 of shape (frames, n_mels); joined they equal `forward` of the joined pieces.
        """
        n_fft, hop = self.spec.n_fft, self.spec.hop
        held = torch.zeros(n_fft // 2)
        for piece in pieces:
            held = torch.cat((held, torch.from_numpy(piece)))
            frames = (len(held) - n_fft) // hop + 1
            if frames > 0:
                yield self._frames(held[None, : (frames - 1) * hop + n_fft])[0]
                held = held[frames * hop :]
        held = F.pad(held, (0, n_fft // 2))
        if len(held) >= n_fft:
            yield self._frames(held[None])[0]

    def _frames(self, padded: Tensor) -> Tensor:
        """Compute the log-mel of all whole frames in (batch, samples)."""
        spec = self.spec
        frames = padded.unfold(1, spec.n_fft, spec.hop)
        batch, count, _ = frames.shape
        result = torch.empty(batch, count, spec.n_mels, device=padded.device)
        block = min(count, self._BLOCK if padded.device.type == "cpu" else self._BLOCK_DEVICE)
        windowed = torch.empty(block, spec.n_fft, device=padded.device)
        window = self.get_buffer("window")
        weights = [self.get_buffer(f"weights{index}") for index in range(len(self._groups))]
        for row in range(batch):
            for start in range(0, count, block):
                part = frames[row, start : start + block]
                out = result[row, start : start + block]
                held = torch.mul(part, window, out=windowed[: len(part)])
                # (frames, bins) complex -> (frames, 2 * bins) real: parts squared, to be summed by the products
                power = torch.view_as_real(torch.fft.rfft(held)).flatten(1).square_()
                for (first, last, low, high), weight in zip(self._groups, weights, strict=True):
                    torch.mm(power[:, low:high], weight, out=out[:, first:last])
        return result.add_(spec.floor).log_()


def hz_to_mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return Slaney's mel scale: linear below 1,000 Hz (15 mels), logarithmic above (27 mels to 6,400 Hz).

    Source: M. Slaney, Auditory Toolbox, Interval Research Technical Report 1998-010.

    Example:
        >>> hz_to_mel([0.0, 200.0, 1000.0, 6400.0]).tolist()
        [0.0, 3.0, 15.0, 42.0]
    """
    values = np.asarray(hz, dtype=np.float64)
    above = 15 + 27 * np.log(np.maximum(values, 1e-9) / 1000) / np.log(6.4)
    return np.where(values < 1000, values * 3 / 200, above)


def mel_to_hz(mel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the inverse of `hz_to_mel`.

    Example:
        >>> mel_to_hz(hz_to_mel([440.0, 4186.0])).round(6).tolist()
        [440.0, 4186.0]
    """
    values = np.asarray(mel, dtype=np.float64)
    return np.where(values < 15, values * 200 / 3, 1000 * np.exp((values - 15) * np.log(6.4) / 27))


def mel_filters(spec: LogMelSpec) -> npt.NDArray[np.float64]:
    """Return the triangular filterbank, shape (n_mels, n_fft // 2 + 1).

    Band m rises from edge m to edge m + 1 and falls to edge m + 2, edges evenly spaced in mel. "Slaney" norm divides
    by half the band's width in Hz, so that every triangle has area one and white noise gives level bands.
    """
    edges = mel_to_hz(np.linspace(*hz_to_mel([spec.f_min, spec.f_max]), spec.n_mels + 2))
    bins = np.arange(spec.n_fft // 2 + 1) * spec.sample_rate / spec.n_fft
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles: npt.NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return triangles * (2 / (edges[2:] - edges[:-2]))[:, None]
