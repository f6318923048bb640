"""The front end: from a wave to its log-mel spectrogram.

Equal to librosa's `log(melspectrogram(window="hamming") + 1e-6)` within 1e-4, faster, and a torch module that runs on
any device.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genrescope.logmel_spec import LogMelSpec

__all__ = ["LogMel", "LogMelSpec", "hz_to_mel", "mel_centres", "mel_filters", "mel_to_hz"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt


class LogMel(nn.Module):
    """Log-mel spectrogram, `log(mel_power + floor)`.

    The power spectrum of centred, zero-padded, Hamming-windowed frames is gathered into triangular bands that are
    evenly spaced on Slaney's mel scale and of equal area ("slaney" norm), as librosa computes it. It is a front end:
    no gradient flows back to the wave.

    **Fast.** On a CPU frames are worked through in blocks that stay in the cache. The filterbank is a handful of
    small dense products over the bins that each group of bands touches, since a bin belongs to two bands at most. The
    sum of squares of real and imaginary part is left to those products, by giving both parts the same weight.

    **Exact in single precision.** The rounding of a transform spreads evenly over all bins, in proportion to the
    frame's energy. Music has its energy low down, so in float32 a quiet treble would drown in the rounding of the
    bass (errors of 2e-4 in the logarithm on real clips). Two things keep every value within 1e-4 of double precision:

    1. The frame is transformed after a circular pre-emphasis, `g[n] = f[n] - a f[n - 1]`, which takes the weight off
       the bass. For a circular shift this is exact: `|G[k]|^2 = |F[k]|^2 (1 - 2 a cos(2 pi k / N) + a^2)`, and the
       filterbank's weights are divided by that factor.
    2. Each frame's error is bounded from its energy. The few frames whose bound exceeds 1e-4 (a pure tone or a
       sweep over silence, one in a hundred frames of music) are computed again in double precision.

    Args:
        spec: the numbers; the default is what every model of genrescope hears.

    Example:
        >>> import torch
        >>> LogMel()(torch.zeros(1, 22050)).shape
        torch.Size([1, 44, 128])
    """

    _BANDS = 16  # mel bands in a group: as many as a vector register of 512 bits has floats
    _BLOCK = 256  # frames in a block on a CPU: 2 MB, of all sizes tried the fastest
    _BLOCK_DEVICE = 16_384  # on an accelerator: what keeps it busy, in 256 MB
    _BLOCK_EXACT = 512  # frames in a block in double precision
    _PRE_EMPHASIS = 0.8
    _TOLERANCE = 1e-4  # of the logarithm, against double precision
    _ROUNDING = 12 * 2.0**-24  # largest error of a bin, relative to the root of the frame's energy
    _TREBLE = 8  # mel bands at the top whose peaks are mirrored into the bass by a real transform's last stage

    def __init__(self, spec: LogMelSpec | None = None) -> None:
        super().__init__()
        self.spec = spec or LogMelSpec()
        # Periodic: one sample of a window of n_fft + 1 is left out. Computed in double, rounded once.
        window = torch.hamming_window(self.spec.n_fft, periodic=True, dtype=torch.float64)
        filters = torch.from_numpy(mel_filters(self.spec))
        self._exact_window, self._exact_filters = window, filters.T.contiguous()
        angle = 2 * math.pi * torch.arange(filters.shape[1], dtype=torch.float64) / self.spec.n_fft
        a = self._PRE_EMPHASIS
        filters = filters / (1 - 2 * a * angle.cos() + a * a)
        self._groups: list[tuple[int, int, int, int]] = []
        for first in range(0, self.spec.n_mels, self._BANDS):
            rows = filters[first : first + self._BANDS]
            touched = rows.any(dim=0).nonzero().flatten().tolist() or [0]
            low, high = touched[0], touched[-1] + 1
            # Real and imaginary parts lie side by side: every weight stands twice.
            weights = rows[:, low:high].T.repeat_interleave(2, dim=0)
            self._keep(f"weights{len(self._groups)}", weights)
            self._groups.append((first, first + len(rows), 2 * low, 2 * high))
        self._keep("window", window)
        self._keep("window_rise", a * (window - window.roll(1)))
        self._keep("largest_weight", filters.amax(dim=1))
        self._keep("hop_weight", window.square().view(-1, self.spec.hop).amax(dim=1))

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
        half, samples = self.spec.n_fft // 2, wave.shape[1]
        result = torch.empty(len(wave), self.spec.frames(samples), self.spec.n_mels, device=wave.device)
        padded = torch.empty(1 + samples + 2 * half, device=wave.device)
        padded[: 1 + half] = padded[-half:] = 0
        for row, out in zip(wave, result, strict=True):
            padded[1 + half : -half] = row
            self._frames(padded, out)
        return result

    @torch.no_grad()
    def stream(self, pieces: Iterable[npt.NDArray[np.float32]]) -> Iterator[Tensor]:
        """Compute the log-mel of one long wave that comes in pieces, in memory that does not grow with it.

        Args:
            pieces: float32 arrays of shape (samples,); their sizes do not matter.

        Yields:
            float32 of shape (frames, n_mels); joined they equal `forward` of the joined pieces.
        """
        n_fft, hop = self.spec.n_fft, self.spec.hop
        held = torch.zeros(1 + n_fft // 2)
        for piece in pieces:
            held = torch.cat((held, torch.from_numpy(piece)))
            frames = (len(held) - 1 - n_fft) // hop + 1
            if frames > 0:
                yield self._frames(held[: 1 + (frames - 1) * hop + n_fft])
                held = held[frames * hop :]
        held = F.pad(held, (0, n_fft // 2))
        if len(held) > n_fft:
            yield self._frames(held)

    def _frames(self, padded: Tensor, out: Tensor | None = None) -> Tensor:
        """Compute the log-mel of all whole frames of one wave.

        Args:
            padded: shape (1 + samples,); the first frame begins at the second sample.
            out: where the result goes, if not into a new tensor.

        Returns:
            float32 of shape (frames, n_mels).
        """
        spec, a = self.spec, self._PRE_EMPHASIS
        count = (len(padded) - 1 - spec.n_fft) // spec.hop + 1
        result = torch.empty(count, spec.n_mels, device=padded.device) if out is None else out
        largest = self._BLOCK if padded.device.type == "cpu" else self._BLOCK_DEVICE
        size = -(-count // max(1, round(count / largest)))  # blocks of equal size: no small one at the end
        windowed = torch.empty(size, spec.n_fft, device=padded.device)
        emphasised = torch.empty((size - 1) * spec.hop + spec.n_fft, device=padded.device)
        window, rise = self.get_buffer("window"), self.get_buffer("window_rise")
        weights = [self.get_buffer(f"weights{index}") for index in range(len(self._groups))]
        doubtful = []
        for start in range(0, count, size):
            power = result[start : start + size]
            samples = padded[start * spec.hop :][: 1 + (len(power) - 1) * spec.hop + spec.n_fft]
            frames, earlier = (part.unfold(0, spec.n_fft, spec.hop) for part in (samples[1:], samples[:-1]))
            # With z[n] = x[n] - a x[n - 1], computed once for overlapping frames, the pre-emphasised frame
            # w[n] x[n] - a w[n - 1] x[n - 1] is w[n] z[n] + a (w[n] - w[n - 1]) x[n - 1]. Its first sample,
            # which the circular shift joins to the last, is put right by itself.
            z = torch.sub(samples[1:], samples[:-1], alpha=a, out=emphasised[: len(samples) - 1])
            block = torch.mul(z.unfold(0, spec.n_fft, spec.hop), window, out=windowed[: len(power)])
            block.addcmul_(earlier, rise)
            block[:, 0] = frames[:, 0] * window[0] - frames[:, -1] * (a * window[-1])
            # (frames, bins) complex -> (frames, 2 * bins) real: parts squared, to be summed by the products
            squares = torch.view_as_real(torch.fft.rfft(block)).flatten(1).square_()
            for (first, last, low, high), weight in zip(self._groups, weights, strict=True):
                torch.mm(squares[:, low:high], weight, out=power[:, first:last])
            floored = power + spec.floor
            doubtful.append(self._doubtful(power, floored, z))
            torch.log(floored, out=power)
        again = torch.cat(doubtful).nonzero().flatten()
        if len(again):
            whole = padded[1:].unfold(0, spec.n_fft, spec.hop)
            for first in range(0, len(again), self._BLOCK_EXACT):
                rows = again[first : first + self._BLOCK_EXACT]
                result[rows] = self._exact(whole[rows]).to(result)
        return result

    def _doubtful(self, power: Tensor, floored: Tensor, emphasised: Tensor) -> Tensor:
        """Return which frames may be further than the tolerance from double precision, bool of shape (frames,).

        A bin's error is at most `r sqrt(E)` for a frame of energy E. It moves a band's power P, a sum of weighted
        squares, by at most `r sqrt(2 v E P)` where v is the band's largest weight, and the logarithm by that over
        `P + floor`. E is bounded by the energies of the frame's hops, each with the window's largest square in it.
        A tone near the highest frequency adds to it: the last stage of a real transform joins bin k to bin N/2 - k,
        and leaves a rounding of the one in the other (largest error seen with both terms: 9e-5 in 2,500 bursts of
        noise and tone; 4e-5 in music).
        """
        hops = emphasised.square_().view(-1, self.spec.hop).sum(dim=1)  # in place: it has served
        energy = hops.unfold(0, self.spec.n_fft // self.spec.hop, 1) @ self.get_buffer("hop_weight")
        top = slice(-self._TREBLE, None)
        energy = energy + (power[:, top] / self.get_buffer("largest_weight")[top]).sum(dim=1) / 16
        worst = (power * self.get_buffer("largest_weight")).div_(floored).div_(floored).amax(dim=1)
        return worst * energy > (self._TOLERANCE / self._ROUNDING) ** 2 / 2

    def _exact(self, frames: Tensor) -> Tensor:
        """Compute frames in double precision, without pre-emphasis."""
        device = torch.device("cpu") if frames.device.type == "mps" else frames.device  # MPS has no doubles
        windowed = frames.to(device, torch.float64) * self._exact_window.to(device)
        spectrum = torch.fft.rfft(windowed)
        power: Tensor = (spectrum.real.square() + spectrum.imag.square()) @ self._exact_filters.to(device)
        return power.add_(self.spec.floor).log_()

    def _keep(self, name: str, value: Tensor) -> None:
        """Round a constant to float32 and let it follow the module to its device."""
        self.register_buffer(name, value.float().contiguous(), persistent=False)


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
    edges = _mel_edges(spec)
    bins = np.arange(spec.n_fft // 2 + 1) * spec.sample_rate / spec.n_fft
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles: npt.NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return triangles * (2 / (edges[2:] - edges[:-2]))[:, None]


def mel_centres(spec: LogMelSpec) -> npt.NDArray[np.float64]:
    """Return the frequency in the middle of every band, in Hz, shape (n_mels,).

    Example:
        >>> mel_centres(LogMelSpec()).round(1)[[0, 127]].tolist()
        [25.8, 10735.6]
    """
    return _mel_edges(spec)[1:-1]


def _mel_edges(spec: LogMelSpec) -> npt.NDArray[np.float64]:
    low, high = hz_to_mel([spec.f_min, spec.f_max])
    return mel_to_hz(np.linspace(low, high, spec.n_mels + 2))
