"""Work over many files in processes of their own: in order, bounded in memory, and proof against a crash."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_T = TypeVar("_T")

CRASHED = "the decoder crashed; the file is probably damaged"
_AHEAD = 4  # items in flight for each worker: enough to keep it busy, few enough to bound memory


def results(
    items: Sequence[_Item],
    make: Callable[[], Callable[[_Item], _Result]],
    *,
    jobs: int | None = None,
    crashed: Callable[[_Item], _Result],
) -> Generator[_Result, None, None]:
    """Yield a result for every item, in order; when the consumer stops, by Ctrl-C say, all processes end at once.

    Args:
        items: what to work on; can be pickled, as their results can.
        make: makes the function that does the work, once in every process; it can be pickled.
        jobs: processes; None takes one for each core. With one, the work is done in this process.
        crashed: makes the result of an item whose process died, twice; or raises.
    """
    jobs = min(jobs or cores(), len(items))
    if jobs <= 1:
        yield from map(make(), items)
        return
    waiting = deque(items)
    while waiting:
        suspects = yield from _pooled(waiting, make, jobs)
        # A decoder took its process down. Those in flight are tried again, each in a process of its own.
        for item in suspects:
            alone = deque([item])
            if (yield from _pooled(alone, make, 1)):
                yield crashed(item)


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pooled(
    waiting: deque[_Item], make: Callable[[], Callable[[_Item], _Result]], jobs: int
) -> Generator[_Result, None, list[_Item]]:
    """Work through `waiting`; if a worker dies, return the items that were in flight.

    Processes are spawned, not forked: the same on every system, and safe beside torch's threads.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(make,))
    flying: deque[tuple[_Item, Future[_Result]]] = deque()
    try:
        while waiting or flying:
            while waiting and len(flying) < jobs * _AHEAD:
                with _interrupt_held():
                    flying.append((waiting[0], pool.submit(_work_on, waiting[0])))
                waiting.popleft()
            yield flying[0][1].result()
            flying.popleft()
    except BrokenProcessPool:
        return [item for item, _ in flying]
    except BaseException:  # Ctrl-C, or nobody wants the rest: what takes hours is not waited for
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return []


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

_work: Callable[[Any], Any] | None = None


def _start(make: Callable[[], Callable[[Any], Any]]) -> None:
    """Make the worker's function, once; leave Ctrl-C to the parent, which stops the workers in order."""
    global _work  # noqa: PLW0603 - a worker process has no other place to keep what it makes once
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(os._exit, 0)  # taking torch apart at the end would take most of a second
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _work = make()


def _end_with_parent() -> None:
    """End this process when its parent was killed, rather than wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _work_on(item: Any) -> Any:
    assert _work is not None
    return _work(item)
