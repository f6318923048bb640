"""All live streams of a service: how many there may be, and their end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from genrescope.serve.faults import Refused
from genrescope.serve.live_stream import STOPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.serve.live_stream import LiveStream

_RETRY = 30  # seconds
_PATIENCE = 15.0  # seconds for the farewells


class LiveStreams:
    """The streams that are open.

    Args:
        most: how many there may be at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[LiveStream] = set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def entered(self, stream: LiveStream) -> Iterator[None]:
        """Count a stream until the block ends.

        Raises:
            Refused: there is no room.
        """
        if not self._most:
            raise Refused(404, "live streams are turned off here (--live 0)")
        if self._closing:
            raise Refused(503, "the service is shutting down", retry_after=10)
        if len(self) >= self._most:
            raise Refused(503, f"{len(self)} live streams are running, the most (--live)", retry_after=_RETRY)
        self._open.add(stream)
        try:
            yield
        finally:
            self._open.discard(stream)

    def refuse_new(self) -> None:
        """Let nobody in any more."""
        self._closing = True

    async def stop(self) -> None:
        """End all streams, and wait until their clients were told."""
        self.refuse_new()
        for stream in self._open:
            stream.end(STOPPED)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while self._open:
                    await asyncio.sleep(0.02)
