"""Long work in processes side by side: each tells how far it is, and all end at once when the first one is told to."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from genrescope import workers
from genrescope.errors import GenrescopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.process import BaseProcess

_Item = TypeVar("_Item")
_Item_contra = TypeVar("_Item_contra", contravariant=True)
Work: TypeAlias = "Callable[[_Item, Callable[[float], None]], None]"
"""Works on an item, and may tell how far it is, 0 to 1."""

_PATIENCE = 5.0  # seconds until a process that was asked to end is made to
_TOLD_EVERY = 0.5  # seconds between two words of a process on how far it is


class Watch(Protocol[_Item_contra]):
    """Who is told what happens."""

    def begin(self, item: _Item_contra) -> None:
        """An item begins."""

    def tell(self, item: _Item_contra, share: float) -> None:
        """An item is so far done, 0 to 1."""

    def end(self, item: _Item_contra, reason: str | None) -> None:
        """An item has ended, with None or the reason why it failed."""


@dataclass(frozen=True)
class _Running(Generic[_Item]):
    item: _Item
    process: BaseProcess
    received: Connection


def run(items: Sequence[_Item], work: Work[_Item], watch: Watch[_Item], *, jobs: int, threads: int) -> None:
    """Do each item's work, `jobs` at a time; with one, in this process.

    Args:
        items: what to work on; can be pickled.
        work: does it; can be pickled.
        watch: is told of each item's begin, progress and end.
        jobs: processes.
        threads: threads of each process where there are several.
    """
    if jobs <= 1:
        for item in items:
            watch.begin(item)
            watch.end(item, _reason_of(work, item, partial(watch.tell, item)))
        return
    waiting = list(items)
    running: dict[Connection, _Running[_Item]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                watch.begin(waiting[0])
                started = _start(waiting.pop(0), work, threads)
                running[started.received] = started
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                _listen(running, ready, watch)
    finally:
        _stop([each.process for each in running.values()])


def _reason_of(work: Work[_Item], item: _Item, tell: Callable[[float], None]) -> str | None:
    """Do the work; return None, or why it failed: one item's failure must not stop the others."""
    try:
        work(item, tell)
    except GenrescopeError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _start(item: _Item, work: Work[_Item], threads: int) -> _Running[_Item]:
    """Start a process for an item; it leaves Ctrl-C to this one."""
    context = multiprocessing.get_context("spawn")
    received, sent = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(item, work, threads, sent), daemon=True)
    with workers.interrupt_held():
        process.start()
    sent.close()
    return _Running(item, process, received)


def _listen(running: dict[Connection, _Running[_Item]], ready: Connection, watch: Watch[_Item]) -> None:
    """Take one word of a process; silence is its end."""
    each = running[ready]
    try:
        share, reason = ready.recv()
    except (EOFError, OSError):
        each.process.join()
        share, reason = None, f"its process died with code {each.process.exitcode}; there may be too little memory"
    if share is not None:
        watch.tell(each.item, share)
        return
    del running[ready]
    ready.close()
    each.process.join()
    watch.end(each.item, reason)


def _stop(processes: Sequence[BaseProcess]) -> None:
    """End all processes now: what they had finished is on the disk, whole."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _work(item: _Item, work: Work[_Item], threads: int, sent: Connection) -> None:
    """What a process does."""
    import torch
    from threadpoolctl import threadpool_limits

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=workers.end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    last = 0.0

    def tell(share: float) -> None:
        nonlocal last
        if time.monotonic() - last > _TOLD_EVERY:
            sent.send((share, None))
            last = time.monotonic()

    with threadpool_limits(threads), contextlib.suppress(BrokenPipeError):
        sent.send((None, _reason_of(work, item, tell)))
