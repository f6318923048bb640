"""The application: routes, errors as one sentence, and the gate around it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import genrescope
from genrescope.serve import explain_routes, library_routes, live_routes, page_routes, routes
from genrescope.serve.asked import ClientGone, to_refusal
from genrescope.serve.document import describe
from genrescope.serve.faults import Refused
from genrescope.serve.gate import Gate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request, WebSocket
    from starlette.types import ASGIApp

    from genrescope.serve.service import Service


def make_app(service: Service) -> ASGIApp:
    """Return the application of a service; it runs while the application's lifespan lasts."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="genrescope", version=genrescope.__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        summary="Genres of songs.", redirect_slashes=False,
    )  # fmt: skip
    app.state.service, app.state.facts = service, service.facts()
    for module in (routes, explain_routes, library_routes, live_routes, page_routes):
        app.include_router(module.router)
    describe(app, service.settings)
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    return Gate(app, service.settings, service.metrics)


async def _refused(_: Request, error: Any) -> Response:
    answer: Response = error.answer()
    return answer


async def _malformed(_: Request | WebSocket, error: Any) -> Response:
    told = "; ".join(f"{each['loc'][-1]}={each['input']}: {each['msg']}" for each in error.errors())
    return JSONResponse({"detail": told}, 400)


async def _malformed_socket(socket: WebSocket, error: Any) -> None:
    await socket.send_denial_response(await _malformed(socket, error))


async def _http(_: Request, error: Any) -> Response:
    words = {404: "there is nothing here", 405: "this method is not accepted here"}
    detail = words.get(error.status_code, str(error.detail))
    return JSONResponse({"detail": detail}, error.status_code, headers=error.headers)


async def _gone(_: Request, __: Any) -> Response:
    return Response(status_code=499)  # never sent: nobody is there


async def _failed(request: Request, error: Any) -> Response:
    return await _refused(request, to_refusal(error))


_HANDLERS: dict[type[Exception], Any] = {
    Refused: _refused, RequestValidationError: _malformed, HTTPException: _http, ClientGone: _gone,
    ClientDisconnect: _gone, Exception: _failed, WebSocketRequestValidationError: _malformed_socket,
}  # fmt: skip
