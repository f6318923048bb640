"""The training loop: a recipe and a store go in, a run folder comes out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F

from genrescope.devices import choose_device
from genrescope.features import windows
from genrescope.inference import scorer
from genrescope.models import registry
from genrescope.training import outcome, setup
from genrescope.training.batches import Batches, epoch_seed
from genrescope.training.memory import keep_freed_memory
from genrescope.training.recipe_sections import FITTED
from genrescope.training.run_folder import Epoch, RunFolder
from genrescope.training.schedule import rate_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lightning_fabric import Fabric
    from tensorboardX import SummaryWriter
    from torch import Tensor, nn

    from genrescope.splits import Split
    from genrescope.splits.audit import Audit
    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.checkpoints import TrainingState
    from genrescope.training.recipe import Recipe
    from genrescope.training.recipe_transfer import TuningRecipe


@dataclass(frozen=True)
class Step:
    """Where the training stands, told after every step.

    Attributes:
        epoch: counted from 1.
        step: steps so far, of `steps` in all.
        steps: steps in the whole training.
        loss: mean cross-entropy of the epoch so far.
        error: share of the epoch's windows so far that were taken for another genre.
        rate: the step's learning rate.
        windows_per_second: over the epoch so far.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    error: float
    rate: float
    windows_per_second: float


class Shown(Protocol):
    """What an epoch shows a network."""

    def __len__(self) -> int:
        """Steps in an epoch."""

    def epoch(self, number: int) -> Iterator[tuple[Any, Tensor]]:
        """Yield the batches of an epoch: what the network takes, and the probability of each genre."""


