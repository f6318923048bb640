"""Sound that comes in chunks, and when each was received; what is missing between two of them ends a run."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope.audio.decoding import scaled
from genrescope.audio.reader import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt


@dataclass(frozen=True)
class Chunk:
    """A piece of sound.

    Attributes:
        samples: of shape (samples,) or (channels, samples): floats in [-1, 1], or
            integers of 8, 16 or 32 bits.
        received: when its last sample was received, by `time.monotonic`.
        lost: seconds of sound that are missing before it.
    """

    samples: npt.NDArray[Any]
    received: float = field(default_factory=time.monotonic)
    lost: float = 0.0


class Runs:
    """Divides chunks into runs of sound without a gap.

    Args:
        chunks: arrays, or chunks.
        rate: their samples per second.
    """

    def __init__(self, chunks: Iterable[Chunk | npt.NDArray[Any]], rate: int) -> None:
        self._chunks, self._rate = iter(chunks), rate
        self._next: Chunk | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Run]:
        """Yield the runs; each is to be read to its end before the next."""
        while not self._ended and (first := self._next or self._following()) is not None:
            self._next = None
            yield Run(self, first, self._rate)

    def _following(self) -> Chunk | None:
        found = next(self._chunks, None)
        self._ended = found is None
        return found if found is None or isinstance(found, Chunk) else Chunk(found)

    def continued(self) -> Chunk | None:
        """Return the next chunk of the run, and None where it ends."""
        found = self._following()
        if found is not None and found.lost > 0:
            self._next, found = found, None
        return found


class Run:
    """Sound without a gap.

    Attributes:
        lost: seconds that are missing before it.
        seconds: how much of it has been read.
    """

    def __init__(self, runs: Runs, first: Chunk, rate: int) -> None:
        self._runs, self._first, self._rate = runs, first, rate
        self._samples = 0
        self._received: deque[tuple[float, float]] = deque()
        self.lost = first.lost

    @property
    def seconds(self) -> float:
        """How much of it has been read."""
        return self._samples / self._rate

    def __iter__(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield the chunks as float32 of shape (samples, channels).

        Raises:
            UnreadableError: a chunk has another shape or type.
        """
        chunk: Chunk | None = self._first
        while chunk is not None:
            samples = _columns(chunk.samples)
            self._samples += len(samples)
            self._received.append((self.seconds, chunk.received))
            if len(samples):
                yield samples
            chunk = self._runs.continued()

    def received(self, seconds: float) -> float:
        """Return when the sound at so many seconds was received; moments are to be asked for in order.

        Within a chunk it is taken to have come evenly, since the chunk before.
        """
        while len(self._received) > 2 and self._received[1][0] <= seconds:
            self._received.popleft()
        moments, times = zip(*self._received, strict=True)
        return float(np.interp(seconds, moments, times))


def _columns(samples: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the samples of a chunk as float32 of shape (samples, channels)."""
    array = np.asarray(samples)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[0] > array.shape[1] > 0):
        raise UnreadableError(f"a chunk of shape {array.shape}; accepted are (samples,) and (channels, samples)")
    return scaled(np.atleast_2d(array)).T
