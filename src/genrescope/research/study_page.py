"""The page of a study: its table, accuracies with intervals, learning curves."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import NullFormatter

from genrescope.files import fingerprint
from genrescope.pages.drawing import drawn, hide_rest, label, panels, plain, write_figure, write_figures
from genrescope.pages.render import render
from genrescope.research import tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genrescope.pages.drawing import Drawn, Theme

_MARKS = "osD^vP*X"
_COUNTED = {"tracks": "training tracks", "artists": "training artists"}

Row = dict[str, Any]


def write(result: Mapping[str, Any], out: Path) -> Path:
    """Write `study.html`, and its figures to `figures/`.

    Args:
        result: the content of `study.json`; it has an experiment at least.
        out: the study's folder.

    Returns:
        The page.
    """
    rows: list[Row] = result["experiments"]
    figures = draw(rows)
    write_figures(figures, out / "figures")
    return render(
        out / "study.html",
        "genrescope.research",
        "study.html",
        result=result,
        rows=rows,
        levels=tables.LEVELS,
        figures=figures,
        recipe=tables.recipe_cell,
        split=tables.split_cell,
        duration=tables.duration,
    )


def draw(rows: Sequence[Row]) -> list[Drawn]:
    """Draw the figures: accuracies, and learning curves where shares differ."""
    figures = [drawn("accuracy", "Track accuracy with its 95 % interval", lambda theme: _accuracies(rows, theme))]
    found = curves(rows)
    if found:
        title = "Learning curves: track accuracy against the size of the training set"
        figures.append(drawn("learning-curves", title, lambda theme: _curves(found, theme)))
    return figures


def write_picture(rows: Sequence[Row], path: Path) -> None:
    """Draw the accuracies of rows that have no names of their own, each with its recipe, genres and split."""
    told = []
    for row in rows:
        recipe = tables.recipe_cell(row).replace("`", "")
        genres = f"{row['data']['genres']} genres{tables.of_data(row, rows)}"
        told.append(row | {"name": f"{recipe}\n{genres}, {tables.split_cell(row)}"})
    write_figure(lambda theme: _accuracies(told, theme), path)


def curves(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of each learning curve by its name: rows that differ in their share alone, two at least.

    The whole, from which nothing was left out, ends the curves over tracks and over artists alike.
    """
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[_but_share(row)].append(row)
    found: dict[str, list[Row]] = {}
    for its in groups.values():
        for by in sorted({row["by"] for row in its if row["share"] < 1}):
            line = [row for row in its if row["share"] == 1 or row["by"] == by]
            line = list({row["share"]: row for row in line}.values())
            if len(line) > 1:
                told = f"{tables.recipe_cell(line[0]).replace('`', '')}, by {by}"
                name = told if told not in found else f"{told}, {line[0]['split']}"
                found[name] = sorted(line, key=lambda row: float(row["share"]))
    return found


def _but_share(row: Row) -> str:
    return fingerprint([row[key] for key in ("recipe", "changes", "split", "part", "folds")] + [row["data"]])


def _accuracies(rows: Sequence[Row], theme: Theme) -> Figure:
    """A line per experiment: the mean, its interval over artists where they are known, and every seed's range."""
    figure, (axis,) = panels(theme, 1, 1, size=(8.6, 1.2 + (0.55 if theme.narrow else 0.42) * len(rows)))
    for place, row in enumerate(rows):
        its = row["accuracy"][row["verdict"]]
        for bounds, width in ((its["interval_by_artists"], 2.0), (its["interval_by_tracks"], 6.0)):
            if bounds is not None:
                axis.plot([100 * each for each in bounds], [place] * 2, color=theme.first, lw=width, alpha=0.4)
        axis.plot([100 * its["lowest"], 100 * its["highest"]], [place] * 2, color=theme.second, lw=2)
        axis.plot(100 * its["mean"], place, "o", color=theme.second, ms=6)
    axis.set_yticks(range(len(rows)), [label(row["name"], theme) for row in rows], fontsize=9)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlabel("track accuracy, %: mean and range over seeds\n95 % interval: thick over tracks, thin over artists")
    plain(axis, theme, grid="x")
    return figure


def _curves(found: Mapping[str, Sequence[Row]], theme: Theme) -> Figure:
    """Accuracy against tracks on the left and, where they are known, against artists on the right.

    A recipe has a colour and a mark; where whole artists were left out the line is dashed and the marks are empty.
    """
    known = all(row["learnt"]["artists"] is not None for its in found.values() for row in its)
    figure, axes = panels(theme, 1, 2 if known else 1, size=(10.4 if known else 6.4, 4.2))
    kinds = list(dict.fromkeys(_but_share(its[0]) for its in found.values()))
    for axis, counted in zip(axes, _COUNTED, strict=False):
        for name, its in found.items():
            _curve(axis, its, counted, theme=theme, number=kinds.index(_but_share(its[0])), name=name)
        _logarithmic(axis, [row["learnt"][counted] for its in found.values() for row in its])
        axis.set_xlabel(f"{_COUNTED[counted]}, logarithmic")
        plain(axis, theme)
    axes[0].set_ylabel("track accuracy, %")
    axes[0].legend(frameon=False, labelcolor=theme.ink, fontsize=8, loc="lower right")
    hide_rest(axes, 2 if known else 1)
    return figure


def _curve(axis: Axes, rows: Sequence[Row], counted: str, *, theme: Theme, number: int, name: str) -> None:
    its, by_artists = [row["accuracy"][row["verdict"]] for row in rows], rows[0]["by"] == "artists"
    at = [row["learnt"][counted] for row in rows]
    mean = [100 * each["mean"] for each in its]
    bounds = [each["interval_by_artists"] or each["interval_by_tracks"] for each in its]
    colour = (theme.first, theme.second, theme.ink)[number % 3]
    bars = [[m - 100 * low for m, (low, _) in zip(mean, bounds, strict=True)],
            [100 * high - m for m, (_, high) in zip(mean, bounds, strict=True)]]  # fmt: skip
    bars = [[max(0.0, each) for each in side] for side in bars]
    axis.errorbar(
        at, mean, yerr=bars, fmt=f"{_MARKS[number % len(_MARKS)]}{'--' if by_artists else '-'}", color=colour,
        mfc=theme.paper if by_artists else colour, ms=5, lw=1.6, elinewidth=1, capsize=3, alpha=0.85,
        label=label(name, theme, width=40),
    )  # fmt: skip


def _logarithmic(axis: Axes, values: Sequence[float]) -> None:
    """Give an axis a logarithmic scale whose marks are the values themselves, as far as there is room."""
    axis.set_xscale("log")
    shown: list[float] = []
    for value in sorted(set(values)):
        if not shown or value > 1.25 * shown[-1]:
            shown.append(value)
    axis.set_xticks(shown, [f"{value:.0f}" for value in shown])
    axis.xaxis.set_minor_formatter(NullFormatter())
