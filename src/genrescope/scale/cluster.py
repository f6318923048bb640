"""A cluster of Ray: actors that work on items, and that may die with their machines at any time.

Actors and tasks, and no Ray Data: the plan, the parts and their names are our own, so all that is needed is somebody
to work on each item until it is done. An item is given to an actor that has started, never to one that waits for a
processor; when an actor dies its item goes to another one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from genrescope import extras, workers
from genrescope.errors import GenrescopeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_Item = TypeVar("_Item")

_TRIES = 4  # actors that an item may outlive
_LOOK = 2.0  # seconds between two looks at how many processors there are
_ANSWER = 10.0  # seconds in which the head of a cluster must take a connection
_LOCAL = "local"


class ClusterError(GenrescopeError):
    """A cluster that cannot be reached, or that an item was too much for."""


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connect to a cluster; without an address to one on this machine, which ends with the block.

    Args:
        address: `auto` or `host:port`; None takes `$RAY_ADDRESS`, or else this machine.

    Raises:
        ClusterError: there is none at this address.
        MissingPackageError: Ray is not installed.
    """
    extras.require("scale", "--engine ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # of what it prints beside our messages
    os.environ.setdefault("RAY_py_gcs_connect_timeout_s", "5")  # of each of 20 tries
    import ray

    chosen = address or os.environ.get("RAY_ADDRESS") or _LOCAL
    here = {"num_cpus": workers.cores(), "include_dashboard": False} if chosen == _LOCAL else {}
    try:
        ray.init(address=_answering(chosen), logging_level=logging.CRITICAL, log_to_driver=False, **here)
    except (OSError, ValueError, RuntimeError) as error:
        told = f"--address {chosen}: no cluster can be reached there: {error}"
        raise ClusterError(
            f"{told}. Accepted are auto, and HOST:PORT of a head that `ray start` has started"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _answering(address: str) -> str:
    """Return the address as `host:port`, once somebody takes a connection there: Ray would try for many minutes.

    Raises:
        OSError: nobody does.
        ValueError: it is no address.
    """
    if address == _LOCAL:
        return address
    from ray._private.services import canonicalize_bootstrap_address

    found = None if "://" in address else canonicalize_bootstrap_address(address)
    if found is None:
        raise ValueError("it is no address of a head")
    host, _, port = found.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER).close()
    return str(found)


@dataclass
class _Actor:
    handle: Any
    started: bool = False
    number: int | None = None  # of the item that it works on


class Actors(Generic[_Item]):
    """Actors of one kind, as many as there are processors for; who dies is replaced.

    Args:
        make: starts an actor of one processor. It has the methods `ready`, and `work`, which takes an item.
        jobs: how many; None takes one for each processor of the cluster, also for those that join later.
        ahead: results that may wait for their turn for each actor, where they are wanted in order; else None.
        on_look: called about once a second with how many actors have started and have not died.

    Attributes:
        died: how many actors have died.
        ready: when the first had started, by `time.monotonic`; 0 before.
        facts: what `ready` returned, of each actor.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        *,
        jobs: int | None,
        ahead: int | None = None,
        on_look: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._make, self._jobs, self._ahead, self._on_look = make, jobs, ahead, on_look
        self._actors: dict[Any, _Actor] = {}  # by the reference of what each is about
        self._waiting: deque[int] = deque()
        self._tries: dict[int, int] = {}
        self._looked, self._room = 0.0, 0
        self.died, self.ready = 0, 0.0
        self.facts: list[Any] = []

    def results(self, items: Sequence[_Item]) -> Iterator[tuple[_Item, Any]]:
        """Yield each item with what an actor made of it: in order, or as they come.

        Raises:
            ClusterError: an item was there when several actors died.
            GenrescopeError: what `work` raised.
        """
        self._waiting = deque(range(len(items)))
        held: dict[int, Any] = {}
        turn, left = 0, len(items)
        while left:
            self._start(left)
            self._give(items, turn)
            self._on_look(sum(actor.started for actor in self._actors.values()))
            for number, result in self._look(items):
                left -= 1
                held[number] = result
                if self._ahead is None:
                    yield items[number], held.pop(number)
            while self._ahead is not None and turn in held:
                yield items[turn], held.pop(turn)
                turn += 1
        self._end()

    def _start(self, left: int) -> None:
        """Have an actor for each processor, but no more than there are items."""
        import ray

        if time.monotonic() - self._looked > _LOOK:
            self._looked, self._room = time.monotonic(), int(ray.cluster_resources().get("CPU", 0))
        wanted = min(left, self._room if self._jobs is None else self._jobs)
        while len(self._actors) < wanted:
            handle = self._make()
            self._actors[handle.ready.remote()] = _Actor(handle)

    def _give(self, items: Sequence[_Item], turn: int) -> None:
        """Give an item to each actor that has none."""
        most = None if self._ahead is None else turn + self._ahead * max(1, len(self._actors))
        for reference, actor in list(self._actors.items()):
            if not self._waiting or (most is not None and self._waiting[0] >= most):
                return
            if actor.started and actor.number is None:
                del self._actors[reference]
                actor.number = self._waiting.popleft()
                self._actors[actor.handle.work.remote(items[actor.number])] = actor

    def _look(self, items: Sequence[_Item]) -> Iterator[tuple[int, Any]]:
        """Yield the numbers and results of what is done by now, or in a while."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        busy = [each for each, actor in self._actors.items() if not actor.started or actor.number is not None]
        if not busy:  # no machine has a processor now; one may join
            time.sleep(_LOOK / 2)
        done, _ = ray.wait(busy, num_returns=1, timeout=_LOOK / 2) if busy else ([], [])
        for reference in done:
            actor = self._actors.pop(reference)
            try:
                result = ray.get(reference)
            except RayTaskError as error:
                raise _cause_of(error) from error
            except RayError as error:
                self._bury(actor, items, error)
                continue
            number, actor.number = actor.number, None
            self._actors[object()] = actor
            if actor.started and number is not None:
                yield number, result
            else:
                actor.started, self.ready = True, self.ready or time.monotonic()
                self.facts.append(result)

    def _bury(self, actor: _Actor, items: Sequence[_Item], error: Exception) -> None:
        """Let another actor have the item of one that died.

        Raises:
            ClusterError: too many have died, of this item or before they could begin.
        """
        import ray

        self.died += 1
        with contextlib.suppress(Exception):  # it may be out of reach only
            ray.kill(actor.handle)
        number = -1 if actor.number is None else actor.number
        self._tries[number] = self._tries.get(number, 0) + 1
        if self._tries[number] >= _TRIES * (1 if number >= 0 else 3):
            what = getattr(items[number], "name", f"item {number}") if number >= 0 else "the start"
            reason = str(error).strip().splitlines()[0]
            raise ClusterError(f"{self._tries[number]} workers died at {what}: {reason}. What is finished is kept")
        if number >= 0:
            self._waiting.appendleft(number)

    def _end(self) -> None:
        import ray

        for actor in self._actors.values():
            with contextlib.suppress(Exception):
                ray.kill(actor.handle)
        self._actors.clear()


def _cause_of(error: Any) -> Exception:
    cause = error.cause
    return cause if isinstance(cause, GenrescopeError) else ClusterError(f"a worker failed: {error}")
