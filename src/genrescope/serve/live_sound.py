"""Sound between a socket and the thread that scores it: bounded, and taken hardly faster than it plays."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from genrescope.audio.resampling import mixed
from genrescope.inference.chunks import Chunk
from genrescope.live.source import LOUDEST
from genrescope.serve.faults import Refused
from genrescope.serve.work import Cancelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.audio import Samples
    from genrescope.live.raw import RawFormat

_MOST = 2.0  # seconds that wait; while there are more, nothing is read from the socket
_BURST = 30.0  # seconds that may come at once
_SPEED = 2.0  # seconds of sound in a second, after that


class LiveSound:
    """What has come and was not scored yet. `put`, `finish` and `cancel` are for the event loop, `chunks` for a thread.

    Attributes:
        seconds: of sound that came so far.

    Args:
        raw: how the bytes are to be read.
    """

    def __init__(self, raw: RawFormat) -> None:
        self._raw, self._loop = raw, asyncio.get_running_loop()
        self._bytes, self._received = bytearray(), 0.0
        self._changed, self._room = threading.Condition(), asyncio.Event()
        self._has_ended, self._is_cancelled = False, False
        self._left, self._seen = _BURST, time.monotonic()
        self.seconds = 0.0

    async def put(self, data: bytes) -> float:
        """Take what came, wait until more may come, and return how many seconds of sound it was."""
        with self._changed:
            self._bytes += data
            self._received = time.monotonic()
            self._changed.notify()
        seconds = len(data) / self._raw.second
        self.seconds += seconds
        await asyncio.sleep(self._early(seconds))
        while len(self._bytes) > _MOST * self._raw.second:
            self._room.clear()
            await self._room.wait()
        return seconds

    def finish(self) -> None:
        """Let the chunks end once all sound was taken."""
        with self._changed:
            self._has_ended = True
            self._changed.notify()

    def cancel(self) -> None:
        """Let the chunks end at once, by an error."""
        with self._changed:
            self._is_cancelled = True
            self._changed.notify()

    def chunks(self) -> Iterator[Chunk]:
        """Yield all that waits, mixed to mono, whenever there is something.

        Raises:
            Cancelled: nobody waits for verdicts any more.
            Refused: a sample is no number, or far beyond full scale.
        """
        position = 0
        while (taken := self._taken()) is not None:
            samples, received = taken
            _check(samples, position, self._raw.rate)
            position += len(samples)
            yield Chunk(mixed(samples), received)

    def _taken(self) -> tuple[Samples, float] | None:
        """Wait for sound; return it, and when it came. What is no whole frame yet stays."""
        frame = self._raw.frame
        with self._changed:
            self._changed.wait_for(lambda: len(self._bytes) >= frame or self._has_ended or self._is_cancelled)
            if self._is_cancelled:
                raise Cancelled
            whole = len(self._bytes) - len(self._bytes) % frame
            if not whole:
                return None
            data, self._bytes = self._bytes[:whole], self._bytes[whole:]
            received = self._received
        self._loop.call_soon_threadsafe(self._room.set)
        return self._raw.samples(data), received

    def _early(self, seconds: float) -> float:
        """Return for how long nothing more is taken after so many seconds of sound."""
        now = time.monotonic()
        self._left = min(_BURST, self._left + _SPEED * (now - self._seen)) - seconds
        self._seen = now
        return max(0.0, -self._left / _SPEED)


def _check(samples: Samples, position: int, rate: int) -> None:
    """Refuse samples that are no sound.

    Raises:
        Refused: with the place of the first.
    """
    wrong = ~(np.abs(samples) <= LOUDEST).all(axis=1)
    if wrong.any():
        at = int(np.argmax(wrong))
        value = samples[at][~(np.abs(samples[at]) <= LOUDEST)][0]
        raise Refused(
            422, f"a sample of {value:g} at {(position + at) / rate:.3f} s; accepted are finite floats, full scale is 1"
        )
