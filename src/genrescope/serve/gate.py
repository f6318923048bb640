"""What every request passes: who may come in, what every answer carries, and what is noted of it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from genrescope.serve.faults import Refused
from genrescope.serve.logs import log

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from genrescope.serve.metrics import Metrics
    from genrescope.serve.settings import Settings

OPEN = ("/healthz", "/", "/web/")
"""Paths for which no token is needed: the page itself, which asks for it, and what begins with the last of them."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self' blob:; "
    "img-src 'self' blob: data:; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}
_PASSWORD = 'Basic realm="genrescope: any name, and the token", charset="UTF-8"'
_TOKEN = "token."  # of a subprotocol, before base64url
_PLAIN_64 = str.maketrans("-_", "+/")
_ERROR, _LATE = 400, 408
_DRAINED = 64 << 20  # bytes of a refused request that are read, so that its sender gets to read the answer
_PATIENCE = 5.0  # seconds for that


class Gate:
    """Wraps the application.

    Args:
        app: the application.
        settings: who may come in.
        metrics: what is counted.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] == "websocket":
            await self._upgrade(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(receive, send, expects=Headers(scope=scope).get("expect", "").lower() == "100-continue")
        try:
            self._check(Headers(scope=scope), scope["path"])
            await self._app(scope, passage.receive, passage.send)
        except Refused as refused:
            await passage.refuse(refused, in_browser=scope["path"] == "/map")
        finally:
            self._note(scope, passage.status, passage.since, passage.received)

    async def _upgrade(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a WebSocket in, or refuse it before it is one."""
        since = time.monotonic()

        async def noted(message: Message) -> None:
            if message["type"] == "websocket.http.response.start":
                self._metrics.live_refused(message["status"])
                self._note({**scope, "method": "GET"}, message["status"], since)
            await send(message)

        try:
            self._check(Headers(scope=scope), scope["path"], is_socket=True)
            await self._app(scope, receive, noted)
        except Refused as refused:
            await refused.answer()(scope, receive, noted)

    def _check(self, headers: Headers, path: str, *, is_socket: bool = False) -> None:
        host = _host(headers.get("host", ""))
        if self._settings.hosts and host not in self._settings.hosts:
            raise Refused(400, "this service is not called so; --allowed-host names further hosts")
        if not (_is_own_socket(headers) if is_socket else _is_own(headers)):
            raise Refused(403, "the request comes from a page of another origin")
        is_open = path in OPEN or path.startswith(OPEN[-1])
        if self._settings.token and not is_open and not _knows(headers, self._settings.token, is_socket=is_socket):
            raise Refused(401, "a token is needed: Authorization: Bearer TOKEN; or in a browser, as the password")

    def _note(self, scope: Scope, status: int, since: float, received: int = 0) -> None:
        route = getattr(scope.get("route"), "path", "other")
        taken = time.monotonic() - since
        self._metrics.request(route, status, taken)
        log(
            "request", method=scope["method"][:16], route=route, status=status, seconds=round(taken, 4),
            received=received, client=(scope.get("client") or ["?"])[0],
        )  # fmt: skip


class _Passage:
    """One request on its way: what of its body has come, and what was answered; 499 where the client left before.

    Args:
        receive: gives the body.
        send: takes the answer.
        expects: whether the client sends the body only when it is asked for.
    """

    def __init__(self, receive: Receive, send: Send, *, expects: bool) -> None:
        self._receive, self._send, self._expects = receive, send, expects
        self._whole = False
        self.since, self.status, self.received = time.monotonic(), 499, 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        self._whole = self._whole or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status >= _ERROR and self.status != _LATE:
                await self._drain()
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("content-security-policy", _POLICY)
        await self._send(message)

    async def refuse(self, refused: Refused, *, in_browser: bool) -> None:
        """Answer with a refusal; a browser asks for the token itself where it shows what is not our page."""
        body = json.dumps({"detail": str(refused)}).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **refused.headers}
        if refused.status == 401:
            headers["www-authenticate"] = _PASSWORD if in_browser else "Bearer"
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": refused.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    async def _drain(self) -> None:
        """Read what is still coming: a client that is cut off while it sends does not read the answer."""
        if self._expects and not self.received:
            return
        most = self.received + _DRAINED
        try:
            async with asyncio.timeout(_PATIENCE):
                while not self._whole and self.received < most:
                    await self.receive()
        except TimeoutError:
            return


def _host(text: str) -> str:
    """Return a host without its port, in lower case.

    Example:
        >>> _host("LOCALHOST:8000"), _host("[::1]:8000"), _host("[::1]")
        ('localhost', '::1', '::1')
    """
    if text.startswith("["):
        return text[1:].partition("]")[0].lower()
    return text.partition(":")[0].lower()


def _is_own(headers: Headers) -> bool:
    """Whether a request comes from a page of this service, or from no page that says so."""
    origin = headers.get("origin")
    return origin in (None, "null") or _host(origin.partition("://")[2]) == _host(headers.get("host", ""))


def _is_own_socket(headers: Headers) -> bool:
    """The same for a WebSocket, whose messages any page could read: here the port counts, unless a proxy left it out.

    Example:
        >>> [
        ...     _is_own_socket(Headers({"host": "localhost:8000", "origin": origin}))
        ...     for origin in ("http://localhost:8000", "http://localhost:3000", "http://other:8000", "null")
        ... ]
        [True, False, False, False]
    """
    origin, host = headers.get("origin"), headers.get("host", "").lower()
    if origin is None:
        return True
    own = origin.lower().partition("://")[2]
    return own == host or _host(own) == host.strip("[]")


def _knows(headers: Headers, token: str, *, is_socket: bool) -> bool:
    """Whether a request has the token: as a bearer, as the password that a browser asks for, or as a subprotocol."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if is_socket and not kind:
        given = _decoded(_offered(headers))
    elif kind.lower() == "basic":
        given = _decoded(given).partition(":")[2]
    elif kind.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())


def _offered(headers: Headers) -> str:
    """Return what a page's WebSocket offers as the token: its only way, as it can set no headers."""
    names = [name.strip() for name in ",".join(headers.getlist("sec-websocket-protocol")).split(",")]
    found = next((name for name in names if name.startswith(_TOKEN)), "").removeprefix(_TOKEN)
    return found.translate(_PLAIN_64) + "=" * (-len(found) % 4)


def _decoded(text: str) -> str:
    """Return what base64 says; nothing where it is none."""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
