"""What a page says of its model: the service's, and the one of an exported model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genrescope.inference.model_info import ModelInfo
from genrescope.modelfile.catalogue import BUILT_IN
from genrescope.pages.colours import colours
from genrescope.pages.render import interval, percent

if TYPE_CHECKING:
    from genrescope.modelfile import Model


def model_facts(model: Model, *, name: str, fingerprint: str) -> dict[str, Any]:
    """Return the facts as JSON-like values.

    Args:
        model: in memory.
        name: as the command line was given it; a path is left out, as no file of a server is shown.
        fingerprint: of its predictions with all windows.
    """
    header, info = model.header, ModelInfo.of(model)
    tints = colours(header.labels)
    hop = header.windows.hop or header.windows.frames
    return {
        "name": name if name in BUILT_IN else info.name,
        "fingerprint": fingerprint,
        "labels": list(header.labels),
        "exclusive": header.exclusive,
        "sample_rate": header.front_end.sample_rate,
        "window_seconds": round(header.window_seconds, 6),
        "hop_seconds": round(header.front_end.seconds(hop), 6),
        "thresholds": header.thresholds,
        "unknown": header.unknown_above is not None,
        "tags": {kind: list(tags) for kind, tags in header.tags.items()},
        "licence": info.licence,
        "citations": [each for each in (info.citation, info.trained_on["citation"]) if each],
        "measured": measured(info.scores, name),
        "trained_on": info.trained_on,
        "colours": {label: tints[label].light for label in header.labels},
        "colours_dark": {label: tints[label].dark for label in header.labels},
    }


def measured(scores: dict[str, Any], name: str) -> str | None:
    """Say how often a model is right, and on what that was measured; None where nobody knows.

    Args:
        scores: of the model file: figures by split and part.
        name: of the model, where it has one.

    Example:
        >>> share = {"value": 0.8, "correct": 80, "total": 100, "interval": [0.71, 0.867]}
        >>> measured({"artist split / test": {"verdict": "vote", "vote": share}}, "mine")
        'Accuracy by track 80.0 % (95 % interval 71.0 to 86.7 %) on 100 tracks: artist split / test.'
        >>> measured({}, "mine") is None
        True
    """
    for subject, figures in scores.items():
        if share := figures.get(figures.get("verdict", "vote")):
            bounds = share.get("interval_by_groups") or share["interval"]
            told = f"{percent(share['value'])} (95 % interval {interval(bounds)})"
            return f"Accuracy by track {told} on {share['total']} tracks: {subject}."
        if mean := figures.get("mean_average_precision"):
            return f"Mean average precision {mean['value']:.3f}: {subject}."
    known = BUILT_IN.get(name)
    if known is None or not known.figures:
        return None
    return f"{', '.join(f'{what} {value}' for what, value in known.figures)}. {known.caveat}"
