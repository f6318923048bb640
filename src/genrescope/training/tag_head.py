"""Fitting a linear head that starts from tags: labels correct what the tags know, as far as they justify it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from genrescope import threads
from genrescope.inference.scorer import novelty_of
from genrescope.models.listener import FAR, FARTHEST

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Fold: TypeAlias = "tuple[Integers, Integers]"
_FOLDS = 4
_ITERATIONS = 80
_BIAS, _SCALE = 1e-3, 1e-3  # penalties of a genre's bias, and of the logarithm of the tags' scale
_TEMPERATURES = np.geomspace(0.25, 8, 61)
_KEPT = 0.95  # share of music of known genres that is not called unknown
_NEAR = 0.99  # share of training tracks within the limit of what is unlike them


@dataclass(frozen=True)
class Head:
    """What was fitted: `scale * tags + pooled @ weights + bias`, in rotated coordinates of the pooled layer."""

    weights: Floats
    bias: Floats
    scale: float


@dataclass(frozen=True)
class Points:
    """Tracks as inputs of the head.

    Attributes:
        tags: (tracks, genres), the mean logit of each genre's tags minus their mean level.
        rivals: (tracks, rivals), the same of genres that are not to be learnt.
        pooled: (tracks, features), the pooled layer, standardised.
        genre: (tracks,), its number.
        artist: (tracks,).
    """

    tags: Floats
    rivals: Floats
    pooled: Floats
    genre: Integers
    artist: npt.NDArray[np.str_]

    def take(self, chosen: Integers) -> Points:
        """Return some of them."""
        tags, rivals, pooled = self.tags[chosen], self.rivals[chosen], self.pooled[chosen]
        return Points(tags, rivals, pooled, self.genre[chosen], self.artist[chosen])


@dataclass(frozen=True)
class LeftOut:
    """Out-of-fold scores: tracks whose artists were held out.

    Attributes:
        logits: (tracks, genres).
        rivals: (tracks, rivals), what is unlike the training tracks being one of them.
        genre: (tracks,), the tracks' own.
    """

    logits: Floats
    rivals: Floats
    genre: Integers

    @property
    def temperature(self) -> float:
        """What makes the genres most probable when logits are divided by it."""
        return float(min(_TEMPERATURES, key=lambda each: loss(self.logits / each, self.genre)))

    @property
    def unknown_above(self) -> float:
        """The novelty that 95 % of the tracks stay below."""
        outputs = torch.from_numpy(np.concatenate([self.logits, self.rivals], axis=1))
        return float(np.quantile([novelty_of(row, self.logits.shape[1]) for row in outputs], _KEPT))


def fit(points: Points, penalties: Floats) -> Head:
    """Fit the head: mean cross-entropy, genres balanced, with a penalty on each genre's weights.

    Args:
        points: the training tracks.
        penalties: (genres,), of the sum of squares of a genre's weights, over the number of tracks.
    """
    tags, pooled, genre = torch.from_numpy(points.tags), torch.from_numpy(points.pooled), torch.from_numpy(points.genre)
    counts = torch.bincount(genre, minlength=len(penalties)).double().clamp(min=1)
    balance = (1 / counts)[genre]
    balance, held = balance / balance.mean(), torch.from_numpy(penalties)
    weights = torch.zeros(pooled.shape[1], len(penalties), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(penalties), dtype=torch.float64, requires_grad=True)
    scale = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias, scale], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = scale.exp() * tags + pooled @ weights + bias
        loss = (F.cross_entropy(logits, genre, reduction="none") * balance).mean()
        loss = loss + (held * weights.square().sum(dim=0)).sum() / len(genre)
        loss = loss + _BIAS * bias.square().sum() + _SCALE * scale.square()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with threads.limited(1):  # a second thread costs more than these small products
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Head(weights.detach().numpy(), bias.detach().numpy(), float(scale.detach().exp()))


def logits_of(points: Points, head: Head) -> Floats:
    """Return what a head says of tracks, (tracks, genres)."""
    logits: Floats = head.scale * points.tags + points.pooled @ head.weights + head.bias
    return logits


def loss(logits: Floats, genre: Integers) -> float:
    """Return the mean cross-entropy."""
    return float(F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(genre)))


def folds_of(points: Points) -> list[Fold]:
    """Assign the tracks to folds by artist: positions to train on and to hold out; none for too few artists.

    Tracks whose genre has no other artist are in no fold: a head that never met a genre says nothing about penalties.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(_FOLDS, len(set(points.artist)), int(np.bincount(points.genre).max()))
    if folds < 2:
        return []
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # on genres with fewer tracks than folds
        dealt = list(dealer.split(points.tags, points.genre, points.artist))
    known = [(learnt, held[np.isin(points.genre[held], points.genre[learnt])]) for learnt, held in dealt]
    return [(learnt, held) for learnt, held in known if len(held)]


def standard_of(pooled: Floats) -> tuple[Floats, Floats]:
    """Return centre and spread of tracks' pooled layers, (tracks, features): the mean, and the deviation.

    The deviation is multiplied by the root of the number of features, so that the squares of what is standardised add
    up to the mean squared standard score.
    """
    return pooled.mean(axis=0), (pooled.std(axis=0) + 1e-6) * np.sqrt(pooled.shape[1])


def far_from_training(windows: Sequence[Floats], folds: Sequence[Fold]) -> tuple[Floats, float]:
    """Return the out-of-fold logit of being unlike the training tracks, (tracks,), and the limit where it is 0.

    Args:
        windows: of each track the pooled layer, (windows, features).
        folds: positions to train on and to hold out; tracks that are in none get -`FAR`.
    """
    means, found = np.stack([each.mean(axis=0) for each in windows]), np.full(len(windows), np.nan)
    for learnt, held in folds:
        centre, spread = standard_of(means[learnt])
        for place in held:
            squares = np.square((windows[place] - centre) / spread)
            found[place] = squares.clip(max=FARTHEST / len(centre)).sum(axis=1).mean()
    limit = float(np.nanquantile(found, _NEAR))
    return np.nan_to_num(FAR * (found - limit), nan=-FAR), limit


def left_out(points: Points, folds: Sequence[Fold], penalties: Floats) -> LeftOut:
    """Score tracks by heads that were fitted without them and their artists."""
    found = []
    for learnt, held in folds:
        judged = points.take(held)
        logits = logits_of(judged, fit(points.take(learnt), penalties))
        found.append((logits, judged.rivals, judged.genre))
    return LeftOut(*map(np.concatenate, zip(*found, strict=True)))
