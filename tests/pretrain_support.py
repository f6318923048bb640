"""Pre-training in seconds: small recipes, and what is compared after a run."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch
from conftest import genre_folders
from safetensors.torch import load_file

from genrescope import modelfile
from genrescope.splits import Split
from genrescope.store.prepare import prepare
from genrescope.training import recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from genrescope.store.store import Store
    from genrescope.training.recipe import Recipe

TINY = {"windows.frames": 64, "training.precision": "32-true", "training.epochs": 2, "model.dropout": 0.1}
SYNTH = TINY | {
    "training.batch_size": 8, "windows.crops": 2, "pretrain.pieces": 8, "pretrain.pool": 8, "pretrain.seconds": 2.0,
}  # fmt: skip
CONTRASTIVE = TINY | {"training.batch_size": 6}
FAMILIES = ("attentive-128", "bands-8", "residual-32", "vgg-16")
CPU = torch.device("cpu")


def tiny_store(root: Path) -> Store:
    """Prepare two genres of four tracks of two seconds."""
    return prepare(str(genre_folders(root / "music", ("jazz", "rock"), tracks=4, seconds=2.0)), root / "store").store


def all_of(store: Store) -> Split:
    return Split({track.id: "train" for track in store.tracks}, "by hand")


class StopError(Exception):
    pass


def heard(**changes: Any) -> Recipe:
    return recipe.load("pretrain-synth", SYNTH | {key.replace("__", "."): value for key, value in changes.items()})


def paired(**changes: Any) -> Recipe:
    its = CONTRASTIVE | {key.replace("__", "."): value for key, value in changes.items()}
    return recipe.load("pretrain-contrastive", its)


def learnt(**changes: Any) -> Recipe:
    its = {"model.name": "vgg-16", "windows.frames": 64, "windows.train": "all", "training.epochs": 1}
    return recipe.load("mgcc", its | {key.replace("__", "."): value for key, value in changes.items()})


def stop_after(number: int) -> Callable[[object], None]:
    count = itertools.count(1)

    def told(_: object) -> None:
        if next(count) == number:
            raise StopError

    return told


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / modelfile.TRUNK_NAME)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def history(folder: Path) -> list[list[str]]:
    """Return the history without what the clock says."""
    return [line.split(",")[:-2] for line in (folder / "history.csv").read_text().splitlines()]
