"""The page of a robustness test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genrescope.pages.drawing import drawn, write_figures
from genrescope.pages.render import render
from genrescope.reports import charts
from genrescope.reports.comparison_page import points, points_interval

if TYPE_CHECKING:
    from pathlib import Path


def write(result: dict[str, Any], folder: Path) -> Path:
    """Draw the conditions, and write the figure and `robustness.html`."""
    lines = [_line(condition) for condition in result["conditions"]]
    title = "What each change of the sound costs"
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


def _line(condition: dict[str, Any]) -> charts.Line:
    against = condition["against_unchanged"] or {}
    return charts.Line(
        condition["name"],
        condition["accuracy"]["value"],
        condition["accuracy"]["interval"],
        difference=against.get("difference"),
        difference_interval=against.get("interval"),
        difference_wider=against.get("interval_by_groups"),
    )
