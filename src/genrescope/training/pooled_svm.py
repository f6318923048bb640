"""Fitting an SVM to the pooled statistics of log-mels: no epochs, and the same run folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope.features.windows import FrameBank, place
from genrescope.models import registry
from genrescope.models.pooled import PooledStatistics, PooledSVM
from genrescope.training.augment import Augment
from genrescope.training.batches import generator_for
from genrescope.training.learner import Learnt
from genrescope.training.progress import Epoch, Stage
from genrescope.training.recipe_sections import ON_POWER
from genrescope.training.svm import fit_points
from genrescope.training.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from genrescope.features.windows import Windows
    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.job import Job, Material
    from genrescope.training.progress import Watch
    from genrescope.training.recipe import Recipe
    from genrescope.training.run_folder import RunFolder
    from genrescope.training.svm import Floats

_CHANGES = 1 << 34  # apart from the numbers of an epoch's


@dataclass(frozen=True)
class SVMLearner:
    """Fits the model `pooled-svm`."""

    recipe: Recipe

    def check(self, job: Job, material: Material) -> None:
        """Refuse windows that are too short for the statistics, and tracks that have not just one genre."""
        material.refuse_several(f"the recipe {self.recipe.name}")
        material.refuse_negatives(f"the recipe {self.recipe.name}")
        name, frames = self.recipe.model.name, self.recipe.classifier.frames
        registry.refuse_windows(name, {}, features=job.store.spec.width, frames=frames)

    def learn(self, job: Job, material: Material, folder: RunFolder, watch: Watch) -> Learnt:
        """Fit the SVM; its history has one row."""
        recipe, began = self.recipe, time.monotonic()
        bank = bank_of(job.store, recipe)
        model = fit(bank, job, material, recipe, watch)
        seconds = time.monotonic() - began
        (loss, error), (loss_out, error_out) = (
            Validation(
                bank, tracks, material.labels, front_end=job.store.spec, windows=recipe.scored_windows,
                verdict=recipe.evaluation.verdict,
            )(model)
            for tracks in (material.learnt, material.held_out)
        )  # fmt: skip
        shown = len(learnt_windows(material.learnt, recipe))
        row = Epoch(1, 1, 0.0, loss or 0.0, error or 0.0, loss_out, error_out, seconds, shown / seconds)
        folder.write_history([row])
        watch.on_epoch(row)
        options = {"vectors": len(model.vectors), "kernel": model.kernel}
        return Learnt(
            model, recipe.model.name, options, front_end=job.store.spec, windows=recipe.scored_windows, history=[row],
            windows_learnt=shown,
        )  # fmt: skip


def fit(bank: FrameBank, job: Job, material: Material, recipe: Recipe, watch: Watch) -> PooledSVM:
    """Fit an SVM for each genre to the windows of the tracks, and to changed copies of them.

    How confident it may be is found by SVMs that were fitted without some of the artists, on those artists.
    """
    tracks, labels = material.learnt, material.labels
    placed = learnt_windows(tracks, recipe)
    section = recipe.augment.model_copy(update={name: 0.0 for name, _ in recipe.augment if name not in ON_POWER})
    augment, generator = Augment(section, job.store.spec), generator_for(job.seed, _CHANGES)
    frames, copies = recipe.classifier.frames, 1 + recipe.classifier.copies
    parts = []
    for copy in range(copies):
        watch.on_stage(Stage("computing statistics", copy, copies))
        change = partial(_changed, augment, generator) if copy else _unchanged
        parts.append(_statistics(bank, placed, frames, change))
    points = np.concatenate(parts)
    owners = placed.tracks.numpy()
    genre = np.tile(np.array([labels.index(track.genre) for track in tracks])[owners], copies)
    artist = np.tile(np.array([track.group or f"track {track.id}" for track in tracks])[owners], copies)
    return fit_points(points, genre, artist, recipe.classifier, genres=len(labels), make=PooledSVM, watch=watch)


def bank_of(store: Store, recipe: Recipe) -> FrameBank:
    """Return a store's log-mels on the CPU, where SVMs are fitted."""
    cpu = torch.device("cpu")
    return FrameBank(store.frames, silence=store.spec.silence, device=cpu, padding=recipe.windows.padding)


def learnt_windows(tracks: Sequence[StoredTrack], recipe: Recipe) -> Windows:
    """Return the windows that the SVM is fitted to."""
    its, frames = recipe.windows, recipe.classifier.frames
    return place(tracks, "first" if its.train == "first" else "all", length=frames, hop=its.hop(frames))


def _changed(augment: Augment, generator: torch.Generator, images: Tensor) -> Tensor:
    draws = augment.draw(len(images), generator)
    return augment.apply(images, torch.zeros(len(images), 1), draws)[0]


def _unchanged(images: Tensor) -> Tensor:
    return images


@torch.inference_mode()
def _statistics(bank: FrameBank, placed: Windows, length: int, change: Callable[[Tensor], Tensor]) -> Floats:
    statistics = PooledStatistics()
    cut = bank.batches(placed.split(32), length=length)
    return np.concatenate([statistics(change(images.cpu())).numpy() for _, images in cut]).astype(np.float64)
