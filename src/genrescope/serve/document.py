"""The OpenAPI document: what FastAPI makes of the routes, corrected where this service answers otherwise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from genrescope.serve.gate import OPEN

if TYPE_CHECKING:
    from fastapi import FastAPI

    from genrescope.serve.settings import Settings

_ABOUT = """Genres of songs, by one model. Errors are `{"detail": "a sentence"}`.

Songs are sent as files, are decoded and scored, and are deleted before the answer ends.
A busy service answers 503 with the header `Retry-After`.
Live sound goes to `/v1/live`, a WebSocket, which OpenAPI cannot describe: raw samples in, verdicts out as JSON, see
docs/service.md.

```
curl -F files=@song.mp3 http://localhost:8000/v1/predict
curl -F files=@song.mp3 -H 'Accept: application/x-ndjson' http://localhost:8000/v1/predict
```
"""
_TOKENS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The service's token, where it has one."},
    "basic": {"type": "http", "scheme": "basic", "description": "Any name, and the token as the password."},
}


def describe(app: FastAPI, settings: Settings) -> None:
    """Let an application show its document."""
    made = partial(_made, app, settings)
    app.openapi = made  # type: ignore[method-assign]


def _made(app: FastAPI, settings: Settings) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=_ABOUT, routes=app.routes
    )
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _correct(operation)
            if settings.token and path not in OPEN:
                operation["security"] = [{name: []} for name in _TOKENS]
    if settings.token:
        document["components"]["securitySchemes"] = _TOKENS
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["multipart/form-data"]
    body["schema"]["properties"]["files"]["maxItems"] = settings.limits.files
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    return document


def _correct(operation: dict[str, Any]) -> None:
    """Leave out FastAPI's own answer to wrong parameters, which get status 400 here."""
    content = operation["responses"].get("422", {}).get("content", {})
    if "HTTPValidationError" in str(content):
        del operation["responses"]["422"]
