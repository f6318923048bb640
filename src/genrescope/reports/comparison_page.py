"""The page of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.pages.drawing import drawn
from genrescope.pages.render import p_value, points, points_interval, render
from genrescope.reports import charts, tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from genrescope.pages.drawing import Drawn
    from genrescope.results import Comparison, Entry


def draw(result: Comparison) -> list[Drawn]:
    """Draw the forest plot, and where the models were timed, accuracy against computing time."""
    lines = [_line(entry, result) for entry in result.entries]
    figures = [drawn("compare", "Accuracy, and difference from the reference", lambda t: charts.forest(lines, t))]
    if any(entry.milliseconds is not None for entry in result.entries):
        title = "Accuracy against computing time"
        figures.append(drawn("compute", title, lambda t: charts.against_compute(result.entries, t)))
    return figures


def write(result: Comparison, figures: Sequence[Drawn], path: Path) -> Path:
    """Write `compare.html`."""
    return render(
        path,
        "genrescope.reports",
        "compare.html",
        result=result,
        figures=figures,
        points=points,
        between=points_interval,
        p=p_value,
        chance=tables.chance_told(result.chance),
        by_genre=tables.recalls(result),
    )


def _line(entry: Entry, result: Comparison) -> charts.Line:
    accuracy = entry.accuracy
    pair = next((pair for pair in result.against_reference if pair.name == entry.name), None)
    runs = accuracy.by_run if len(accuracy.by_run) > 1 else ()
    return charts.Line(entry.name, accuracy.mean, accuracy.interval, pair, runs)
