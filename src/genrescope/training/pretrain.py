"""The loop of learning before labels: a recipe goes in, a run folder with a trunk comes out.

It is the loop of `train` with another question and no validation: nothing here is a score of genres.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch

from genrescope.data import splits
from genrescope.errors import DataError, RecipeError
from genrescope.features.spec import LogMelSpec, Spec
from genrescope.files import fingerprint
from genrescope.models import trunk
from genrescope.training import setup
from genrescope.training import trunk as trunks
from genrescope.training.batches import epoch_seed
from genrescope.training.devices import choose_device
from genrescope.training.memory import keep_freed_memory
from genrescope.training.run import RunFolder, about_store
from genrescope.training.schedule import rate_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lightning_fabric import Fabric
    from torch import Tensor, nn

    from genrescope.data.splits import Split
    from genrescope.data.store import Store, StoredTrack
    from genrescope.training.recipe import Recipe
    from genrescope.training.state import TrainingState


@dataclass(frozen=True)
class PretrainEpoch:
    """A row of the `history.csv` of a pre-training; what a task does not ask is None.

    Attributes:
        epoch: counted from 1.
        step: steps so far.
        rate: learning rate of the epoch's last step.
        loss: mean loss of the epoch's windows, as they were met, with dropout.
        style: share of windows whose style was told right; so `metre`, `tempo` (its bin), `tonic` and `scale`.
        metre: see `style`.
        tempo: see `style`.
        tonic: see `style`.
        scale: see `style`.
        instruments: F1 of the instruments that are heard, all windows together.
        partner: share of windows that were more like the other window of their track than like any other.
        seconds: how long the epoch took, checkpoint excluded.
        windows_per_second: windows per second of training.
    """

    epoch: int
    step: int
    rate: float
    loss: float
    style: float | None
    metre: float | None
    tempo: float | None
    tonic: float | None
    scale: float | None
    instruments: float | None
    partner: float | None
    seconds: float
    windows_per_second: float

    @property
    def scores(self) -> dict[str, float]:
        """What the task asks, and how well it was answered."""
        return {name: value for name in SCORES if (value := getattr(self, name)) is not None}


SCORES = ("style", "metre", "tempo", "tonic", "scale", "instruments", "partner")


@dataclass(frozen=True)
class PretrainStep:
    """Where the pre-training stands, told after every step.

    Attributes:
        epoch: counted from 1.
        step: steps so far, of `steps` in all.
        steps: steps in the whole training.
        loss: mean loss of the epoch so far.
        rate: the step's learning rate.
        windows_per_second: over the epoch so far.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    rate: float
    windows_per_second: float


class Task(Protocol):
    """What is learnt: batches, a head for them, its loss, and how well it does."""

    @property
    def steps(self) -> int:
        """Steps in an epoch."""

    def head(self, width: int) -> nn.Module:
        """Return a fresh head."""

    def normal(self) -> Iterator[Tensor]:
        """Yield log-mels (frames, n_mels) whose mean is normal."""

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch."""

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return a batch's loss."""

    def score(self, outputs: Tensor, target: Tensor) -> dict[str, tuple[int, int]]:
        """Return for each question two numbers whose quotient is its score."""

    def close(self) -> None:
        """End what was begun."""


def pretrain(
    recipe: Recipe,
    out: str | Path,
    *,
    store: Store | None = None,
    split: Split | None = None,
    parts: Sequence[str] = ("train",),
    seed: int = 0,
    device: str = "auto",
    jobs: int | None = None,
    resume: bool = False,
    on_step: Callable[[PretrainStep], None] = lambda _: None,
    on_epoch: Callable[[PretrainEpoch], None] = lambda _: None,
) -> Path:
    """Teach a network to hear, and leave a run folder that `train` can begin from.

    The same seed gives the same trunk, bit for bit on a CPU with the same number of threads, also when the run was
    interrupted and resumed, and whatever the number of `jobs`.

    Args:
        recipe: one with a `pretrain.task`.
        out: the run folder.
        store: the log-mels, for the task `contrastive`.
        split: part by track; None takes all tracks of the store.
        parts: the parts of the split to learn from.
        seed: of weights, music, windows and dropout.
        device: `auto`, `cpu`, `cuda` or `mps`.
        jobs: processes that render music; None takes one for each core.
        resume: go on with the run in `out`, or begin it there if there is none.
        on_step: called after every step.
        on_epoch: called after every epoch.

    Returns:
        The run folder.

    Raises:
        RecipeError: the recipe learns genres, or its network has no trunk.
        DataError: a store is missing or not wanted, none of its tracks is to be learnt, or `out` holds another run.
        TrainingError: the loss is no longer finite, or the pieces are too short.
    """
    setup.refuse_task(recipe, pretrain=True)
    device = choose_device(device)
    keep_freed_memory()
    spec = store.spec if store is not None else LogMelSpec()
    learnt, facts = _material(recipe, store, split, parts)
    with contextlib.closing(_task(recipe, spec, store, learnt, seed=seed, device=device, jobs=jobs)) as task:
        _refuse_network(recipe, spec, task)  # before anything is written
        decides = [recipe.deciding, seed, facts["parts"], facts["split"], facts["data_fingerprint"]]
        folder = RunFolder(Path(out), fingerprint(decides), PretrainEpoch)
        if not folder.goes_on(resume=resume):
            folder.open(recipe, seed=seed, device=device, facts=facts)
            if store is not None and split is not None:
                splits.write(replace(split, data=store.fingerprint), folder.path / "split.csv")
        if not folder.finished:
            _learn(folder, recipe, spec, task, seed=seed, device=device, on_step=on_step, on_epoch=on_epoch)
    return folder.path


