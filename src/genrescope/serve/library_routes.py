"""The routes on a library, where the service was started with one."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from genrescope.serve import schemas
from genrescope.serve.faults import Refused
from genrescope.serve.library_view import LibraryView
from genrescope.serve.service import Service

router = APIRouter()

_PATIENCE = 20.0  # seconds that a request waits for the map
_LARGEST = 2**53  # a number that JSON holds exactly
_PAGE_POLICY = "frame-ancestors 'none'"  # the page itself has a stricter one, with the hashes of its program and style


@router.get(
    "/v1/library/songs", summary="Songs of the library", response_model=schemas.Songs,
    responses=schemas.refusals(400, 404),
)  # fmt: skip
async def songs(
    request: Request,
    search: Annotated[str, Query(max_length=500, description="Words of artist, title or album.")] = "",
    genre: Annotated[str, Query(max_length=500, description="The genre, as corrected or predicted.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=_LARGEST)] = 0,
) -> object:
    """Return songs in the order of their files."""
    return await asyncio.to_thread(_view(request).songs, search, genre, limit=limit, offset=offset)


@router.get(
    "/v1/library/similar", summary="Songs that sound like one", response_model=schemas.Similars,
    responses=schemas.refusals(400, 404),
)  # fmt: skip
async def similar(
    request: Request,
    song: Annotated[int, Query(alias="id", ge=0, le=_LARGEST, description="Of a song, as /v1/library/songs has it.")],
    count: Annotated[int, Query(ge=1, le=500)] = 20,
) -> object:
    """Return songs by the cosine of standardised embeddings, without the song and its copies."""
    return await asyncio.to_thread(_view(request).similar, song, count=count)


@router.get("/map", include_in_schema=False)
async def page(request: Request) -> HTMLResponse:
    """Return the map of the library, as `genrescope map` draws it, without the places of files."""
    service: Service = request.app.state.service
    drawing = asyncio.create_task(asyncio.to_thread(_view(request).page, service.room.folder))
    drawing.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may end when nobody waits
    try:
        text = await asyncio.wait_for(asyncio.shield(drawing), _PATIENCE)
    except TimeoutError:
        raise Refused(503, "the map is being drawn; load this page again in a while", retry_after=20) from None
    return HTMLResponse(text, headers={"content-security-policy": _PAGE_POLICY, "cache-control": "no-cache"})


def _view(request: Request) -> LibraryView:
    service: Service = request.app.state.service
    if service.library is None:
        raise Refused(404, "this service has no library; it is started with --library library.db")
    return service.library
