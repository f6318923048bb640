"""WebSockets as uvicorn speaks them, with bounds where it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

if TYPE_CHECKING:
    from websockets.frames import Frame

_CLOSING = 3.0  # seconds in which a client must answer a close, or read what is left
_FRAGMENTS = 4096  # of a message


class SocketProtocol(WebSocketsSansIOProtocol):
    """One client. No connection outlives its stream, whether its client reads or not."""

    _is_refused = False

    async def run_asgi(self) -> None:
        """Answer one client."""
        self.close_timeout = _CLOSING
        await super().run_asgi()
        self.loop.call_later(2 * _CLOSING, self.transport.abort)  # closing waits for a client that does not read

    def handle_ping(self) -> None:
        """Answer a ping, unless the client does not read its answers."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment; there may be no end of empty ones."""
        if len(self.frames) < _FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """Say what is wrong, and read on for a moment: a client that is cut off while it sends reads no answer."""
        self._is_refused = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(_CLOSING, self.transport.close)

    def data_received(self, data: bytes) -> None:
        """Take what comes, unless it does not matter any more."""
        if not self._is_refused:
            super().data_received(data)
