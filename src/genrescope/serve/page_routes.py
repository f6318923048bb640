"""The page of the service, and its modules and styles."""

from __future__ import annotations

import hashlib
import importlib.resources
import re

from fastapi import APIRouter, Request
from fastapi.responses import Response

from genrescope.serve.faults import Refused

router = APIRouter(include_in_schema=False)

_NAME = re.compile(r"[a-z0-9_]+\.(js|css|svg)")
_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html"}


@router.get("/")
async def page(request: Request) -> Response:
    """Return the page."""
    return _sent(request, "listen.html")


@router.get("/web/{name}")
async def module(request: Request, name: str) -> Response:
    """Return a module or a style of the page."""
    if not _NAME.fullmatch(name):
        raise Refused(404, "there is nothing here")
    return _sent(request, name)


def _sent(request: Request, name: str) -> Response:
    pages = importlib.resources.files("genrescope.pages")
    places = [pages / "web" / name, *([pages / name] if name == "style.css" else [])]
    content = next((place.read_bytes() for place in places if place.is_file()), None)
    if content is None:
        raise Refused(404, "there is nothing here")
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)
