"""Predictions as the service answers them: the names and numbers of `predict --format jsonl`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.inference.prediction import Prediction, WindowScores


def result_of(prediction: Prediction, labels: Sequence[str], *, top: int | None = None) -> dict[str, Any]:
    """Return a prediction as JSON-like values.

    Args:
        prediction: of a song.
        labels: the model's labels: the order of the windows' scores.
        top: labels whose scores for the song are given, the highest first; None gives all.
    """
    facts = prediction.to_dict()
    windows, warning = facts.pop("windows"), facts.pop("warning")
    silent = facts.pop("silent_windows")
    del facts["path"]
    return facts | {
        "scores": dict(list(facts["scores"].items())[:top]),
        "silent": round(silent / len(windows), 6),
        "warnings": warning.split("; ") if warning else [],
        "windows": [_window(each, labels) for each in windows],
        "segments": [
            {
                "start": round(each.start, 3),
                "end": round(each.end, 3),
                "genre": each.genre,
                "confidence": round(each.confidence, 6),
            }
            for each in prediction.segments()
        ],
    }


def windows_of(windows: Sequence[WindowScores], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return windows as JSON-like values."""
    return [
        _window({"start": round(each.start, 3), "end": round(each.end, 3), "silent": each.silent,
                 "scores": {label: round(score, 6) for label, score in each.scores.items()}}, labels)
        for each in windows
    ]  # fmt: skip


def _window(facts: dict[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    return {
        "start": facts["start"],
        "end": facts["end"],
        "scores": [facts["scores"][label] for label in labels],
        "silent": facts["silent"],
    }
