"""The picture of an explanation: the spectrogram, and over it the parts whose hiding changes a score most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgba

from genrescope.features.front_end import stored
from genrescope.features.logmel import LogMel, mel_centres
from genrescope.features.spec import LogMelSpec
from genrescope.pages.drawing import panels, printable, write_figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from genrescope.inference.explanation import Explanation
    from genrescope.pages.drawing import Theme

_STRONGEST = 0.8  # how opaque the strongest part is
_FAINTEST = 0.1  # of the largest drop: what is less is not drawn
_HERTZ = (100, 250, 500, 1000, 2000, 4000, 8000)
_SIZE = (10.0, 5.6)  # inches


def write(explanation: Explanation, path: Path, labels: Sequence[str]) -> None:
    """Write the picture as a PNG file.

    Args:
        explanation: of a song.
        path: the file.
        labels: the genres that are shown, one below the other.

    Raises:
        OutputError: it cannot be written.
    """
    write_figure(lambda theme: _figure(explanation, labels, theme), path)


def _figure(explanation: Explanation, shown: Sequence[str], theme: Theme) -> Figure:
    figure, axes = panels(theme, len(shown), 1, size=(_SIZE[0], _SIZE[1] * len(shown) / 2))
    image, centres = _spectrogram(explanation)
    for axis, label in zip(axes, shown, strict=True):
        _draw_spectrogram(axis, image, centres, (float(explanation.times[0]), float(explanation.times[-1])), theme)
        _draw_evidence(axis, explanation, label, centres, theme)
        largest = max(0.0, float(explanation.drops[label].max()))
        axis.set_title(
            f"{printable(label)} {explanation.scores[label]:.2f}: hiding these parts changes the score most "
            f"(one part by {largest:.3f} at most)",
            loc="left", fontsize=10, color=theme.ink,
        )  # fmt: skip
    axes[-1].set_xlabel("time, s")
    return figure


def _spectrogram(explanation: Explanation) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Return a log-mel to look at, (bands, frames), and the bands' frequencies."""
    if len(explanation.centres):
        return explanation.spectrogram.T.astype(np.float32), explanation.centres
    spec = LogMelSpec(round(2 * explanation.hertz[-1]), f_max=float(explanation.hertz[-1]))
    return stored([explanation.spectrogram[:, 0].astype(np.float32)], LogMel(spec)).T, mel_centres(spec)


def _draw_spectrogram(
    axis: Axes,
    image: npt.NDArray[np.float32],
    centres: npt.NDArray[np.float64],
    ends: tuple[float, float],
    theme: Theme,
) -> None:
    low, high = np.quantile(image, [0.05, 0.995])
    axis.imshow(
        image, origin="lower", aspect="auto", cmap=theme.colours, vmin=low, vmax=max(high, low + 1e-6),
        extent=(*ends, 0, len(centres)), interpolation="antialiased",
    )  # fmt: skip
    ticks = [hertz for hertz in _HERTZ if centres[0] <= hertz <= centres[-1]]
    axis.set_yticks(_rows(ticks, centres), [f"{hertz:,}" for hertz in ticks])
    axis.set_ylabel("frequency, Hz (mel scale)")


def _draw_evidence(
    axis: Axes, explanation: Explanation, label: str, centres: npt.NDArray[np.float64], theme: Theme
) -> None:
    """Colour the parts whose hiding lowers the score, the more opaque the more it does."""
    drops = np.clip(explanation.drops[label], 0, None)
    share = drops / max(float(drops.max()), 1e-12)
    colours = np.zeros((*drops.shape, 4))
    colours[:] = to_rgba(theme.second)
    colours[..., 3] = np.where(share >= _FAINTEST, _STRONGEST * share, 0)
    rows = np.interp(explanation.hertz, centres, np.arange(len(centres)) + 0.5)
    rows[0], rows[-1] = 0, len(centres)
    axis.pcolormesh(explanation.times, rows, colours, shading="flat")


def _rows(hertz: list[int], centres: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rows: npt.NDArray[np.float64] = np.interp(hertz, centres, np.arange(len(centres)) + 0.5)
    return rows
