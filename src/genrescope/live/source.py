"""What every source of live sound does, and the pace of those that come faster than they play."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import numpy as np

from genrescope.inference.chunks import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from genrescope.audio import Samples, Wave

LOUDEST = 100.0
"""Amplitude: 40 dB above full scale, and no sound."""

PIECE = 0.2
"""Seconds of a piece of sound, as it passes."""


class Source(Protocol):
    """Where sound comes from."""

    @property
    def name(self) -> str:
        """What a message calls it."""

    @property
    def speed(self) -> float:
        """How many seconds of sound come in a second."""

    @property
    def ends(self) -> bool:
        """Whether it is a recording, which has an end."""

    def chunks(self, rate: int) -> Iterator[Chunk]:
        """Yield mono sound at a rate, as it comes.

        Raises:
            AudioError: there is none, or no more.
        """


def paced(waves: Iterable[Wave], rate: int, speed: float) -> Iterator[Chunk]:
    """Yield a recording as if it were played now, each piece when it has been played.

    Args:
        waves: the recording in pieces of any size.
        rate: samples per second.
        speed: seconds of sound in a second.
    """
    size = max(1, round(PIECE * rate * speed))
    begun, samples = time.monotonic(), 0
    for wave in waves:
        for first in range(0, len(wave), size):
            piece = wave[first : first + size]
            samples += len(piece)
            due = begun + samples / (rate * speed)
            time.sleep(max(0.0, due - time.monotonic()))
            yield Chunk(piece, max(due, time.monotonic()))


def finite(samples: Samples) -> Samples:
    """Return samples without those that are no numbers, which count as silence, and without absurd ones.

    Example:
        >>> finite(np.array([0.5, np.nan, np.inf, 1e30], np.float32)).tolist()
        [0.5, 0.0, 0.0, 100.0]
    """
    return np.clip(np.nan_to_num(samples, posinf=0, neginf=0), -LOUDEST, LOUDEST)
