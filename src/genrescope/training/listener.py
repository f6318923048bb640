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
from genrescope.training.learner import Learnt
from genrescope.training.progress import Epoch
from genrescope.training.tag_head import (
    Points,
    far_from_training,
    fit,
    folds_of,
    left_out,
    logits_of,
    loss,
    standard_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from genrescope.modelfile import Model
    from genrescope.store.store import StoredTrack
    from genrescope.training.job import Job, Material
    from genrescope.training.progress import Watch
    from genrescope.training.recipe_listener import ListenerRecipe
    from genrescope.training.run_folder import RunFolder
    from genrescope.training.tag_head import Floats, Fold, Head, LeftOut


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

    def points(self, means: Floats, tracks: Sequence[StoredTrack], labels: Sequence[str]) -> Points:
        """Return tracks as the head sees them."""
        heard, pooled = means[:, -len(self.level) :], means[:, : -len(self.level)]
        return Points(
            tags=(heard - self.level) @ self.prior.T,
            rivals=heard @ self.others.T - self.other_level,
            pooled=(pooled - self.centre) / self.spread,
            genre=np.array([labels.index(track.genre) for track in tracks]),
            artist=np.array([track.group or f"track {track.id}" for track in tracks]),
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
        network = Listener.of([model.network for model in models], len(material.labels), others=len(others))
        features = listening.extract(job.store, network, models, on_track=watch.on_track).found
        began = time.monotonic()
        windows = [features[track.id].astype(np.float64) for track in material.learnt]
        means = np.stack([each.mean(axis=0) for each in windows])
        view = _View.of(means, material.labels, listening.tags_of(models))
        points = view.points(means, material.learnt, material.labels)
        rotation = np.linalg.svd(points.pooled, full_matrices=False)[2]
        points = replace(points, pooled=points.pooled @ rotation.T)
        if folds := folds_of(points):
            far, limit = far_from_training([each[:, : -len(view.level)] for each in windows], folds)
            points = replace(points, rivals=np.column_stack([points.rivals, far]))
            network.head.limit.data.fill_(limit)
        penalties, heard = self._chosen(points, view.prior.sum(axis=1) > 0, folds)
        head = fit(points, penalties)
        _fill(network, head, rotation, view)
        row = _row(points, head, began)
        watch.on_epoch(row)
        folder.write_history([row])
        return self._learnt(network, models, row, penalties=penalties, heard=heard)

    def _chosen(
        self, points: Points, tagged: npt.NDArray[np.bool_], folds: Sequence[Fold]
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
                judged = [left_out(points, folds, each) for each in tried]
                best = min(range(len(tried)), key=lambda place: loss(judged[place].logits, judged[place].genre))
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


def _fill(network: Listener, head: Head, rotation: Floats, view: _View) -> None:
    """Give the network's head its numbers."""
    values = vars(view) | {
        "scale": np.array(head.scale), "weights": (rotation.T @ head.weights).T, "bias": head.bias
    }  # fmt: skip
    with torch.no_grad():
        for name, value in values.items():
            if not np.size(value):  # there are no rivals
                continue
            getattr(network.head, name).copy_(torch.from_numpy(np.asarray(value)))


def _row(points: Points, head: Head, began: float) -> Epoch:
    logits = logits_of(points, head)
    seconds = time.monotonic() - began
    error = float((logits.argmax(axis=1) != points.genre).mean())
    return Epoch(1, 1, 0.0, loss(logits, points.genre), error, None, None, seconds, len(logits) / max(seconds, 1e-9))
