"""What a reader of an evaluation should know of the tracks that were scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.evaluation.metrics import wilson
from genrescope.evaluation.summary import track_share

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from genrescope.results import AuditFacts, Share, TrackRow, Verdict

_WIDE = 0.1  # of an interval: a part that gives a narrower one needs no advice
_FOLDS = 5


def small_part(part: str, accuracy: Share, in_split: int) -> tuple[str, ...]:
    """Say what a cross-validation would give instead of a small part; nothing where the interval is narrow enough.

    Args:
        part: its name.
        accuracy: of the part.
        in_split: tracks of all parts of the split.

    Example:
        >>> from genrescope.evaluation.metrics import share
        >>> small_part("test", share(18, 24), 96)
        ('the part test has 24 tracks, so the 95 % interval is 33 points wide; train --folds 5 would score all 96
        tracks, and at this accuracy the interval would be 17 points wide',)
        >>> small_part("test", share(1800, 2400), 9600)
        ()
    """
    now = _width(accuracy.correct, accuracy.total)
    if now <= _WIDE or in_split <= accuracy.total:
        return ()
    then = _width(round(accuracy.value * in_split), in_split)
    return (
        f"the part {part} has {accuracy.total} tracks, so the 95 % interval is {100 * now:.0f} points wide; train "
        f"--folds {_FOLDS} would score all {in_split} tracks, and at this accuracy the interval would be "
        f"{100 * then:.0f} points wide",
    )


def with_untouched(
    audit: AuditFacts | None, rows: Sequence[TrackRow], touched: Container[str], verdict: Verdict
) -> AuditFacts | None:
    """Add to an audit the accuracy over the tracks that no training track touches, where only some are touched."""
    rest = [row for row in rows if row.id not in touched]
    if audit is None or not 0 < len(rest) < len(rows):
        return audit
    return audit.model_copy(update={"untouched": track_share(rest, verdict)})


def _width(correct: int, total: int) -> float:
    low, high = wilson(correct, total)
    return high - low
