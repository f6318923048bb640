"""The report where tracks have several genres: tables, one figure, one self-contained page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genrescope.pages import drawing
from genrescope.pages.drawing import label, panels
from genrescope.pages.render import interval, percent, render
from genrescope.reports import report
from genrescope.reports.grid import Column, Grid

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from genrescope.pages.drawing import Theme
    from genrescope.results import Estimate, MultiLabelEvaluation

_SPACE = 0.04  # beside the axis of a share


def by_label(result: MultiLabelEvaluation) -> Grid:
    """Return a row for each genre: tracks, average precision and its interval; precision, recall and F1."""
    columns = (
        Column("genre", "genre"), Column("tracks", "tracks", "count"),
        Column("average_precision", "average precision", "share"),
        Column("average_precision", "95 % interval", "interval"), Column("threshold", "threshold", "share"),
        Column("precision", "precision", "share"), Column("recall", "recall", "share"), Column("f1", "F1", "share"),
    )  # fmt: skip
    rows = [
        [name, its.tracks, its.average_precision, its.average_precision_interval, its.threshold, its.precision,
         its.recall, its.f1]
        for name, its in result.labels.items()
    ]  # fmt: skip
    return Grid(columns, rows)


def estimates(result: MultiLabelEvaluation) -> dict[str, Estimate]:
    """Return the figures over all tracks by their names."""
    return {
        "mean average precision": result.mean_average_precision,
        "macro F1": result.macro_f1,
        "micro F1": result.micro_f1,
    }


def scores(result: MultiLabelEvaluation) -> Grid:
    """Return the rows of `by_label`, then the figures over all tracks, and the chance level."""
    own = by_label(result)
    columns = (
        *own.columns, Column("f1", "95 % interval", "interval"),
        Column("interval_by_artists", "interval, whole artists", "interval"),
    )  # fmt: skip
    total, mean = len(result.tracks), result.mean_average_precision
    rest: list[list[Any]] = [
        ["mean average precision", total, mean.value, mean.interval, *[None] * 5, mean.interval_by_groups],
        *(
            [name, total, *[None] * 5, its.value, its.interval, its.interval_by_groups]
            for name, its in estimates(result).items()
            if its is not mean
        ),
        ["chance level (mean average precision)", total, result.chance, *[None] * 7],
    ]
    return Grid(columns, [*([*row, None, None] for row in own.rows), *rest])


def estimate_text(name: str, its: Estimate) -> str:
    """Say a figure with its intervals in a line."""
    wider = its.interval_by_groups
    over = f"; over whole artists {interval(wider)}" if wider is not None else ""
    return f"{name} {percent(its.value)}, 95 % interval {interval(its.interval)}{over}"


def chance_text(result: MultiLabelEvaluation) -> str:
    """Say what the chance level is, and what it means."""
    return f"chance level {percent(result.chance)}: the mean average precision of scores without any meaning"


def write(result: MultiLabelEvaluation, folder: Path) -> Path:
    """Write `figures/labels.png` and `report.html`; return the latter."""
    drawn = [drawing.drawn("labels", "Average precision of each genre", lambda theme: _labels(result, theme))]
    drawing.write_figures(drawn, folder / "figures")
    return render(
        folder / "report.html",
        "genrescope.reports",
        "label_page.html",
        **report.shared(result, drawn),
        table=by_label(result),
        estimates=estimates(result),
        chance=chance_text(result),
    )


def _labels(result: MultiLabelEvaluation, theme: Theme) -> Figure:
    """Average precision with its interval, and what chance would give: the share of tracks that have the genre."""
    known = {name: its for name, its in result.labels.items() if its.average_precision is not None}
    ranked = sorted(known.items(), key=lambda item: item[1].average_precision or 0.0)
    figure, (axis,) = panels(theme, 1, 1, size=(7, 1.1 + (0.46 if theme.narrow else 0.34) * len(ranked)))
    for place, (_, its) in enumerate(ranked):
        assert its.average_precision is not None
        assert its.average_precision_interval is not None
        low, high = (100 * bound for bound in its.average_precision_interval)
        axis.plot([low, high], [place] * 2, color=theme.first, lw=3.2, alpha=0.55)
        axis.plot(100 * its.average_precision, place, "o", color=theme.first, ms=6)
        axis.plot(100 * its.tracks / len(result.tracks), place, "|", color=theme.ink, ms=12, mew=1.4)
    axis.set_yticks(range(len(ranked)), [label(f"{name} ({its.tracks})", theme) for name, its in ranked], fontsize=9)
    axis.set_xlim(-100 * _SPACE, 100 * (1 + _SPACE))
    axis.set_xlabel("average precision, % (95 % interval); stroke: chance")
    axis.grid(axis="x", color=theme.faint, lw=0.5)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    return figure
