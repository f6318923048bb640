"""The WebSocket that takes sound and sends verdicts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse

from genrescope.inference.classifier import Classifier
from genrescope.live.raw import RawFormat
from genrescope.serve.faults import Refused
from genrescope.serve.live_stream import End, LiveStream, close, send
from genrescope.serve.logs import log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from genrescope.inference.chunks import Chunk
    from genrescope.inference.verdict import Verdict
    from genrescope.serve.service import Service

router = APIRouter()

SUBPROTOCOL = "genrescope"
"""Selected where a client offers it."""

_PATIENCE = 10.0  # seconds until which a client must read the first message


@router.websocket("/v1/live")
async def live(
    socket: WebSocket,
    rate: Annotated[int, Query(ge=8_000, le=192_000)],
    channels: Annotated[int, Query(ge=1, le=8)] = 1,
    format: Annotated[Literal["s16le", "f32le"], Query()] = "s16le",  # noqa: A002 - the name of the parameter
    every: Annotated[float, Query(ge=0.2, le=60, allow_inf_nan=False)] = 1.0,
) -> None:
    """Take raw samples, and send a verdict every so many seconds of them."""
    service: Service = socket.app.state.service
    raw = RawFormat(rate, channels, format)

    def verdicts(chunks: Iterable[Chunk]) -> Iterator[Verdict]:
        return Classifier(service.model, threads=1).stream(chunks, sample_rate=rate, every=every, keep_up=True)

    stream = LiveStream(socket, raw, verdicts, service.metrics)
    try:
        with service.live.entered(stream), contextlib.suppress(WebSocketDisconnect, TimeoutError):
            await _accept(socket)
            await send(socket, _ready(socket.app.state.facts, every), _PATIENCE)
            end = await stream.run()
            service.metrics.live_ended(end.outcome)
            log(
                "live", seconds=round(stream.sound.seconds, 3), skipped=stream.skipped, outcome=end.outcome,
                code=end.code, client=(socket.scope.get("client") or ["?"])[0],
            )  # fmt: skip
    except Refused as refused:
        await _refuse(socket, refused)


@router.get("/v1/live", include_in_schema=False)
async def plain() -> JSONResponse:
    """Refuse what is no WebSocket."""
    return JSONResponse({"detail": "this is a WebSocket: ws:// or wss://"}, 426, headers={"upgrade": "websocket"})


@router.websocket("/{path:path}")
async def nothing(socket: WebSocket) -> None:
    """Refuse a WebSocket of another path."""
    await socket.send_denial_response(Refused(404, "there is nothing here").answer())


async def _accept(socket: WebSocket) -> None:
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)


async def _refuse(socket: WebSocket, refused: Refused) -> None:
    """Refuse a stream: without an upgrade; but to a page with one, since it would not see the reason else."""
    if "origin" not in socket.headers:
        await socket.send_denial_response(refused.answer())
        return
    await _accept(socket)
    await close(socket, End("refused", 1013 if refused.status == 503 else 1008, str(refused), is_fault=True))


def _ready(facts: dict[str, Any], every: float) -> dict[str, object]:
    model = {"name": facts["name"], "fingerprint": facts["fingerprint"], "genres": facts["labels"]}
    return {"type": "ready", "model": model, "every": every, "window": facts["window_seconds"]}
