"""The page of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.pages.drawing import drawn
from genrescope.pages.render import render
from genrescope.reports import charts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from genrescope.pages.drawing import Drawn
    from genrescope.results import Comparison, Entry


def draw(result: Comparison) -> list[Drawn]:
    """Draw the forest plot, and where the models were timed, accuracy against computing time."""
    lines = [_line(entry, result) for entry in result.entries]
    figures = [drawn("compare", "Accuracy, and differences track by track", lambda t: charts.forest(lines, t))]
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
    )


def points(value: float) -> str:
    """Return a difference of shares in points, with its sign.

    Example:
        >>> points(0.034), points(-0.12), points(0.0)
        ('+3.4', '-12.0', '0.0')
    """
    text = f"{100 * value:+.1f}"
    return text[1:] if float(text) == 0 else text


def points_interval(bounds: Sequence[float] | None) -> str:
    """Return an interval of differences in points, or a dash for None.

    Example:
        >>> points_interval([-0.01, 0.052])
        '-1.0 to +5.2'
    """
    return "-" if bounds is None else f"{points(bounds[0])} to {points(bounds[1])}"


def p_value(value: float) -> str:
    """Return a p value with as many digits as it needs.

    Example:
        >>> p_value(0.0312), p_value(0.00002)
        ('0.031', '< 0.001')
    """
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _line(entry: Entry, result: Comparison) -> charts.Line:
    accuracy = entry.accuracy
    pair = next((pair for pair in result.against_reference if pair.name == entry.name), None)
    runs = accuracy.by_run if len(accuracy.by_run) > 1 else ()
    return charts.Line(entry.name, accuracy.mean, accuracy.interval, pair, runs)
