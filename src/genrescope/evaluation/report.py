"""The report: one self-contained page."""

from __future__ import annotations

import base64
import importlib.resources
from typing import TYPE_CHECKING, Any

from genrescope.evaluation.figures import worst_tracks
from genrescope.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from genrescope.evaluation.figures import Drawn

LEVELS = {
    "first": "tracks, by their first window",
    "window": "windows",
    "vote": "tracks, by the vote of their windows",
}
"""What each accuracy of `evaluation.json` counts, in words."""


def write(result: dict[str, Any], drawn: Sequence[Drawn], path: Path) -> Path:
    """Write `report.html`: figures, tables, recipe and fingerprints, with nothing to load from elsewhere.

    Args:
        result: the content of `evaluation.json`.
        drawn: the figures.
        path: where the page goes.

    Returns:
        `path`.
    """
    import tomli_w
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = percent
    environment.filters["interval"] = interval
    environment.filters["inline"] = _inline
    template = (importlib.resources.files("genrescope.evaluation") / "template.html").read_text(encoding="utf-8")
    page = environment.from_string(template).render(
        result=result,
        crossval=result.get("crossval"),
        notes=[note for note in result["notes"] if not note.startswith("audit: ")],  # the audit stands by itself
        recipe_toml=tomli_w.dumps(result["model"]["recipe"]),
        figures=drawn,
        levels=LEVELS,
        worst=worst_tracks(result, 20),
        headline=result["accuracy"][result["verdict"]],
    )
    write_text(path, page)
    return path


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share in percent, or a dash for None.

    Example:
        >>> percent(0.69), percent(None)
        ('69.0 %', '-')
    """
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def interval(bounds: Sequence[float] | None) -> str:
    """Return an interval of shares in percent.

    Example:
        >>> interval([0.623, 0.75])
        '62.3 to 75.0 %'
    """
    return "-" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
