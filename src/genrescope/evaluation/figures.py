"""Figures: those of the original article, and those that a reader wants besides.

Every figure is drawn twice, for light and for dark pages; the light one is the file in `figures/`.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from genrescope.data import windows
from genrescope.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from genrescope.data.store import Store, StoredTrack
    from genrescope.training.run import Epoch

_DPI = 120
_SCALE = 1.35  # pixels of a figure for each pixel of the page: sharp on a fine screen, still a small file
_WORST = 6


@dataclass(frozen=True)
class Theme:
    """Colours of a page.

    Attributes:
        paper: background.
        ink: text and axes.
        faint: grid lines and secondary text.
        first: colour of the first curve and of bars.
        second: colour of the second curve.
        ramp: colours of a share from 0 to 1, paper to full.
    """

    paper: str
    ink: str
    faint: str
    first: str
    second: str
    ramp: tuple[str, str, str]

    @property
    def colours(self) -> LinearSegmentedColormap:
        """The ramp as a colour map."""
        return LinearSegmentedColormap.from_list("share", list(self.ramp))


LIGHT = Theme("#ffffff", "#1d2433", "#c9d0dc", "#2f6fb5", "#c8553d", ("#f4f7fb", "#7fb0de", "#123f73"))
DARK = Theme("#151a22", "#e4e9f1", "#3a4454", "#6fb1f5", "#f08a6e", ("#1b222d", "#2f6fb5", "#a8d3ff"))


@dataclass(frozen=True)
class Drawn:
    """A figure as PNG bytes in both themes.

    Attributes:
        name: file name without its ending.
        title: what it shows.
        light: PNG for a light page.
        dark: PNG for a dark page.
        width: how wide it should stand on a page, in CSS pixels.
    """

    name: str
    title: str
    light: bytes
    dark: bytes
    width: int


def draw(
    result: dict[str, Any], store: Store, tracks: Sequence[StoredTrack], history: Sequence[Epoch], folder: Path
) -> list[Drawn]:
    """Draw all figures of an evaluation and write the light ones to `folder`.

    Args:
        result: the content of `evaluation.json`.
        store: where the tracks' log-mels are.
        tracks: the tracks that were scored.
        history: the run's epochs; without any there are no curves.
        folder: where the PNG files go.

    Returns:
        The figures, in the order of a report.
    """
    by_id = {track.id: track for track in tracks}
    wanted: list[tuple[str, str, Callable[[Theme], Figure]]] = [
        ("confusion", "Confusion matrix: truth in rows, prediction in columns", lambda t: _confusion(result, t)),
    ]
    if history:
        wanted.append(("curves", "Loss and error rate against epochs", lambda t: _curves(history, t)))
    if result["confused"]:
        wanted.append(("confused", "The most confused pairs", lambda t: _confused(result, t)))
        wanted.append(("worst", "The most surely mistaken tracks", lambda t: _worst(result, store, by_id, t)))
    wanted.append(("genres", "One log-mel per genre", lambda t: _genres(store, tracks, t)))
    drawn = []
    for name, title, make in wanted:
        light, dark = make(LIGHT), make(DARK)
        width = round(light.get_figwidth() * _DPI / _SCALE)
        drawn.append(Drawn(name, title, _png(light), _png(dark), width))
    for figure in drawn:
        with replacing(folder / f"{figure.name}.png") as temporary:
            temporary.write_bytes(figure.light)
    return drawn


def worst_tracks(result: dict[str, Any], most: int = _WORST) -> list[dict[str, Any]]:
    """Return the mistaken tracks that the model was surest of, the surest first."""
    mistaken = [track for track in result["tracks"] if track["predicted"] != track["genre"]]
    return sorted(mistaken, key=lambda track: (-track["scores"][track["predicted"]], track["id"]))[:most]


def _curves(history: Sequence[Epoch], theme: Theme) -> Figure:
    """Training loss on the left, error rate on the right, as the article has them."""
    figure, axes = _panels(theme, 1, 2, size=(9, 3.6))
    epochs = [row.epoch for row in history]
    for axis, kind in zip(axes, ("loss", "error"), strict=True):
        scale = 100 if kind == "error" else 1
        for part, colour, style in (("train", theme.first, "-"), ("validation", theme.second, "--")):
            values = [getattr(row, f"{part}_{kind}") for row in history]
            if values[0] is not None:
                axis.plot(epochs, [value * scale for value in values], style, color=colour, lw=1.8, label=part)
        axis.set_xlabel("epoch")
        axis.set_ylabel("cross-entropy" if kind == "loss" else "error rate, %")
        axis.set_ylim(bottom=0)
        axis.grid(color=theme.faint, lw=0.5)
        axis.legend(frameon=False, labelcolor=theme.ink)
    return figure


def _confusion(result: dict[str, Any], theme: Theme) -> Figure:
    """Counts in the cells, their shares of the row below them and as colour."""
    labels, counts = result["labels"], np.array(result["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 1.7 + 0.62 * len(labels)
    figure, (axis,) = _panels(theme, 1, 1, size=(side + 0.6, side))
    axis.imshow(shares, cmap=theme.colours, vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0):
        dark_cell = shares[row, column] > 0.5
        ink = theme.paper if dark_cell else theme.ink
        axis.text(column, row - 0.12, counts[row, column], ha="center", va="center", color=ink, fontsize=10)
        axis.text(
            column, row + 0.24, f"{100 * shares[row, column]:.0f} %", ha="center", va="center", color=ink, fontsize=7
        )
    axis.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(labels)), [f"{label} ({n})" for label, n in zip(labels, counts.sum(axis=1), strict=True)])
    axis.set_xlabel("predicted")
    axis.set_ylabel("truth (tracks)")
    return figure


def _confused(result: dict[str, Any], theme: Theme) -> Figure:
    pairs = result["confused"][::-1]
    figure, (axis,) = _panels(theme, 1, 1, size=(7, 0.9 + 0.34 * len(pairs)))
    names = [f"{pair['truth']} taken for {pair['predicted']}" for pair in pairs]
    bars = axis.barh(names, [pair["count"] for pair in pairs], color=theme.first, height=0.66)
    axis.bar_label(
        bars, [f"{pair['count']}  ({100 * pair['share']:.0f} %)" for pair in pairs], padding=4, color=theme.ink
    )
    axis.set_xlim(0, max(pair["count"] for pair in pairs) * 1.25)
    axis.set_xlabel("tracks (share of the genre's tracks)")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def _worst(result: dict[str, Any], store: Store, by_id: dict[str, StoredTrack], theme: Theme) -> Figure:
    chosen = worst_tracks(result)
    figure, axes = _panels(theme, -(-len(chosen) // 3), min(3, len(chosen)), size=(9, 2.6 * -(-len(chosen) // 3)))
    for axis, track in zip(axes, chosen, strict=False):
        _log_mel(axis, store, by_id[track["id"]])
        sure = 100 * track["scores"][track["predicted"]]
        title = f"{track['id']}\n{track['genre']}, taken for {track['predicted']} ({sure:.0f} %)"
        axis.set_title(title.encode("utf-8", "replace").decode(), fontsize=8)
    _hide_rest(axes, len(chosen))
    return figure


def _genres(store: Store, tracks: Sequence[StoredTrack], theme: Theme) -> Figure:
    """The first window of each genre's first track, as the article shows it."""
    first: dict[str, StoredTrack] = {}
    for track in tracks:
        first.setdefault(track.genre, track)
    columns = min(5, len(first))
    rows = -(-len(first) // columns)
    figure, axes = _panels(theme, rows, columns, size=(2.1 * columns + 0.6, 2.2 * rows + 0.3))
    for axis, genre in zip(axes, sorted(first), strict=False):
        _log_mel(axis, store, first[genre])
        axis.set_title(genre, fontsize=10)
    _hide_rest(axes, len(first))
    return figure


def _log_mel(axis: Axes, store: Store, track: StoredTrack) -> None:
    """Draw a track's first window: time across, mel bands upwards."""
    image = store.frames[track.first_frame :][: min(track.frames, windows.FRAMES)].T.astype(np.float32)
    seconds = store.spec.seconds(image.shape[1])
    axis.imshow(image, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 0, len(image)))
    axis.set_xlabel("seconds", fontsize=7)
    axis.set_ylabel("mel band", fontsize=7)
    axis.tick_params(labelsize=7)


def _panels(theme: Theme, rows: int, columns: int, *, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor=theme.paper)
    axes = np.atleast_1d(figure.subplots(rows, columns)).flatten().tolist()
    for axis in axes:
        axis.set_facecolor(theme.paper)
        axis.tick_params(colors=theme.ink)
        axis.spines[:].set_color(theme.faint)
        for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
            text.set_color(theme.ink)
    return figure, axes


def _hide_rest(axes: Sequence[Axes], used: int) -> None:
    for axis in axes[used:]:
        axis.set_visible(False)


def _png(figure: Figure) -> bytes:
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name with two dollar signs is no formula
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # names in any script; a box stands for it
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
