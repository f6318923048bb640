"""The probe: an SVM on the embeddings of a pre-trained network, whose weights are frozen.

Fitted as the pooled statistics' SVM is, so its confidence is calibrated on held-out artists.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch

from genrescope.errors import DataError, nearest
from genrescope.models.published import Published, described
from genrescope.models.svm import OneVsRestSVM
from genrescope.training.progress import Epoch
from genrescope.training.published import learnt, network_section
from genrescope.training.recipe_sections import ClassifierSection, ProbeSection
from genrescope.training.recipe_transfer import ProbeRecipe
from genrescope.training.svm import fit_points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genrescope.models.published import Body, PublishedSpec
    from genrescope.store.embeddings import Embeddings
    from genrescope.training.job import Job, Material
    from genrescope.training.learner import Learnt
    from genrescope.training.progress import Watch
    from genrescope.training.run_folder import RunFolder

KERNELS = get_args(ProbeSection.model_fields["kernel"].annotation)
"""The kernels of the SVM."""

COSTS = {"linear": 0.01, "rbf": 10.0}
"""C of each kernel where none is given; hundreds of standardised features want a low one."""


def recipe_of(spec: PublishedSpec, *, layer: str, kernel: str = "linear", c: float | None = None) -> ProbeRecipe:
    """Return the recipe of a probe on a layer of a network.

    Args:
        c: the SVM's C, the cost of an error; None takes that of the kernel.

    Raises:
        DataError: there is no such kernel, or C is not positive.
    """
    if kernel not in KERNELS:
        raise DataError(f'no kernel called "{kernel}"; {nearest(kernel, KERNELS)}')
    if c is not None and not 0 < c < float("inf"):
        raise DataError(f"--c {c:g}; accepted are positive numbers")
    return ProbeRecipe(
        name=f"{spec.name.rpartition('/')[2]} + {kernel}",
        intent=f"A {kernel} probe on {described(spec, layer)}, which learns nothing more.",
        network=network_section(spec, layer),
        probe=ProbeSection.model_validate({"kernel": kernel, "c": c or COSTS[kernel]}),
    )


@dataclass(frozen=True)
class ProbeLearner:
    """Fits a probe.

    Attributes:
        embeddings: of each track, of shape (windows, width).
    """

    recipe: ProbeRecipe
    body: Body
    embeddings: Mapping[str, Embeddings]

    def check(self, job: Job, material: Material) -> None:
        """Refuse tracks that have not just one genre; any embeddings will do."""
        material.refuse_several("a probe")
        material.refuse_negatives("a probe")

    def learn(self, job: Job, material: Material, folder: RunFolder, watch: Watch) -> Learnt:
        """Fit the SVM; nothing is drawn."""
        began = time.monotonic()
        svm = self._fit(material, watch)
        seconds, windows = time.monotonic() - began, sum(len(self.embeddings[t.id]) for t in material.learnt)
        loss, error = self._score(svm, material)
        row = Epoch(1, 1, 0.0, loss, error, None, None, seconds, windows / max(seconds, 1e-9))
        watch.on_epoch(row)
        options = {"head": "svm", "vectors": len(svm.vectors), "kernel": svm.kernel}
        network = Published(self.body, svm, layer=self.recipe.network.layer)
        return learnt(network, self.recipe.network.layer, options, [row], windows, changed=False)

    def _fit(self, material: Material, watch: Watch) -> OneVsRestSVM:
        parts = [self.embeddings[track.id] for track in material.learnt]
        owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        genre = np.array([material.labels.index(track.genre) for track in material.learnt])[owners]
        artist = np.array([track.group or f"track {track.id}" for track in material.learnt])[owners]
        points = np.concatenate(parts).astype(np.float64)
        section = ClassifierSection(**self.recipe.probe.model_dump())
        return fit_points(
            points, genre, artist, section, genres=len(material.labels),
            make=partial(OneVsRestSVM, features=points.shape[1]), watch=watch,
        )  # fmt: skip

    @torch.inference_mode()
    def _score(self, svm: OneVsRestSVM, material: Material) -> tuple[float, float]:
        """Return loss and error on the training windows."""
        logits = svm(torch.from_numpy(np.concatenate([self.embeddings[track.id] for track in material.learnt])))
        sizes = torch.tensor([len(self.embeddings[track.id]) for track in material.learnt])
        truth = torch.tensor([material.labels.index(track.genre) for track in material.learnt])
        truth = truth.repeat_interleave(sizes)
        loss = torch.nn.functional.cross_entropy(logits, truth)
        return float(loss), float((logits.argmax(dim=1) != truth).float().mean())
