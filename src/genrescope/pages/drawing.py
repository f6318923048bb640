"""Drawing for pages: every figure for light and dark ones, and for wide and narrow windows."""

from __future__ import annotations

import io
import textwrap
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text

from genrescope.files import replacing
from genrescope.pages import fonts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.typing import ColorType

_DPI = {False: 120, True: 150}  # of a narrow figure more: telephones have finer screens
_PER_INCH = 89  # CSS pixels of a page that an inch of a figure takes
_NARROW = 4.0  # inches: what a window of 390 CSS pixels has room for
_PAD = 0.08  # inches around each panel
_SMALLEST = 8.0  # points of the smallest type
_COLOURS = 256  # of a picture: a third of the bytes, and no difference to the eye


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
        narrow: whether the figure is for a narrow window: panels stand below each other, names are wrapped.
    """

    paper: str
    ink: str
    faint: str
    first: str
    second: str
    ramp: tuple[str, str, str]
    narrow: bool = False

    @property
    def colours(self) -> LinearSegmentedColormap:
        """The ramp as a colour map."""
        return LinearSegmentedColormap.from_list("share", list(self.ramp))

    def ink_on(self, share: float) -> str:
        """Return black or white, whichever stands out from the ramp's colour of a share from 0 to 1.

        The contrast is 4.5 at least, as the Web Content Accessibility Guidelines (AA) ask for.
        """
        return "#000000" if luminance(self.colours(share)) > 0.179 else "#ffffff"  # where both contrasts are equal


def luminance(colour: ColorType) -> float:
    """Return the relative luminance of a colour, from 0 (black) to 1 (white), as the WCAG define it.

    Example:
        >>> luminance("#ffffff"), luminance("#000000")
        (1.0, 0.0)
    """
    sharp = np.array(to_rgb(colour))
    linear = np.where(sharp <= 0.04045, sharp / 12.92, ((sharp + 0.055) / 1.055) ** 2.4)
    return round(float(linear @ np.array([0.2126, 0.7152, 0.0722])), 6)


LIGHT = Theme("#ffffff", "#1d2433", "#c9d0dc", "#2f6fb5", "#c8553d", ("#f4f7fb", "#7fb0de", "#123f73"))
DARK = Theme("#151a22", "#e4e9f1", "#3a4454", "#6fb1f5", "#f08a6e", ("#1b222d", "#2f6fb5", "#a8d3ff"))


@dataclass(frozen=True)
class Picture:
    """A drawing as PNG bytes in both themes.

    Attributes:
        light: PNG for a light page.
        dark: PNG for a dark page.
        width: how wide it should stand on a page, in CSS pixels.
    """

    light: bytes
    dark: bytes
    width: int


@dataclass(frozen=True)
class Drawn:
    """A figure as a page shows it.

    Attributes:
        name: file name without its ending.
        title: what it shows.
        wide: for windows with room for it.
        narrow: for telephones.
    """

    name: str
    title: str
    wide: Picture
    narrow: Picture


def drawn(name: str, title: str, make: Callable[[Theme], Figure]) -> Drawn:
    """Draw a figure in both themes, for wide and for narrow windows."""
    return Drawn(name, title, _picture(make, narrow=False), _picture(make, narrow=True))


def _picture(make: Callable[[Theme], Figure], *, narrow: bool) -> Picture:
    light, dark = (make(replace(theme, narrow=narrow)) for theme in (LIGHT, DARK))
    return Picture(_png(light, narrow=narrow), _png(dark, narrow=narrow), round(light.get_figwidth() * _PER_INCH))


def panels(
    theme: Theme, rows: int, columns: int, *, size: tuple[float, float], keep: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of a size in inches, and its panels row by row, in the theme's colours.

    A narrow theme has as many of the columns beside each other as there is room for, and more rows instead, unless the
    size is one to `keep`: then the page lets the figure scroll.
    """
    count = rows * columns
    if theme.narrow and not keep:
        rows, columns, size = _stacked(rows, columns, size)
    figure = Figure(
        figsize=size,
        dpi=_DPI[theme.narrow],
        layout=ConstrainedLayoutEngine(w_pad=_PAD, h_pad=_PAD),
        facecolor=theme.paper,
    )
    axes = np.atleast_1d(figure.subplots(rows, columns)).flatten().tolist()
    for axis in axes:
        axis.set_facecolor(theme.paper)
        axis.tick_params(colors=theme.ink)
        axis.spines[:].set_color(theme.faint)
        for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
            text.set_color(theme.ink)
    hide_rest(axes, count)
    return figure, axes[:count]


def _stacked(rows: int, columns: int, size: tuple[float, float]) -> tuple[int, int, tuple[float, float]]:
    """Return the rows, columns and size that a figure has in a narrow window.

    Example:
        >>> _stacked(1, 2, (10.0, 3.0)), _stacked(2, 5, (11.0, 4.4)), _stacked(1, 1, (3.0, 2.0))
        ((2, 1, (4.0, 6.0)), (5, 2, (4.0, 11.0)), (1, 1, (3.0, 2.0)))
    """
    beside = min(columns, max(1, round(_NARROW * columns / size[0])))
    below = -(-rows * columns // beside)
    return below, beside, (min(_NARROW, size[0]), size[1] * below / rows)


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


def label(text: str, theme: Theme, *, width: int = 20) -> str:
    """Return a name for an axis or a legend, in lines of so many characters in a narrow figure, twice as many else."""
    lines = printable(text).split("\n")
    return "\n".join(piece for line in lines for piece in textwrap.wrap(line, width * (2 - theme.narrow)) or [""])


def _png(figure: Figure, *, narrow: bool = False) -> bytes:
    from PIL import Image

    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name with two dollar signs is no formula
        text.set_fontsize(max(_SMALLEST, text.get_fontsize()))
    for axis in figure.axes if narrow else ():
        axis.xaxis.label.set(x=1.0, horizontalalignment="right")  # so that it has the whole width
    fonts.fit(figure)
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a box stands for it; `fonts` says so once
        canvas.draw()  # once: to save the figure would draw it twice
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    png = io.BytesIO()
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(png, format="png", optimize=True)
    return png.getvalue()


def write_figures(drawn: Sequence[Drawn], folder: Path) -> None:
    """Write the wide, light form of each figure as `NAME.png`."""
    for figure in drawn:
        _write(figure.wide.light, folder / f"{figure.name}.png")


def write_figure(make: Callable[[Theme], Figure], path: Path, *, shared: bool = False) -> None:
    """Draw a figure that stands on no page, wide and light, as a PNG file; `shared` is that of `replacing`."""
    _write(_png(make(LIGHT)), path, shared=shared)


def _write(png: bytes, path: Path, *, shared: bool = False) -> None:
    with replacing(path, shared=shared) as temporary:
        temporary.write_bytes(png)
