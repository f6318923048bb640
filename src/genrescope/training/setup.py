"""What every training begins with and holds: the recipe's kind, the network on its device, a finite loss."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import torch

from genrescope.errors import RecipeError, TrainingError
from genrescope.models.inputs import Normalise
from genrescope.training.state import TrainingState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lightning_fabric import Fabric
    from torch import Tensor, nn

    from genrescope.data.store import Store, StoredTrack
    from genrescope.training.recipe import Recipe


def refuse_task(recipe: Recipe, *, pretrain: bool) -> None:
    """Refuse a recipe of `pretrain` in `train`, and the reverse.

    Raises:
        RecipeError: it is one of the other command.
    """
    task = recipe.pretrain.task
    if task != "none" and not pretrain:
        raise RecipeError(
            f'recipe {recipe.name} (pretrain.task "{task}") learns no genres; run it by genrescope pretrain --recipe '
            f"{recipe.name} --out RUN, then genrescope train STORE --recipe default --init-from RUN"
        )
    if task == "none" and pretrain:
        raise RecipeError(
            f'recipe {recipe.name} learns genres (pretrain.task "none"), so it is one of genrescope train; those of '
            "pretrain are pretrain-synth and pretrain-contrastive"
        )


def on_device(
    model: nn.Module, recipe: Recipe, device: str
) -> tuple[TrainingState, Fabric, nn.Module, torch.optim.Optimizer]:
    """Return a network's state, and what Fabric makes of it and of its optimizer."""
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it would say which precision it was asked for
    # Weights laid out as convolutions on this kind of hardware want them; values stay the same.
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fabric = Fabric(accelerator=device, devices=1, precision=recipe.training.precision)
    state = TrainingState(model.to(fabric.device), recipe, device)
    wrapped, optimizer = fabric.setup(model, state.optimizer)
    return state, fabric, wrapped, optimizer


def measure_inputs(model: nn.Module, pieces: Callable[[], Iterable[Tensor]]) -> None:
    """Let a network that normalises its input measure what is normal: on what it learns from alone.

    Args:
        model: the network.
        pieces: yields log-mels of shape (frames, n_mels).
    """
    for module in model.modules():
        if isinstance(module, Normalise):
            module.measure(pieces())


def whole_tracks(store: Store, tracks: Sequence[StoredTrack]) -> Iterator[Tensor]:
    """Yield the log-mels of tracks."""
    for track in tracks:
        yield torch.from_numpy(store.frames[track.first_frame : track.first_frame + track.frames])


def finite(loss: Tensor, epoch: int, step: int, rate: float) -> float:
    """Return a loss as a number.

    Raises:
        TrainingError: it is not finite.
    """
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(
            f"the loss is {value} at step {step} (epoch {epoch}, learning rate {rate:.3g}): training cannot go on. "
            "Lower the rate with --set schedule.max_rate=..., or check the data. The last checkpoint is kept"
        )
    return value
