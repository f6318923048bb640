"""Hysteresis: a change counts once it was seen again."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

AGAIN = 2
"""How many windows that share no sound must show a change before it counts."""

_ROUNDING = 1e-6  # seconds


class Confirmed(Generic[T]):
    """A value that changes once another one was seen in several windows that share no sound, and no other between.

    Args:
        value: what it is at first.
        again: in how many windows.

    Example:
        >>> genre = Confirmed("rock")
        >>> [genre.see("jazz", start=start, end=start + 3) for start in (0, 1, 2, 3)]
        ['rock', 'rock', 'rock', 'jazz']
    """

    def __init__(self, value: T, again: int = AGAIN) -> None:
        self.value, self._again = value, again
        self._other: T | None = None
        self._seen, self._end = 0, 0.0

    def see(self, value: T, *, start: float, end: float) -> T:
        """Take what a window shows, and return the value that holds.

        Args:
            value: what the window shows.
            start: where the window begins, in seconds.
            end: where it ends.
        """
        if value == self.value:
            self._seen = 0
        elif not self._seen or value != self._other:
            self._other, self._seen, self._end = value, 1, end
        elif start >= self._end - _ROUNDING:
            self._seen, self._end = self._seen + 1, end
        if self._seen >= self._again:
            self.value, self._seen = value, 0
        return self.value
