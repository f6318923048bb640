"""Published networks on a split or on folds: run folders and scores in the form of all others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError
from genrescope.evaluation.crossval import cross_validate
from genrescope.evaluation.evaluate import evaluate
from genrescope.evaluation.sound import EmbeddingSound, FileSound
from genrescope.extras import require
from genrescope.results import CROSSVAL_NAME, EVALUATION_NAME
from genrescope.store import embeddings, waves
from genrescope.training.fine_tuning import TuningLearner
from genrescope.training.probe import ProbeLearner
from genrescope.training.progress import SILENT, Watch
from genrescope.training.recipe_transfer import ProbeRecipe, TuningRecipe
from genrescope.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.evaluation.folds import Fold
    from genrescope.evaluation.sound import Sound
    from genrescope.evaluation.written import Written
    from genrescope.models.published import Body
    from genrescope.results import Evaluation
    from genrescope.store.audio_cache import CacheProgress, Gathered
    from genrescope.store.store import Store
    from genrescope.training.job import Job
    from genrescope.training.learner import Learner


@dataclass(frozen=True)
class Transfer:
    """A published network, what is made of it, and the tracks as it takes them.

    Attributes:
        gathered: embeddings of the tracks, or their waves.
        sound: what is scored: the embeddings of a probe; for a network that changes, the files.
    """

    body: Body
    recipe: ProbeRecipe | TuningRecipe
    gathered: Gathered[Any]
    sound: Sound

    @property
    def learner(self) -> Learner:
        """What learns by the recipe."""
        if isinstance(self.recipe, ProbeRecipe):
            return ProbeLearner(self.recipe, self.body, self.gathered.found)
        return TuningLearner(self.recipe, self.body, self.gathered.found)

    def applied(self, job: Job) -> Job:
        """Return a job with this recipe, without the tracks that could not be used, which are noted."""
        found = self.gathered.found
        name = self.body.spec.name
        notes = (
            *job.split.notes,
            f"{name} was pre-trained on music that no split here knows of: these tracks may be in its training data",
            *(f"{row.path} could not be used: {row.status}" for row in self.gathered.failed),
        )
        parts = {track_id: part for track_id, part in job.split.parts.items() if track_id in found}
        return replace(
            job,
            recipe=self.recipe,
            store=replace(job.store, tracks=tuple(track for track in job.store.tracks if track.id in found)),
            split=replace(job.split, parts=parts, notes=notes),
            pairs=tuple(pair for pair in job.duplicates() if {pair.first, pair.second} <= set(found)),
        )


def gather(
    store: Store,
    body: Body,
    recipe: ProbeRecipe | TuningRecipe,
    *,
    data: str | None = None,
    cache: Path | None = None,
    on_track: Callable[[CacheProgress], None] = lambda _: None,
) -> Transfer:
    """Compute the embeddings of a store's tracks for a probe, or decode their waves for fine-tuning; each once.

    Args:
        data: where the audio is, as `prepare` takes it; None takes what the store was prepared from.
        cache: where embeddings and waves are kept; None takes a folder in the store.

    Raises:
        DataError: the audio cannot be found, or none of it can be used.
        OutputError: something cannot be written; what was finished is kept.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "transfer learning")
    if isinstance(recipe, ProbeRecipe):
        layer = recipe.network.layer
        embedded = embeddings.extract(store, body, layer=layer, data=data, cache=cache, on_track=on_track)
        return Transfer(body, recipe, embedded, EmbeddingSound(embedded.found))
    decoded = waves.keep(store, body.spec.spec.sample_rate, data=data, cache=cache, on_track=on_track)
    return Transfer(body, recipe, decoded, FileSound.of(store, data))


def refuse_begun(out: Path) -> None:
    """Refuse a folder that holds a run already: before hours of work rather than after.

    Raises:
        DataError: it does.
    """
    if any((out / name).exists() for name in ("run.json", CROSSVAL_NAME, EVALUATION_NAME)):
        raise DataError(f"{out} holds a run already; go on with it by --resume, or choose another --out")


def score(
    job: Job,
    transfer: Transfer,
    *,
    part: str | None = "test",
    watch: Watch = SILENT,
    on_fold: Callable[[Fold], None] = lambda _: None,
) -> Written[Evaluation]:
    """Train on some parts of a split and score another, or cross-validate.

    Args:
        job: where it goes, on what split; the recipe and the usable tracks come from `transfer`.
        part: what is scored; None cross-validates over the split's folds.

    Raises:
        DataError: a part is not there, the split is not of folds, or `out` holds something else.
        TrainingError: the loss is no longer finite.
    """
    job = transfer.applied(job)
    if part is None:
        return cross_validate(job, learner=transfer.learner, sound=transfer.sound, watch=watch, on_fold=on_fold)
    job.split.ids(part)
    run = train(job, learner=transfer.learner, watch=watch)
    return evaluate(run, part=part, store=job.store.path, device=job.device, sound=transfer.sound)
