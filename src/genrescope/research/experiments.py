"""The runs of a study: what its file lists, resolved and checked as a whole before anything runs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import splits
from genrescope.errors import DataError, GenrescopeError
from genrescope.files import fingerprint
from genrescope.models import registry
from genrescope.research.study_file import read_experiments
from genrescope.splits import duplicates, subsets
from genrescope.store.store import open_store
from genrescope.training import recipe as recipes
from genrescope.training.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.research.study_file import Experiment
    from genrescope.splits import Split
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store
    from genrescope.training.recipe import AnyRecipe


@dataclass(frozen=True)
class Run:
    """One training, or one cross-validation, of a study.

    Attributes:
        name: of its experiment.
        experiment: what the study's file says of it.
        share: how much of what could be learnt is.
        seed: of the training; and of the split, unless the experiment has a `split_seed`.
        recipe: what is trained.
        store: folder of the store.
        split: part or fold of each track; nothing is left out yet.
        pairs: the duplicates in the store.
        identity: fingerprint of everything that decides the result.
        path: its folder below the study's: a run folder or a cross-validation.
    """

    name: str
    experiment: Experiment
    share: float
    seed: int
    recipe: AnyRecipe
    store: Path
    split: Split
    pairs: tuple[Pair, ...]
    identity: str
    path: Path

    def job(self, store: Store, split: Split, device: str) -> Job:
        """Return the training of the run, or of its folds, on a split; what was begun goes on."""
        return Job(
            store, self.recipe, split, self.path, parts=tuple(self.experiment.parts), seed=self.seed, device=device,
            resume=True, pairs=self.pairs,
        )  # fmt: skip

    def thin(self, split: Split, store: Store) -> Split:
        """Return a split that leaves the run's share of what is learnt."""
        return subsets.thinned(
            split, store.tracks, self.share, by=self.experiment.by, parts=self.experiment.parts, seed=self.seed,
            pairs=self.pairs,
        )  # fmt: skip


def read(
    path: str | Path, out: str | Path, *, find_pairs: Callable[[Store], Sequence[Pair]] = duplicates.in_store
) -> list[Run]:
    """Read a study's file and check all of it: keys, recipes, stores, splits.

    Args:
        path: the TOML file.
        out: the study's folder, below which each run has its own.
        find_pairs: finds the duplicates in a store.

    Returns:
        The runs, experiment by experiment, seed by seed.

    Raises:
        DataError: the file cannot be used; every fault in it is told.
    """
    path, out = Path(path), Path(out)

    @cache
    def opened(name: str) -> tuple[Store, tuple[Pair, ...]]:
        store = open_store(path.parent / name)
        return store, tuple(find_pairs(store))

    listed, faults = read_experiments(path)
    runs: list[Run] = []
    for number, experiment in listed:
        for share in experiment.share if isinstance(experiment.share, list) else [experiment.share]:
            try:
                runs += _runs(experiment, share, *opened(experiment.store), beside=path.parent, out=out)
            except GenrescopeError as error:
                faults.append(f"experiment {number} ({experiment.name_with(share)}): {error}")
    folders = Counter(str(run.path).casefold() for run in runs)
    twice = sorted({run.name for run in runs if folders[str(run.path).casefold()] > 1})
    faults += [f'two experiments, or two seeds of one, are called "{name}"; give one another name' for name in twice]
    if faults:
        raise DataError(f"{path}: " + "; ".join(dict.fromkeys(faults)))
    return runs


def folder_name(name: str) -> str:
    """Return a name as a folder can have it.

    Example:
        >>> folder_name("mgcc, 50 epochs")
        'mgcc-50-epochs'
    """
    return re.sub(r"[^\w.]+", "-", name).strip("-._") or "experiment"


def _runs(
    experiment: Experiment, share: float, store: Store, pairs: tuple[Pair, ...], *, beside: Path, out: Path
) -> list[Run]:
    """Resolve and check an experiment; return a run for each seed."""
    store.refuse_several("a study")
    recipe = recipes.load_any(recipes.located(experiment.recipe, beside), experiment.changes)
    if isinstance(recipe, recipes.Recipe) and recipe.kind != "svm":
        frames = recipe.windows.frames
        registry.refuse_windows(recipe.model.name, recipe.model.options, features=store.spec.width, frames=frames)
    if experiment.folds is not None and (experiment.parts != ["train"] or experiment.score != "validation"):
        raise DataError("with folds every run learns from all folds but one and scores that; leave out parts and score")
    name = experiment.name_with(share)
    wanted = splits.located(experiment.split, beside) if experiment.split is not None else None
    runs = []
    for seed in experiment.seeds:
        dealt = experiment.split_seed if experiment.split_seed is not None else seed
        split = splits.choose(store.tracks, wanted, seed=dealt, folds=experiment.folds, pairs=pairs)
        _check_parts(experiment, split)
        decides = [
            recipe.deciding, split.fingerprint, bool(experiment.folds), sorted(experiment.parts),
            [share, experiment.by] if share < 1 else [], seed, store.fingerprint,
        ]  # fmt: skip
        folder = out / folder_name(name) / f"seed-{seed}"
        identity = fingerprint(decides)
        runs.append(Run(name, experiment, share, seed, recipe, store.path, split, pairs, identity, folder))
    return runs


def _check_parts(experiment: Experiment, split: Split) -> None:
    """Refuse parts that the split does not have, and scores of what was learnt."""
    if experiment.folds is not None:
        return
    for part in experiment.parts:
        split.ids(part)
    if experiment.score in experiment.parts:
        raise DataError(
            f"the part {experiment.score} is learnt from, so its scores would say nothing; choose another score"
        )
    if experiment.score not in split.counts and "test" in split.counts and experiment.score == "validation":
        raise DataError(
            f'the split {split.method} has no part "validation" to score; the part test is scored only where the '
            'file says score = "test"'
        )
    split.ids(experiment.score)
