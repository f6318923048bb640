"""The log-mel spectrogram: librosa's, in single precision, on any device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope.features.filterbank import Filterbank
from genrescope.features.spec import LogMelSpec

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

_WINDOWS = {"hamming": torch.hamming_window, "hann": torch.hann_window}

_SMOOTHING = 0.4


class LogMel(Filterbank):
    """Log-mel spectrogram, `log(power + floor)` or `log10(1 + gain power)`.

    The power spectrum of centred, zero-padded, windowed frames is gathered into triangular bands that are evenly
    spaced on Slaney's mel scale and of equal area ("slaney" norm), as librosa computes it. Values differ from librosa's
    by less than 1e-3 for music and noise, and by less than 5e-3 for any signal up to full scale; a store rounds to
    float16, by up to 4e-3.

    A transform of real numbers joins bin k to bin N/2 - k in its last stage, and leaves a rounding of the one in the
    other. A loud treble tone thus disturbs a quiet bass, where the filters weigh most: by 7e-3, if nothing is done. So
    each frame f is smoothed in a circle before, `g[n] = f[n] + a f[n + 1]`, which takes the weight off the treble. For
    a circular shift this is undone exactly by the filters: `|G[k]|^2 = |F[k]|^2 (1 + 2 a cos(2 pi k / N) + a^2)`.

    Args:
        spec: the numbers; the default is what the networks of genrescope are trained on.

    Example:
        >>> import torch
        >>> LogMel()(torch.zeros(1, 22050)).shape
        torch.Size([1, 44, 128])
    """

    def __init__(self, spec: LogMelSpec | None = None) -> None:
        spec = spec or LogMelSpec()
        n_fft = spec.n_fft
        angle = 2 * np.pi * np.arange(n_fft // 2 + 1) / n_fft
        filters = mel_filters(spec) / (1 + 2 * _SMOOTHING * np.cos(angle) + _SMOOTHING**2)
        super().__init__(filters, length=n_fft, hop=spec.hop, n_fft=n_fft, padding=n_fft // 2)
        self.spec = spec
        # Periodic: one sample of a window of n_fft + 1 is left out. Computed in double, rounded once.
        window = _WINDOWS[spec.window](n_fft, periodic=True, dtype=torch.float64)
        self._keep("window", window)
        self._keep("next_window", _SMOOTHING * window.roll(-1))

    def _weighted(self, frames: Tensor, out: Tensor) -> None:
        window = self.get_buffer("next_window")
        torch.mul(frames, self.get_buffer("window"), out=out)
        out[:, :-1].addcmul_(frames[:, 1:], window[:-1])
        out[:, -1].addcmul_(frames[:, 0], window[-1])  # the circle closes

    def _compressed(self, power: Tensor) -> None:
        if self.spec.compression == "log":
            power.add_(self.spec.floor).log_()
        else:
            power.mul_(self.spec.gain).add_(1).log10_()


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
    edges = mel_edges(spec)
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
    return mel_edges(spec)[1:-1]


def mel_edges(spec: LogMelSpec) -> npt.NDArray[np.float64]:
    """Return where the bands begin, have their middles, and end, in Hz, shape (n_mels + 2,)."""
    low, high = hz_to_mel([spec.f_min, spec.f_max])
    return mel_to_hz(np.linspace(low, high, spec.n_mels + 2))
