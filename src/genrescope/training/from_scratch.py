"""Training a network from scratch on log-mels, in an ensemble with an SVM where the recipe has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from genrescope.features.windows import FrameBank
from genrescope.memory import keep_freed_memory
from genrescope.models import registry
from genrescope.models.ensemble import NetworkAndSVM
from genrescope.models.inputs import Normalise
from genrescope.training import loop, pooled_svm
from genrescope.training.batches import Batches
from genrescope.training.learner import Learnt
from genrescope.training.ranks import Ranks
from genrescope.training.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import Tensor, nn

    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.job import Job, Material
    from genrescope.training.progress import Watch
    from genrescope.training.recipe import Recipe
    from genrescope.training.run_folder import RunFolder


@dataclass(frozen=True)
class NetworkLearner:
    """Trains a network of the registry."""

    recipe: Recipe

    def check(self, job: Job, material: Material) -> None:
        """Refuse a network that does not exist or cannot take the windows, and tracks that it cannot learn from."""
        recipe = self.recipe
        if recipe.kind == "ensemble":
            material.refuse_several(f"the recipe {recipe.name}")
        if not material.multi_label:
            material.refuse_negatives(f"the recipe {recipe.name}")
        registry.refuse_windows(
            recipe.model.name, recipe.model.options, features=job.store.spec.width, frames=recipe.windows.frames
        )

    def learn(self, job: Job, material: Material, folder: RunFolder, watch: Watch) -> Learnt:
        """Go through all epochs that are left, then fit the SVM, if any."""
        recipe, store = self.recipe, job.store
        keep_freed_memory()
        torch.manual_seed(job.seed)
        network = registry.create(recipe.model.name, len(material.labels), **recipe.model.options)
        measure_inputs(network, lambda: _whole_tracks(store, material.learnt))
        exclusive = not material.multi_label
        ranks = Ranks.here()
        course = loop.Course.of(network, recipe, seed=job.seed, device=job.device, exclusive=exclusive, ranks=ranks)
        bank = FrameBank(store.frames, silence=store.spec.silence, device=course.device, padding=recipe.windows.padding)
        batches = Batches(store, bank, material.learnt, material.labels, recipe=recipe, seed=job.seed)
        validation = Validation(
            bank, material.held_out, material.labels, front_end=store.spec, windows=recipe.trained_windows,
            verdict=recipe.evaluation.verdict, exclusive=exclusive,
        )  # fmt: skip
        history = loop.run(folder, course, batches, validation, watch)
        network, name, options = course.state.judged, recipe.model.name, recipe.model.options
        if recipe.kind == "ensemble" and ranks.first:
            network, name, options = self._joined(network, job, material, watch)
        return Learnt(
            network, name, options, front_end=store.spec, windows=recipe.scored_windows, history=history,
            windows_learnt=batches.windows, exclusive=exclusive,
            thresholds={} if exclusive else validation.thresholds(network),
        )  # fmt: skip

    def _joined(
        self, network: nn.Module, job: Job, material: Material, watch: Watch
    ) -> tuple[nn.Module, str, dict[str, Any]]:
        """Fit the SVM; return it and the network as an ensemble, its name, and its options."""
        recipe, section = self.recipe, self.recipe.classifier
        machine = pooled_svm.fit(pooled_svm.bank_of(job.store, recipe), job, material, recipe, watch)
        joined = NetworkAndSVM(network.cpu(), machine, frames=recipe.windows.frames, share=section.share)
        options = {
            "network": recipe.model.name, "dropout": recipe.model.dropout, "frames": recipe.windows.frames,
            "vectors": len(machine.vectors), "kernel": section.kernel, "share": section.share,
        }  # fmt: skip
        return joined, "network-and-svm", options


def measure_inputs(network: nn.Module, pieces: Callable[[], Iterable[Tensor]]) -> None:
    """Let a network that normalises its input measure what is normal in log-mels of shape (frames, n_mels)."""
    for module in network.modules():
        if isinstance(module, Normalise):
            module.measure(pieces())


def _whole_tracks(store: Store, tracks: Sequence[StoredTrack]) -> Iterator[Tensor]:
    for track in tracks:
        yield torch.from_numpy(store.frames[track.first_frame : track.first_frame + track.frames])
