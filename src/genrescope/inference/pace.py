"""Keeping up with a stream: how many of the windows that wait can be scored before the next ones come."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SHARE = 0.8  # of the time that passes, for scoring; the rest is for decoding and the front end
_SAVED = 2.0  # seconds of it that are kept for sound that comes at once; scoring is late by no more
_WEIGHT = 0.3  # of the newest measurement


class Pace:
    """Chooses windows so that scoring takes no longer than the sound takes to come.

    Args:
        clock: seconds that pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cost, self._left, self._seen = 0.0, _SAVED, clock()

    def choose(self, waiting: Sequence[int], counts: Sequence[bool]) -> list[int]:
        """Return which of the windows that wait are scored, in order: all, if there is time.

        Else those between the windows of `predict` are left out first, and then the oldest of these; one is always
        scored.

        Args:
            waiting: numbers of the windows, in order.
            counts: whether `predict` scores each.
        """
        now = self._clock()
        self._left, self._seen = min(_SAVED, self._left + _SHARE * (now - self._seen)), now
        room = max(1, int(self._left / self._cost)) if self._cost else len(waiting)
        by_worth = sorted(range(len(waiting)), key=lambda place: (not counts[place], -place))
        return [waiting[place] for place in sorted(by_worth[:room])]

    @contextlib.contextmanager
    def measuring(self, windows: int) -> Iterator[None]:
        """Measure how long it takes to score so many windows."""
        begun = self._clock()
        yield
        spent = self._clock() - begun
        cost = spent / windows
        self._cost = cost if not self._cost else self._cost + _WEIGHT * (cost - self._cost)
        self._left = max(-_SAVED, self._left - spent)
