"""The front end of a model as matrix products, which every ONNX runtime has and computes fast, unlike `STFT`.

A Fourier transform of length N = A B is two products with small matrices and a rotation between them (J. W. Cooley and
J. W. Tukey, An algorithm for the machine calculation of complex Fourier series, 1965). With n = B a + b and
k = c + A d,

    X[k] = sum over b of  exp(-2 pi i b d / B)  exp(-2 pi i b c / N)  sum over a of  exp(-2 pi i a c / A) x[n].

For 2,048 samples that is a thirteenth of the multiplications of one product with all sines and cosines, and a
hundredth of their weights in the file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from genrescope.errors import ModelFileError
from genrescope.features.kaldi import kaldi_filters
from genrescope.features.level import SILENCE, levels
from genrescope.features.logmel import mel_filters
from genrescope.features.spec import KaldiSpec, LogMelSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    from genrescope.features.placement import WindowSpec
    from genrescope.features.spec import Spec


class PowerSpectrum(nn.Module):
    """The power of each frequency of frames, by two matrix products.

    Args:
        n_fft: length of the transform.

    Attributes:
        bins: int64, which bin each output is; those above half of `n_fft` mirror others.
    """

    def __init__(self, n_fft: int) -> None:
        super().__init__()
        self.rows = _divisor(n_fft)
        self.columns = n_fft // self.rows
        c, b = np.arange(self.rows), np.arange(self.columns)
        d = np.arange(self.columns // 2 + 1)
        inner = np.exp(-2j * np.pi * np.outer(c, c) / self.rows)
        outer = np.exp(-2j * np.pi * np.outer(b, d) / self.columns)
        rotation = np.exp(-2j * np.pi * np.outer(b, c) / n_fft)  # (columns, rows)
        self.bins = (c[:, None] + self.rows * d).flatten()
        _keep(self, "inner", np.concatenate([inner.real, inner.imag], axis=1))
        _keep(self, "outer", np.block([[outer.real, outer.imag], [-outer.imag, outer.real]]))
        _keep(self, "cosine", rotation.real)
        _keep(self, "sine", rotation.imag)

    def forward(self, frames: Tensor) -> Tensor:
        """Return power of shape (frames, outputs) from frames of shape (frames, n_fft)."""
        cosine, sine = self.get_buffer("cosine"), self.get_buffer("sine")
        columns = frames.reshape(-1, self.rows, self.columns).transpose(1, 2)
        real, imaginary = (columns @ self.get_buffer("inner")).chunk(2, dim=2)
        turned = torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=1)
        spectrum = turned.transpose(1, 2) @ self.get_buffer("outer")  # (frames, rows, real and imaginary part)
        real, imaginary = spectrum.chunk(2, dim=2)
        return (real.square() + imaginary.square()).flatten(1)


class OrderedPower(nn.Module):
    """The power of each frequency of segments, in order, as `models.pooled.Power` has it."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.spectrum, self.length = PowerSpectrum(length), length
        self.register_buffer("order", torch.from_numpy(np.argsort(self.spectrum.bins)[: length // 2 + 1]))

    def forward(self, segments: Tensor) -> Tensor:
        """Return power of shape (..., length // 2 + 1) from segments of shape (..., length)."""
        power: Tensor = self.spectrum(segments.reshape(-1, self.length))
        power = power.index_select(1, self.get_buffer("order"))
        return power.reshape(*segments.shape[:-1], -1)


class WindowFrontEnd(nn.Module):
    """One window of a model, from the samples under it.

    Args:
        spec: a log-mel or Kaldi's filterbank.
        windows: their length, and what fills a track that is shorter.

    Attributes:
        samples: how many samples a window takes: those of its first frame to those of its last.

    Raises:
        ModelFileError: it is another front end.
    """

    def __init__(self, spec: Spec, windows: WindowSpec) -> None:
        super().__init__()
        if not isinstance(spec, LogMelSpec | KaldiSpec):
            raise ModelFileError("a network on the waveform itself is not exported; log-mel networks and SVMs are")
        self.spec, self.length, self.repeat = spec, windows.frames, windows.padding == "repeat"
        self.win_length = spec.n_fft if isinstance(spec, LogMelSpec) else spec.win_length
        self.samples = (windows.frames - 1) * spec.hop + self.win_length
        self.spectrum = PowerSpectrum(spec.n_fft)
        filters = mel_filters(spec) if isinstance(spec, LogMelSpec) else kaldi_filters(spec)
        padded = np.zeros((len(filters), spec.n_fft + self.spectrum.rows))
        padded[:, : filters.shape[1]] = filters
        _keep(self, "filters", padded[:, self.spectrum.bins].T)
        _keep(self, "weighting", _weighting(spec))
        _keep(self, "energy", _energy_weights(spec))

    def forward(self, samples: Tensor, remaining: Tensor) -> tuple[Tensor, Tensor]:
        """Compute a window.

        Args:
            samples: float32 (`samples`,).
            remaining: int64 (1,), how many frames the track has from the window's first one.

        Returns:
            The window, float32 (1, 1, width, frames), and whether it is silent, bool (1,).
        """
        values = self._compressed(self.spectrum(self._weighted(samples)) @ self.get_buffer("filters"))
        if self.spec.dtype == "float16":  # as a store keeps them
            values = values.half().float()
        places = torch.arange(self.length)
        inside = places < remaining
        silent = ~((self._energy(values) >= SILENCE**2) & inside).any(dim=0, keepdim=True)
        if self.repeat:
            values = values.index_select(0, torch.where(inside, places, places % remaining))
        else:
            values = torch.where(inside[:, None], values, self.spec.silence)
        return values.T[None, None], silent

    def _weighted(self, samples: Tensor) -> Tensor:
        """Return frames as they are transformed, of shape (frames, n_fft)."""
        blocks = -(-self.win_length // self.spec.hop)
        padded = nn.functional.pad(samples, (0, (self.length + blocks - 1) * self.spec.hop - self.samples))
        rows = padded.reshape(-1, self.spec.hop)
        frames = torch.cat([rows[start : start + self.length] for start in range(blocks)], dim=1)[:, : self.win_length]
        if isinstance(self.spec, KaldiSpec):
            a = self.spec.pre_emphasis
            before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
            frames = frames - a * before - (1 - a) * frames.mean(dim=1, keepdim=True)
        return nn.functional.pad(frames * self.get_buffer("weighting"), (0, self.spec.n_fft - self.win_length))

    def _compressed(self, power: Tensor) -> Tensor:
        spec = self.spec
        if isinstance(spec, KaldiSpec):
            return (power.clamp(min=spec.floor).log() - spec.mean) / (2 * spec.std)
        if spec.compression == "log":
            return (power + spec.floor).log()
        return (1 + spec.gain * power).log() / math.log(10)

    def _energy(self, values: Tensor) -> Tensor:
        """Return the mean square of each frame's sound, as `features.level` derives it."""
        spec = self.spec
        if isinstance(spec, KaldiSpec):
            power = (values * (2 * spec.std) + spec.mean).exp() - spec.floor * 1.05
        elif spec.compression == "log":
            power = values.exp() - spec.floor
        else:
            power = ((values * math.log(10)).exp() - 1) / spec.gain
        return power.clamp(min=0) @ self.get_buffer("energy")


def _weighting(spec: LogMelSpec | KaldiSpec) -> npt.NDArray[np.float64]:
    """Return what weights the samples of a frame: periodic, or of Kaldi symmetric."""
    if isinstance(spec, KaldiSpec):
        return np.hanning(spec.win_length)
    made = {"hamming": np.hamming, "hann": np.hanning}[spec.window](spec.n_fft + 1)
    return made[:-1]


def _energy_weights(spec: LogMelSpec | KaldiSpec) -> npt.NDArray[np.float32]:
    """Return what each band's power adds to a frame's mean square: the level of a frame with power 1 in that band."""
    if isinstance(spec, KaldiSpec):
        one = (math.log(1 + 1.05 * spec.floor) - spec.mean) / (2 * spec.std)
    else:
        one = math.log(1 + spec.floor) if spec.compression == "log" else math.log10(1 + spec.gain)
    frames = np.full((spec.n_mels, spec.n_mels), spec.silence, np.float32)
    np.fill_diagonal(frames, one)
    return np.square(levels(frames, spec))


def _divisor(number: int) -> int:
    """Return the largest divisor that is no larger than the square root.

    Example:
        >>> _divisor(2048), _divisor(400), _divisor(14)
        (32, 20, 2)
    """
    return max(each for each in range(1, math.isqrt(number) + 1) if number % each == 0)


def _keep(module: nn.Module, name: str, value: npt.NDArray[np.floating]) -> None:
    """Round a constant to float32, once."""
    module.register_buffer(name, torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32)))
