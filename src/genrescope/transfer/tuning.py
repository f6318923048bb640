"""Fine-tuning: a published network learns genres from random windows of the training tracks, and scores others.

```
RUN/history.csv         a row per epoch
RUN/checkpoint/         all that the next epoch depends on; gone once the training has ended
RUN/tuned.safetensors   network and head: arrays and a JSON header
```

It is the loop of `train` on waves: an epoch shows one random window of every track.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from genrescope import modelfile, workers
from genrescope.errors import DataError
from genrescope.features import windows
from genrescope.inference import scorer
from genrescope.training import loop, setup
from genrescope.training.batches import generator_for
from genrescope.training.memory import keep_freed_memory
from genrescope.training.recipe_sections import TuningSection
from genrescope.training.recipe_transfer import TuningRecipe
from genrescope.transfer import tuned
from genrescope.transfer.learner import Answer, described, network_section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from genrescope.store.store import StoredTrack
    from genrescope.training.checkpoints import TrainingState
    from genrescope.training.loop import Step
    from genrescope.training.run_folder import Epoch, RunFolder
    from genrescope.transfer.learner import Material
    from genrescope.transfer.network import Network
    from genrescope.transfer.waves import StoredWave

_PLACES = 1 << 32  # what the numbers of an epoch's order and places are counted from


def recipe_of(
    network: Network,
    *,
    layer: str,
    epochs: int | None = None,
    rate: float | None = None,
    batch: int | None = None,
    freeze: int = 0,
) -> TuningRecipe:
    """Return the recipe of a fine-tuning.

    Args:
        network: what learns.
        layer: what the head takes: a layer's number, or `mean` of all.
        epochs: times that a window of every track is shown; None takes `TuningRecipe`'s, and so below.
        rate: highest learning rate.
        batch: windows in a step.
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
    freeze = tuned.check_freeze(network, freeze)
    ends = {"max_rate": peak, "base_rate": min(peak, default["schedule"]["base_rate"])}
    steps = {"epochs": epochs, "batch_size": batch}
    told = f", its lowest {freeze} layers and what stands before them frozen" if freeze else ""
    return TuningRecipe.model_validate(
        {
            "name": f"{network.name.rpartition('/')[2]} fine-tuned",
            "intent": f"A linear head on {described(network, layer)}, which learns with it{told}.",
            "network": network_section(network, layer),
            "tuning": TuningSection(freeze=freeze),
            "schedule": default["schedule"] | ends,
            "training": default["training"] | {name: its for name, its in steps.items() if its is not None},
        }
    )


