"""Fitting the head of the listener: the tags are its prior, a penalty chosen on held-out artists limits the change."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope import modelfile
from genrescope.models import tag_genres
from genrescope.models.listener import Listener
from genrescope.store import listening
from genrescope.training.job import targets_of
from genrescope.training.learner import Learnt
from genrescope.training.progress import Epoch
from genrescope.training.tag_head import (
    Points,
    away_odds,
    error_of,
    far_from_training,
    fit,
    folds_of,
    left_out,
    logits_of,
    loss,
    standard_of,
)
from genrescope.training.thresholds import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from genrescope.modelfile import Model
    from genrescope.training.job import Job, Material
    from genrescope.training.progress import Watch
    from genrescope.training.recipe_listener import ListenerRecipe
    from genrescope.training.run_folder import RunFolder
    from genrescope.training.tag_head import Floats, Fold, Head, Integers, LeftOut


@dataclass(frozen=True)
class _View:
    """How features become the input of the head.

    Attributes:
        prior: (genres, tags), the weight of each tag for each genre.
        level: (tags,), each tag's mean logit.
        others: (rivals, tags), the weight of each tag for each genre that is no label.
        other_level: (rivals,), the usual logit of its tags.
        centre: (features,), mean of the pooled layer.
        spread: (features,), its deviation times the root of the number of features.
    """

    prior: Floats
    level: Floats
    others: Floats
    other_level: Floats
    centre: Floats
    spread: Floats

    @classmethod
    def of(cls, means: Floats, labels: Sequence[str], tags: Sequence[str]) -> _View:
        """Measure it on the features of training tracks, (tracks, features and tags)."""
        heard, pooled = means[:, -len(tags) :], means[:, : -len(tags)]
        others = tag_genres.rivals(labels, tags)
        centre, spread = standard_of(pooled)
        return cls(
            prior=tag_genres.prior(labels, tags),
            level=heard.mean(axis=0),
            others=tag_genres.prior([genre.name for genre in others], tags),
            other_level=np.array([genre.level for genre in others]),
            centre=centre,
            spread=spread,
        )

    def points(self, means: Floats, material: Material) -> Points:
        """Return the training tracks as the head sees them."""
        heard, pooled = means[:, -len(self.level) :], means[:, : -len(self.level)]
        tracks, targets = material.learnt, targets_of(material.learnt, material.labels).astype(np.float64)
        tags = (heard - self.level) @ self.prior.T
        if with_negatives(material):
            tags = np.column_stack([tags, np.zeros(len(tags))])
        return Points(
            tags=tags,
            rivals=heard @ self.others.T - self.other_level,
            pooled=(pooled - self.centre) / self.spread,
            genre=rarest(targets),
            artist=np.array([track.group or f"track {track.id}" for track in tracks]),
            targets=targets if material.multi_label else None,
        )


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
        others = tag_genres.rivals(material.labels, listening.tags_of(models))
        network = Listener.of(
            [model.network for model in models], len(material.labels), others=len(others),
            negatives=with_negatives(material),
        )  # fmt: skip
        features = listening.extract(job.store, network, models, on_track=watch.on_track).found
        began = time.monotonic()
        windows = [features[track.id].astype(np.float64) for track in material.learnt]
        means = np.stack([each.mean(axis=0) for each in windows])
        view = _View.of(means, material.labels, listening.tags_of(models))
        points = view.points(means, material)
        rotation = np.linalg.svd(points.pooled, full_matrices=False)[2]
        points = replace(points, pooled=points.pooled @ rotation.T)
        if folds := folds_of(points):
            known = np.array([bool(track.labels) for track in material.learnt])
            judged = [(learnt, held[known[held]]) for learnt, held in folds]  # negative examples may well be unlike
            far, limit = far_from_training([each[:, : -len(view.level)] for each in windows], judged)
            points = replace(points, rivals=np.column_stack([points.rivals, far]))
            network.head.limit.data.fill_(limit)
        tagged = np.append(view.prior.sum(axis=1) > 0, np.zeros(int(with_negatives(material)), dtype=np.bool_))
        penalties, heard = self._chosen(points, tagged, folds, len(material.labels))
        head = fit(points, penalties)
        _fill(network, head, rotation, view)
        row = _row(points, head, began)
        watch.on_epoch(row)
        folder.write_history([row])
        found = self._learnt(network, models, row, penalties=penalties, heard=heard)
        return _with_thresholds(found, material.labels, heard) if material.multi_label else found

    def _chosen(
        self, points: Points, tagged: npt.NDArray[np.bool_], folds: Sequence[Fold], genres: int
    ) -> tuple[Floats, LeftOut | None]:
        """Return the penalty of each genre's weights, chosen on held-out artists, and the scores of their tracks."""
        section = self.recipe.listener
        penalties = np.where(tagged, section.tagged[0], section.untagged[0]).astype(float)
        heard = None
        if not folds:
            return penalties, heard
        for own, grid in ((~tagged, section.untagged), (tagged, section.tagged)):
            if own.any():
                tried = [np.where(own, value, penalties) for value in grid]
                judged = [left_out(points, folds, each, genres=genres) for each in tried]
                best = min(range(len(tried)), key=lambda place: loss(judged[place].logits, judged[place].truth))
                penalties, heard = tried[best], judged[best]
        return penalties, heard

    def _learnt(
        self, network: Listener, models: Sequence[Model], row: Epoch, *, penalties: Floats, heard: LeftOut | None
    ) -> Learnt:
        first = models[0].header
        temperature = heard.temperature if heard else 1.0
        unknown_above = heard.unknown_above if heard else None
        return Learnt(
            network,
            "listener",
            {
                "taggers": {
                    name: len(model.header.labels)
                    for name, model in zip(self.recipe.listener.taggers, models, strict=True)
                },
                "others": network.head.other_count,
                **({"negatives": True} if network.head.negatives else {}),
            },
            front_end=first.front_end,
            windows=listening.WINDOWS,
            history=[row],
            windows_learnt=0,
            weights=modelfile.Terms(licence=first.weights.licence, citation=first.weights.citation),
            temperature=temperature,
            unknown_above=unknown_above,
            facts={"penalties": penalties.tolist(), "temperature": temperature, "unknown_above": unknown_above},
        )


