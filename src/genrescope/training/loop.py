"""The training loop: epoch after epoch, for networks from scratch and for published ones alike."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F

from genrescope.errors import ModelFileError, TrainingError
from genrescope.training.batches import epoch_seed
from genrescope.training.board import Board
from genrescope.training.checkpoints import TrainingState
from genrescope.training.progress import Epoch, Step
from genrescope.training.ranks import ALONE, Ranks
from genrescope.training.schedule import rate_at
from genrescope.training.synchronised import Synchronised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lightning_fabric import Fabric
    from torch import Tensor, nn

    from genrescope.training.progress import Watch
    from genrescope.training.recipe import Recipe
    from genrescope.training.recipe_transfer import TuningRecipe
    from genrescope.training.run_folder import RunFolder


class Shown(Protocol):
    """What an epoch shows a network."""

    def __len__(self) -> int:
        """Steps in an epoch."""

    def epoch(self, number: int) -> Iterator[tuple[Any, Tensor]]:
        """Yield the batches of an epoch: what the network takes, and the probability of each genre."""


@dataclass(frozen=True)
class Course:
    """A network on its device, and how it is trained.

    Attributes:
        clip: longest gradient of a step; a longer one is shortened to it. 0 lets all be.
        exclusive: whether a track has one genre (softmax), or any number of them (sigmoid).
        ranks: the processes that train it together.
        layers: its layers that know the share of the batch that they see, where there are several.
    """

    recipe: Recipe | TuningRecipe
    seed: int
    state: TrainingState
    fabric: Fabric
    network: nn.Module
    optimizer: torch.optim.Optimizer
    clip: float = 0.0
    exclusive: bool = True
    ranks: Ranks = ALONE
    layers: Synchronised | None = None

    @classmethod
    def of(
        cls,
        network: nn.Module,
        recipe: Recipe | TuningRecipe,
        *,
        seed: int,
        device: str,
        clip: float = 0.0,
        exclusive: bool = True,
        ranks: Ranks = ALONE,
    ) -> Course:
        """Bring a network to its device."""
        # Weights laid out as convolutions on this kind of hardware want them; values stay the same.
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        fabric = ranks.fabric(device, recipe.training.precision)
        state = TrainingState(network.to(fabric.device), recipe, device)
        layers = Synchronised() if ranks.several else None
        wrapped, optimizer = fabric.setup(network, state.optimizer)
        return cls(recipe, seed, state, fabric, wrapped, optimizer, clip, exclusive, ranks, layers)

    def loss(self, logits: Tensor, target: Tensor, *, total: int) -> Tensor:
        """Return the mean cross-entropy of a batch; where a track has any number of genres, over all labels.

        Args:
            logits: of the windows that are this process's own.
            target: of the same.
            total: windows in the batch of all processes. The mean of what they return is that of the batch.
        """
        entropy = F.cross_entropy if self.exclusive else F.binary_cross_entropy_with_logits
        if not self.ranks.several:
            return entropy(logits, target)
        per_window = 1 if self.exclusive else target.shape[1]
        return entropy(logits, target, reduction="sum") * (self.ranks.world / (total * per_window))

    def wrong(self, logits: Tensor, target: Tensor) -> float:
        """Return how many windows of a batch are classified wrongly: those of another genre, or the share of labels."""
        if self.exclusive:
            return int((logits.argmax(dim=1) != target.argmax(dim=1)).sum())
        return float(((logits > 0) != (target > 0.5)).float().mean(dim=1).sum())

    def own(self, batches: Iterator[tuple[Any, Tensor]]) -> Iterator[tuple[Any, Tensor, int]]:
        """Yield the share of each batch that is this process's own, and how many windows the batch has."""
        for windows, target in batches:
            if self.layers is None:
                yield windows, target, len(target)
            else:
                share = self.layers.share = self.ranks.share(len(target))
                yield windows[share.start : share.stop], target[share.start : share.stop], share.total

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.fabric.device


