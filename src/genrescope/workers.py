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
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from queue import Full, Queue
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
) -> Iterator[_Result]:
    """Yield a result for every item, in order.

    Args:
        items: what to work on.
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
                with interrupt_held():
                    flying.append((waiting[0], pool.submit(_work_on, waiting[0])))
                waiting.popleft()
            yield flying[0][1].result()
            flying.popleft()
    except BrokenProcessPool:
        return [item for item, _ in flying]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return []


@contextlib.contextmanager
def interrupt_held() -> Iterator[None]:
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
    queue: Queue[tuple[bool, _T | BaseException | None]] = Queue(depth)
    stop = threading.Event()

    def put(more: bool, item: _T | BaseException | None) -> None:
        while not stop.is_set():
            with contextlib.suppress(Full):
                queue.put((more, item), timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put(True, item)
                if stop.is_set():
                    return
            put(False, None)
        except BaseException as error:  # it is raised again where the items are used
            put(False, error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            more, item = queue.get()
            if more:
                yield cast("_T", item)
            elif item is None:
                return
            else:
                raise cast("BaseException", item)
    finally:
        stop.set()
        thread.join()


# -- in a worker ------------------------------------------------------------------------------------------------

_work: Callable[[Any], Any] | None = None


def _start(make: Callable[[], Callable[[Any], Any]]) -> None:
    """Make the worker's function, once; leave Ctrl-C to the parent, which stops the workers in order."""
    global _work  # noqa: PLW0603 - a worker process has no other place to keep what it makes once
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(os._exit, 0)  # taking torch apart at the end would take most of a second
    threading.Thread(target=end_with_parent, daemon=True).start()
    _work = make()


def end_with_parent() -> None:
    """End this process when its parent was killed, rather than wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _work_on(item: Any) -> Any:
    assert _work is not None
    return _work(item)
