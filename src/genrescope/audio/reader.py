"""The face that every decoder shows: a reader gives a file's sound in blocks, at the file's own rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

Samples: TypeAlias = npt.NDArray[np.float32]
"""Sound as it was decoded: (frames, channels), at the file's own rate."""

BLOCK_SECONDS = 60.0
"""Length of a block: of 44.1 kHz stereo it is 21 MB, so an hour of music never stands in memory at once."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of its sound, read without decoding it.

    Attributes:
        seconds: length; NaN where the container does not tell.
        sample_rate: samples per second and channel.
        channels: number of channels.
        codec: container and coding in the decoder's words, for example `"WAV PCM_16"` or `"mov,mp4 aac"`.
    """

    seconds: float
    sample_rate: int
    channels: int
    codec: str


class UnreadableError(Exception):
    """One decoder's reason; `final` when no other decoder should be asked; `fault` as `AudioError` has it."""

    def __init__(self, reason: str, *, final: bool = False, fault: str = "unreadable") -> None:
        super().__init__(reason)
        self.final = final
        self.fault = fault


class Reader(Protocol):
    """A file that one decoder has opened."""

    rate: int
    info: AudioInfo

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Yield (frames, channels) from frame `start` on, `count` frames or all."""

    def promised(self) -> int | None:
        """Return the number of frames that the headers state exactly, or None where they do not."""


class ArrayReader:
    """Samples in memory, with a reader's face."""

    def __init__(self, samples: Samples, rate: int) -> None:
        self._samples, self.rate = samples, rate
        self.info = AudioInfo(len(samples) / rate, rate, samples.shape[1], "array")

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Yield the samples."""
        yield self._samples[start : None if count is None else start + count]

    def promised(self) -> int | None:
        """Promise nothing."""
        return None
