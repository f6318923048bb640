"""Work over many files in processes of their own: in order, bounded in memory and time, and proof against a crash."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import types
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from genrescope.errors import GenrescopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_T = TypeVar("_T")

CRASHED = "the decoder crashed; the file is probably damaged"
_AHEAD = 4  # results that wait for their turn for each worker: enough to keep it busy, few enough to bound memory


@dataclass(frozen=True)
class Guard:
    """What a worker may take for one item; it is killed beyond that. Its decoders' chatter reaches no terminal.

    Attributes:
        seconds: time.
        memory: bytes beside what the worker itself takes; not held on Windows and macOS.
    """

    seconds: float = 600.0
    memory: int = 3 << 30


class WorkerDied(GenrescopeError):  # noqa: N818 - its message is the reason that is told
    """A worker crashed, or was killed because it took too long."""


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

    def __enter__(self) -> Pool[_Item]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def give(self, item: _Item) -> Worker:
        """Let a worker begin with an item."""
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
            self._all.discard(worker)

    def wait(self, working: Iterable[Worker]) -> list[Worker]:
        """Wait until one of the workers has something to tell, or its time is over."""
        by_pipe = {worker.pipe: worker for worker in working}
        soonest = min(worker.left() for worker in by_pipe.values())
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
        """End all workers at once, whatever they do."""
        for worker in self._all:
            worker.stop()
        self._all.clear()
        self._idle.clear()


class Worker:
    """A process that works on one item at a time."""

    def __init__(self, make: Callable[[], Callable[[Any], Any]], guard: Guard | None) -> None:
        # Spawned, not forked: the same on every system, and safe beside torch's threads.
        context = multiprocessing.get_context("spawn")
        self._guard = guard
        self._pending = False
        self._deadline = float("inf")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, guard), daemon=guard is not None)
        with _interrupt_held(), _without_main():
            self._process.start()
        theirs.close()

    def begin(self, item: Any) -> None:
        """Send an item."""
        self._pending = True
        self._deadline = time.monotonic() + self._guard.seconds if self._guard else float("inf")
        with contextlib.suppress(OSError):  # it has died: that is told when its answer is asked for
            self.pipe.send(item)

    def is_free(self) -> bool:
        """Whether it has answered all that it was asked."""
        return not self._pending

    def left(self) -> float:
        """Return how many seconds it may still take."""
        return self._deadline - time.monotonic()

    def parts(self) -> Iterator[Any]:
        """Yield what it makes of the item; time in which nobody asks does not count.

        Raises:
            WorkerDied: it crashed, or took too long.
        """
        left = self.left()
        while True:
            begun = time.monotonic()
            try:
                if not self.pipe.poll(None if left == float("inf") else max(0.0, left)):
                    self.stop()
                    assert self._guard is not None
                    raise WorkerDied(f"it took longer than {self._guard.seconds:.0f} s; the file is probably damaged")
                kind, value = self.pipe.recv()
            except (EOFError, OSError):
                self.stop()
                raise WorkerDied(CRASHED) from None
            left -= time.monotonic() - begun
            if kind == "part":
                yield value
                continue
            self._pending = False
            if kind == "error":
                raise value
            return

    def stop(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


@contextlib.contextmanager
def _interrupt_held() -> Iterator[None]:
    """Hold Ctrl-C back while a worker is born, so that it inherits this and leaves Ctrl-C to its parent."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # it would lift the mask when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main module while a worker is born: it would run a program again that has no guard around its work."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


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


# -- in a worker ------------------------------------------------------------------------------------------------


def _serve(pipe: Connection, make: Callable[[], Callable[[Any], Any]], guard: Guard | None) -> None:
    """Work on what comes through the pipe until it is closed; leave Ctrl-C to the parent, which ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work = make()
    if guard is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        _limit_memory(guard.memory)
    with contextlib.suppress(EOFError, OSError):
        while True:
            _answer(pipe, work, pipe.recv())
    os._exit(0)  # taking torch apart at the end would take most of a second


def _answer(pipe: Connection, work: Callable[[Any], Any], item: Any) -> None:
    try:
        made = work(item)
        for part in made if isinstance(made, types.GeneratorType) else [made]:
            pipe.send(("part", part))
    except BrokenPipeError:
        raise
    except Exception as error:  # it is raised where the item's parts are asked for
        pipe.send(("error", error))
    else:
        pipe.send(("end", None))


def _limit_memory(extra: int) -> None:
    """Let this process take no more memory than it has now and `extra` bytes: more raises MemoryError."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no path that could be anything else
            held = int(file.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_AS, (held + extra, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _end_with_parent() -> None:
    """End this process when its parent was killed, rather than wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
