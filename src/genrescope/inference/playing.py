"""What is playing: windows come in, and verdicts go out, smoothed and with hysteresis."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from genrescope.inference.averages import Running, Smoothed
from genrescope.inference.confirmed import AGAIN, Confirmed
from genrescope.inference.verdict import Verdict

if TYPE_CHECKING:
    from genrescope.inference.averages import Reading, Window
    from genrescope.inference.chunks import Run

SMOOTHING = 4.0
"""Seconds after which the weight of a window has fallen to 1/e."""

MARGIN = 0.3
"""By how much the smoothed score of another genre must exceed that of the genre that holds."""

_KNOWN_SMOOTHING = 15.0
"""The same for what is none of the genres: its threshold is one for whole tracks, which short averages exceed often."""

_PAUSE = 1.5  # seconds without sound that end a song


class Playing:
    """What is playing now, the song so far, and the whole stream so far.

    Attributes:
        skipped: windows that were not scored.

    Args:
        reading: how the model's numbers are read.
        every: seconds from one verdict to the next.
        smoothing: seconds after which the weight of a window has fallen to 1/e.
        margin: by how much the smoothed score of another genre must exceed that of the genre that holds.
        again: in how many windows that share no sound it must.
    """

    def __init__(
        self,
        reading: Reading,
        *,
        every: float,
        smoothing: float = SMOOTHING,
        margin: float = MARGIN,
        again: int = AGAIN,
    ) -> None:
        self._every, self._margin = every, margin
        self.skipped = 0
        self._whole, self._song, self._smoothed = Running(reading), Running(reading), Smoothed(reading, smoothing)
        self._long = Smoothed(reading, _KNOWN_SMOOTHING)
        self._genre: Confirmed[str | None] = Confirmed(None, again)
        self._unknown = Confirmed(False, again)
        self._begun, self._lost = 0.0, 0.0  # seconds before this run, and those of them that never came
        self._quiet_since: float | None = None
        self._end = 0.0
        self._verdict: Verdict | None = None
        self._given: float | None = None

    def begin_run(self, run: Run) -> None:
        """Begin sound without a gap: what was smoothed before the gap is over."""
        self._begun += run.lost
        self._lost += run.lost
        self._smoothed.restart()
        self._long.restart()

    def end_run(self, run: Run) -> None:
        """Note how long it was."""
        self._begun += run.seconds

    def see(self, window: Window, run: Run) -> Verdict | None:
        """Take a window; return a verdict if it is time for one."""
        received = run.received(window.end)
        length = min(window.end, run.seconds)
        window = replace(window, start=self._begun + window.start, end=self._begun + length)
        if window.counts:
            self._whole.add(window)
        self._follow(window)
        scores = self._smoothed.scores()
        genre = self._genre.value
        self._verdict = Verdict(
            window.end, max(0.0, time.monotonic() - received), genre, scores.get(genre or "", 0.0), scores,
            window.level, window.quiet, self._unknown.value, self._song.average() if self._song.has_sound else None,
            self._whole.average(), self.skipped, self._lost, speech=window.speech,
        )  # fmt: skip
        if self._given is not None and window.end < self._given + self._every * 0.75:
            return None
        self._given = window.end
        return self._verdict

    def last(self) -> Verdict | None:
        """Return the last verdict once more, as the last; None where nothing was ever scored."""
        if self._verdict is None:
            return None
        return replace(self._verdict, whole=self._whole.average(), skipped=self.skipped, last=True)

    def _follow(self, window: Window) -> None:
        """Follow the genre, and where songs begin: after silence and speech, and where the genre changes."""
        if self._is_pause(window) or window.speech:
            self._song.restart()
            self._smoothed.restart()
            self._long.restart()
        elif not window.silent:
            self._smoothed.add(window)
            self._long.add(window)
            genre = self._genre.value
            held = self._genre.see(self._leading(), start=window.start, end=window.end)
            self._unknown.see(self._long.is_unknown(), start=window.start, end=window.end)
            if genre is not None and held != genre:
                self._song.restart()
            if window.counts or not self._song.has_sound:
                self._song.add(window)

    def _leading(self) -> str:
        """Return the genre that the last windows show: the one that holds, unless another one exceeds it clearly."""
        scores = self._smoothed.scores()
        best, held = next(iter(scores)), self._genre.value
        if held is None:
            self._genre.value = best  # the first is no change
            return best
        return best if scores[best] > scores[held] + self._margin else held

    def _is_pause(self, window: Window) -> bool:
        """Whether there has been no sound for so long that a song has ended."""
        since = self._end if self._quiet_since is None else self._quiet_since
        self._quiet_since, self._end = (since if window.quiet else None), window.end
        return window.quiet and window.end - since >= _PAUSE
