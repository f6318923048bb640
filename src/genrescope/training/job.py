"""A job: one description of a training run, whoever asks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genrescope.devices import choose_device
from genrescope.errors import DataError, RecipeError
from genrescope.sources.labels import NEGATIVE
from genrescope.splits import duplicates
from genrescope.splits.audit import audit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from genrescope.splits import Split
    from genrescope.splits.duplicates import Pair
    from genrescope.splits.leaks import Audit
    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.recipe import AnyRecipe
    from genrescope.training.recipe_transfer import TransferRecipe


def targets_of(tracks: Sequence[StoredTrack], labels: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return which tracks have which labels, of shape (tracks, labels): 1 or 0."""
    return np.array([[label in track.labels for label in labels] for track in tracks], dtype=np.float32)


@dataclass(frozen=True)
class Material:
    """The training tracks, and those for validation.

    Attributes:
        learnt: the training tracks; negative examples have none of the labels.
        held_out: the tracks of the part `validation`, where it is not trained on.
        labels: the genres.
        multi_label: whether a track of the split has several of them, so that each label is decided by itself.
    """

    learnt: Sequence[StoredTrack]
    held_out: Sequence[StoredTrack]
    labels: Sequence[str]
    multi_label: bool = False

    @property
    def negatives(self) -> int:
        """How many training tracks have none of the labels."""
        return sum(not track.labels for track in self.learnt)

    def refuse_several(self, what: str) -> None:
        """Refuse tracks of several genres, for what knows one genre a track.

        Raises:
            RecipeError: there are some.
        """
        if self.multi_label:
            raise RecipeError(
                f"{what} gives one genre to a track, and some tracks have several. Train with --recipe listener or "
                "mgcc, which give a score for each genre; or prepare DATA with one genre a track"
            )

    def refuse_negatives(self, what: str) -> None:
        """Refuse negative examples, for what cannot learn from them.

        Raises:
            RecipeError: there are some.
        """
        if self.negatives:
            raise RecipeError(
                f"{what} cannot learn from the {self.negatives} training tracks that are {NEGATIVE}. Train with "
                "--recipe listener, or keep the genres alone by prepare --genres"
            )


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
    recipe: AnyRecipe | TransferRecipe
    split: Split
    out: Path
    parts: tuple[str, ...] = ("train",)
    seed: int = 0
    device: str = "auto"
    resume: bool = False
    pairs: tuple[Pair, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", Path(self.out))  # a text, where a program is not typed

    @property
    def epochs(self) -> int | None:
        """How many epochs the recipe has; None for what is fitted at once, such as an SVM."""
        section = getattr(self.recipe, "training", None)
        return None if section is None or getattr(self.recipe, "kind", None) == "svm" else int(section.epochs)

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
        labels = sorted({label for track in self._dealt for label in track.labels})
        if not learnt:
            raise DataError(
                f"none of the split's {len(wanted)} tracks of {', '.join(self.parts)} is in the store {self.store.path}"
            )
        if len(labels) < 2:
            told = f'there is one genre only, "{labels[0]}"' if labels else f"all tracks are {NEGATIVE}"
            raise DataError(f"{told}; a classifier needs two or more. Prepare DATA that has more")
        if not self.multi_label:
            held_out = [track for track in held_out if track.labels]
        return Material(learnt, held_out, labels, self.multi_label)

    @property
    def multi_label(self) -> bool:
        """Whether a track of the split has several genres, so that each label is decided by itself."""
        return any(len(track.labels) > 1 for track in self._dealt)

    @property
    def _dealt(self) -> list[StoredTrack]:
        return [track for track in self.store.tracks if track.id in self.split.parts]

    def audit(self) -> Audit:
        """Find every leak of the split: what is in two of its parts."""
        return audit(self.store.tracks, self.split.by_part, self.duplicates(), learnt=self.parts)

    def duplicates(self) -> tuple[Pair, ...]:
        """Return the duplicates among the tracks; found once, they are read from the store."""
        return self.pairs if self.pairs is not None else tuple(duplicates.in_store(self.store))
