"""The line of songs that wait: order, bounds, and clients that leave."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from genrescope.serve.faults import Refused
from genrescope.serve.line import Line
from genrescope.serve.metrics import Metrics

if TYPE_CHECKING:
    from genrescope.serve.line import Place
    from genrescope.serve.work import Ticket


@dataclass
class Work:
    """A task that waits until it may go on, and notes what became of it."""

    name: str
    done: list[str]
    free: threading.Event = field(default_factory=threading.Event)
    fails: bool = False

    def decode(self, ticket: Ticket) -> str:
        self.free.wait(20)
        ticket.check()
        if self.fails:
            raise Refused(422, self.name)
        return self.name

    def score(self, sound: Any, ticket: Ticket) -> str:
        ticket.check()
        self.done.append(sound)
        return str(sound)


def make(*names: str, done: list[str], free: bool = False) -> list[Any]:
    works = [Work(name, done) for name in names]
    for work in works:
        if free:
            work.free.set()
    return works


async def begun(most: int = 3) -> Line:
    line = Line(most=most, decoders=1, scorers=1, metrics=Metrics())
    line.start()
    return line


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0.005)


def test_songs_are_served_in_the_order_in_which_they_came() -> None:
    async def run() -> None:
        line, done = await begun(), list[str]()
        places = await line.enter(make("a", "b", "c", done=done, free=True))
        assert await asyncio.gather(*(place.result for place in places)) == done == ["a", "b", "c"]
        await line.stop()

    asyncio.run(run())


def test_one_that_waits_is_told_how_many_are_before_it() -> None:
    async def run() -> None:
        line, done, seen = await begun(), list[str](), list[int | None]()
        works = make("a", "b", "c", done=done)
        await line.enter(works[:1])
        await settle()
        await line.enter(works[1:2])
        [last] = await line.enter(works[2:], seen.append)
        for work in works:
            work.free.set()
        assert await last.result == "c"
        assert seen == [1, 0, None]
        await line.stop()

    asyncio.run(run())


def test_songs_without_room_are_refused_together() -> None:
    async def run() -> None:
        line, done = await begun(most=2), list[str]()
        works = make("a", "b", "c", "d", done=done)
        await line.enter(works[:1])
        await settle()  # it is decoded, and does not wait any more
        await line.enter(works[1:2])
        with pytest.raises(Refused, match="1 songs are waiting") as refused:
            await line.enter(works[2:])
        assert (refused.value.status, refused.value.retry_after >= 1, len(line)) == (503, True, 1)
        line.refuse_new()
        with pytest.raises(Refused, match="shutting down"):
            await line.enter(works[2:3])
        for work in works:
            work.free.set()
        await line.stop()

    asyncio.run(run())


def test_a_failure_ends_one_song_only() -> None:
    async def run() -> None:
        line, done = await begun(), list[str]()
        works = make("a", "b", done=done, free=True)
        works[0].fails = True
        places = await line.enter(works)
        first, last = await asyncio.gather(*(place.result for place in places), return_exceptions=True)
        assert isinstance(first, Refused)
        assert last == "b"
        await line.stop()

    asyncio.run(run())


def test_one_that_leaves_is_not_worked_for() -> None:
    async def run() -> None:
        line, done = await begun(), list[str]()
        works = make("a", "b", "c", done=done)
        places: list[Place] = await line.enter(works)
        await settle()
        places[0].leave()  # while it is decoded
        places[1].leave()  # while it waits
        for work in works:
            work.free.set()
        assert await places[2].result == "c"
        assert done == ["c"]
        await line.stop()

    asyncio.run(run())


def test_to_stop_gives_up_all_who_wait() -> None:
    async def run() -> None:
        line, done = await begun(), list[str]()
        works = make("a", "b", done=done)
        places = await line.enter(works)
        await settle()
        for work in works:
            work.free.set()
        await line.stop()
        assert all(place.result.cancelled() for place in places)

    asyncio.run(run())
