"""Long work in processes side by side: each tells how far it is, and all end at once when the first one is told to."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from genrescope import workers
from genrescope.errors import GenrescopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.process import BaseProcess

_Item = TypeVar("_Item")

_PATIENCE = 5.0  # seconds until a process that was asked to end is made to
_TOLD_EVERY = 0.5  # seconds between two words of a process on how far it is


@dataclass
class _Running(Generic[_Item]):
    item: _Item
    process: BaseProcess
    heard: Connection
    ended: bool = False


def run(
    items: Sequence[_Item],
    work: Callable[[_Item, Callable[[float], None]], None],
    *,
    jobs: int,
    threads: int,
    on_begin: Callable[[_Item], None],
    on_fraction: Callable[[_Item, float], None],
    on_end: Callable[[_Item, str | None], None],
) -> None:
    """Do each item's work, `jobs` at a time; with one, in this process.

    Args:
        items: what to work on; can be pickled.
        work: does it, and may tell how far it is, 0 to 1; can be pickled.
        jobs: processes.
        threads: threads of each process where there are several.
        on_begin: called before each item.
        on_fraction: called when an item has told how far it is.
        on_end: called after each item, with None or the reason why it failed.
    """
    if jobs <= 1:
        for item in items:
            on_begin(item)
            on_end(item, reason_of(work, item, lambda share, item=item: on_fraction(item, share)))  # type: ignore[misc]
        return
    waiting, running = list(items), list[_Running[_Item]]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                on_begin(waiting[0])
                running.append(_start(waiting.pop(0), work, threads))
            for each in _told(running):
                _listen(each, on_fraction, on_end)
            running = [each for each in running if not each.ended]
    finally:
        _stop(running)


def reason_of(
    work: Callable[[_Item, Callable[[float], None]], None], item: _Item, tell: Callable[[float], None]
) -> str | None:
    """Do the work; return None, or why it failed: one item's failure must not stop the others."""
    try:
        work(item, tell)
    except GenrescopeError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _start(item: _Item, work: Callable[[_Item, Callable[[float], None]], None], threads: int) -> _Running[_Item]:
    """Start a process for an item; it leaves Ctrl-C to this one."""
    context = multiprocessing.get_context("spawn")
    heard, told = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(item, work, threads, told), daemon=True)
    with workers.interrupt_held():
        process.start()
    told.close()
    return _Running(item, process, heard)


def _told(running: Sequence[_Running[_Item]]) -> list[_Running[_Item]]:
    """Wait until processes have something to tell, or have ended."""
    ready = cast("list[Connection]", wait([each.heard for each in running]))
    return [each for each in running if each.heard in ready]


def _listen(
    each: _Running[_Item],
    on_fraction: Callable[[_Item, float], None],
    on_end: Callable[[_Item, str | None], None],
) -> None:
    """Take one word of a process; silence is its end."""
    try:
        share, reason = each.heard.recv()
    except (EOFError, OSError):
        each.process.join()
        share, reason = None, f"its process died with code {each.process.exitcode}; there may be too little memory"
    if share is not None:
        on_fraction(each.item, share)
        return
    each.ended = True
    each.heard.close()
    each.process.join()
    on_end(each.item, reason)


def _stop(running: Sequence[_Running[_Item]]) -> None:
    """End all processes now: what they had finished is on the disk, whole."""
    for each in running:
        each.process.terminate()
    for each in running:
        each.process.join(_PATIENCE)
        if each.process.is_alive():
            each.process.kill()
            each.process.join()


def _work(item: _Item, work: Callable[[_Item, Callable[[float], None]], None], threads: int, told: Connection) -> None:
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
            told.send((share, None))
            last = time.monotonic()

    with threadpool_limits(threads), contextlib.suppress(BrokenPipeError):
        told.send((None, reason_of(work, item, tell)))
