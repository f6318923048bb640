"""Figures: those of the original article, and further ones.

Every figure is drawn twice, for light and for dark pages; the light one is the file in `figures/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from genrescope.features import placement
from genrescope.pages import drawing
from genrescope.pages.drawing import hide_rest, label, panels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genrescope.pages.drawing import Drawn, Theme
    from genrescope.results import Evaluation, TrackRow
    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.progress import Epoch

    Counts = npt.NDArray[np.int_]

_WORST = 6
_SLANTING = 14  # characters of a name that can be written aslant below a cell; longer ones stand upright


def draw(
    result: Evaluation, store: Store, tracks: Sequence[StoredTrack], history: Sequence[Epoch], folder: Path
) -> list[Drawn]:
    """Draw all figures of an evaluation and write the light ones to `folder`.

    Args:
        result: what was scored.
        store: where the tracks' log-mels are.
        tracks: the tracks that were scored.
        history: the run's epochs; of fewer than two there are no curves.
        folder: where the PNG files go.

    Returns:
        The figures, in the order of a report.
    """
    by_id = {track.id: track for track in tracks}
    wanted: list[tuple[str, str, Callable[[Theme], Figure]]] = [
        ("confusion", "Confusion matrix: truth in rows, prediction in columns", lambda t: _confusion(result, t))
    ]
    wanted.append(
        ("reliability", "Reliability diagram: accuracy against confidence", lambda t: _reliability(result, t))
    )
    if len(history) > 1:
        wanted.append(("curves", "Loss and error rate against epochs", lambda t: _curves(history, t)))
    if result.confused:
        wanted.append(("confused", "The most confused pairs", lambda t: _confused(result, t)))
        wanted.append(("worst", "The errors with the highest confidence", lambda t: _worst(result, store, by_id, t)))
    wanted.append(("genres", "One log-mel per genre", lambda t: _genres(result, store, tracks, t)))
    figures = [drawing.drawn(name, title, make) for name, title, make in wanted]
    drawing.write_figures(figures, folder)
    return figures


def worst_tracks(result: Evaluation, most: int = _WORST) -> list[TrackRow]:
    """Return the misclassified tracks with the highest confidence, the highest first."""
    mistaken = [track for track in result.tracks if not track.right]
    return sorted(mistaken, key=lambda track: (-track.confidence, track.id))[:most]


def _curves(history: Sequence[Epoch], theme: Theme) -> Figure:
    """Training loss on the left, error rate on the right, as the article has them."""
    figure, axes = panels(theme, 1, 2, size=(9, 3.6))
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


def _confusion(result: Evaluation, theme: Theme) -> Figure:
    """Counts in the cells, their shares of the row as colour and, in a wide figure, below them."""
    labels, counts = result.labels, np.array(result.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(3.4, 1.0 + 0.24 * len(labels)) if theme.narrow else max(4.4, 1.7 + 0.62 * len(labels))
    figure, (axis,) = panels(theme, 1, 1, size=(side + 0.6, side), keep=True)
    axis.imshow(shares, cmap=theme.colours, vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0):
        ink = theme.ink_on(shares[row, column])
        raised = 0 if theme.narrow else 0.12
        axis.text(column, row - raised, counts[row, column], ha="center", va="center", color=ink, fontsize=10)
        if not theme.narrow:
            share = f"{100 * shares[row, column]:.0f} %"
            axis.text(column, row + 0.24, share, ha="center", va="center", color=ink, fontsize=8)
    _name_cells(axis, labels, counts.sum(axis=1), theme)
    axis.set_xlabel("predicted genre")
    axis.set_ylabel("true genre (tracks)")
    return figure


def _name_cells(axis: Axes, labels: Sequence[str], totals: Counts, theme: Theme) -> None:
    """Write the genres along both sides of a confusion matrix, and how many tracks each row has."""
    rows = [f"{name} ({total})" for name, total in zip(labels, totals, strict=True)]
    axis.set_yticks(range(len(labels)), [label(name, theme, width=16) for name in rows])
    axis.set_xticks(range(len(labels)), [label(name, theme, width=16) for name in labels])
    slanting = max(map(len, labels)) <= _SLANTING
    axis.tick_params(axis="x", rotation=40 if slanting else 90)
    if slanting:
        for text in axis.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")


def _reliability(result: Evaluation, theme: Theme) -> Figure:
    """Accuracy against confidence in bins of equal width and of equally many tracks, and where the confidences lie."""
    figure, (curve, spread) = panels(theme, 1, 2, size=(9, 4.2))
    curve.plot([0, 100], [0, 100], color=theme.ink, lw=0.8, ls=":", label="perfect calibration")
    kinds = (
        (result.calibration.equal_width, "s-", theme.first, "bins of equal width"),
        (result.calibration.equal_mass, "o-", theme.second, "bins of equal size"),
    )
    for error, style, colour, bins in kinds:
        sure, hits = [100 * each.confidence for each in error.bins], [100 * each.accuracy for each in error.bins]
        low, high = ([100 * each.interval[end] for each in error.bins] for end in (0, 1))
        curve.vlines(sure, low, high, color=colour, lw=1, alpha=0.6)
        curve.plot(sure, hits, style, color=colour, lw=1.4, ms=5, label=bins)
    curve.set(xlabel="confidence, %", ylabel="accuracy, % of tracks (95 % interval)", xlim=(0, 100), ylim=(0, 102))
    spread.hist(
        _confidences(result), bins=20, range=(0, 100), stacked=True, color=[theme.first, theme.second],
        label=["correct", "wrong"],
    )  # fmt: skip
    spread.set(xlabel="confidence, %", ylabel="tracks", xlim=(0, 100))
    spread.yaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in (curve, spread):
        axis.grid(color=theme.faint, lw=0.5)
        axis.set_axisbelow(True)
    curve.legend(frameon=False, labelcolor=theme.ink, loc="lower right", fontsize=8)
    spread.legend(frameon=False, labelcolor=theme.ink, loc="best", fontsize=8)
    return figure


def _confidences(result: Evaluation) -> list[list[float]]:
    """Return the confidences of the tracks that are right, and of those that are wrong, in percent."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for track in result.tracks:
        found[track.right].append(100 * track.confidence)
    return [found[True], found[False]]


