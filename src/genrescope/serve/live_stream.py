"""One live stream: sound is read from its socket, a thread scores it, verdicts are sent; the first reason ends it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocketDisconnect

from genrescope.errors import GenrescopeError, reason_of
from genrescope.serve.asked import to_refusal
from genrescope.serve.live_sound import LiveSound
from genrescope.serve.work import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.websockets import WebSocket

    from genrescope.inference.chunks import Chunk
    from genrescope.inference.verdict import Verdict
    from genrescope.live.raw import RawFormat
    from genrescope.serve.metrics import Metrics

_IDLE = 30.0  # seconds in which a second of sound must come
_PATIENCE = 10.0  # seconds until which a client must read what it is sent
_FAREWELL = 1.0  # the same for the last words
_TEXT = 200  # characters of a text message
_REASON = 123  # bytes of the reason of a close


@dataclass(frozen=True)
class End:
    """Why a stream ends.

    Attributes:
        outcome: in a word, for the log.
        code: with which its socket is closed; None where it is closed already.
        reason: for the client.
        is_fault: whether the client gets an error before.
    """

    outcome: str
    code: int | None = None
    reason: str = ""
    is_fault: bool = False


STOPPED = End("stopped", 1001, "the service ends")
_LEFT = End("left")
_ENDED = End("ended", 1000)
_IDLED = End("idle", 1001, f"less than a second of sound in {_IDLE:g} seconds")
_SLOW = End("slow", 1008, f"the client did not read its verdicts for {_PATIENCE:g} seconds", is_fault=True)
_STRANGE = End("strange", 1003, 'accepted are binary messages, and at last {"end": true}', is_fault=True)
_EMPTY = End("empty", 1007, "no sound came", is_fault=True)


class LiveStream:
    """One client's stream, whose socket is open.

    Attributes:
        sound: what came.
        skipped: windows that were left out.

    Args:
        socket: the client's.
        raw: how the sound is to be read.
        verdicts: makes verdicts of chunks.
        metrics: what is counted.
    """

    def __init__(
        self,
        socket: WebSocket,
        raw: RawFormat,
        verdicts: Callable[[Iterable[Chunk]], Iterator[Verdict]],
        metrics: Metrics,
    ) -> None:
        self._socket, self._verdicts, self._metrics = socket, verdicts, metrics
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[End] = self._loop.create_future()
        self._is_done = asyncio.Event()  # the thread
        self._sending: concurrent.futures.Future[None] | None = None
        self.sound, self.skipped = LiveSound(raw), 0

    def end(self, end: End) -> None:
        """End the stream, unless it has another reason already."""
        if not self._end.done():
            self._end.set_result(end)

    async def run(self) -> End:
        """Work until the stream ends, close the socket, and return why."""
        threading.Thread(target=self._work, daemon=True, name="genrescope live stream").start()
        reading = asyncio.create_task(self._read())
        reading.add_done_callback(lambda task: None if task.cancelled() else self.end(_end_of(task)))
        try:
            end = await self._end
        finally:
            reading.cancel()
            self.sound.cancel()
            if self._sending is not None:
                self._sending.cancel()
            await self._is_done.wait()
        await close(self._socket, end)
        return end

    # -- what comes ------------------------------------------------------------------------------------------------

    async def _read(self) -> End:
        due, fresh, is_over = self._loop.time() + _IDLE, 0.0, False
        while True:
            try:
                async with asyncio.timeout_at(None if is_over else due):
                    message = await self._socket.receive()
            except TimeoutError:
                return _IDLED
            if message["type"] == "websocket.disconnect":
                return _LEFT
            data = message.get("bytes")
            if data is not None and not is_over:
                begun = self._loop.time()
                seconds = await self.sound.put(data)
                self._metrics.live(seconds=seconds)
                due, fresh = due + self._loop.time() - begun, fresh + seconds
                if fresh >= 1:
                    due, fresh = self._loop.time() + _IDLE, 0.0
            elif not is_over and _is_end(message.get("text")):
                self.sound.finish()
                is_over = True
            else:
                return _STRANGE

    # -- what is sent, from the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        end = _EMPTY
        try:
            for verdict in self._verdicts(self.sound.chunks()):
                self._say(verdict)
                end = _ENDED
        except TimeoutError:
            end = _SLOW
        except (Cancelled, WebSocketDisconnect, concurrent.futures.CancelledError):
            end = _LEFT  # or another reason, which was there before
        except GenrescopeError as error:
            end = End("unusable", 1007, reason_of(error), is_fault=True)
        except Exception as error:
            end = End("fault", 1011, str(to_refusal(error)), is_fault=True)
        self._loop.call_soon_threadsafe(self.end, end)
        self._loop.call_soon_threadsafe(self._is_done.set)

    def _say(self, verdict: Verdict) -> None:
        """Send a verdict, and wait until it is on its way."""
        self._metrics.live(skipped=verdict.skipped - self.skipped)
        self.skipped = verdict.skipped
        told = {"type": "verdict", **verdict.to_dict()}
        self._sending = asyncio.run_coroutine_threadsafe(send(self._socket, told, _PATIENCE), self._loop)
        if self._end.done():
            self._sending.cancel()
        self._sending.result()


async def send(socket: WebSocket, message: dict[str, Any], patience: float) -> None:
    """Send a message.

    Raises:
        TimeoutError: the client does not read.
        WebSocketDisconnect: it has left.
    """
    async with asyncio.timeout(patience):
        await socket.send_text(json.dumps(message, ensure_ascii=False, allow_nan=False))


async def close(socket: WebSocket, end: End) -> None:
    """Tell a client why its stream ends, and close the socket, as far as the client reads it."""
    if end.code is None:
        return
    with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
        if end.is_fault:
            await send(socket, {"type": "error", "reason": end.reason}, _FAREWELL)
        async with asyncio.timeout(_FAREWELL):
            await socket.close(end.code, end.reason.encode()[:_REASON].decode(errors="ignore"))


def _is_end(text: str | None) -> bool:
    """Whether a text message says that no more sound comes.

    Example:
        >>> _is_end('{"end": true}'), _is_end('{"end": 1}'), _is_end("end"), _is_end(None)
        (True, False, False, False)
    """
    try:
        found = json.loads(text) if text and len(text) <= _TEXT else None
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and list(found) == ["end"] and found["end"] is True


def _end_of(task: asyncio.Task[End]) -> End:
    error = task.exception()
    return task.result() if error is None else End("fault", 1011, str(to_refusal(error)), is_fault=True)
