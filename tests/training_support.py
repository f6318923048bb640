"""A network that can be worked out by hand, a store that it learns in a moment, and training in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conftest import genre_folders
from torch import nn

from genrescope.splits import Split
from genrescope.store.prepare import prepare
from genrescope.training.job import Job
from genrescope.training.progress import Watch
from genrescope.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from genrescope.store.store import Store
    from genrescope.training.progress import Epoch, Step
    from genrescope.training.recipe import Recipe

GENRES = ("blues", "jazz", "rock")


def linear(genres: int, *, dropout: float = 0.0, **_: Any) -> nn.Module:
    """Return a network whose gradient can be worked out by hand."""
    return nn.Sequential(
        nn.BatchNorm2d(1), nn.AvgPool2d((4, 64)), nn.Flatten(), nn.Dropout(dropout), nn.Linear(64, genres)
    )


def small_store(root: Path) -> Store:
    """Prepare three genres of four tracks, two windows each."""
    data = genre_folders(root / "music", GENRES, tracks=4, seconds=6.0)
    return prepare(str(data), root / "store", jobs=0).store


def dealt(store: Store, parts: Sequence[str]) -> Split:
    """Give the tracks of every genre these parts, in the order of their names."""
    dealt = dict[str, str]()
    for genre in GENRES:
        ids = sorted(track.id for track in store.tracks if track.genre == genre)
        dealt |= dict(zip(ids, parts, strict=True))
    return Split(dealt, "by hand")


def trained(
    store: Store,
    recipe: Recipe,
    split: Split,
    out: Path,
    *,
    on_step: Callable[[Step], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    **options: Any,
) -> Path:
    """Train on the CPU by a job with these options; return the run folder."""
    job = Job(store, recipe, split, out, **{"device": "cpu", **options})
    return train(job, watch=Watch(on_step, on_epoch))