def _confused(result: Evaluation, theme: Theme) -> Figure:
    pairs = result.confused[::-1]
    figure, (axis,) = panels(theme, 1, 1, size=(7, 0.9 + (0.46 if theme.narrow else 0.34) * len(pairs)))
    names = [label(f"{pair.truth} classified as {pair.predicted}", theme) for pair in pairs]
    bars = axis.barh(names, [pair.count for pair in pairs], color=theme.first, height=0.66)
    axis.bar_label(bars, [f"{pair.count}  ({100 * pair.share:.0f} %)" for pair in pairs], padding=4, color=theme.ink)
    axis.set_xlim(0, max(pair.count for pair in pairs) * (1.5 if theme.narrow else 1.25))
    axis.set_xlabel("tracks (% of the true genre)")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def _worst(result: Evaluation, store: Store, by_id: dict[str, StoredTrack], theme: Theme) -> Figure:
    chosen = worst_tracks(result)
    figure, axes = panels(theme, -(-len(chosen) // 3), min(3, len(chosen)), size=(9, 2.6 * -(-len(chosen) // 3)))
    for axis, track in zip(axes, chosen, strict=False):
        _log_mel(axis, store, by_id[track.id], result.model.window_seconds)
        title = f"{track.id}\n{track.genre}, classified as {track.predicted} ({100 * track.confidence:.0f} %)"
        axis.set_title(label(title, theme, width=44), fontsize=8)
    hide_rest(axes, len(chosen))
    return figure


def _genres(result: Evaluation, store: Store, tracks: Sequence[StoredTrack], theme: Theme) -> Figure:
    """The first window of each genre's first track, as the article shows it."""
    first: dict[str, StoredTrack] = {}
    for track in tracks:
        first.setdefault(track.genre, track)
    columns = min(5, len(first))
    rows = -(-len(first) // columns)
    figure, axes = panels(theme, rows, columns, size=(2.1 * columns + 0.6, 2.2 * rows + 0.3))
    for axis, genre in zip(axes, sorted(first), strict=False):
        _log_mel(axis, store, first[genre], result.model.window_seconds)
        axis.set_title(label(genre, theme), fontsize=10)
    hide_rest(axes, len(first))
    return figure


def _log_mel(axis: Axes, store: Store, track: StoredTrack, window: float | None) -> None:
    """Draw a track's first window, of so many seconds: time across, mel bands upwards."""
    frames = round(window * store.spec.frame_rate) if window is not None else placement.FRAMES
    image = store.frames[track.first_frame :][: min(track.frames, frames)].T.astype(np.float32)
    seconds = store.spec.seconds(image.shape[1])
    axis.imshow(image, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 0, len(image)))
    axis.set_xlabel("seconds", fontsize=7)
    axis.set_ylabel("mel band", fontsize=7)
    axis.tick_params(labelsize=7)