def run(
    folder: RunFolder,
    course: Course,
    batches: Shown,
    validate: Callable[[nn.Module], tuple[float | None, float | None]],
    watch: Watch,
) -> list[Epoch]:
    """Go through all epochs that are left; return the history.

    Args:
        validate: returns loss and error of the network on validation tracks, or None twice.

    Raises:
        TrainingError: the loss is no longer finite.
        OutputError: the disk is full, say; the last checkpoint is kept.
    """
    state, ranks = course.state, course.ranks
    history = folder.load_checkpoint(state)
    with contextlib.ExitStack() as stack:
        board = None
        if folder.writes:
            board = stack.enter_context(contextlib.closing(Board(folder.path / "tensorboard", first=len(history) + 1)))
        if course.layers is not None:
            stack.enter_context(course.layers.of(state.model))
        for number in range(len(history) + 1, course.recipe.training.epochs + 1):
            began = time.monotonic()
            last = _epoch(number, course, batches, watch)
            _refuse_infinite(state.judged, last)
            try:
                loss, error = ranks.shared(validate(state.judged) if ranks.first else (None, None))
            except ModelFileError as odd:  # weights that are finite, but too large
                raise _diverged("the loss is nan on the part validation", last.epoch, last.step, last.rate) from odd
            row = Epoch(
                number, last.step, last.rate, last.loss, last.error, loss, error, time.monotonic() - began,
                last.windows_per_second,
            )  # fmt: skip
            history.append(row)
            folder.save_checkpoint(state, history)
            folder.write_history(history)
            if board is not None:
                board.add(row)
            watch.on_epoch(row)
    return history


def _epoch(number: int, course: Course, batches: Shown, watch: Watch) -> Step:
    """Train the network on every window once; return its state after the last step."""
    recipe, optimizer, network = course.recipe, course.optimizer, course.network
    total_loss, wrong, seen, step = 0.0, 0.0, 0, (number - 1) * len(batches)
    epochs = recipe.training.epochs
    began = time.monotonic()
    torch.manual_seed(epoch_seed(course.seed, number))  # for dropout
    network.train()
    for windows, target, total in course.own(batches.epoch(number)):
        rate = rate_at(step, recipe.schedule, steps_per_epoch=len(batches), epochs=epochs)
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = network(windows).float()
        loss = course.loss(logits, target, total=total)
        course.fabric.backward(loss)
        if course.clip:
            course.fabric.clip_gradients(network, optimizer, max_norm=course.clip, error_if_nonfinite=False)
        optimizer.step()
        optimizer.zero_grad()
        course.state.after_step()

        step += 1
        seen += total
        mean, errors = course.ranks.summed(float(loss.detach()) / course.ranks.world, course.wrong(logits, target))
        total_loss += _finite(mean, number, step, rate) * total
        wrong += errors
        at = Step(
            epoch=number,
            step=step,
            steps=len(batches) * epochs,
            loss=total_loss / seen,
            error=wrong / seen,
            rate=rate,
            windows_per_second=seen / (time.monotonic() - began),
        )
        watch.on_step(at)
    return at


def _finite(value: float, epoch: int, step: int, rate: float) -> float:
    """Return a loss that is finite."""
    if not math.isfinite(value):
        raise _diverged(f"the loss is {value}", epoch, step, rate)
    return value


def _refuse_infinite(network: nn.Module, at: Step) -> None:
    """Refuse weights that the last step has made infinite, before a checkpoint holds them."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise _diverged("weights are not finite", at.epoch, at.step, at.rate)


def _diverged(what: str, epoch: int, step: int, rate: float) -> TrainingError:
    return TrainingError(
        f"{what} at step {step} (epoch {epoch}, learning rate {rate:.3g}): training cannot go on. "
        "Lower the rate (with --set schedule.max_rate=..., in transfer with --rate), or check the data. The last "
        "checkpoint is kept"
    )
