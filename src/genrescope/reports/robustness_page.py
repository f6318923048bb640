"""The page of a robustness test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.pages.drawing import drawn, write_figures
from genrescope.pages.render import points, points_interval, render
from genrescope.reports import charts

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.results import RobustnessResult


def write(result: RobustnessResult, folder: Path) -> Path:
    """Draw the conditions, and write the figure and `robustness.html`."""
    lines = [
        charts.Line(each.name, each.accuracy.value, each.accuracy.interval, each.against_unchanged)
        for each in result.conditions
    ]
    title = "Accuracy under each change of the sound"
    figures = [drawn("robustness", title, lambda t: charts.forest(lines, t))]
    write_figures(figures, folder / "figures")
    return render(
        folder / "robustness.html",
        "genrescope.reports",
        "robustness.html",
        result=result,
        figures=figures,
        points=points,
        between=points_interval,
    )