@dataclass(frozen=True)
class TuningLearner:
    """Fine-tunes a copy of a published network, and scores by it.

    Attributes:
        recipe: how.
        network: where it begins; it is not changed.
        waves: of each track.
        on_step: called after every step.
        on_epoch: called after every epoch.
        on_scored: called while tracks are scored, with the windows done and those in all.
    """

    recipe: TuningRecipe
    network: Network
    waves: Mapping[str, StoredWave]
    on_step: Callable[[Step], None] = lambda _: None
    on_epoch: Callable[[Epoch], None] = lambda _: None
    on_scored: Callable[[int, int], None] = lambda done, total: None

    def learn(self, folder: RunFolder, material: Material) -> dict[str, Any]:
        """Go through all epochs that are left and leave the network in a run folder; return what the run tells of it.

        The same seed gives the same network, bit for bit on a CPU with the same number of threads, also when the run
        was interrupted and resumed.

        Raises:
            TrainingError: the loss is no longer finite.
            OutputError: the disk is full, say; the last checkpoint is kept.
        """
        keep_freed_memory()
        state, history = self._trained(folder, material)
        model = state.result()
        tuned.save(folder.path, model, material.labels, self.recipe.model_dump())
        return {
            "windows": len(material.learnt),
            "epochs": len(history),
            "seconds": round(sum(row.seconds for row in history), 1),
            "parameters": sum(its.numel() for its in model.parameters()),
            "parameters_learnt": sum(its.numel() for its in state.optimizer.state),  # all that had a gradient
        }

    def judge(self, run: Path, tracks: Sequence[StoredTrack]) -> Answer:
        """Score tracks by the network of a run folder."""
        found = tuned.load(run, self.network)
        scores, placed = tuned.score(found.model, self.network, self.waves, tracks, on_batch=self.on_scored)
        return Answer(
            scores=scores, placed=placed, labels=found.labels, recipe=found.recipe, file=modelfile.TUNED_NAME,
            architecture=f"{self.network.model_type}, fine-tuned, with a linear head",
            parameters=sum(its.numel() for its in found.model.parameters()),
        )  # fmt: skip

    def _trained(self, folder: RunFolder, material: Material) -> tuple[TrainingState, list[Epoch]]:
        recipe, its = self.recipe, self.recipe.tuning
        torch.manual_seed(material.seed)  # for the head
        model = tuned.Tunable(self.network, len(material.labels), layer=recipe.network.layer, freeze=its.freeze)
        state, fabric, wrapped, optimizer = setup.on_device(model, recipe, self.network.device)
        history: list[Epoch] = folder.load_checkpoint(state)
        shown = WaveBatches(self.network, self.waves, material, size=recipe.training.batch_size)
        for number in range(len(history) + 1, recipe.training.epochs + 1):
            began = time.monotonic()
            last = loop.run_epoch(
                number, fabric=fabric, model=wrapped, optimizer=optimizer, state=state, batches=shown, recipe=recipe,
                seed=material.seed, on_step=self.on_step, clip=its.clip,
            )  # fmt: skip
            row = loop.row_of(number, last, self._validated(model, material), seconds=time.monotonic() - began)
            history.append(row)
            folder.save_checkpoint(state, history)
            folder.write_history(history)
            self.on_epoch(row)
        return state, history

    def _validated(self, model: nn.Module, material: Material) -> tuple[float | None, float | None]:
        """Return loss and error on the validation tracks, which decide nothing; None twice where there are none."""
        if not material.held_out:
            return None, None
        scores, placed = tuned.score(model, self.network, self.waves, material.held_out)
        verdict = self.recipe.evaluation.verdict
        return scorer.loss_and_error_of(scores, placed, material.held_out, material.labels, verdict=verdict)


class WaveBatches:
    """The training windows, batch by batch: one of every track in an epoch, anywhere in it.

    Everything random is drawn from the seed and the epoch's number.

    Args:
        network: what makes its input of waves.
        waves: of each track.
        material: what is shown.
        size: windows in a batch; the last may have fewer.
    """

    def __init__(self, network: Network, waves: Mapping[str, StoredWave], material: Material, *, size: int) -> None:
        self._network, self._size, self._seed, self._genres = network, size, material.seed, len(material.labels)
        self._waves = [waves[track.id] for track in material.learnt]
        self._targets = torch.tensor([material.labels.index(track.genre) for track in material.learnt])

    def __len__(self) -> int:
        return math.ceil(len(self._waves) / self._size)

    def epoch(self, number: int) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        """Yield the batches of an epoch, counted from 1.

        Yields:
            What the network takes, and the probability of each genre, float32 (batch, genres).
        """
        generator = generator_for(self._seed, _PLACES + number)
        order = torch.randperm(len(self._waves), generator=generator)
        shares = torch.rand(len(self._waves), generator=generator, dtype=torch.float64).tolist()
        made = (self._network.inputs(self._cut(chosen, shares)) for chosen in windows.chunks(order, self._size))
        for chosen, inputs in zip(windows.chunks(order, self._size), workers.ahead(made), strict=True):
            yield inputs, F.one_hot(self._targets[chosen], self._genres).float().to(self._network.device)

    def _cut(self, chosen: Tensor, shares: Sequence[float]) -> list[Any]:
        length = self._network.window
        picked = [(self._waves[number], shares[number]) for number in chosen.tolist()]
        return [wave.cut(int(share * (max(0, wave.samples - length) + 1)), length) for wave, share in picked]
