"""Fitting support vector machines (SVMs) to points: one for each genre, whatever the points are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from genrescope.models.svm import OneVsRestSVM
from genrescope.training.progress import SILENT, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.training.progress import Watch
    from genrescope.training.recipe_sections import ClassifierSection

Floats: TypeAlias = npt.NDArray[np.float64]
_Made = TypeVar("_Made", bound=OneVsRestSVM)
_FOLDS = 4
_SHARPEST = np.geomspace(0.1, 30, 60)


def fit_points(
    points: Floats,
    genre: npt.NDArray[np.int64],
    artist: npt.NDArray[np.str_],
    section: ClassifierSection,
    *,
    genres: int,
    make: Callable[..., _Made],
    watch: Watch = SILENT,
) -> _Made:
    """Standardise points and fit one SVM for each genre to them.

    Args:
        artist: of each point; the confidence is calibrated on held-out artists.
        make: makes the empty SVMs from `genres, vectors=, kernel=`.
        watch: is told how far the fitting is.
    """
    centre, spread = points.mean(axis=0), points.std(axis=0) + 1e-6
    points = (points - centre) / spread
    machines = []
    for label in range(genres):
        watch.on_stage(Stage("fitting SVMs", label, genres))
        machines.append(_machine(points, genre == label, section))
    model = _assembled(machines, points, section, make)
    values = {"centre": centre, "spread": spread, "sharpness": _sharpness(points, genre, artist, section, watch)}
    with torch.no_grad():
        for name, value in values.items():
            getattr(model, name).copy_(torch.as_tensor(value))
    return model.eval()


class _Settled:
    """The SVM of a genre that all windows have, or none: a constant decision.

    It answers as scikit-learn's do.
    """

    def __init__(self, decision: float, features: int) -> None:
        self.intercept_, self.coef_ = np.array([decision]), np.zeros((1, features))
        self.support_, self.dual_coef_ = np.zeros(0, dtype=np.int64), np.zeros((1, 0))

    def decision_function(self, points: Floats) -> Floats:
        return np.full(len(points), self.intercept_[0])


def _machine(points: Floats, own: npt.NDArray[np.bool_], section: ClassifierSection) -> Any:
    from sklearn.svm import SVC, LinearSVC

    if own.all() or not own.any():
        return _Settled(1.0 if own.all() else -1.0, points.shape[1])
    if section.kernel == "linear":
        return LinearSVC(C=section.c, class_weight="balanced", random_state=0, max_iter=20_000).fit(points, own)
    return SVC(C=section.c, gamma=section.gamma / points.shape[1], class_weight="balanced").fit(points, own)


def _assembled(
    machines: Sequence[Any], points: Floats, section: ClassifierSection, make: Callable[..., _Made]
) -> _Made:
    """Join the SVMs' numbers; support vectors that several share are stored once."""
    if section.kernel == "linear":
        vectors, weights = np.concatenate([each.coef_ for each in machines]), np.eye(len(machines))
    else:
        used = np.unique(np.concatenate([each.support_ for each in machines]))
        vectors, weights = points[used], np.zeros((len(machines), len(used)))
        for row, each in zip(weights, machines, strict=True):
            row[np.searchsorted(used, each.support_)] = each.dual_coef_[0]
    model = make(len(machines), vectors=len(vectors), kernel=section.kernel)
    bias = np.concatenate([each.intercept_ for each in machines])
    values = {"vectors": vectors, "weights": weights, "bias": bias, "gamma": section.gamma / points.shape[1]}
    with torch.no_grad():
        for name, value in values.items():
            getattr(model, name).copy_(torch.as_tensor(value))
    return model


def _sharpness(
    points: Floats,
    genre: npt.NDArray[np.int64],
    artist: npt.NDArray[np.str_],
    section: ClassifierSection,
    watch: Watch,
) -> float:
    """Return the scale that calibrates the decisions on held-out artists; 1 where there are too few artists."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(_FOLDS, *(len(set(artist[genre == label])) for label in np.unique(genre)))
    if folds < 2:
        return 1.0
    decisions = np.zeros((len(points), genre.max() + 1))
    dealt = StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(points, genre, artist)
    for done, (learnt, held) in enumerate(dealt):
        watch.on_stage(Stage("calibrating", done, folds))
        for label in range(decisions.shape[1]):
            machine = _machine(points[learnt], genre[learnt] == label, section)
            decisions[held, label] = machine.decision_function(points[held])
    losses = []
    for factor in _SHARPEST:
        logits = torch.from_numpy(decisions * factor)
        losses.append(float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(genre))))
    return float(_SHARPEST[int(np.argmin(losses))])
