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

BLOCK_SECONDS = 10.0
"""Longest block: of 44.1 kHz stereo it is 3.5 MB, which a processor's cache can hold while the block is worked on."""
_BLOCK_VALUES = 1 << 23  # samples of all channels together: 32 MB, however many channels there are

RATES = (1_000, 768_000)
"""Sample rates that are accepted. A rate is a work factor: "1 Hz" in a header turns kilobytes into gigabytes."""
CHANNELS = 256
"""Most channels that are accepted."""

_EDGE_SECONDS = 0.1  # a file may fall this short of its header before it counts as truncated


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of its sound, read without decoding it.

    Attributes:
        seconds: length; NaN where the container does not tell. It is the header's claim: only decoding tells.
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
    """A file that one decoder has opened.

    Attributes:
        rate: samples per second of the file.
        info: what its header says.
        seeks: whether `chunks` can begin anywhere without decoding all that lies before, and the header's length is
            exact.
        damaged: whether something could not be decoded so far.
        end_is_known: whether `is_whole` shows that the end of the file is there.
    """

    rate: int
    info: AudioInfo
    seeks: bool
    damaged: bool
    end_is_known: bool

    def is_whole(self) -> bool:
        """Whether the file is whole, as far as can be seen without decoding it."""

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Yield (frames, channels) from frame `start` on, `count` frames or all; each is valid until the next.

        Raises:
            UnreadableError: after what could be read, where the file is damaged or ends too early.
        """


class ArrayReader:
    """Samples in memory, with a reader's face."""

    seeks, damaged, end_is_known = True, False, True

    def __init__(self, samples: Samples, rate: int) -> None:
        refuse_impossible(rate, samples.shape[1])
        self._samples, self.rate = samples, rate
        self.info = AudioInfo(len(samples) / rate, rate, samples.shape[1], "array")

    def is_whole(self) -> bool:
        """Samples in memory are all there."""
        return True

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Yield the samples."""
        yield self._samples[start : None if count is None else start + count]


def refuse_impossible(rate: int, channels: int) -> None:
    """Refuse a rate or a number of channels that no music has, before anything is made of it.

    Raises:
        UnreadableError: it is out of bounds.
    """
    if not RATES[0] <= rate <= RATES[1]:
        told = f"a sample rate of {rate:,} Hz; accepted are {RATES[0]:,} to {RATES[1]:,} Hz"
        raise UnreadableError(told, final=True)
    if not 1 <= channels <= CHANNELS:
        raise UnreadableError(f"{channels:,} channels; accepted are 1 to {CHANNELS}", final=True)


def block_frames(rate: int, channels: int) -> int:
    """Return the length of a block in frames: as long as `BLOCK_SECONDS`, and never large."""
    return max(1, min(int(BLOCK_SECONDS * rate), _BLOCK_VALUES // channels))


def cut_short(stated: float, read: float, *, at: float | None = None) -> UnreadableError | None:
    """Return the fault of a file that ends before its header says.

    Args:
        stated: seconds that the header states.
        read: seconds that could be decoded.
        at: the moment that was reached by the file's own clock; None where it is `read`. A clock may jump.
    """
    if max(read, read if at is None else at) >= stated - _EDGE_SECONDS:
        return None
    told = f"truncated: the header promises {stated:.2f} s, {read:.2f} s could be read"
    return UnreadableError(told, final=True, fault="truncated")
