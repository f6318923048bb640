"""The server: listens, works until it is told to end, and then finishes what it has begun."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from genrescope.errors import GenrescopeError
from genrescope.serve.app import make_app
from genrescope.serve.library_view import LibraryView
from genrescope.serve.logs import log
from genrescope.serve.service import Service
from genrescope.serve.socket import SocketProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
    from types import FrameType

    from genrescope.library.database import Library
    from genrescope.modelfile import Model
    from genrescope.serve.settings import Settings

_PATIENCE = 2.0  # seconds in which what follows a malformed request is read
_DETAIL = b'{"detail": "this is no HTTP/1.1 request, or its headers are longer than 64 kB"}'
_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_DETAIL), _DETAIL)
)
_HEADER_SECONDS = 15.0  # in which the headers of a request must have come


def serve(
    model: Model,
    name: str,
    settings: Settings,
    library: Library | None = None,
    *,
    on_start: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; requests that were begun are answered. A second SIGINT ends at once.

    Args:
        model: in memory.
        name: what it is called.
        settings: how it is reached, and what it accepts.
        library: whose songs are shown.
        on_start: called with its address once it can be reached.

    Raises:
        GenrescopeError: its address cannot be had.
    """
    listening = listen(settings)
    service = Service(model, name, settings, LibraryView(library) if library else None)
    with listening:
        Server(service, on_start=lambda: on_start(address(settings, listening))).run(sockets=[listening])


def listen(settings: Settings) -> socket.socket:
    """Return a socket on which clients are waited for.

    Raises:
        GenrescopeError: the address cannot be had.
    """
    made = None
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((settings.host, settings.port))
        made.listen(2048)
    except (OSError, UnicodeError, OverflowError) as error:
        if made is not None:
            made.close()
        why = getattr(error, "strerror", None) or str(error)
        raise GenrescopeError(
            f"cannot listen on {settings.host}, port {settings.port}: {why}. Choose others with --host and --port"
        ) from error
    return made


def address(settings: Settings, listening: socket.socket) -> str:
    """Return where a service is reached."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listening.getsockname()[1]}/"


class Server(uvicorn.Server):
    """Serves a service, and ends without an error when it is told to.

    Args:
        service: what is served.
        on_start: called once it answers.
    """

    def __init__(self, service: Service, *, on_start: Callable[[], None] = lambda: None) -> None:
        config = uvicorn.Config(
            make_app(service), http=_Protocol, loop="asyncio", ws=SocketProtocol, lifespan="on", log_config=None,
            access_log=False, server_header=False, timeout_keep_alive=15, proxy_headers=False, ws_max_size=1 << 20,
            ws_per_message_deflate=False, ws_ping_interval=None,
        )  # fmt: skip
        super().__init__(config)
        self._service, self._on_start = service, on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish what was begun."""
        log("ending", signal=sig)
        self._service.refuse_new()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End live streams, which would not end by themselves, then the rest."""
        await self._service.live.stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that end a program while it runs."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()  # they would be raised once more


class _Protocol(H11Protocol):
    """Closes connections on which the headers of a request do not come."""

    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(_HEADER_SECONDS, self._close_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Give the connection to a WebSocket, unless the request is none that websockets can read."""
        self._late.cancel()
        super().handle_websocket_upgrade(event)
        made = self.transport.get_protocol()
        if isinstance(made, SocketProtocol) and not made.handshake_initiated:
            self.transport.write(_REFUSAL)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong, and read on for a moment: a client that is cut off while it sends reads no answer."""
        self._is_refused = True
        self.transport.write(_REFUSAL)
        self.transport.write_eof()
        self.loop.call_later(_PATIENCE, self.transport.close)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._is_idle:  # a request begins
            self._late.cancel()
            self._late = self.loop.call_later(_HEADER_SECONDS, self._close_idle)
        super().data_received(data)

    @property
    def _is_idle(self) -> bool:
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def _close_idle(self) -> None:
        if self._is_idle and not self.transport.is_closing():
            self.transport.close()
