"""The routes on songs and on the model."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from genrescope.features.placement import WINDOWS, Choice
from genrescope.serve import schemas
from genrescope.serve.answers import result_of
from genrescope.serve.asked import results
from genrescope.serve.events import NDJSON, Events, EventStream
from genrescope.serve.faults import Refused
from genrescope.serve.uploads import Uploads
from genrescope.serve.work import PredictTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.inference.prediction import Prediction
    from genrescope.serve.service import Service
    from genrescope.serve.uploads import Upload

router = APIRouter()
_LINES = {"schema": {"type": "string"}, "example": '{"event": "decoding", "seconds": 0.0}\n'}

WindowsQuery = Annotated[
    str | None,
    Query(
        pattern="^(all|[1-9][0-9]{0,3})$",
        description=f"Windows of each song, spread over it, or `all`; by default all of one, {WINDOWS} of several.",
        examples=["all", "10"],
    ),
]
TopQuery = Annotated[
    int | None, Query(ge=1, le=10_000, description="Labels whose scores for the song are given; by default all.")
]


def form(field: str, *, several: bool) -> dict[str, Any]:
    """Return how the OpenAPI document describes the body of a request with files."""
    file = {"type": "string", "format": "binary"}
    kind = {"type": "array", "items": file, "minItems": 1} if several else file
    schema = {"type": "object", "required": [field], "properties": {field: kind}, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@router.post(
    "/v1/predict",
    summary="Genres of one or several songs",
    response_model=schemas.Answer,
    responses={
        200: {
            "content": {NDJSON: {"schema": {"type": "string"}, "example": '{"event": "decoding", "seconds": 0.0}\n'}}
        },
        **schemas.refusals(400, 408, 413, 415, 422, 500, 503),
    },
    openapi_extra=form("files", several=True),
)
async def predict(request: Request, windows: WindowsQuery = None, top: TopQuery = None) -> Response:
    """Classify songs. With the header `Accept: application/x-ndjson`, one song's scores are sent as they come."""
    service: Service = request.app.state.service
    service.line.check_room()
    async with AsyncExitStack() as held:
        uploads = Uploads(request, service.room, service.settings.limits, most=service.settings.limits.files)
        files = await held.enter_async_context(uploads)
        choice = _choice(windows, len(files))
        if NDJSON not in request.headers.get("accept", ""):
            return await _answered(request, service, files, choice, top)
        if len(files) > 1:
            raise Refused(400, f"{NDJSON} is for one file a request; {len(files)} came")
        events = Events(service.labels)
        task = PredictTask(service.workshop, files[0].path, files[0].name, choice, events.decoded, events.scored)
        (place,) = await service.line.enter([task], events.moved)
        return EventStream(service, place, events, top=top, held=held.pop_all())


def _choice(windows: str | None, files: int) -> Choice:
    if windows is None:
        return Choice() if files == 1 else Choice(WINDOWS)
    return Choice() if windows == "all" else Choice(int(windows))


async def _answered(
    request: Request, service: Service, files: Sequence[Upload], choice: Choice, top: int | None
) -> Response:
    places = await service.line.enter([PredictTask(service.workshop, each.path, each.name, choice) for each in files])
    found: list[Prediction | Refused] = await results(request, places)
    for each in found:
        service.metrics.song(None if isinstance(each, Refused) else each.seconds)
    refused = [each for each in found if isinstance(each, Refused)]
    if len(files) == len(refused) == 1:
        raise refused[0]
    answer = {
        "model": service.workshop.fingerprint(choice),
        "results": [
            {"name": file.name, "error": str(each)}
            if isinstance(each, Refused)
            else result_of(each, service.labels, top=top)
            for file, each in zip(files, found, strict=True)
        ],
    }
    if len(refused) < len(found):
        return JSONResponse(answer)
    status = max(each.status for each in refused)
    return JSONResponse({"detail": f"none of the {len(files)} files could be used"} | answer, status)


@router.get("/v1/genres", summary="The labels that the model knows", responses=schemas.refusals(400))
async def genres(request: Request) -> schemas.Genres:
    """Return the labels, in the order of the scores of windows."""
    return schemas.Genres(genres=list(request.app.state.service.labels))


@router.get("/v1/model", summary="What the model is", responses=schemas.refusals(400))
async def model(request: Request) -> schemas.ModelFacts:
    """Return what the model knows, on what terms it may be used, and how often it is right."""
    return schemas.ModelFacts(**request.app.state.facts)


@router.get("/healthz", summary="Whether the service works", responses={400: {"model": schemas.Nothing}})
async def healthz(request: Request) -> schemas.Health:
    """Answer at once, without a token."""
    return schemas.Health(status="ok", queue=len(request.app.state.service.line))


@router.get(
    "/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse, responses=schemas.refusals(400)
)
async def metrics(request: Request) -> PlainTextResponse:
    """Return counters and histograms in Prometheus' text format."""
    return PlainTextResponse(
        request.app.state.service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8"
    )
