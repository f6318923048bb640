"""A process that works on one item at a time, and may crash or be killed."""

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
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from genrescope.errors import GenrescopeError
from genrescope.memory import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
_starting = threading.Lock()  # a start changes the whole process for a moment: one at a time
CRASHED = "the decoder crashed; the file is probably damaged"


@dataclass(frozen=True)
class Guard:
    """What a worker may take for one item; it is killed beyond that. Its decoders' chatter reaches no terminal.

    Attributes:
        seconds: time.
        memory: bytes beside what the worker itself takes; not held on Windows and macOS.
    """

    seconds: float = 600.0
    memory: int = 3 << 30


class WorkerDied(GenrescopeError):  # noqa: N818 - its message is the reason that is reported
    """A worker crashed, or was killed because it took too long."""


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
        with _starting, _interrupt_held(), _without_main(), _one_thread(guard):
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

    def kill(self) -> None:
        """End it from another thread: whoever asks for its parts is told that it crashed."""
        self._process.kill()

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


@contextlib.contextmanager
def _one_thread(guard: Guard | None) -> Iterator[None]:
    """Let a worker that decodes compute with one thread: every core has a worker of its own."""
    before = {name: os.environ.get(name) for name in _THREADS} if guard is not None else {}
    os.environ.update(dict.fromkeys(before, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# -- in a worker ------------------------------------------------------------------------------------------------


def _serve(pipe: Connection, make: Callable[[], Callable[[Any], Any]], guard: Guard | None) -> None:
    """Work on what comes through the pipe until it is closed; leave Ctrl-C to the parent, which ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work = make()
    if guard is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        keep_freed_memory()  # what is decoded passes through blocks of megabytes
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
