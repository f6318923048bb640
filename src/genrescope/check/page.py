"""The page of a check: what was found, and pictures of what the data set is made of."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from genrescope import audio
from genrescope.check import faults
from genrescope.pages.drawing import Drawn, Theme, drawn, label, panels, plain
from genrescope.pages.render import render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genrescope.check.checked import Checked

SHOWN = 200
"""Findings of a kind that the page lists; `check.json` has all."""
_ARTISTS = 6  # that a genre's bar tells apart


def write(checked: Checked) -> Path:
    """Write `check.html`."""
    by_kind: dict[str, list[faults.Finding]] = defaultdict(list)
    for finding in checked.findings:
        by_kind[finding.kind].append(finding)
    return render(
        checked.page,
        "genrescope.check",
        "check.html",
        checked=checked,
        told=checked.to_dict(),
        kinds=faults.KINDS,
        by_kind=by_kind,
        shown=SHOWN,
        artists=sum(bool(track.group) for track in checked.tracks),
        figures=_figures(checked),
    )


def _figures(checked: Checked) -> list[Drawn]:
    genres = sorted({track.genre for track in checked.tracks})
    seconds: dict[str, list[float]] = defaultdict(list)
    bandwidths: dict[str, list[float]] = defaultdict(list)
    for track, measured in zip(checked.tracks, checked.measurements, strict=True):
        if measured.codec:
            seconds[track.genre].append(measured.seconds)
            bandwidths[track.genre].append(_bandwidth(measured.cutoff, measured.cliff, measured.sample_rate))
    figures = [
        drawn("balance", "Tracks per genre, by the most severe finding", lambda t: _balance(checked, genres, t)),
        drawn("durations", "Duration of each track", lambda t: _strips(seconds, genres, "seconds", t)),
        drawn(
            "bandwidths",
            "Bandwidth of each track: its highest frequency",
            lambda t: _strips(bandwidths, genres, "kHz", t),
        ),
    ]
    if any(track.group for track in checked.tracks):
        figures.append(
            drawn(
                "artists",
                "Tracks per artist: the six largest of each genre, then the rest",
                lambda t: _artists(checked, genres, t),
            )
        )
    return figures


def _bandwidth(cutoff: float, cliff: float, rate: int) -> float:
    """Return where the sound ends, in kHz: at a cliff, or at the highest frequency of a model's input."""
    whole = min(rate, audio.SAMPLE_RATE) / 2
    return (cutoff if cliff >= faults.CLIFF else whole) / 1000


def _balance(checked: Checked, genres: Sequence[str], theme: Theme) -> Figure:
    worst: dict[str, str] = {}
    for finding in reversed(checked.findings):  # the severest last, so that it stays
        worst |= dict.fromkeys(finding.tracks, finding.severity)
    counts = Counter((track.genre, worst.get(track.id, "no finding")) for track in checked.tracks)
    figure, (axis,) = panels(theme, 1, 1, size=(8, 0.9 + 0.36 * len(genres)))
    left = np.zeros(len(genres))
    colours = {"no finding": theme.first, "note": theme.ramp[1], "warning": theme.second, "error": theme.ink}
    for state, colour in colours.items():
        width = np.array([counts[genre, state] for genre in genres], float)
        if width.any():
            axis.barh(
                [label(genre, theme, width=16) for genre in genres],
                width,
                left=left,
                color=colour,
                height=0.66,
                label=state,
            )
        left += width
    for row, total in enumerate(left):
        axis.text(total, row, f" {total:.0f}", va="center", color=theme.ink, fontsize=9)
    _horizontal(axis, theme, "tracks")
    axis.legend(frameon=False, labelcolor=theme.ink, ncols=4, loc="lower right", bbox_to_anchor=(1, 1))
    return figure


def _strips(values: dict[str, list[float]], genres: Sequence[str], unit: str, theme: Theme) -> Figure:
    """A dot for every track, a row for every genre; a mark at the genre's median."""
    figure, (axis,) = panels(theme, 1, 1, size=(8, 0.9 + 0.36 * len(genres)))
    rng = np.random.default_rng(0)
    for row, genre in enumerate(genres):
        its = np.array(values[genre])
        if len(its):
            axis.plot(its, row + rng.uniform(-0.25, 0.25, len(its)), ".", ms=4, alpha=0.5, color=theme.first)
            axis.plot([np.median(its)] * 2, [row - 0.36, row + 0.36], color=theme.second, lw=2)
    axis.set_yticks(range(len(genres)), [label(genre, theme, width=16) for genre in genres])
    axis.set_xlim(left=0)
    _horizontal(axis, theme, unit, whole=False)
    return figure


def _artists(checked: Checked, genres: Sequence[str], theme: Theme) -> Figure:
    figure, (axis,) = panels(theme, 1, 1, size=(8, 0.9 + 0.36 * len(genres)))
    for row, genre in enumerate(genres):
        its = Counter(track.group for track in checked.tracks if track.genre == genre and track.group)
        left = 0
        for place, (_, count) in enumerate(its.most_common(_ARTISTS)):
            axis.barh(row, count, left=left, color=theme.first, alpha=1 - place / (_ARTISTS + 2), height=0.66)
            left += count
        rest, unknown = its.total() - left, sum(t.genre == genre and not t.group for t in checked.tracks)
        axis.barh(row, rest, left=left, color=theme.ramp[1], alpha=0.35, height=0.66)
        axis.barh(row, unknown, left=left + rest, color=theme.faint, height=0.66)
        told = f"{len(its)} artists" + (f", {unknown} tracks unknown" if unknown else "")
        axis.annotate(
            label(told, theme, width=16), (left + rest + unknown, row), xytext=(5, 0), textcoords="offset points",
            va="center", color=theme.ink, fontsize=8,
        )  # fmt: skip
    axis.set_yticks(range(len(genres)), [label(genre, theme, width=16) for genre in genres])
    axis.set_xlim(0, axis.get_xlim()[1] * (1.7 if theme.narrow else 1.3))
    _horizontal(axis, theme, "tracks")
    return figure


def _horizontal(axis: Axes, theme: Theme, label: str, *, whole: bool = True) -> None:
    axis.invert_yaxis()
    axis.set_xlabel(label)
    plain(axis, theme, grid="x")
    if whole:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
