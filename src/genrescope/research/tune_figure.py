"""The picture of a search: scores over time, and each key's values against the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from genrescope.pages.drawing import hide_rest, panels, write_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genrescope.pages.drawing import Theme
    from genrescope.research.trials import Tried
    from genrescope.research.tune_space import Range

_COLUMNS = 3


def write(trials: Sequence[Tried], space: Mapping[str, Range], importance: Mapping[str, float], path: Path) -> None:
    """Draw a search.

    Args:
        trials: all that have ended, one at least with a score.
        space: the ranges.
        importance: share of the scores' differences that each key explains, as far as known.
        path: where the PNG file goes.
    """
    write_figure(lambda theme: _figure(trials, space, importance, theme), path, shared=True)


def _figure(
    trials: Sequence[Tried], space: Mapping[str, Range], importance: Mapping[str, float], theme: Theme
) -> Figure:
    """Over time first, then the keys, the most important one first."""
    count = 1 + len(space)
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    figure, axes = panels(theme, rows, columns, size=(3.6 * columns, 3.1 * rows))
    _over_time(axes[0], trials, theme)
    keys = sorted(space, key=lambda key: -importance.get(key, 0.0))
    for axis, key in zip(axes[1:], keys, strict=False):
        _slice(axis, trials, key, space[key], theme)
        told = f" ({100 * importance[key]:.0f} % of the differences)" if key in importance else ""
        axis.set_title(key + told, fontsize=9, color=theme.ink)
    hide_rest(axes, count)
    return figure


def _over_time(axis: Axes, trials: Sequence[Tried], theme: Theme) -> None:
    scored = [each for each in trials if each.score is not None]
    axis.plot([each.number for each in scored], _percent(scored), "o", color=theme.first, ms=5, label="a trial")
    best = np.maximum.accumulate(_percent(scored))
    axis.step([each.number for each in scored], best, where="post", color=theme.second, lw=1.6, label="the best so far")
    floor = min(_percent(scored))
    for state, mark in (("pruned", "v"), ("failed", "x")):
        its = [each.number for each in trials if each.state == state]
        if its:
            axis.plot(its, [floor] * len(its), mark, color=theme.ink, ms=5, alpha=0.5, label=state)
    axis.set_title("scores over time", fontsize=9, color=theme.ink)
    axis.set_xlabel("trial")
    axis.set_ylabel("tracks right, out of fold, %")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(color=theme.faint, lw=0.5)
    axis.legend(frameon=False, labelcolor=theme.ink, fontsize=7)


def _slice(axis: Axes, trials: Sequence[Tried], key: str, its: Range, theme: Theme) -> None:
    """A dot per trial: a key's value across, the score upwards."""
    scored = [each for each in trials if each.score is not None]
    values = [each.values[key] for each in scored]
    if its.choices is not None:
        names = [str(choice) for choice in its.choices]
        values = [names.index(str(value)) for value in values]
        axis.set_xticks(range(len(names)), names)
        axis.set_xlim(-0.5, len(names) - 0.5)
    elif its.log:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.plot(values, _percent(scored), "o", color=theme.first, ms=5, alpha=0.7)
    best = max(range(len(scored)), key=lambda place: (scored[place].score or 0.0, -place))
    axis.plot(values[best], _percent(scored)[best], "o", color=theme.second, ms=8)
    if its.low is not None and its.high is not None and its.low < its.high:
        axis.set_xlim(its.low, its.high)
    axis.grid(color=theme.faint, lw=0.5)


def _percent(trials: Sequence[Tried]) -> list[float]:
    return [100 * (each.score or 0.0) for each in trials]
