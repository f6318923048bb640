"""A job: one description of a training run, whoever asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from genrescope.devices import choose_device
from genrescope.errors import DataError
from genrescope.modelfile import Terms
from genrescope.splits import duplicates
from genrescope.splits.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import nn

    from genrescope.features.spec import Spec
    from genrescope.features.windows import WindowSpec
    from genrescope.modelfile import Requirement
    from genrescope.splits import Split
    from genrescope.splits.duplicates import Pair
    from genrescope.splits.leaks import Audit
    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.recipe import Recipe
    from genrescope.training.recipe_transfer import TransferRecipe
    from genrescope.training.run_folder import Epoch, RunFolder


@dataclass(frozen=True)
class Step:
    """Where a training stands, told after every step.

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


def _nothing(_: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Watch:
    """Who is told how a training goes.

    Attributes:
        on_step: called after every step.
        on_epoch: called after every epoch; an SVM has one.
    """

    on_step: Callable[[Step], None] = _nothing
    on_epoch: Callable[[Epoch], None] = _nothing


@dataclass(frozen=True)
class Material:
    """What is learnt, and what is validated on.

    Attributes:
        learnt: the tracks to learn from.
        held_out: the tracks of the part `validation`, where it is not learnt from.
        labels: the genres, in the order of the logits.
    """

    learnt: Sequence[StoredTrack]
    held_out: Sequence[StoredTrack]
    labels: Sequence[str]


@dataclass(frozen=True)
class Job:
    """What is to be trained, on what, and where it goes.

    Attributes:
        store: the log-mels.
        recipe: what to train, and how.
        split: part by track.
        out: the run folder.
        parts: the parts to learn from. A part `validation` that is not among them is scored after every epoch; the
            part `test` is never looked at.
        seed: of weights, order and dropout.
        device: `auto`, `cpu`, `cuda` or `mps`.
        resume: go on with the run in `out`, or begin it there if there is none.
        pairs: the duplicates among the tracks, for the audit; None finds them.
    """

    store: Store
    recipe: Recipe | TransferRecipe
    split: Split
    out: Path
    parts: tuple[str, ...] = ("train",)
    seed: int = 0
    device: str = "auto"
    resume: bool = False
    pairs: tuple[Pair, ...] | None = None

    def on_device(self) -> Job:
        """Return the job with the device chosen.

        Raises:
            TrainingError: this machine has no such device.
        """
        return replace(self, device=choose_device(self.device))

    def material(self) -> Material:
        """Return the tracks to learn from, those to validate on, and the labels.

        Raises:
            DataError: a part is not there, there is nothing to learn, or only one genre.
        """
        wanted = {track_id for part in self.parts for track_id in self.split.ids(part)}
        learnt = [track for track in self.store.tracks if track.id in wanted]
        held_out = []
        if "validation" not in self.parts:
            held_out = [track for track in self.store.tracks if self.split.parts.get(track.id) == "validation"]
        labels = sorted({track.genre for track in self.store.tracks if track.id in self.split.parts})
        if not learnt:
            raise DataError(
                f"none of the split's {len(wanted)} tracks of {', '.join(self.parts)} is in the store {self.store.path}"
            )
        if len(labels) < 2:
            raise DataError(
                f'there is one genre only, "{labels[0]}"; a classifier needs two or more. Prepare DATA that has more'
            )
        return Material(learnt, held_out, labels)

    def audit(self) -> Audit:
        """Find every leak of the split: what stands on two sides of it."""
        return audit(self.store.tracks, self.split.by_part, self.duplicates(), learnt=self.parts)

    def duplicates(self) -> tuple[Pair, ...]:
        """Return the duplicates among the tracks; found once, they are read from the store."""
        return self.pairs if self.pairs is not None else tuple(duplicates.in_store(self.store))


@dataclass(frozen=True)
class Learnt:
    """What a training leaves: a network, and what its model file says of it.

    Attributes:
        network: windows in, logits out.
        model: its name in the registry.
        options: the keyword arguments that make it anew.
        front_end: from a waveform to frames.
        windows: from frames to windows.
        history: the epochs.
        windows_learnt: training windows in an epoch.
        weights: terms of the weights.
        requires: weights that the model file names instead of copying them.
        facts: further facts for `run.json`.
    """

    network: nn.Module
    model: str
    options: dict[str, Any]
    front_end: Spec
    windows: WindowSpec
    history: Sequence[Epoch]
    windows_learnt: int
    weights: Terms = field(default_factory=lambda: Terms(licence="unspecified: the terms of the training data apply"))
    requires: tuple[Requirement, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


class Learner(Protocol):
    """Learns genres by a recipe."""

    def check(self, job: Job, material: Material) -> None:
        """Refuse what does not suit, before anything is written."""

    def learn(self, job: Job, material: Material, folder: RunFolder, watch: Watch) -> Learnt:
        """Learn what is left of a run that may have been interrupted."""
