"""What has been played: seconds and passages of each genre, and the last minutes, in memory that does not grow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genrescope.inference.verdict import Average, Verdict

_RECENT = 6000  # verdicts that are kept


@dataclass
class Total:
    """How long something was played, and in how many passages."""

    seconds: float = 0.0
    passages: int = 0


class Played:
    """Counts what verdicts say.

    Attributes:
        totals: by what is playing: genres, `silence`, `speech`, `unknown`.
        recent: time and what was playing, of the last verdicts.
        seconds: end of the newest.
        lost: seconds of sound that never came.
        skipped: windows that were not scored.
        whole: the average since the beginning.
    """

    def __init__(self) -> None:
        self.totals: dict[str, Total] = {}
        self.recent: deque[tuple[float, str]] = deque(maxlen=_RECENT)
        self.seconds = self.lost = 0.0
        self.skipped = 0
        self.whole: Average | None = None

    def see(self, verdict: Verdict) -> None:
        """Count a verdict: what it says has been playing since the one before."""
        self.skipped, self.whole = verdict.skipped, verdict.whole
        if verdict.last:
            return
        total = self.totals.setdefault(verdict.heading, Total())
        total.seconds += verdict.time - self.seconds - (verdict.lost - self.lost)
        total.passages += not self.recent or self.recent[-1][1] != verdict.heading
        self.recent.append((verdict.time, verdict.heading))
        self.seconds, self.lost = verdict.time, verdict.lost

    def ranked(self) -> list[tuple[str, Total]]:
        """Return the totals, the longest first."""
        return sorted(self.totals.items(), key=lambda item: -item[1].seconds)
