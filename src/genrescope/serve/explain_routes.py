"""The route that shows which parts of a spectrogram a genre's score depends on."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from genrescope.errors import nearest
from genrescope.serve import schemas
from genrescope.serve.asked import results
from genrescope.serve.faults import Refused
from genrescope.serve.routes import form
from genrescope.serve.service import Service
from genrescope.serve.uploads import Uploads
from genrescope.serve.work import ExplainTask

router = APIRouter()

LONGEST = 30.0
"""Seconds of a song that are explained at most."""


@router.post(
    "/v1/explain",
    summary="Which parts of the spectrogram a genre's score depends on",
    response_model=schemas.Explained,
    responses=schemas.refusals(400, 408, 413, 415, 422, 500, 503),
    openapi_extra=form("file", several=False),
)
async def explain(
    request: Request,
    genre: Annotated[str, Query(max_length=500, description="By default the one with the highest score.")] = "",
    start: Annotated[float, Query(ge=0, le=1e6, description="Where the part begins, in seconds.")] = 0.0,
    end: Annotated[float | None, Query(gt=0, le=1e6, description="Its end; by default 30 s later, the most.")] = None,
) -> dict[str, Any]:
    """Hide each patch of time and frequency in turn: the evidence is how much the genre's score falls without it."""
    service: Service = request.app.state.service
    end = start + LONGEST if end is None else end
    if not 0 < end - start <= LONGEST:
        raise Refused(400, f"start={start:g}, end={end:g}: accepted are parts of up to {LONGEST:g} s")
    if genre and genre not in service.labels:
        raise Refused(400, f"genre={genre}: no label of this model; {nearest(genre, service.labels)}")
    service.line.check_room()
    async with Uploads(request, service.room, service.settings.limits, field="file") as [file]:
        task = ExplainTask(service.workshop, file.path, start, end - start)
        [found] = await results(request, await service.line.enter([task]))
    if isinstance(found, Refused):
        raise found
    return replace(found, times=found.times + start).evidence(genre or found.genre)  # type: ignore[no-any-return]
