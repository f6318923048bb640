"""Which predictions deserve a second look, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genrescope.inference.prediction import Prediction
    from genrescope.library.rows import StoredModel

CLOSE = 0.1
"""Two highest scores that lie nearer than this leave the genre open."""


def margin(prediction: Prediction) -> float:
    """Return how far the highest score is above the second, in [0, 1]; a model of one label has no second."""
    (_, first), *others = prediction.top(2)
    return first - others[0][1] if others else first


def doubts(prediction: Prediction, model: StoredModel) -> tuple[str, ...]:
    """Return the reasons why a prediction should be looked at; none where nothing speaks against it.

    Reasons are: the prediction's warning, `unknown`, no label above its threshold, and two highest scores less than
    0.1 apart. Where labels do not exclude each other, two labels above their thresholds are no doubt.
    """
    found = [prediction.warning] if prediction.warning else []
    if prediction.unknown:
        found.append("unknown: probably none of the genres")
    if model.thresholds and not prediction.labels:
        found.append("no genre reaches its threshold")
    if margin(prediction) < CLOSE and (model.exclusive or len(prediction.labels) < 2):
        first, second = prediction.top(2)
        found.append(f"close: {first[0]} {first[1]:.2f}, {second[0]} {second[1]:.2f}")
    return tuple(found)
