"""Fitting the head of the listener: labels correct what the tags know, as far as they justify it."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from genrescope import modelfile
from genrescope.models import tag_genres
from genrescope.models.listener import Listener
from genrescope.store import listening
from genrescope.training.learner import Learnt
from genrescope.training.progress import Epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.modelfile import Model
    from genrescope.store.store import StoredTrack
    from genrescope.training.job import Job, Material
    from genrescope.training.progress import Watch
    from genrescope.training.recipe_listener import ListenerRecipe
    from genrescope.training.run_folder import RunFolder

Floats: TypeAlias = npt.NDArray[np.float64]
_FOLDS = 4
_ITERATIONS = 80
_BIAS, _SCALE = 1e-3, 1e-3  # how much a genre's bias, and the logarithm of the tags' scale, are held back


@dataclass(frozen=True)
class Head:
    """What was fitted: `scale * tags + pooled @ weights + bias`, in rotated coordinates of the pooled layer."""

    weights: Floats
    bias: Floats
    scale: float


@dataclass(frozen=True)
class Points:
    """Tracks as the head sees them.

    Attributes:
        tags: (tracks, genres), the mean logit of each genre's tags less their usual level.
        pooled: (tracks, features), the pooled layer, standardised.
        genre: (tracks,), its number.
        artist: (tracks,).
    """

    tags: Floats
    pooled: Floats
    genre: npt.NDArray[np.int64]
    artist: npt.NDArray[np.str_]

    def take(self, chosen: npt.NDArray[np.int64]) -> Points:
        """Return some of them."""
        return Points(self.tags[chosen], self.pooled[chosen], self.genre[chosen], self.artist[chosen])


@dataclass(frozen=True)
class ListenerLearner:
    """Fits the head on the taggers' features, which are computed once into the store.

    Attributes:
        recipe: taggers, and how strongly labels may be held back.
    """

    recipe: ListenerRecipe

    def check(self, job: Job, material: Material) -> None:
        """Refuse a recipe whose taggers cannot be had.

        Raises:
            ModelFileError: one was not fetched yet, or is no musicnn network.
        """
        listening.taggers(self.recipe.listener.taggers)

    def learn(self, job: Job, material: Material, folder: RunFolder, watch: Watch) -> Learnt:
        """Compute what features are missing, choose how far labels move the head by artists left out, and fit it."""
        models = listening.taggers(self.recipe.listener.taggers)
        network = Listener.of([model.network for model in models], len(material.labels))
        features = listening.extract(job.store, network, models, on_track=watch.on_track).found
        began = time.monotonic()
        means = np.stack([features[track.id].mean(axis=0) for track in material.learnt]).astype(np.float64)
        prior = tag_genres.prior(material.labels, listening.tags_of(models))
        points, (level, centre, spread) = _points(means, prior, material.learnt, material.labels)
        rotation = np.linalg.svd(points.pooled, full_matrices=False)[2]
        points = Points(points.tags, points.pooled @ rotation.T, points.genre, points.artist)
        penalties, temperature = self._chosen(points, prior.sum(axis=1) > 0)
        head = fit(points, penalties)
        _fill(network, head, rotation, prior=prior, level=level, centre=centre, spread=spread)
        row = _row(points, head, began)
        watch.on_epoch(row)
        folder.write_history([row])
        return self._learnt(network, models, row, penalties=penalties, temperature=temperature)

    def _chosen(self, points: Points, tagged: npt.NDArray[np.bool_]) -> tuple[Floats, float]:
        """Return the penalty of each genre's weights, and the temperature, by the logits of artists left out."""
        section = self.recipe.listener
        folds = _folds(points)
        penalties = np.where(tagged, section.tagged[0], section.untagged[0]).astype(float)
        if not folds:
            return penalties, 1.0
        for own, grid in ((~tagged, section.untagged), (tagged, section.tagged)):
            if own.any():
                tried = [np.where(own, value, penalties) for value in grid]
                penalties = min(tried, key=lambda each: _loss(*_left_out(points, folds, each)))
        logits, genre = _left_out(points, folds, penalties)
        temperatures = np.geomspace(0.25, 8, 61)
        best = min(temperatures, key=lambda temperature: _loss(logits / temperature, genre))
        return penalties, float(best)

    def _learnt(
        self, network: Listener, models: Sequence[Model], row: Epoch, *, penalties: Floats, temperature: float
    ) -> Learnt:
        first = models[0].header
        return Learnt(
            network,
            "listener",
            {
                "taggers": {
                    name: len(model.header.labels)
                    for name, model in zip(self.recipe.listener.taggers, models, strict=True)
                }
            },
            front_end=first.front_end,
            windows=listening.WINDOWS,
            history=[row],
            windows_learnt=0,
            weights=modelfile.Terms(licence=first.weights.licence, citation=first.weights.citation),
            temperature=temperature,
            facts={"penalties": penalties.tolist(), "temperature": temperature},
        )


