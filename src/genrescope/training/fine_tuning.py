"""Fine-tuning: a published network learns genres itself, with a linear head, from random windows of the tracks.

It is the loop of `train` on waves: an epoch shows one random window of every track.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from genrescope import workers
from genrescope.errors import DataError
from genrescope.features.front_end import make, stored
from genrescope.features.windows import chunks
from genrescope.inference.scorer import Scorer, joined
from genrescope.memory import keep_freed_memory
from genrescope.models.published import Published, described, transformer_layers
from genrescope.training import loop
from genrescope.training.batches import generator_for
from genrescope.training.published import learnt, network_section
from genrescope.training.recipe_sections import TuningSection
from genrescope.training.recipe_transfer import TuningRecipe
from genrescope.training.validation import loss_and_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from genrescope.models.published import Body, PublishedSpec
    from genrescope.store.waves import StoredWave
    from genrescope.training.job import Job, Material
    from genrescope.training.learner import Learnt
    from genrescope.training.progress import Watch
    from genrescope.training.run_folder import RunFolder

_PLACES = 1 << 32  # what the numbers of an epoch's order and places are counted from


def recipe_of(
    body: Body,
    *,
    layer: str,
    epochs: int | None = None,
    rate: float | None = None,
    batch: int | None = None,
    freeze: int = 0,
) -> TuningRecipe:
    """Return the recipe of a fine-tuning.

    Args:
        layer: what the head takes: a layer's number, or `mean` of all.
        epochs: times that a window of every track is shown; None takes `TuningRecipe`'s, and so below.
        freeze: how many of the lowest layers stay as they are.

    Raises:
        DataError: a number is out of range.
    """
    default = TuningRecipe.defaults()
    peak = rate if rate is not None else default["schedule"]["max_rate"]
    if not 0 < peak < math.inf:
        raise DataError(f"--rate {peak:g}; accepted are positive numbers, such as 3e-5")
    for option, given in (("--epochs", epochs), ("--batch", batch)):
        if given is not None and given < 1:
            raise DataError(f"{option} {given}; accepted are whole numbers from 1")
    freeze = check_freeze(body, freeze)
    ends = {"max_rate": peak, "base_rate": min(peak, default["schedule"]["base_rate"])}
    steps = {name: value for name, value in (("epochs", epochs), ("batch_size", batch)) if value is not None}
    frozen = f", its lowest {freeze} layers and what stands before them frozen" if freeze else ""
    spec = body.spec
    return TuningRecipe.model_validate(
        {
            "name": f"{spec.name.rpartition('/')[2]} fine-tuned",
            "intent": f"A linear head on {described(spec, layer)}, which learns with it{frozen}.",
            "network": network_section(spec, layer),
            "tuning": TuningSection(freeze=freeze),
            "schedule": default["schedule"] | ends,
            "training": default["training"] | steps,
        }
    )


def check_freeze(body: Body, freeze: int) -> int:
    """Return how many layers are frozen.

    Raises:
        DataError: the network has not so many.
    """
    most = len(transformer_layers(body))
    if not 0 <= freeze <= most:
        kind = "stages of its Swin transformer" if body.spec.kind == "clap" else "layers"
        raise DataError(f"--freeze {freeze}; {body.spec.name} has {most} {kind}, so accepted are 0 to {most}")
    return freeze


class Tunable(Published):
    """A copy of a published network with a linear head, parts of it frozen.

    Frozen are the convolutions that a `wave` network begins with, the lowest layers as asked, and with the first of
    them all that stands before it. Frozen parts are not trained and use no dropout. Batch norm keeps its
    published statistics, and the masks and skipped layers of self-supervised learning are switched
    off: the rest, with dropout, trains as its configuration says.

    Args:
        layer: the layer that the head takes, or `mean` of all.
        freeze: how many of the lowest layers stay as they are.
    """

    def __init__(self, body: Body, genres: int, *, layer: str, freeze: int) -> None:
        own = copy.deepcopy(body)
        config: Any = own.network.config
        for name, off in (("apply_spec_augment", False), ("layerdrop", 0.0)):
            if hasattr(config, name):
                setattr(config, name, off)
        super().__init__(own, nn.Linear(body.spec.width, genres), layer=layer)
        self._still = _frozen(own, freeze)
        for part in self._still:
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> Tunable:
        """Switch between training and inference; frozen parts and batch norm stay in inference mode."""
        super().train(mode)
        norms = [part for part in self.body.modules() if isinstance(part, nn.BatchNorm2d)]
        for part in (*self._still, *norms):
            part.train(False)
        return self


def _frozen(body: Body, freeze: int) -> list[nn.Module]:
    """Return the parts that stay as they are."""
    network: Any = body.network
    layers = list(transformer_layers(body)[:freeze])
    if body.spec.kind == "wave":
        always = [network.feature_extractor]
        before = [network.feature_projection, network.encoder.pos_conv_embed]
        if not getattr(network.config, "do_stable_layer_norm", False):  # else its norm stands after the layers
            before.append(network.encoder.layer_norm)
    elif body.spec.kind == "ast":
        always, before = [], [network.embeddings]
    else:
        always, before = [], [network.audio_encoder.batch_norm, network.audio_encoder.patch_embed]
    return [*always, *(before if freeze else []), *layers]


@dataclass(frozen=True)
class TuningLearner:
    """Fine-tunes a copy of a published network.

    Attributes:
        body: where it begins; it is not changed.
        waves: of each track, at the network's rate.
    """

    recipe: TuningRecipe
    body: Body
    waves: Mapping[str, StoredWave]

    def check(self, job: Job, material: Material) -> None:
        """Refuse tracks that have not just one genre; the recipe was checked when it was made."""
        material.refuse_several("fine-tuning")
        material.refuse_negatives("fine-tuning")

    def learn(self, job: Job, material: Material, folder: RunFolder, watch: Watch) -> Learnt:
        """Go through all epochs that are left."""
        keep_freed_memory()
        layer, section = self.recipe.network.layer, self.recipe.tuning
        torch.manual_seed(job.seed)  # for the head
        network = Tunable(self.body, len(material.labels), layer=layer, freeze=section.freeze)
        course = loop.Course.of(network, self.recipe, seed=job.seed, device=job.device, clip=section.clip)
        batches = _WaveBatches(self, material, seed=job.seed, device=course.device)
        validation = _WaveValidation(self, material)
        history = loop.run(folder, course, batches, validation, watch)
        found = learnt(network, layer, {"head": "linear"}, history, len(material.learnt), changed=True)
        stepped = course.state.optimizer.state  # weights that had a gradient: not all that may learn take part
        found.facts["parameters_learnt"] = sum(weight.numel() for weight in stepped)
        return found


class _WaveBatches:
    """The training windows, batch by batch: one of every track in an epoch, anywhere in it.

    Everything random is drawn from the seed and the epoch's number.
    """

    def __init__(self, learner: TuningLearner, material: Material, *, seed: int, device: torch.device) -> None:
        self._spec, self._seed, self._device = learner.body.spec, seed, device
        self._front_end = make(self._spec.spec)
        self._size, self._genres = learner.recipe.training.batch_size, len(material.labels)
        self._waves = [learner.waves[track.id] for track in material.learnt]
        self._targets = torch.tensor([material.labels.index(track.genre) for track in material.learnt])

    def __len__(self) -> int:
        return math.ceil(len(self._waves) / self._size)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield windows, float32 (batch, 1, features, frames), and the probability of each genre, (batch, genres)."""
        generator = generator_for(self._seed, _PLACES + number)
        order = torch.randperm(len(self._waves), generator=generator)
        shares = torch.rand(len(self._waves), generator=generator, dtype=torch.float64).tolist()
        made = (self._cut(chosen, shares) for chosen in chunks(order, self._size))
        for chosen, windows in zip(chunks(order, self._size), workers.ahead(made), strict=True):
            target = F.one_hot(self._targets[chosen], self._genres).float()
            yield windows.to(self._device), target.to(self._device)

    def _cut(self, chosen: Tensor, shares: list[float]) -> Tensor:
        length = self._spec.spec.samples(self._spec.frames)
        picked = [(self._waves[number], shares[number]) for number in chosen.tolist()]
        waves = [wave.cut(int(share * (max(0, wave.samples - length) + 1)), length) for wave, share in picked]
        frames = self._front_end.forward(torch.from_numpy(np.stack(waves)))
        return frames[:, : self._spec.frames].transpose(1, 2).unsqueeze(1)


class _WaveValidation:
    """Scores the network on the validation tracks, which decide nothing."""

    def __init__(self, learner: TuningLearner, material: Material) -> None:
        self._spec: PublishedSpec = learner.body.spec
        self._waves, self._material = learner.waves, material
        self._front_end, self._verdict = make(self._spec.spec), learner.recipe.evaluation.verdict

    def __call__(self, network: nn.Module) -> tuple[float | None, float | None]:
        """Return loss and error, or None twice where there are no tracks."""
        tracks = self._material.held_out
        if not tracks:
            return None, None
        scorer = Scorer(network, front_end=self._spec.spec, windows=self._spec.windows)
        scored = [scorer.track(stored([self._waves[track.id].whole()], self._front_end)) for track in tracks]
        scores, placed = joined(scored)
        return loss_and_error(scores, placed, tracks, self._material.labels, verdict=self._verdict)
