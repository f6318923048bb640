"""Raw samples, as pipes and sockets carry them: channels interleaved, little-endian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genrescope.audio.decoding import scaled

if TYPE_CHECKING:
    from genrescope.audio import Samples

FORMATS = {"s16le": "<i2", "f32le": "<f4"}
"""The names that FFmpeg gives them, and NumPy's."""


@dataclass(frozen=True)
class RawFormat:
    """How raw samples are to be read.

    Attributes:
        rate: samples per second of a channel.
        channels: how many.
        format: a name of `FORMATS`.

    Example:
        >>> stereo = RawFormat(44_100, channels=2)
        >>> stereo.frame, stereo.samples(np.array([0, -32768], "<i2").tobytes()).tolist()
        (4, [[0.0, -1.0]])
    """

    rate: int
    channels: int = 1
    format: str = "s16le"

    @property
    def frame(self) -> int:
        """Bytes of one sample of all channels."""
        return np.dtype(FORMATS[self.format]).itemsize * self.channels

    @property
    def second(self) -> int:
        """Bytes of a second."""
        return self.rate * self.frame

    def samples(self, data: bytes | bytearray) -> Samples:
        """Return samples as float32 of shape (samples, channels); what follows the last whole frame is left out."""
        whole = np.frombuffer(data, FORMATS[self.format], count=len(data) // self.frame * self.channels)
        return scaled(whole).reshape(-1, self.channels)
