"""Work over many files in processes of their own: in order, bounded in memory and time, and proof against a crash."""

from __future__ import annotations

import multiprocessing.connection
import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from genrescope.worker import CRASHED, Guard, Worker, WorkerDied

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

__all__ = ["CRASHED", "Guard", "Pool", "WorkerDied", "ahead", "cores", "results"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_T = TypeVar("_T")

_AHEAD = 4  # results that wait for their turn for each worker: enough to keep it busy, few enough to bound memory


def results(
    items: Sequence[_Item],
    make: Callable[[], Callable[[_Item], _Result]],
    *,
    jobs: int | None = None,
    crashed: Callable[[_Item, str], _Result],
    guard: Guard | None = None,
) -> Generator[_Result, None, None]:
    """Yield a result for every item, in order; when the consumer stops, by Ctrl-C say, all processes end at once.

    Args:
        items: what to work on; can be pickled, as their results can.
        make: makes the function that does the work, once in every process; it can be pickled.
        jobs: processes; None takes one for each core. With 0 the work is done in this process, which a crash then
            ends; with 1, too, where there is no guard.
        crashed: makes the result of an item whose process died, from the item and the reason; or raises.
        guard: what an item may take.
    """
    jobs = min(cores() if jobs is None else jobs, len(items))
    if jobs < 1 or (jobs == 1 and guard is None):
        yield from map(make(), items)
        return
    with Pool(make, jobs, guard) as pool:
        yield from _in_order(pool, items, crashed)


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_order(pool: Pool[_Item], items: Sequence[_Item], crashed: Callable[[_Item, str], _Result]) -> Iterator[_Result]:
    """Keep all workers busy; a result that comes early waits for its turn."""
    done: dict[int, _Result] = {}
    working: dict[Worker, int] = {}
    given = told = 0
    while told < len(items):
        while given < len(items) and len(working) < pool.jobs and given - told < pool.jobs * _AHEAD:
            working[pool.give(items[given])] = given
            given += 1
        for worker in pool.wait(working):
            number = working.pop(worker)
            try:
                (done[number],) = worker.parts()
                pool.take_back(worker)
            except WorkerDied as death:
                done[number] = crashed(items[number], str(death))
        while told in done:
            yield done.pop(told)
            told += 1


class Pool(Generic[_Item]):
    """Worker processes, each with one item at a time, so that a death is always that item's."""

    def __init__(
        self, make: Callable[[], Callable[[_Item], Any]], jobs: int | None = None, guard: Guard | None = None
    ) -> None:
        """Start nothing yet: a process starts when there is work for it.

        Args:
            make: makes the function that does the work, once in every process; not from the main program, which no
                worker sees. What the function returns for an item is sent back whole; of a generator, each part as
                soon as it is made.
            jobs: processes; None takes one for each core.
            guard: what an item may take.
        """
        self.jobs = cores() if jobs is None else jobs
        self._make, self._guard = make, guard
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._lock, self._closed = threading.Lock(), False

    def __enter__(self) -> Pool[_Item]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def give(self, item: _Item) -> Worker:
        """Let a worker begin with an item.

        Raises:
            RuntimeError: another thread has closed the pool.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            worker = self._idle.pop() if self._idle else Worker(self._make, self._guard)
            self._all.add(worker)
        worker.begin(item)
        return worker

    def take_back(self, worker: Worker) -> None:
        """Have a worker ready for the next item; one that has not finished is stopped."""
        if worker.is_free():
            self._idle.append(worker)
        else:
            worker.stop()
            with self._lock:
                self._all.discard(worker)

    def wait(self, working: Iterable[Worker], *, at_most: float = float("inf")) -> list[Worker]:
        """Wait until one of the workers has something to tell, or its time is over.

        Args:
            working: those that work.
            at_most: seconds after which nobody is waited for any more.
        """
        by_pipe = {worker.pipe: worker for worker in working}
        soonest = min(at_most, *(worker.left() for worker in by_pipe.values()))
        ready = multiprocessing.connection.wait(list(by_pipe), None if soonest == float("inf") else max(0, soonest))
        return [by_pipe[pipe] for pipe in ready] or [each for each in by_pipe.values() if each.left() <= 0]  # type: ignore[index]

    def streams(self, items: Iterable[_Item]) -> Iterator[tuple[_Item, Iterator[Any]]]:
        """Yield each item in order, with the parts that a worker makes of it as they come.

        Args:
            items: asked for as they are needed; as many are worked on as there are workers.

        Yields:
            The item, and its parts; to ask for these raises `WorkerDied`, or what the work raised.
        """
        waiting: deque[tuple[_Item, Worker]] = deque()
        coming = iter(items)
        while True:
            for item in coming:
                waiting.append((item, self.give(item)))
                if len(waiting) >= self.jobs:
                    break
            if not waiting:
                return
            item, worker = waiting.popleft()
            yield item, worker.parts()
            self.take_back(worker)

    def close(self) -> None:
        """End all workers at once, whatever they do, and let no new one begin."""
        with self._lock:
            self._closed, ended = True, [*self._all]
            self._all.clear()
            self._idle.clear()
        for worker in ended:
            worker.stop()


def ahead(items: Iterable[_T], *, depth: int = 2) -> Iterator[_T]:
    """Yield `items`, made by a thread that stays up to `depth` of them ahead.

    An exception in the thread is raised here, in its place; a consumer that leaves early ends the thread.

    Example:
        >>> list(ahead(range(3)))
        [0, 1, 2]
    """
    end = object()
    iterator: Iterator[Any] = iter(items)
    thread = ThreadPoolExecutor(1)
    try:
        waiting = deque(thread.submit(next, iterator, end) for _ in range(depth))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, iterator, end))
            yield cast("_T", item)
    finally:
        thread.shutdown(cancel_futures=True)
