"""Drawing for pages: every figure twice, for light and for dark ones."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text

from genrescope.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

_DPI = 120
_SCALE = 1.35  # pixels of a figure for each pixel of the page: sharp on a fine screen, still a small file


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


def drawn(name: str, title: str, make: Callable[[Theme], Figure]) -> Drawn:
    """Draw a figure in both themes."""
    light, dark = make(LIGHT), make(DARK)
    return Drawn(name, title, _png(light), _png(dark), round(light.get_figwidth() * _DPI / _SCALE))


def panels(theme: Theme, rows: int, columns: int, *, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of a size in inches, and its panels row by row, in the theme's colours."""
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor=theme.paper)
    axes = np.atleast_1d(figure.subplots(rows, columns)).flatten().tolist()
    for axis in axes:
        axis.set_facecolor(theme.paper)
        axis.tick_params(colors=theme.ink)
        axis.spines[:].set_color(theme.faint)
        for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
            text.set_color(theme.ink)
    return figure, axes


def plain(axis: Axes, theme: Theme, *, grid: Literal["both", "x", "y"] = "both") -> None:
    """Give a panel a faint grid behind what is drawn, and no frame above and to the right."""
    axis.grid(axis=grid, color=theme.faint, lw=0.5)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def hide_rest(axes: Sequence[Axes], used: int) -> None:
    """Hide the panels after the first `used`."""
    for axis in axes[used:]:
        axis.set_visible(False)


def printable(text: str) -> str:
    """Return a name as a figure can show it, whatever bytes it holds."""
    return text.encode("utf-8", "replace").decode()


def _png(figure: Figure) -> bytes:
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name with two dollar signs is no formula
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # names in any script; a box stands for it
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def write_figures(drawn: Sequence[Drawn], folder: Path) -> None:
    """Write the light form of each figure as `NAME.png`."""
    for figure in drawn:
        write_figure(figure, folder / f"{figure.name}.png")


def write_figure(figure: Drawn, path: Path) -> None:
    """Write the light form of a figure."""
    with replacing(path) as temporary:
        temporary.write_bytes(figure.light)
