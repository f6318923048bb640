"""A result as it comes: lines of JSON with where the song is in the line, its windows, and the result."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from genrescope.serve.answers import result_of, windows_of
from genrescope.serve.asked import to_refusal, watched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AsyncExitStack

    from starlette.types import Receive, Scope, Send

    from genrescope.inference.prediction import WindowScores
    from genrescope.serve.line import Place
    from genrescope.serve.service import Service

NDJSON = "application/x-ndjson"

_STEP = 1.0  # seconds of sound between two events of decoding


class Events:
    """Events of one song, put in from any thread, taken out in the loop.

    Args:
        labels: the order of scores.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels, self._loop = labels, asyncio.get_running_loop()
        self._decoded = 0.0
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def moved(self, ahead: int | None) -> None:
        """So many songs are before it; None where its turn has come."""
        self._put({"event": "decoding", "seconds": 0.0} if ahead is None else {"event": "waiting", "ahead": ahead})

    def decoded(self, seconds: float) -> None:
        """So much of it is decoded."""
        if seconds >= self._decoded + _STEP:
            self._decoded = seconds
            self._put({"event": "decoding", "seconds": round(seconds, 3)})

    def scored(self, seconds: float, first: int, windows: Sequence[WindowScores]) -> None:
        """These windows were scored."""
        shown = windows_of(windows, self._labels)
        self._put({"event": "windows", "seconds": round(seconds, 3), "from": first, "windows": shown})

    async def next(self) -> dict[str, Any]:
        """Return the next event."""
        return await self._events.get()

    def left(self) -> list[dict[str, Any]]:
        """Return the events that have come and were not taken."""
        return [self._events.get_nowait() for _ in range(self._events.qsize())]

    def _put(self, event: dict[str, Any]) -> None:
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)


class EventStream(Response):
    """Sends the events of a song, then its result or why there is none.

    Args:
        service: whose song it is.
        place: of the song in the line.
        events: of the song.
        top: labels that are wanted.
        held: is closed at the end: the uploaded file.
    """

    media_type = NDJSON

    def __init__(
        self, service: Service, place: Place, events: Events, *, top: int | None, held: AsyncExitStack
    ) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._service, self._place, self._events, self._top, self._held = service, place, events, top, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all."""
        async with self._held, watched(Request(scope, receive), [self._place]) as gone:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            coming = asyncio.create_task(self._events.next())
            while not self._place.result.done() and not gone.done():
                await asyncio.wait({coming, self._place.result, gone}, return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    await _send(send, [coming.result()])
                    coming = asyncio.create_task(self._events.next())
            taken = [coming.result()] if coming.done() else []
            coming.cancel()
            if not gone.done():
                await _send(send, [*taken, *self._events.left(), self._last()], more=False)

    def _last(self) -> dict[str, Any]:
        """Return the last event: the result, or why there is none."""
        metrics, result = self._service.metrics, self._place.result
        error = asyncio.CancelledError() if result.cancelled() else result.exception()
        if error is not None:
            refused = to_refusal(error)
            metrics.song(None)
            return {"event": "error", "error": str(refused), "status": refused.status}
        prediction = result.result()
        metrics.song(prediction.seconds)
        return {"event": "result", "result": result_of(prediction, self._service.labels, top=self._top)}


async def _send(send: Send, events: Sequence[dict[str, Any]], *, more: bool = True) -> None:
    lines = "".join(json.dumps(each, ensure_ascii=False, allow_nan=False) + "\n" for each in events)
    await send({"type": "http.response.body", "body": lines.encode("utf-8", "replace"), "more_body": more})
