"""Pictures of comparisons: a forest plot, and accuracy against what it costs to compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.pages.drawing import label, panels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genrescope.pages.drawing import Theme
    from genrescope.results import Difference, Entry

_THICK, _THIN = 3.2, 1.2
_MARGIN = 0.06  # of an axis's range, beyond the outermost interval


@dataclass(frozen=True)
class Line:
    """A line of a forest plot; shares, not percent.

    Attributes:
        name: what stands beside it.
        value: its accuracy.
        interval: of the accuracy.
        difference: from the reference; None for the reference itself.
        runs: the accuracy of each run, where there are several.
    """

    name: str
    value: float
    interval: Sequence[float]
    difference: Difference | None = None
    runs: Sequence[float] = ()


def forest(lines: Sequence[Line], theme: Theme) -> Figure:
    """Draw accuracies on the left, and on the right the differences from the reference, all with 95 % intervals.

    Thick lines resample tracks, thin ones whole artists; a difference whose interval leaves out zero is filled.
    """
    figure, (left, right) = panels(theme, 1, 2, size=(10, 1.3 + 0.36 * len(lines)))
    right.sharey(left)
    for axis in (left, right):
        axis.grid(axis="x", color=theme.faint, lw=0.5)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    right.axvline(0, color=theme.ink, lw=0.8)
    for place, line in enumerate(lines):
        _accuracy(left, place, line, theme)
        _difference(right, place, line, theme)
    left.set_yticks(range(len(lines)), [label(line.name, theme) for line in lines], fontsize=9)
    left.set_ylim(len(lines) - 0.4, -0.6)
    right.tick_params(labelleft=theme.narrow, labelsize=9)
    left.set_xlabel("accuracy, % of tracks")
    right.set_xlabel("difference from the reference, points")
    for axis in (left, right):
        axis.margins(x=_MARGIN)
    return figure


def against_compute(entries: Sequence[Entry], theme: Theme) -> Figure:
    """Draw accuracy against computing time, on a logarithmic axis; the area of a point stands for its parameters.

    Entries that were not timed are left out.

    Points are numbered from the fastest, and named beside the panel, or below it: names within it would lie over each
    other.
    """
    figure, (axis,) = panels(theme, 1, 1, size=(10, 4.6))
    timed = [(entry.milliseconds, entry) for entry in entries if entry.milliseconds is not None]
    timed.sort(key=lambda pair: pair[0])
    most = max(entry.parameters for _, entry in timed)
    for number, (milliseconds, entry) in enumerate(timed, start=1):
        low, high = (100 * bound for bound in entry.accuracy.interval)
        axis.plot([milliseconds] * 2, [low, high], color=theme.first, lw=1.4, alpha=0.7)
        area = 40 + 500 * entry.parameters / most
        axis.scatter(milliseconds, 100 * entry.accuracy.mean, s=area, color=theme.first, alpha=0.55, linewidths=0)
        axis.annotate(
            str(number), (milliseconds, high), xytext=(0, 3), textcoords="offset points", ha="center",
            fontsize=9, color=theme.ink,
        )  # fmt: skip
        axis.plot(
            [], [], " ", label=label(f"{number}  {entry.name}, {_count(entry.parameters)} parameters", theme, width=44)
        )
    corner = (0.0, -0.16) if theme.narrow else (1.0, 1.0)
    axis.legend(
        loc="upper left", bbox_to_anchor=corner, frameon=False, labelcolor=theme.ink, fontsize=8, handlelength=0
    )
    axis.set_xscale("log")
    axis.set_xlim(timed[0][0] / 2, timed[-1][0] * 2)
    axis.margins(y=0.12)
    axis.grid(color=theme.faint, lw=0.5)
    axis.set_xlabel("milliseconds on one core for 30 s of audio")
    axis.set_ylabel("accuracy, % of tracks")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    axis.tick_params(which="both", colors=theme.ink)
    return figure


def _accuracy(axis: Axes, place: int, line: Line, theme: Theme) -> None:
    axis.plot([100 * bound for bound in line.interval], [place] * 2, color=theme.first, lw=_THICK, alpha=0.55)
    axis.plot([100 * run for run in line.runs], [place] * len(line.runs), "|", color=theme.ink, ms=9, mew=1)
    axis.plot(100 * line.value, place, "o", color=theme.first, ms=6)


def _difference(axis: Axes, place: int, line: Line, theme: Theme) -> None:
    if line.difference is None:
        axis.text(0, place, "  reference", color=theme.ink, fontsize=8, va="center")
        return
    narrow, wide = line.difference.interval, line.difference.interval_by_groups
    if wide is not None:
        axis.plot([100 * bound for bound in wide], [place] * 2, color=theme.second, lw=_THIN)
    axis.plot([100 * bound for bound in narrow], [place] * 2, color=theme.second, lw=_THICK, alpha=0.55)
    widest = [*narrow, *(wide or ())]
    apart = not min(widest) <= 0 <= max(widest)
    fill = theme.second if apart else theme.paper
    axis.plot(100 * line.difference.difference, place, "o", color=theme.second, mfc=fill, ms=6)


def _count(number: int) -> str:
    """Return a large number as a few digits.

    Example:
        >>> _count(372_804), _count(21_500_000), _count(880)
        ('373 k', '21.5 M', '880')
    """
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {letter}"
    return str(number)