def fit(points: Points, penalties: Floats) -> Head:
    """Fit the head: mean cross-entropy, genres balanced, with a penalty on each genre's weights.

    Args:
        points: what is learnt.
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

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Head(weights.detach().numpy(), bias.detach().numpy(), float(scale.detach().exp()))


def _logits(points: Points, head: Head) -> Floats:
    logits: Floats = head.scale * points.tags + points.pooled @ head.weights + head.bias
    return logits


def _points(
    means: Floats, prior: Floats, tracks: Sequence[StoredTrack], labels: Sequence[str]
) -> tuple[Points, tuple[Floats, Floats, Floats]]:
    """Return tracks as the head sees them, and the level, centre and spread that they were measured by."""
    tags = prior.shape[1]
    level, pooled = means[:, -tags:].mean(axis=0), means[:, :-tags]
    centre = pooled.mean(axis=0)
    spread = (pooled.std(axis=0) + 1e-6) * np.sqrt(pooled.shape[1])
    genre = np.array([labels.index(track.genre) for track in tracks])
    artist = np.array([track.group or f"track {track.id}" for track in tracks])
    found = Points((means[:, -tags:] - level) @ prior.T, (pooled - centre) / spread, genre, artist)
    return found, (level, centre, spread)


def _folds(points: Points) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Deal the tracks into folds of whole artists; none where there are too few artists."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(_FOLDS, len(set(points.artist)))
    if folds < 2:
        return []
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # on genres with fewer tracks than folds
        return list(dealer.split(points.tags, points.genre, points.artist))


def _left_out(
    points: Points, folds: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]], penalties: Floats
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the logits of tracks by heads that were fitted without their artists, and the tracks' genres.

    Tracks whose genre has no other artist are left out: a head that never met a genre says nothing about penalties.
    """
    logits, genres = [], []
    for learnt, held in folds:
        known = held[np.isin(points.genre[held], points.genre[learnt])]
        if len(known):
            logits.append(_logits(points.take(known), fit(points.take(learnt), penalties)))
            genres.append(points.genre[known])
    return np.concatenate(logits), np.concatenate(genres)


def _loss(logits: Floats, genre: npt.NDArray[np.int64]) -> float:
    return float(F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(genre)))


def _fill(
    network: Listener,
    head: Head,
    rotation: Floats,
    *,
    prior: Floats,
    level: Floats,
    centre: Floats,
    spread: Floats,
) -> None:
    values = {
        "prior": prior, "level": level, "scale": np.array(head.scale), "centre": centre, "spread": spread,
        "weights": (rotation.T @ head.weights).T, "bias": head.bias,
    }  # fmt: skip
    with torch.no_grad():
        for name, value in values.items():
            getattr(network.head, name).copy_(torch.from_numpy(np.asarray(value)))


def _row(points: Points, head: Head, began: float) -> Epoch:
    logits = _logits(points, head)
    seconds = time.monotonic() - began
    error = float((logits.argmax(axis=1) != points.genre).mean())
    return Epoch(1, 1, 0.0, _loss(logits, points.genre), error, None, None, seconds, len(logits) / max(seconds, 1e-9))
