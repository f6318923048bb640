"""From a waveform to bands of its power spectrum, in blocks of frames that stay in the cache.

All of it is NumPy: a worker process starts without torch, and every device, store and prediction has the same frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

Waves = TypeVar("Waves", npt.NDArray[np.float32], "Tensor")

Floats = npt.NDArray[np.float32]

_GROUP = 16  # bands in a product: as many as a vector register of 512 bits has floats
_BLOCK = 2**17  # samples in the frames of a block: 0.5 MB, of all sizes tried the fastest


class Filterbank:
    """Frames, their power spectra, bands of those, and a logarithm: what log-mel front ends have in common.

    A kind of front end says how a frame is weighted (`_weighted`) and how power is compressed (`_compressed`). It is
    single precision throughout.

    The filterbank is a handful of small dense products over the bins that each group of bands touches, since a bin
    belongs to two bands at most. The sum of squares of real and imaginary part is left to those products, by giving
    both parts the same weight.
    """

    def __init__(self, filters: npt.NDArray[np.float64], *, length: int, hop: int, n_fft: int, padding: int) -> None:
        """Hold the filters.

        Args:
            filters: shape (bands, n_fft // 2 + 1), for the power of each bin.
            length: samples in a frame.
            hop: samples from one frame to the next.
            n_fft: length of the transform; frames are filled with zeros to it.
            padding: zeros before and after the waveform.
        """
        self._length, self._hop, self._n_fft, self._padding, self._bands = length, hop, n_fft, padding, len(filters)
        self._groups: list[tuple[slice, slice, Floats]] = []
        for first in range(0, len(filters), _GROUP):
            rows = filters[first : first + _GROUP]
            touched = np.flatnonzero(rows.any(axis=0))
            low, high = (int(touched[0]), int(touched[-1]) + 1) if len(touched) else (0, 1)
            # Real and imaginary parts lie side by side: every weight stands twice.
            weights = np.repeat(rows[:, low:high].T, 2, axis=0).astype(np.float32)
            self._groups.append((slice(first, first + len(rows)), slice(2 * low, 2 * high), weights))

    def __call__(self, waves: Waves) -> Waves:
        """Compute the features of a batch of waveforms, as `forward` does."""
        return self.forward(waves)

    def forward(self, waves: Waves) -> Waves:
        """Compute the features of a batch of waveforms.

        Args:
            waves: floats of shape (batch, samples), in [-1, 1], at `spec.sample_rate`: an array or a torch tensor.

        Returns:
            float32 of shape (batch, frames, width), with `spec.frames(samples)` frames; as an array or a tensor, as the
            waves are, on their device. It is computed on the CPU, and no gradient flows back.

        Raises:
            ValueError: the shape is not (batch, samples).
        """
        arrays = arrays_of(waves)
        samples = max(arrays.shape[1] + 2 * self._padding, self._length)
        padded = np.zeros(samples, np.float32)
        inner = padded[self._padding :][: arrays.shape[1]]
        made = []
        for wave in arrays:
            inner[:] = wave
            made.append(self._frames(padded))
        return like(waves, np.stack(made))

    def stream(self, pieces: Iterable[Floats]) -> Iterator[Floats]:
        """Compute the features of one long waveform that comes in pieces, in memory that does not grow with it.

        Args:
            pieces: float32 arrays of shape (samples,); their sizes do not matter.

        Yields:
            float32 of shape (frames, width); joined they equal `forward` of the joined pieces.
        """
        held = np.zeros(self._padding, np.float32)
        short = True  # so far than a frame
        for piece in pieces:
            held = np.concatenate((held, piece))
            if len(held) >= self._length:
                short = False
                features = self._frames(held)
                yield features
                held = held[len(features) * self._hop :]
        missing = self._length - len(held) - self._padding if short else 0
        held = np.pad(held, (0, self._padding + max(0, missing)))
        if len(held) >= self._length:
            yield self._frames(held)

    def _weighted(self, frames: Floats, out: Floats) -> None:
        """Write what is to be transformed."""
        raise NotImplementedError

    def _compressed(self, power: Floats) -> None:
        """Replace the power of the bands by the feature, in place."""
        raise NotImplementedError

    def _frames(self, padded: Floats) -> Floats:
        """Compute the features of all whole frames of one waveform, float32 (frames, bands)."""
        frames = sliding_window_view(padded, self._length)[:: self._hop]
        result = np.empty((len(frames), self._bands), np.float32)
        largest = max(1, _BLOCK // self._n_fft)
        size = -(-len(frames) // -(-len(frames) // largest))  # blocks of equal size: no small one at the end
        weighted = np.zeros((size, self._n_fft), np.float32)
        spectra = np.empty((size, self._n_fft // 2 + 1), np.complex64)
        for start in range(0, len(frames), size):
            block, power = frames[start : start + size], result[start : start + size]
            self._weighted(block, weighted[: len(block), : self._length])
            np.fft.rfft(weighted[: len(block)], out=spectra[: len(block)])  # type: ignore[arg-type]  # NumPy's types lack it
            squares = spectra[: len(block)].view(np.float32)  # (frames, 2 * bins), to be summed by the products
            np.square(squares, out=squares)
            for bands, bins, weights in self._groups:
                np.matmul(squares[:, bins], weights, out=power[:, bands])
            self._compressed(power)
        return result


def arrays_of(waves: Any) -> Floats:
    """Return waveforms, an array or a tensor, as float32 of shape (batch, samples).

    Raises:
        ValueError: the shape is not (batch, samples), or empty.
    """
    arrays = waves if isinstance(waves, np.ndarray) else waves.detach().cpu().numpy()
    if arrays.ndim != 2 or arrays.shape[1] == 0:
        raise ValueError(f"waveforms of shape {tuple(arrays.shape)}; accepted is (batch, samples), not empty")
    return arrays.astype(np.float32, copy=False)


def like(waves: Waves, features: Floats) -> Waves:
    """Return features as an array or a tensor, as the waveforms are, and on their device."""
    if isinstance(waves, np.ndarray):
        return features
    import torch

    return torch.from_numpy(features).to(waves.device)
