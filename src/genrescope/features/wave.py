"""The waveform as a front end, for networks that take samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genrescope.features.filterbank import Floats, arrays_of, like
from genrescope.features.spec import WaveSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from genrescope.features.filterbank import Waves


class Wave:
    """The waveform itself: every sample is a frame with one feature.

    Args:
        spec: the rate.

    Example:
        >>> Wave().forward(np.zeros((2, 16_000))).shape
        (2, 16000, 1)
    """

    def __init__(self, spec: WaveSpec | None = None) -> None:
        self.spec = spec or WaveSpec()

    def forward(self, waves: Waves) -> Waves:
        """Return waveforms of shape (batch, samples) as float32 of shape (batch, samples, 1).

        Raises:
            ValueError: the shape is not (batch, samples).
        """
        return like(waves, arrays_of(waves)[..., None])

    def stream(self, pieces: Iterable[Floats]) -> Iterator[Floats]:
        """Yield each piece of shape (samples,) as float32 of shape (samples, 1)."""
        for piece in pieces:
            yield piece.astype(np.float32, copy=False)[:, None]
