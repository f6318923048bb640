"""From a template to one self-contained page, light and dark."""

from __future__ import annotations

import base64
import importlib.resources
from typing import TYPE_CHECKING, Any

from genrescope.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from markupsafe import Markup

    from genrescope.pages.drawing import Drawn


def render(path: Path, package: str, template: str, **values: Any) -> Path:
    """Fill in a template of a package and write the page; nothing on it is loaded from elsewhere.

    A template extends `page.html`, whose blocks are `title`, `rules` (of style, its own) and `body`, may include others
    of its package, and finds the filters `percent`, `interval` and `picture` (for figures).
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    pages = importlib.resources.files("genrescope.pages")

    def text_of(name: str) -> str:
        return ((pages if name == "page.html" else importlib.resources.files(package)) / name).read_text("utf-8")

    environment = Environment(
        loader=FunctionLoader(text_of), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": percent, "interval": interval, "picture": _picture}
    style = (pages / "web" / "style.css").read_text(encoding="utf-8")
    write_text(path, environment.get_template(template).render(style=style, **values))
    return path


def percent(value: float | None) -> str:
    """Return a share in percent, or a dash for None.

    Example:
        >>> percent(0.69), percent(None)
        ('69.0 %', '-')
    """
    return "-" if value is None else f"{100 * value:.1f} %"


def interval(bounds: Sequence[float] | None) -> str:
    """Return an interval of shares in percent.

    Example:
        >>> interval([0.623, 0.75])
        '62.3 to 75.0 %'
    """
    return "-" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def points(value: float) -> str:
    """Return a difference of shares in points, with its sign.

    Example:
        >>> points(0.034), points(-0.12), points(0.0)
        ('+3.4', '-12.0', '0.0')
    """
    text = f"{100 * value:+.1f}"
    return text[1:] if float(text) == 0 else text


def points_interval(bounds: Sequence[float] | None) -> str:
    """Return an interval of differences in points, or a dash for None.

    Example:
        >>> points_interval([-0.01, 0.052])
        '-1.0 to +5.2'
    """
    return "-" if bounds is None else f"{points(bounds[0])} to {points(bounds[1])}"


def p_value(value: float) -> str:
    """Return a p value with as many digits as it needs.

    Example:
        >>> p_value(0.0312), p_value(0.00002)
        ('0.031', '< 0.001')
    """
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


_PICTURE = """<figure>
<figcaption>{title}</figcaption>
<picture>
<source srcset="{narrow_dark}" media="(prefers-color-scheme: dark) and {narrow}" width="{narrow_width}">
<source srcset="{narrow_light}" media="{narrow}" width="{narrow_width}">
<source srcset="{dark}" media="(prefers-color-scheme: dark)">
<img src="{light}" alt="{title}" width="{width}">
</picture>
</figure>"""
_NARROW = "(max-width: 40rem)"  # style.css has the same width


def _picture(figure: Drawn) -> Markup:
    from markupsafe import Markup

    return Markup(_PICTURE).format(
        title=figure.title, narrow=_NARROW, width=figure.wide.width, narrow_width=figure.narrow.width,
        light=_inline(figure.wide.light), dark=_inline(figure.wide.dark),
        narrow_light=_inline(figure.narrow.light), narrow_dark=_inline(figure.narrow.dark),
    )  # fmt: skip


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
