"""Fitting a linear head that starts from tags: labels correct what the tags know, as far as they justify it."""

from __future__ import annotations

import math
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
from genrescope.training.thresholds import best_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        genre: (tracks,), its number; of a negative example the number of genres. Where tracks have several genres, the
            rarest one's, by which they are dealt to folds.
        artist: (tracks,).
        targets: (tracks, genres), 1 or 0, where tracks have several genres; else None.
    """

    tags: Floats
    rivals: Floats
    pooled: Floats
    genre: Integers
    artist: npt.NDArray[np.str_]
    targets: Floats | None = None

    @property
    def truth(self) -> Integers | Floats:
        """What logits are compared with: (tracks,) where genres exclude each other, else (tracks, genres)."""
        return self.genre if self.targets is None else self.targets

    def take(self, chosen: Integers) -> Points:
        """Return some of them."""
        tags, rivals, pooled = self.tags[chosen], self.rivals[chosen], self.pooled[chosen]
        targets = None if self.targets is None else self.targets[chosen]
        return Points(tags, rivals, pooled, self.genre[chosen], self.artist[chosen], targets)


@dataclass(frozen=True)
class LeftOut:
    """Out-of-fold scores: tracks whose artists were held out.

    Attributes:
        logits: (tracks, genres), and one more of being a negative example where there are some.
        rivals: (tracks, rivals), what is unlike the training tracks being one of them.
        truth: as `Points` has it.
        genres: number of genres.
    """

    logits: Floats
    rivals: Floats
    truth: Integers | Floats
    genres: int

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which tracks have a genre, (tracks,)."""
        return np.asarray(self.truth < self.genres if self.truth.ndim == 1 else self.truth.any(axis=1))

    @property
    def temperature(self) -> float:
        """What makes the genres most probable when logits are divided by it."""
        judged = self.known if self.truth.ndim == 1 else np.ones(len(self.truth), dtype=np.bool_)
        logits, truth = self.logits[judged, : self.genres], self.truth[judged]
        return float(min(_TEMPERATURES, key=lambda each: loss(logits / each, truth)))

    @property
    def unknown_above(self) -> float:
        """The novelty that 95 % of the tracks with a genre stay below."""
        own, away = self.logits[:, : self.genres], self.logits[:, self.genres :] + away_odds(self.genres)
        outputs = torch.from_numpy(np.concatenate([own, away, self.rivals], axis=1)[self.known])
        return float(np.quantile([novelty_of(row, self.genres) for row in outputs], _KEPT))

    @property
    def thresholds(self) -> Floats:
        """The score of each genre, (genres,), from which it counts: that with the highest F1."""
        scores = torch.from_numpy(self.logits / self.temperature).sigmoid().numpy()
        return best_thresholds(scores, np.asarray(self.truth, dtype=np.float64))


def away_odds(genres: int) -> float:
    """Return what is added to the output of negative examples where songs of none of the genres are looked for.

    The head is fitted with all classes balanced, so that negative examples are one of `genres + 1`. Songs of none of
    the genres are taken to be as frequent as all others together.
    """
    return math.log(genres)


def fit(points: Points, penalties: Floats) -> Head:
    """Fit the head: mean cross-entropy, genres balanced, with a penalty on each genre's weights.

    Where tracks have several genres it is logistic regression for each genre, and genres are not balanced, so that
    scores are probabilities.

    Args:
        points: the training tracks.
        penalties: (genres,), of the sum of squares of a genre's weights, over the number of tracks.
    """
    tags, pooled, held = torch.from_numpy(points.tags), torch.from_numpy(points.pooled), torch.from_numpy(penalties)
    entropy = _entropy(points, len(penalties))
    weights = torch.zeros(pooled.shape[1], len(penalties), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(penalties), dtype=torch.float64, requires_grad=True)
    scale = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias, scale], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = scale.exp() * tags + pooled @ weights + bias
        loss = entropy(logits)
        loss = loss + (held * weights.square().sum(dim=0)).sum() / len(points.genre)
        loss = loss + _BIAS * bias.square().sum() + _SCALE * scale.square()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with threads.limited(1):  # a second thread costs more than these small products
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Head(weights.detach().numpy(), bias.detach().numpy(), float(scale.detach().exp()))


def _entropy(points: Points, genres: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what takes the logits of training tracks and returns their mean cross-entropy."""
    if points.targets is not None:
        targets = torch.from_numpy(points.targets)
        return lambda logits: F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(dim=1).mean()
    genre = torch.from_numpy(points.genre)
    balance = (1 / torch.bincount(genre, minlength=genres).double().clamp(min=1))[genre]
    balance = balance / balance.mean()
    return lambda logits: (F.cross_entropy(logits, genre, reduction="none") * balance).mean()


def logits_of(points: Points, head: Head) -> Floats:
    """Return what a head says of tracks, (tracks, genres)."""
    logits: Floats = head.scale * points.tags + points.pooled @ head.weights + head.bias
    return logits


def loss(logits: Floats, truth: Integers | Floats) -> float:
    """Return the mean cross-entropy; where tracks have several genres that of all their labels."""
    measure = F.cross_entropy if truth.ndim == 1 else F.binary_cross_entropy_with_logits
    return float(measure(torch.from_numpy(logits), torch.from_numpy(truth)))


def error_of(logits: Floats, truth: Integers | Floats) -> float:
    """Return the share of tracks taken for another genre; where they have several, of labels decided wrongly."""
    return float((logits.argmax(axis=1) != truth if truth.ndim == 1 else (logits > 0) != (truth > 0)).mean())


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


def left_out(points: Points, folds: Sequence[Fold], penalties: Floats, *, genres: int | None = None) -> LeftOut:
    """Score tracks by heads that were fitted without them and their artists.

    Args:
        genres: number of genres; None takes that of the outputs.
    """
    found = []
    for learnt, held in folds:
        judged = points.take(held)
        logits = logits_of(judged, fit(points.take(learnt), penalties))
        found.append((logits, judged.rivals, judged.truth))
    logits, rivals, truth = map(np.concatenate, zip(*found, strict=True))
    return LeftOut(logits, rivals, truth, genres if genres is not None else logits.shape[1])
