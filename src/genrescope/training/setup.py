"""What every training begins with and holds: recipe and tracks that suit, the network on its device, a finite loss."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import torch

from genrescope.errors import DataError, RecipeError, TrainingError
from genrescope.models import registry
from genrescope.models.inputs import Normalise
from genrescope.training.checkpoints import TrainingState
from genrescope.training.recipe_sections import FITTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lightning_fabric import Fabric
    from torch import Tensor, nn

    from genrescope.splits import Split
    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.recipe import Recipe
    from genrescope.training.recipe_transfer import TuningRecipe


def material(
    store: Store, split: Split, parts: Sequence[str]
) -> tuple[list[StoredTrack], list[StoredTrack], list[str]]:
    """Return the tracks to learn from, those to validate on, and the labels.

    Raises:
        DataError: there is nothing to learn, or only one genre.
    """
    wanted = {track_id for part in parts for track_id in split.ids(part)}
    learnt = [track for track in store.tracks if track.id in wanted]
    held_out = []
    if "validation" not in parts:
        held_out = [track for track in store.tracks if split.parts.get(track.id) == "validation"]
    labels = sorted({track.genre for track in store.tracks if track.id in split.parts})
    if not learnt:
        raise DataError(f"none of the split's {len(wanted)} tracks of {', '.join(parts)} is in the store {store.path}")
    if len(labels) < 2:
        raise DataError(
            f'there is one genre only, "{labels[0]}"; a classifier needs two or more. Prepare DATA that has more'
        )
    return learnt, held_out, labels


def refuse_unsuitable(recipe: Recipe, store: Store, labels: list[str], held_out: list[StoredTrack]) -> None:
    """Refuse a network that does not exist or cannot take the windows, and patience that has nothing to go by.

    Raises:
        RecipeError: there is no such network, or it does not take such windows.
        DataError: there is no validation part to be patient with.
    """
    name, fitted = recipe.model.name, recipe.model.name == FITTED
    frames = recipe.scored_frames if fitted else recipe.windows.frames
    if recipe.training.patience and not held_out:
        raise DataError(
            f"training.patience is {recipe.training.patience}, but there is no validation part to score after every "
            "epoch. Make a split that has one and do not learn from it, or --set training.patience=0"
        )
    with torch.device("meta"):
        model = registry.create(name, len(labels), **({} if fitted else recipe.model.options)).eval()
        try:
            model(torch.zeros(1, 1, store.spec.width, frames))
        except (RuntimeError, ValueError) as error:
            raise RecipeError(
                f'model "{name}" does not take windows of {frames} frames and {store.spec.width} bands: {error}. '
                "Choose another length with --set windows.frames=..."
            ) from error


def on_device(
    model: nn.Module, recipe: Recipe | TuningRecipe, device: str
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
            "Lower the rate (with --set schedule.max_rate=..., in transfer with --rate), or check the data. The last "
            "checkpoint is kept"
        )
    return value
