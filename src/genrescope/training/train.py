"""Training: a job goes in, a run folder comes out."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, cast

import genrescope
from genrescope import locks, modelfile
from genrescope.errors import RecipeError
from genrescope.extras import require
from genrescope.modelfile import Header, TrainingData
from genrescope.models.registry import count_parameters
from genrescope.sources.cards import card, names
from genrescope.training.from_scratch import NetworkLearner
from genrescope.training.listener import ListenerLearner
from genrescope.training.pooled_svm import SVMLearner
from genrescope.training.progress import SILENT, Watch
from genrescope.training.ranks import Ranks
from genrescope.training.recipe_listener import ListenerRecipe
from genrescope.training.run_folder import RunFolder

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from genrescope.store.store import Store
    from genrescope.training.job import Job, Material
    from genrescope.training.learner import Learner, Learnt
    from genrescope.training.recipe import AnyRecipe


def train(job: Job, *, learner: Learner | None = None, watch: Watch = SILENT) -> Path:
    """Train a model and leave a run folder. The split is audited first; what was found goes into `run.json`.

    The same seed gives the same result, bit for bit on a CPU with the same number of threads, also when the run was
    interrupted and resumed: everything random in an epoch is drawn from the seed and the epoch's number.

    Where torchrun or SLURM started several processes, they train one network together: each takes its share of every
    batch, and the first writes the run folder. The result is that of one process within the rounding of sums.

    Args:
        job: what to train, on what, and where it goes.
        learner: what learns; None takes the recipe's own.
        watch: callbacks for its progress.

    Returns:
        The run folder.

    Raises:
        DataError: the store or split does not suit, or `out` holds another run.
        RecipeError: there is no such network, or it does not take such windows.
        TrainingError: the loss is no longer finite.
        OutputError: the disk is full, say, and the last checkpoint is kept; or another process trains into `out`.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "training")
    job = job.on_device()
    learner = learner or learner_of(cast("AnyRecipe", job.recipe))
    material = job.material()
    learner.check(job, material)
    ranks = Ranks.here()
    if ranks.several:
        _refuse_alone(learner, ranks)
    with ranks.joined(job.device), _locked(job, ranks):
        folder = RunFolder.begin(job) if ranks.first else RunFolder.of(job, writes=False)
        if not ranks.shared(ranks.first and folder.finished):
            learnt = learner.learn(job, material, folder, watch)
            if ranks.first:
                _finish(folder, job, material, learnt)
    return folder.path


def _locked(job: Job, ranks: Ranks) -> AbstractContextManager[None]:
    return locks.folder(job.out, by="train") if ranks.first else contextlib.nullcontext()


def _refuse_alone(learner: Learner, ranks: Ranks) -> None:
    if not isinstance(learner, NetworkLearner):
        raise RecipeError(
            f"{ranks.world} processes were started, but only networks that are trained from scratch are trained by "
            "several (--recipe mgcc or scratch); start this one by itself, without torchrun"
        )


def learner_of(recipe: AnyRecipe) -> Learner:
    """Return what learns by a recipe."""
    if isinstance(recipe, ListenerRecipe):
        return ListenerLearner(recipe)
    return SVMLearner(recipe) if recipe.kind == "svm" else NetworkLearner(recipe)


def _finish(folder: RunFolder, job: Job, material: Material, learnt: Learnt) -> None:
    """Write the model file and close the run."""
    header = Header(
        model=learnt.model,
        options=learnt.options,
        labels=tuple(material.labels),
        front_end=learnt.front_end,
        windows=learnt.windows,
        exclusive=learnt.exclusive,
        temperature=learnt.temperature,
        thresholds=learnt.thresholds,
        unknown_above=learnt.unknown_above,
        weights=learnt.weights,
        data=_training_data(job.store),
        requires=learnt.requires,
        recipe=job.recipe.model_dump(mode="json"),
        made_with=genrescope.__version__,
    )
    modelfile.save(folder.path / modelfile.FILE_NAME, learnt.network, header)
    folder.note(
        {
            "status": "finished",
            "labels": list(material.labels),
            "parameters": count_parameters(learnt.network),
            "tracks": len(material.learnt),
            "windows": learnt.windows_learnt,
            "epochs": len(learnt.history),
            "processes": Ranks.here().world,
            "seconds": round(sum(row.seconds for row in learnt.history), 1),
            **learnt.facts,
        }
    )
    folder.remove_checkpoint()


def _training_data(store: Store) -> TrainingData:
    """Return what a model file says of the store it learnt from: the terms of a public data set, or just that."""
    name = store.data.partition(":")[0]
    if name not in names():
        return TrainingData(fingerprint=store.fingerprint)
    known = card(name)
    return TrainingData(name=known.title, fingerprint=store.fingerprint, licence=known.terms, citation=known.citation)
