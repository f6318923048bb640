"""Waiting for results while the client is there: when it leaves, the work for it ends."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from genrescope.serve.faults import Refused
from genrescope.serve.logs import log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.requests import Request

    from genrescope.serve.line import Place


class ClientGone(Exception):  # noqa: N818 - it is no fault
    """The client has closed the connection: there is nobody to answer."""


async def results(request: Request, places: Sequence[Place]) -> list[Any]:
    """Return the result of each place, or the refusal that it ended with.

    Raises:
        ClientGone: before they were there.
    """
    async with watched(request, places) as gone:
        left = {place.result for place in places}
        while left and not gone.done():
            _, left = await asyncio.wait({*left, gone}, return_when=asyncio.FIRST_COMPLETED)
            left.discard(gone)
        if left:
            raise ClientGone
        return [_result_of(place.result) for place in places]


def _result_of(result: asyncio.Future[Any]) -> Any:
    error = asyncio.CancelledError() if result.cancelled() else result.exception()
    return result.result() if error is None else to_refusal(error)


@contextlib.asynccontextmanager
async def watched(request: Request, places: Sequence[Place]) -> AsyncIterator[asyncio.Task[None]]:
    """Give a task that ends when the client leaves; whatever is not done at the end of the block is cancelled."""
    gone = asyncio.create_task(_gone(request))
    try:
        yield gone
    finally:
        gone.cancel()
        for place in places:
            if not place.result.done():
                place.leave()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def to_refusal(error: BaseException) -> Refused:
    """Return an error as the client is told it; what nobody expected is logged."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, asyncio.CancelledError):
        return Refused(503, "the service is shutting down", retry_after=10)
    assert isinstance(error, Exception)
    log("fault", error=repr(error), level="error")
    return Refused(500, "the service failed; its log has the reason")
