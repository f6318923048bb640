"""The report: one self-contained page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genrescope.pages.render import render
from genrescope.reports import tables
from genrescope.reports.figures import worst_tracks
from genrescope.results import CrossValidation, MultiLabelEvaluation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from genrescope.pages.drawing import Drawn
    from genrescope.results import Evaluation


def levels(result: Evaluation) -> dict[str, str]:
    """Return what each accuracy of `evaluation.json` counts, in words; a window is told by its length."""
    seconds = result.model.window_seconds
    of = f" of {seconds:.2f} s" if seconds is not None else ""
    return {
        "first": f"tracks, first window{of} only",
        "window": f"windows{of}",
        "vote": f"tracks, soft voting over windows{of}",
    }


def write(result: Evaluation, drawn: Sequence[Drawn], path: Path) -> Path:
    """Write `report.html`: figures, tables, recipe and fingerprints, with nothing to load from elsewhere."""
    return render(
        path,
        "genrescope.reports",
        "template.html",
        **shared(result, drawn),
        levels=levels(result),
        worst=worst_tracks(result, 20),
        headline=result.headline,
        chance=tables.chance_told(result.chance),
        negatives=None if result.negatives is None else tables.negatives_told(result.negatives),
    )


def shared(result: Evaluation | MultiLabelEvaluation, drawn: Sequence[Drawn]) -> dict[str, Any]:
    """Return what the pages of all evaluations show."""
    import tomli_w

    return {
        "result": result,
        "crossval": result.crossval if isinstance(result, CrossValidation | MultiLabelEvaluation) else None,
        "notes": [note for note in result.notes if not note.startswith("audit: ")],  # the audit stands by itself
        "recipe_toml": tomli_w.dumps(result.model.recipe),
        "figures": drawn,
    }
