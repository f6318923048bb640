"""The waveform as a front end, for networks that take samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from genrescope.features.filterbank import refuse_other_shapes
from genrescope.features.spec import WaveSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt


class Wave(nn.Module):
    """The waveform itself: every sample is a frame with one feature.

    Args:
        spec: the rate.

    Example:
        >>> import torch
        >>> Wave()(torch.zeros(2, 16_000)).shape
        torch.Size([2, 16000, 1])
    """

    def __init__(self, spec: WaveSpec | None = None) -> None:
        super().__init__()
        self.spec = spec or WaveSpec()

    def forward(self, waves: Tensor) -> Tensor:
        """Return waveforms of shape (batch, samples) as float32 of shape (batch, samples, 1).

        Raises:
            ValueError: the shape is not (batch, samples).
        """
        refuse_other_shapes(waves)
        return waves.float()[..., None]

    def stream(self, pieces: Iterable[npt.NDArray[np.float32]]) -> Iterator[Tensor]:
        """Yield each piece of shape (samples,) as float32 of shape (samples, 1)."""
        for piece in pieces:
            yield torch.from_numpy(piece).float()[:, None]
