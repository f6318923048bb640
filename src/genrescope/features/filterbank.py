"""From a waveform to bands of its power spectrum, in blocks of frames that stay in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

_GROUP = 16  # bands in a product: as many as a vector register of 512 bits has floats
_BLOCK = 2**19  # samples in the frames of a block on a CPU: 2 MB, of all sizes tried the fastest
_BLOCK_DEVICE = 2**25  # on an accelerator: what keeps it busy


class Filterbank(nn.Module):
    """Frames, their power spectra, bands of those, and a logarithm: what log-mel front ends have in common.

    A kind of front end says how a frame is weighted (`_weighted`) and how power is compressed (`_compressed`). It is
    single precision throughout, and no gradient flows back to the waveform.

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
        super().__init__()
        self._length, self._hop, self._n_fft, self._padding, self._bands = length, hop, n_fft, padding, len(filters)
        self._groups: list[tuple[slice, slice]] = []
        whole = torch.from_numpy(filters)
        for first in range(0, len(filters), _GROUP):
            rows = whole[first : first + _GROUP]
            touched = rows.any(dim=0).nonzero().flatten().tolist() or [0]
            low, high = touched[0], touched[-1] + 1
            # Real and imaginary parts lie side by side: every weight stands twice.
            self._keep(f"filters{len(self._groups)}", rows[:, low:high].T.repeat_interleave(2, dim=0))
            self._groups.append((slice(first, first + len(rows)), slice(2 * low, 2 * high)))

    @torch.no_grad()
    def forward(self, waves: Tensor) -> Tensor:
        """Compute the features of a batch of waveforms.

        Args:
            waves: float of shape (batch, samples), in [-1, 1], at `spec.sample_rate`.

        Returns:
            float32 of shape (batch, frames, width), with `spec.frames(samples)` frames.

        Raises:
            ValueError: the shape is not (batch, samples).
        """
        refuse_other_shapes(waves)
        samples = max(waves.shape[1] + 2 * self._padding, self._length)
        count = (samples - self._length) // self._hop + 1
        result = torch.empty(len(waves), count, self._bands, device=waves.device)
        padded = torch.empty(samples, device=waves.device)
        inner = padded[self._padding :][: waves.shape[1]]
        padded[: self._padding], padded[self._padding + len(inner) :] = 0, 0
        for wave, out in zip(waves, result, strict=True):
            inner.copy_(wave)
            self._frames(padded, out)
        return result

    @torch.no_grad()
    def stream(self, pieces: Iterable[npt.NDArray[np.float32]]) -> Iterator[Tensor]:
        """Compute the features of one long waveform that comes in pieces, in memory that does not grow with it.

        Args:
            pieces: float32 arrays of shape (samples,); their sizes do not matter.

        Yields:
            float32 of shape (frames, width); joined they equal `forward` of the joined pieces.
        """
        device = self.get_buffer("filters0").device
        held = torch.zeros(self._padding, device=device)
        short = True  # so far than a frame
        for piece in pieces:
            held = torch.cat((held, torch.from_numpy(piece).to(device)))
            if len(held) >= self._length:
                short = False
                features = self._frames(held)
                yield features
                held = held[len(features) * self._hop :]
        held = F.pad(held, (0, self._padding))
        if short:
            held = F.pad(held, (0, max(0, self._length - len(held))))
        if len(held) >= self._length:
            yield self._frames(held)

    def _weighted(self, frames: Tensor, out: Tensor) -> None:
        """Write what is to be transformed."""
        raise NotImplementedError

    def _compressed(self, power: Tensor) -> None:
        """Replace the power of the bands by the feature, in place."""
        raise NotImplementedError

    def _frames(self, padded: Tensor, out: Tensor | None = None) -> Tensor:
        """Compute the features of all whole frames of one waveform, float32 (frames, bands), into `out` if given."""
        frames = padded.unfold(0, self._length, self._hop)
        result = torch.empty(len(frames), self._bands, device=padded.device) if out is None else out
        largest = max(1, (_BLOCK if padded.device.type == "cpu" else _BLOCK_DEVICE) // self._n_fft)
        size = -(-len(frames) // max(1, round(len(frames) / largest)))  # blocks of equal size: no small one at the end
        weighted = torch.empty(size, self._n_fft, device=padded.device)
        weighted[:, self._length :] = 0
        filters = [self.get_buffer(f"filters{index}") for index in range(len(self._groups))]
        for start in range(0, len(frames), size):
            block, power = frames[start : start + size], result[start : start + size]
            self._weighted(block, weighted[: len(block), : self._length])
            # (frames, bins) complex -> (frames, 2 * bins) real: parts squared, to be summed by the products
            squares = torch.view_as_real(torch.fft.rfft(weighted[: len(block)])).flatten(1).square_()
            for (bands, bins), weights in zip(self._groups, filters, strict=True):
                torch.mm(squares[:, bins], weights, out=power[:, bands])
            self._compressed(power)
        return result

    def _keep(self, name: str, value: Tensor) -> None:
        """Round a constant to float32 and let it follow the module to its device."""
        self.register_buffer(name, value.float().contiguous(), persistent=False)


def refuse_other_shapes(waves: Tensor) -> None:
    """Raise ValueError unless the shape is (batch, samples) and not empty."""
    if waves.ndim != 2 or waves.shape[1] == 0:
        raise ValueError(f"waveforms of shape {tuple(waves.shape)}; accepted is (batch, samples), not empty")
