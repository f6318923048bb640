"""Thresholds: the score from which a label counts, where a track may have several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

UNKNOWN = 0.5
"""The threshold of a label that held-out tracks say nothing about."""

LEAST = 0.1
"""The lowest threshold. F1 of a rare label that cannot be told from others is highest where all tracks are given it."""


def best_thresholds(scores: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the threshold of each label, (labels,), that gives the highest F1.

    It lies midway between two scores, or at `LEAST`. Of thresholds with one F1 the nearest to 0.5 is taken, and 0.5 for
    a label that no track has.

    Args:
        scores: (tracks, labels), of tracks that were not trained on, in [0, 1].
        targets: (tracks, labels), 1 or 0.

    Example:
        >>> best_thresholds(np.array([[0.1], [0.3], [0.4]]), np.array([[0.0], [1.0], [1.0]])).round(3).tolist()
        [0.2]
    """
    return np.array([_best(own, truth) for own, truth in zip(scores.T, targets.T, strict=True)])


def _best(scores: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> float:
    if not truth.any():
        return UNKNOWN
    ranked = np.unique(scores)
    between = (ranked[:-1] + ranked[1:]) / 2
    places = np.append(LEAST, between[between > LEAST])
    own = scores[truth > 0]
    taken, right = (len(some) - np.searchsorted(np.sort(some), places) for some in (scores, own))
    f1 = 2 * right / (taken + len(own))
    best = places[f1 >= f1.max() - 1e-12]
    return float(best[np.abs(best - UNKNOWN).argmin()])
