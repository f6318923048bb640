"""The line of songs that wait: bounded, first come, first served, over all clients; decoding beside scoring."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genrescope.serve.faults import Refused
from genrescope.serve.work import Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from genrescope.serve.metrics import Metrics
    from genrescope.serve.work import Task

_REMEMBERED = 0.9  # of the mean of durations, when a new one comes
_LONGEST_WAIT = 120  # seconds that a client is sent away for


@dataclass(eq=False)
class Place:
    """A song in the line, and its result, which comes or raises.

    Attributes:
        task: what is done for it.
        result: comes when it is done.
        ticket: cancels it.
        on_moved: called with the number of songs before it, whenever that changes; with None when its turn has come.
    """

    task: Task
    result: asyncio.Future[Any]
    on_moved: Callable[[int | None], None] = lambda _: None
    ticket: Ticket = field(default_factory=Ticket)
    since: float = field(default_factory=time.monotonic)

    def leave(self) -> None:
        """Give the place up; what is being done for it ends."""
        self.ticket.cancel()
        self.result.cancel()


class Line:
    """Songs wait here, are decoded in processes and scored in threads, as many at a time as there are cores.

    Args:
        most: songs that may wait.
        decoders: songs that are decoded at a time.
        scorers: songs that are scored at a time, each with one thread.
        metrics: what is counted.
    """

    def __init__(self, *, most: int, decoders: int, scorers: int, metrics: Metrics) -> None:
        self._most, self._counts, self._metrics = most, {"decode": decoders, "score": scorers}, metrics
        self._waiting: deque[Place] = deque()
        self._came = asyncio.Condition()
        self._decoded: asyncio.Queue[tuple[Place, Any]] = asyncio.Queue(maxsize=scorers)
        self._threads = {step: ThreadPoolExecutor(count, step) for step, count in self._counts.items()}
        self._means = dict.fromkeys(self._counts, 0.0)
        self._lanes: list[asyncio.Task[None]] = []
        self._closing = False

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        """Begin to work, in the running loop."""
        for step, lane in (("decode", self._decode), ("score", self._score)):
            self._lanes += [asyncio.create_task(lane()) for _ in range(self._counts[step])]

    def refuse_new(self) -> None:
        """Let nobody in any more; those who are in the line are served."""
        self._closing = True

    async def stop(self) -> None:
        """End all work at once."""
        self.refuse_new()
        for place in self._waiting:
            place.leave()
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    def check_room(self, songs: int = 1) -> None:
        """Refuse songs for which there is no room.

        Raises:
            Refused: with the seconds after which there may be.
        """
        if self._closing:
            raise Refused(503, "the service is shutting down", retry_after=10)
        if len(self._waiting) + songs > self._most:
            raise Refused(
                503, f"the service is busy: {len(self._waiting)} songs are waiting; try again in a while",
                retry_after=self._wait(),
            )  # fmt: skip

    async def enter(self, tasks: list[Task], on_moved: Callable[[int | None], None] = lambda _: None) -> list[Place]:
        """Give each task a place, or none.

        Raises:
            Refused: there is no room.
        """
        self.check_room(len(tasks))
        loop = asyncio.get_running_loop()
        places = [Place(task, loop.create_future(), on_moved) for task in tasks]
        for place in places:
            self._waiting.append(place)
            place.on_moved(len(self._waiting) - 1)
        async with self._came:
            self._came.notify(len(places))
        return places

    def _wait(self) -> int:
        """Return how long it takes until half of those who wait are served, in seconds."""
        one = max(mean / self._counts[step] for step, mean in self._means.items())
        return min(_LONGEST_WAIT, max(1, math.ceil(one * len(self._waiting) / 2)))

    async def _next(self) -> Place:
        async with self._came:
            while True:
                await self._came.wait_for(lambda: self._waiting)
                place = self._waiting.popleft()
                for ahead, other in enumerate(self._waiting):
                    other.on_moved(ahead)
                if not place.result.done():
                    self._metrics.seconds("queue", time.monotonic() - place.since)
                    place.on_moved(None)
                    return place

    async def _decode(self) -> None:
        while True:
            place = await self._next()
            with _reported(place):
                sound = await self._done("decode", place.task.decode, place.ticket)
                await self._decoded.put((place, sound))

    async def _score(self) -> None:
        while True:
            place, sound = await self._decoded.get()
            with _reported(place):
                found = await self._done("score", place.task.score, sound, place.ticket)
                if not place.result.done():
                    place.result.set_result(found)

    async def _done(self, step: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do a step in one of its threads, and note how long it took."""
        begun = time.monotonic()
        found = await asyncio.get_running_loop().run_in_executor(self._threads[step], work, *arguments)
        took = time.monotonic() - begun
        self._metrics.seconds(step, took)
        self._means[step] = _REMEMBERED * self._means[step] + (1 - _REMEMBERED) * took if self._means[step] else took
        return found


@contextlib.contextmanager
def _reported(place: Place) -> Any:
    """Give an error to whoever waits for the place, rather than end the lane."""
    try:
        yield
    except asyncio.CancelledError:
        place.leave()
        raise
    except Exception as error:
        if not place.result.done():
            place.result.set_exception(error)