def _learn(
    folder: RunFolder,
    recipe: Recipe,
    spec: Spec,
    task: Task,
    *,
    seed: int,
    device: str,
    on_step: Callable[[PretrainStep], None],
    on_epoch: Callable[[PretrainEpoch], None],
) -> None:
    """Go through all epochs that are left, and write the trunk."""
    torch.manual_seed(seed)
    model = trunk.with_head(recipe.model.name, task.head, **recipe.model.options)
    begun = folder.has_checkpoint
    if not begun:  # a checkpoint has it
        setup.measure_inputs(model, task.normal)
    state, fabric, wrapped, optimizer = setup.on_device(model, recipe, device)
    history: list[PretrainEpoch] = folder.load_checkpoint(state)
    for number in range(len(history) + 1, recipe.training.epochs + 1):
        row = _epoch(
            number, fabric=fabric, model=wrapped, optimizer=optimizer, state=state, task=task, recipe=recipe,
            seed=seed, on_step=on_step,
        )  # fmt: skip
        history.append(row)
        folder.save_checkpoint(state, history)
        folder.write_history(history)
        on_epoch(row)
    digest = trunks.write(folder.path, state.result(), recipe, spec)
    seconds = round(sum(row.seconds for row in history), 1)
    folder.note({"status": "finished", "digest": digest, "epochs": len(history), "seconds": seconds})
    folder.remove_checkpoint()


def _epoch(
    number: int,
    *,
    fabric: Fabric,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainingState,
    task: Task,
    recipe: Recipe,
    seed: int,
    on_step: Callable[[PretrainStep], None],
) -> PretrainEpoch:
    """Show the network an epoch's windows; return its row of the history."""
    epochs, step, seen, total = recipe.training.epochs, (number - 1) * task.steps, 0, 0.0
    above: Counter[str] = Counter()
    below: Counter[str] = Counter()
    began = time.monotonic()
    torch.manual_seed(epoch_seed(seed, number))  # for dropout
    model.train()
    for images, target in task.epoch(number):
        rate = rate_at(step, recipe.schedule, steps_per_epoch=task.steps, epochs=epochs)
        for group in optimizer.param_groups:
            group["lr"] = rate
        outputs = model(images).float()
        loss = task.loss(outputs, target)
        fabric.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        state.after_step()

        step += 1
        seen += len(images)
        total += setup.finite(loss, number, step, rate) * len(images)
        for name, (part, whole) in task.score(outputs.detach(), target).items():
            above[name] += part
            below[name] += whole
        speed = seen / (time.monotonic() - began)
        on_step(PretrainStep(number, step, task.steps * epochs, total / seen, rate, speed))
    scores = {name: above[name] / below[name] if below[name] else None for name in SCORES}
    seconds = time.monotonic() - began
    return PretrainEpoch(
        epoch=number, step=step, rate=rate, loss=total / seen, seconds=seconds, windows_per_second=speed, **scores
    )


def _material(
    recipe: Recipe, store: Store | None, split: Split | None, parts: Sequence[str]
) -> tuple[list[StoredTrack], dict[str, object]]:
    """Return the tracks to learn from, and what the run notes of them."""
    if recipe.pretrain.task == "synth":
        if store is not None or split is not None:
            raise DataError(
                f"recipe {recipe.name} learns from synthesised music alone; leave out the store and its split"
            )
        return [], {"parts": [], "split": None, "store": None, "data": "synthesised music", "data_fingerprint": None}
    if store is None:
        raise DataError(f"recipe {recipe.name} learns from a store; name it: genrescope pretrain STORE ...")
    if split is None:
        split, parts = splits.Split({track.id: "train" for track in store.tracks}, "all tracks"), ("train",)
    wanted = {track_id for part in parts for track_id in split.ids(part)}
    learnt = [track for track in store.tracks if track.id in wanted]
    return learnt, about_store(store, split, sorted(parts))


def _task(
    recipe: Recipe,
    spec: Spec,
    store: Store | None,
    learnt: Sequence[StoredTrack],
    *,
    seed: int,
    device: str,
    jobs: int | None,
) -> Task:
    if recipe.pretrain.task == "synth":
        from genrescope.training.pretrain_synth import SynthTask

        return SynthTask(recipe, spec, seed=seed, device=torch.device(device), jobs=jobs)
    from genrescope.training.pretrain_contrastive import ContrastiveTask

    assert store is not None
    return ContrastiveTask(recipe, store, learnt, seed=seed, device=torch.device(device))


def _refuse_network(recipe: Recipe, spec: Spec, task: Task) -> None:
    """Refuse a network that has no trunk or cannot take the windows."""
    with torch.device("meta"):
        model = trunk.with_head(recipe.model.name, task.head, **recipe.model.options).eval()
        try:
            model(torch.zeros(1, 1, spec.width, recipe.windows.frames))
        except (RuntimeError, ValueError) as error:
            raise RecipeError(
                f'model "{recipe.model.name}" does not take windows of {recipe.windows.frames} frames: {error}. '
                "Choose another length with --set windows.frames=..."
            ) from error
