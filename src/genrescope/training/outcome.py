"""How a training ends: machines that are fitted, alone or beside the network, and the model file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

import genrescope
from genrescope import modelfile
from genrescope.features import windows
from genrescope.inference import scorer
from genrescope.models import registry
from genrescope.models.committee import Committee
from genrescope.training import svm
from genrescope.training.recipe_sections import FITTED
from genrescope.training.run_folder import Epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import nn

    from genrescope.features.windows import FrameBank
    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.recipe import Recipe
    from genrescope.training.run_folder import RunFolder


def fit(
    folder: RunFolder,
    recipe: Recipe,
    store: Store,
    *,
    learnt: list[StoredTrack],
    held_out: list[StoredTrack],
    labels: list[str],
    seed: int,
    on_epoch: Callable[[Epoch], None],
) -> Path:
    """Fit a classifier that has no epochs; its history has one row."""
    began = time.monotonic()
    bank = _bank_of_cpu(store, recipe)
    model = svm.fit(bank, learnt, labels, recipe, spec=store.spec, seed=seed)
    seconds = time.monotonic() - began
    (loss, error), (loss_out, error_out) = (
        scorer.loss_and_error(model, bank, its, labels, recipe) for its in (learnt, held_out)
    )
    heard = len(svm.learnt_windows(learnt, recipe))
    row = Epoch(1, 1, 0.0, loss or 0.0, error or 0.0, loss_out, error_out, seconds, heard / seconds)
    folder.write_history([row])
    on_epoch(row)
    options = {"vectors": len(model.vectors), "kernel": model.kernel}
    return finish(
        folder, model, recipe, store, name=FITTED,
        options=options, labels=labels, tracks=learnt, windows_learnt=heard, history=[row],
    )  # fmt: skip


def join(
    network: nn.Module,
    store: Store,
    learnt: list[StoredTrack],
    labels: list[str],
    *,
    recipe: Recipe,
    seed: int,
) -> tuple[Committee, str, dict[str, Any]]:
    """Fit the network's colleague; return both as one model, its name, and its options."""
    its = recipe.classifier
    machine = svm.fit(_bank_of_cpu(store, recipe), learnt, labels, recipe, spec=store.spec, seed=seed)
    model = Committee(network.cpu(), machine, frames=recipe.windows.frames, share=its.share)
    options = {
        "network": recipe.model.name, "dropout": recipe.model.dropout, "frames": recipe.windows.frames,
        "vectors": len(machine.vectors), "kernel": its.kernel, "share": its.share,
    }  # fmt: skip
    return model, "committee", options


def finish(
    folder: RunFolder,
    model: nn.Module,
    recipe: Recipe,
    store: Store,
    *,
    name: str,
    options: dict[str, Any],
    labels: list[str],
    tracks: Sequence[StoredTrack],
    windows_learnt: int,
    history: Sequence[Epoch],
) -> Path:
    """Write the model file and close the run."""
    header = modelfile.Header(
        model=name,
        options=options,
        labels=tuple(labels),
        front_end=store.spec,
        window=recipe.scored_frames,
        hop=recipe.windows.hop(recipe.scored_frames),
        padding=recipe.windows.padding,
        recipe=recipe.model_dump(),
        data=store.fingerprint,
        made_with=genrescope.__version__,
    )
    modelfile.save(folder.path / modelfile.FILE_NAME, model, header)
    folder.note(
        {
            "status": "finished",
            "labels": labels,
            "parameters": registry.count_parameters(model),
            "tracks": len(tracks),
            "windows": windows_learnt,
            "epochs": len(history),
            "seconds": round(sum(row.seconds for row in history), 1),
        }
    )
    folder.remove_checkpoint()
    return folder.path


def _bank_of_cpu(store: Store, recipe: Recipe) -> FrameBank:
    cpu = torch.device("cpu")
    return windows.FrameBank(store.frames, silence=store.spec.silence, device=cpu, padding=recipe.windows.padding)