def with_negatives(material: Material) -> bool:
    """Whether an output is learnt from negative examples; where tracks have several genres they just have none."""
    return material.negatives > 0 and not material.multi_label


def rarest(targets: Floats) -> Integers:
    """Return the number of each track's rarest genre, (tracks,); of a track without one the number of genres.

    Args:
        targets: (tracks, genres), 1 or 0.

    Example:
        >>> rarest(np.array([[1, 0], [1, 1], [0, 0]])).tolist()
        [0, 1, 2]
    """
    counts = np.where(targets > 0, targets.sum(axis=0), np.inf)
    return np.asarray(np.where(targets.any(axis=1), counts.argmin(axis=1), targets.shape[1]))


def _with_thresholds(found: Learnt, labels: Sequence[str], heard: LeftOut | None) -> Learnt:
    """Add the score from which each label counts, chosen on artists that were left out."""
    values = heard.thresholds.tolist() if heard is not None else [UNKNOWN] * len(labels)
    return replace(found, exclusive=False, thresholds=dict(zip(labels, values, strict=True)))


def _fill(network: Listener, head: Head, rotation: Floats, view: _View) -> None:
    """Give the network's head its numbers."""
    weights, bias, genres = (rotation.T @ head.weights).T, head.bias, len(view.prior)
    values = vars(view) | {"scale": np.array(head.scale), "weights": weights[:genres], "bias": bias[:genres]}
    if network.head.negatives:
        values |= {"away": weights[genres], "away_bias": bias[genres] + away_odds(genres)}
    with torch.no_grad():
        for name, value in values.items():
            if not np.size(value):  # there are no rivals
                continue
            getattr(network.head, name).copy_(torch.from_numpy(np.asarray(value)))


def _row(points: Points, head: Head, began: float) -> Epoch:
    logits = logits_of(points, head)
    seconds = time.monotonic() - began
    error = error_of(logits, points.truth)
    return Epoch(1, 1, 0.0, loss(logits, points.truth), error, None, None, seconds, len(logits) / max(seconds, 1e-9))
