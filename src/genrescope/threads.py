"""How many processor threads torch computes with: for a while, and in one thread of a program.

torch keeps the number for each thread of a program, and one more number that later threads start with. Both are as
before when the work is done.

A process that was forked has the OpenMP of its parent but not its threads, and waits for them for ever as soon as torch
computes with more than one. With one thread nothing waits.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import torch

from genrescope.errors import GenrescopeError

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Process:
    """What this process knows of itself."""

    def __init__(self, *, is_forked: bool) -> None:
        self.is_forked = is_forked
        self.lock = threading.Lock()  # another thread may have held the parent's


_process = _Process(is_forked=False)


def _begin_fork() -> None:
    global _process  # noqa: PLW0603 - a fork makes it another process
    _process = _Process(is_forked=True)


if hasattr(os, "register_at_fork"):  # not on Windows, which never forks
    os.register_at_fork(after_in_child=_begin_fork)


@contextlib.contextmanager
def limited(count: int | None) -> Iterator[None]:
    """Let torch compute with so many threads inside the block, in the thread that enters it.

    Args:
        count: processor threads; None leaves torch's own number, and takes one in a process that was forked.

    Raises:
        GenrescopeError: more than one is asked for in a process that was forked.
        ValueError: it is less than 1.

    Example:
        >>> before = torch.get_num_threads()
        >>> with limited(1):
        ...     torch.get_num_threads()
        1
        >>> torch.get_num_threads() == before
        True
    """
    check(count)
    if count is None and _process.is_forked:
        count = 1
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    _take(count, before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check(count: int | None) -> None:
    """Refuse a number of threads that cannot be.

    Raises:
        GenrescopeError: more than one is asked for in a process that was forked.
        ValueError: it is less than 1.
    """
    if count is None:
        return
    if count < 1:
        raise ValueError(f"threads={count}; accepted are 1 or more, or None")
    if count > 1 and _process.is_forked:
        raise GenrescopeError(
            f"threads={count} in a process that was forked: torch would wait for ever for threads that only the parent "
            'has. Take threads=1, or start the process with multiprocessing.get_context("spawn")'
        )


def _take(count: int, before: int) -> None:
    """Set the number of this thread only: what later threads start with is put back by one that ends at once."""
    with _process.lock:
        torch.set_num_threads(count)
        other = threading.Thread(target=torch.set_num_threads, args=(before,))
        other.start()
        other.join()
