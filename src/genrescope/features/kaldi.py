"""Kaldi's filterbank features, as Audio Spectrogram Transformers take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genrescope.features.filterbank import Filterbank
from genrescope.features.spec import KaldiSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    from genrescope.features.filterbank import Floats


class Kaldi(Filterbank):
    """Kaldi's log filterbank, normalised: `(log(max(power, floor)) - mean) / (2 std)`.

    Equal to Hugging Face's `ASTFeatureExtractor`, and to `torchaudio.compliance.kaldi.fbank` with `htk_compat=True,
    window_type="hanning", dither=0, num_mel_bins=128`, within 1e-3 for music and noise, and within 2e-2 for any signal
    up to full scale: pre-emphasis doubles a treble tone, and with it what single precision leaves of it in the bass.

    Args:
        spec: the numbers; the default is AST's.

    Example:
        >>> Kaldi()(np.zeros((1, 16_000))).shape
        (1, 98, 128)
    """

    def __init__(self, spec: KaldiSpec | None = None) -> None:
        spec = spec or KaldiSpec()
        length = spec.win_length
        super().__init__(kaldi_filters(spec), length=length, hop=spec.hop, n_fft=spec.n_fft, padding=0)
        self.spec = spec
        self._window = np.hanning(length).astype(np.float32)

    def _weighted(self, frames: Floats, out: Floats) -> None:
        a = np.float32(self.spec.pre_emphasis)
        np.multiply(frames[:, :-1], -a, out=out[:, 1:])
        out[:, 1:] += frames[:, 1:]
        out[:, 0] = (1 - a) * frames[:, 0]  # the first sample stands for the one before it
        # With m the frame's mean, (x[n] - m) - a (x[n - 1] - m) is x[n] - a x[n - 1] - (1 - a) m.
        out -= (1 - a) * frames.mean(axis=1, keepdims=True)
        out *= self._window

    def _compressed(self, power: Floats) -> None:
        np.maximum(power, np.float32(self.spec.floor), out=power)
        np.log(power, out=power)
        power -= np.float32(self.spec.mean)
        power /= np.float32(2 * self.spec.std)


def kaldi_filters(spec: KaldiSpec) -> npt.NDArray[np.float64]:
    """Return Kaldi's filterbank, shape (n_mels, n_fft // 2 + 1).

    Bands are evenly spaced on the mel scale `1127 ln(1 + f / 700)`, on which, and not in Hz, they are triangles; their
    peaks are 1. Source: `mel-computations.cc` of Kaldi (Povey et al., 2011).
    """
    low, high = _mel(spec.f_min), _mel(spec.f_max)
    edges = np.linspace(low, high, spec.n_mels + 2)
    bins = _mel(np.arange(spec.n_fft // 2 + 1) * spec.sample_rate / spec.n_fft)
    step = (high - low) / (spec.n_mels + 1)
    rising, falling = (bins - edges[:-2, None]) / step, (edges[2:, None] - bins) / step
    triangles: npt.NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return triangles


def kaldi_centres(spec: KaldiSpec) -> npt.NDArray[np.float64]:
    """Return the frequency in the middle of every band, in Hz, shape (n_mels,)."""
    middles = np.linspace(_mel(spec.f_min), _mel(spec.f_max), spec.n_mels + 2)[1:-1]
    return np.asarray(700 * np.expm1(middles / 1127))


def _mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(np.asarray(hz, dtype=np.float64) / 700))
