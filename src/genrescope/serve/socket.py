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