def train(
    store: Store,
    recipe: Recipe,
    split: Split,
    out: str | Path,
    *,
    parts: Sequence[str] = ("train",),
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    audit: Audit | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Path:
    """Train a network and leave a run folder.

    The same seed gives the same result, bit for bit on a CPU with the same number of threads, also when the run was
    interrupted and resumed: everything random in an epoch is drawn from the seed and the epoch's number.

    Args:
        store: the log-mels.
        recipe: what to train, and how.
        split: part by track.
        out: the run folder.
        parts: the parts to learn from. A part `validation` that is not among them is scored after every epoch; the
            part `test` is never looked at.
        seed: of weights, order and dropout.
        device: `auto`, `cpu`, `cuda` or `mps`.
        resume: go on with the run in `out`, or begin it there if there is none.
        audit: what was found on two sides of the split; it goes into `run.json`.
        on_step: called after every step.
        on_epoch: called after every epoch.

    Returns:
        The run folder.

    Raises:
        DataError: the store or split does not suit, or `out` holds another run.
        RecipeError: there is no such network, or it does not take such windows.
        TrainingError: the loss is no longer finite.
        OutputError: the disk is full, say; the last checkpoint is kept.
    """
    device = choose_device(device)
    keep_freed_memory()
    learnt, held_out, labels = setup.material(store, split, parts)
    setup.refuse_unsuitable(recipe, store, labels, held_out)  # before anything is written
    folder = RunFolder.begin(
        Path(out), store=store, recipe=recipe, split=split, parts=tuple(parts), seed=seed, resume=resume, device=device,
        audit=audit,
    )  # fmt: skip
    if folder.finished:
        return folder.path
    if recipe.model.name == FITTED:
        return outcome.fit(
            folder, recipe, store, learnt=learnt, held_out=held_out, labels=labels, seed=seed, on_epoch=on_epoch
        )

    state, batches, history = _learn(
        folder, recipe, store, learnt=learnt, held_out=held_out, labels=labels, seed=seed, device=device,
        on_step=on_step, on_epoch=on_epoch,
    )  # fmt: skip
    model, name, options = state.result(), recipe.model.name, recipe.model.options
    if recipe.classifier.kernel != "none":
        model, name, options = outcome.join(model, store, learnt, labels, recipe=recipe, seed=seed)
    return outcome.finish(
        folder, model, recipe, store, name=name, options=options,
        labels=labels, tracks=learnt, windows_learnt=batches.windows, history=history,
    )  # fmt: skip


def _learn(
    folder: RunFolder,
    recipe: Recipe,
    store: Store,
    *,
    learnt: list[StoredTrack],
    held_out: list[StoredTrack],
    labels: list[str],
    seed: int,
    device: str,
    on_step: Callable[[Step], None],
    on_epoch: Callable[[Epoch], None],
) -> tuple[TrainingState, Batches, list[Epoch]]:
    """Go through all epochs that are left; return the state, what was shown, and the history."""
    from tensorboardX import SummaryWriter

    state, fabric, wrapped, optimizer = _set_up(recipe, store, learnt, labels, seed=seed, device=device)
    history = folder.load_checkpoint(state)
    padding = recipe.windows.padding
    bank = windows.FrameBank(store.frames, silence=store.spec.silence, device=fabric.device, padding=padding)
    batches = Batches(store, bank, learnt, labels, recipe=recipe, seed=seed)
    with SummaryWriter(str(folder.path / "tensorboard"), purge_step=len(history) + 1) as board:
        for number in range(len(history) + 1, recipe.training.epochs + 1):
            if state.ended:
                break
            began = time.monotonic()
            last = run_epoch(
                number, fabric=fabric, model=wrapped, optimizer=optimizer, state=state, batches=batches,
                recipe=recipe, seed=seed, on_step=on_step,
            )  # fmt: skip
            scored = scorer.loss_and_error(state.judged, bank, held_out, labels, recipe)
            row = row_of(number, last, scored, seconds=time.monotonic() - began)
            history.append(row)
            state.after_epoch(row.validation_loss)
            folder.save_checkpoint(state, history)
            folder.write_history(history)
            _chart(board, row)
            on_epoch(row)
    return state, batches, history


def _set_up(
    recipe: Recipe,
    store: Store,
    learnt: list[StoredTrack],
    labels: list[str],
    *,
    seed: int,
    device: str,
) -> tuple[TrainingState, Fabric, nn.Module, torch.optim.Optimizer]:
    """Draw the network; return its state, and what Fabric makes of it and its optimizer."""
    torch.manual_seed(seed)
    model = registry.create(recipe.model.name, len(labels), **recipe.model.options)
    setup.measure_inputs(model, lambda: setup.whole_tracks(store, learnt))
    return setup.on_device(model, recipe, device)


def row_of(number: int, last: Step, scored: tuple[float | None, float | None], *, seconds: float) -> Epoch:
    """Return an epoch's row of the history.

    Args:
        number: of the epoch, counted from 1.
        last: where the training stood after its last step.
        scored: loss and error on the validation tracks, or None twice.
        seconds: how long it took.
    """
    loss, error = scored
    return Epoch(
        epoch=number,
        step=last.step,
        rate=last.rate,
        train_loss=last.loss,
        train_error=last.error,
        validation_loss=loss,
        validation_error=error,
        seconds=seconds,
        windows_per_second=last.windows_per_second,
    )


def run_epoch(
    number: int,
    *,
    fabric: Fabric,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainingState,
    batches: Shown,
    recipe: Recipe | TuningRecipe,
    seed: int,
    on_step: Callable[[Step], None],
    clip: float = 0.0,
) -> Step:
    """Show the network every window once; return where the training stands after the last step.

    Args:
        number: of the epoch, counted from 1.
        fabric: what the network and its optimizer were set up by.
        model: the network.
        optimizer: what changes it.
        state: the same two, as checkpoints have them.
        batches: what is shown.
        recipe: how long, and at what rates.
        seed: of dropout.
        on_step: called after every step.
        clip: longest gradient of a step; a longer one is shortened to it. 0 lets all be.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    total_loss, wrong, seen, step = 0.0, 0, 0, (number - 1) * len(batches)
    epochs = recipe.training.epochs
    began = time.monotonic()
    torch.manual_seed(epoch_seed(seed, number))  # for dropout
    model.train()
    for images, target in batches.epoch(number):
        rate = rate_at(step, recipe.schedule, steps_per_epoch=len(batches), epochs=epochs)
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = model(images).float()
        loss = F.cross_entropy(logits, target, label_smoothing=recipe.training.label_smoothing)
        fabric.backward(loss)
        if clip:
            fabric.clip_gradients(model, optimizer, max_norm=clip, error_if_nonfinite=False)
        optimizer.step()
        optimizer.zero_grad()
        state.after_step()

        step += 1
        seen += len(target)
        total_loss += setup.finite(loss, number, step, rate) * len(target)
        wrong += int((logits.argmax(dim=1) != target.argmax(dim=1)).sum())
        told = Step(
            epoch=number,
            step=step,
            steps=len(batches) * epochs,
            loss=total_loss / seen,
            error=wrong / seen,
            rate=rate,
            windows_per_second=seen / (time.monotonic() - began),
        )
        on_step(told)
    return told


def _chart(board: SummaryWriter, row: Epoch) -> None:
    """Write an epoch as TensorBoard events."""
    for name in ("rate", "train_loss", "train_error", "validation_loss", "validation_error"):
        value = getattr(row, name)
        if value is not None:
            board.add_scalar(name, value, row.epoch)
