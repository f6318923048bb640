"""What the commands tag and untag show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from genrescope.cli.console import say
from genrescope.cli.grids import TableFormat, print_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.tags.tagging import Row

_WORDS = {"write": "to write", "keep": "kept", "skip": "without a proposal", "refuse": "not possible"}


def show(rows: Sequence[Row], kind: TableFormat, *, every: bool) -> None:
    """Print songs with what stands there, what is proposed, and what is done and why.

    Args:
        rows: the songs.
        kind: how they are printed; a table has the score beside the genre, and no refused songs: they have been
            named with their reasons, which are long.
        every: whether songs that keep their genre are shown too.
    """
    from genrescope.reports.grid import Column, Grid

    hidden = {"" if every else "keep", "refuse" if kind is TableFormat.table else ""}
    shown = sorted((row for row in rows if row.decision.action not in hidden), key=lambda row: row.path)
    if kind is TableFormat.table:
        if not shown:
            return
        keys, cells = ["song", "genre now", "proposed", "action"], [_short(row) for row in shown]
    else:
        keys, cells = ["path", "genre", "proposed", "confidence", "action", "why"], [_long(row) for row in shown]
    print_grid(Grid([Column(key, key) for key in keys], cells), kind)


def _short(row: Row) -> list[str]:
    decision = row.decision
    pairs = zip(decision.genres, decision.confidences, strict=True)
    proposed = ", ".join(f"{genre} {score:.2f}" for genre, score in pairs)
    return [str(row.path), ", ".join(row.present), proposed, f"{_action(row)}: {decision.why}"]


def _long(row: Row) -> list[str]:
    decision = row.decision
    scores = "; ".join(f"{score:.4f}" for score in decision.confidences)
    return [str(row.path), "; ".join(row.present), "; ".join(decision.genres), scores, _action(row), decision.why]


def _action(row: Row) -> str:
    return "written" if row.written else row.decision.action


def report(rows: Sequence[Row], without_threshold: Sequence[str], *, write: bool, quiet: bool) -> None:
    """Say how many songs there are of each kind, and which labels could not count."""
    counts = Counter("written" if row.written else _WORDS[row.decision.action] for row in rows)
    parts = [f"{counts[name]:,} {name}" for name in ("written", *_WORDS.values()) if counts[name]]
    say(f"{len(rows):,} {'song' if len(rows) == 1 else 'songs'}: {', '.join(parts) or 'none'}", quiet=quiet)
    if without_threshold and counts[_WORDS["skip"]]:
        labels = ", ".join(without_threshold)
        say(f"note: the model has no thresholds for {labels}: they count with --min-confidence only", quiet=quiet)
    if not write:
        say("nothing was changed: this was a dry run", quiet=quiet)
