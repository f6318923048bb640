"""The log-mel spectrogram: librosa's, in single precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genrescope.features.filterbank import Filterbank
from genrescope.features.spec import LogMelSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    from genrescope.features.filterbank import Floats

_COSINE = {"hamming": 0.46, "hann": 0.5}  # its share in a window; the rest is constant


class LogMel(Filterbank):
    """Log-mel spectrogram, `log(power + floor)` or `log10(1 + gain power)`.

    The power spectrum of centred, zero-padded, windowed frames is gathered into triangular bands that are evenly
    spaced on Slaney's mel scale and of equal area ("slaney" norm), as librosa computes it. Values differ from librosa's
    by less than 1e-3 for any signal up to full scale; a store rounds to float16, by up to 4e-3.

    Args:
        spec: the numbers; the default is what the networks of genrescope are trained on.

    Example:
        >>> LogMel()(np.zeros((1, 22050))).shape
        (1, 44, 128)
    """

    def __init__(self, spec: LogMelSpec | None = None) -> None:
        spec = spec or LogMelSpec()
        super().__init__(mel_filters(spec), length=spec.n_fft, hop=spec.hop, n_fft=spec.n_fft, padding=spec.n_fft // 2)
        self.spec = spec
        # Periodic: one sample of a window of n_fft + 1 is left out. Computed in double, rounded once.
        angle, share = 2 * np.pi * np.arange(spec.n_fft) / spec.n_fft, _COSINE[spec.window]
        self._window = (1 - share - share * np.cos(angle)).astype(np.float32)

    def _weighted(self, frames: Floats, out: Floats) -> None:
        np.multiply(frames, self._window, out=out)

    def _compressed(self, power: Floats) -> None:
        if self.spec.compression == "log":
            power += np.float32(self.spec.floor)
            np.log(power, out=power)
        else:
            power *= np.float32(self.spec.gain)
            power += 1
            np.log10(power, out=power)


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
