"""Tuning: better values for a recipe's keys, scored on held-out artists, never on the test part.

```
DIR/tune.journal   every trial, as Optuna's journal; the same command goes on with it
DIR/tune.json      what came out
DIR/best.toml      a recipe with the best values, over the one that was tuned
DIR/tune.png       scores over time, and each key's values against the scores
DIR/trials/        the runs of the trials in progress
DIR/claims/        while it runs: which process works on which trial
```

Several processes with the same command share the trials, also on several machines that see one folder.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genrescope import modelfile, splits
from genrescope.devices import choose_device
from genrescope.errors import DataError, GenrescopeError, RecipeError, TrainingError
from genrescope.evaluation.evaluate import track_rows
from genrescope.evaluation.sound import sound_for
from genrescope.extras import require
from genrescope.files import fingerprint, refuse_foreign
from genrescope.inference.scorer import Scorer
from genrescope.research import trials as optuna_trials
from genrescope.research.pieces import SHARES
from genrescope.research.tuned import results
from genrescope.shared_work import LOOK, LeftBehindError, SharedWork, Task, warn_of_threads
from genrescope.training import ranks
from genrescope.training import recipe as recipes
from genrescope.training.job import Job
from genrescope.training.progress import Watch
from genrescope.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optuna import Study, Trial

    from genrescope.research.trials import Tried
    from genrescope.research.tuned import Search, Tuned
    from genrescope.shared_work import Standing
    from genrescope.splits import Split
    from genrescope.store.store import Store
    from genrescope.training.recipe import Recipe


def tune(
    search: Search,
    out: str | Path,
    *,
    trials: int,
    minutes: float | None = None,
    on_fold: Callable[[int, float], None] = lambda *_: None,
    on_trial: Callable[[Tried], None] = lambda _: None,
    on_progress: Callable[[Standing], None] = lambda _: None,
) -> Tuned:
    """Search for the values that get most tracks right, each track by a network that did not learn its fold.

    Values are proposed by a tree-structured Parzen estimator. A trial that is worse after a fold than half of the
    others were is given up. The same call goes on where it was interrupted, and gives what it would have given in one
    go. Other processes may do the same in the same folder: each takes trials that no other one works on, and knows what
    all have found; the trial of one that died is taken by another. All of them return when all trials have ended, or
    their own time is over.

    Args:
        search: what is searched.
        out: the folder of the results.
        trials: how many there are to be in all, those of earlier calls and of other processes included.
        minutes: begin no trial after so many.
        on_fold: called after each fold with the number of the trial and its score so far.
        on_trial: called after each trial of this process.
        on_progress: called often with how far the search is.

    Returns:
        All trials and the best one.

    Raises:
        MissingPackageError: a package of the extra `tune` is not installed.
        DataError: the store or split does not suit, or `out` holds a search of something else.
        RecipeError: the recipe cannot be used.
        LeftBehindError: this process stood still for minutes, and another one has taken over its trial.
    """
    require("train", "tuning")
    out = Path(out)
    running = _Running.of(search, out, on_fold)
    study = optuna_trials.open_study(out, running.identity)
    slots = {f"trial-{slot}": slot for slot in range(1, trials + 1)}
    tasks = [Task(key, partial(_is_tried, study, slot)) for key, slot in slots.items()]
    until = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
    with SharedWork(out / SHARES, tasks, threads=torch.get_num_threads()) as shared:
        warn_of_threads(shared.members, torch.get_num_threads())

        def tell() -> None:
            on_progress(shared.standing(list(slots)))

        running.on_step = shared.check
        tell()
        while not shared.over and time.monotonic() < until:
            key = shared.take()
            if key is not None:
                tried = running.trial(study, slots[key])
                shared.finish(key)
                on_trial(tried)
            else:
                time.sleep(LOOK)
            tell()
        return results(search, running.store, running.split, out, study)


def _is_tried(study: Study, slot: int) -> bool:
    return slot in optuna_trials.ended(study)


def subset(store: Store, split: Split | None) -> Store:
    """Return a store with the tracks that a search may look at: all but the part `test`, and those in no part.

    Raises:
        DataError: the split has no part `train`.
    """
    if split is None:
        return store
    if "train" not in split.counts:
        raise DataError(
            f"the split {split.method} has the parts {', '.join(split.counts)}; a search needs one with a part train, "
            "and leaves its part test alone"
        )
    seen = {track_id for track_id, part in split.parts.items() if part in ("train", "validation")}
    return dataclasses.replace(store, tracks=tuple(track for track in store.tracks if track.id in seen))


@dataclass
class _Running:
    """A search with its folds."""

    search: Search
    store: Store
    split: Split
    out: Path
    device: str
    on_fold: Callable[[int, float], None]
    on_step: Callable[[], None] = lambda: None

    @classmethod
    def of(cls, search: Search, out: Path, on_fold: Callable[[int, float], None]) -> _Running:
        """Return a search with its folds, once it is known that it can be done in a folder.

        Raises:
            GenrescopeError: as `tune`.
        """
        recipes.load(search.recipe, search.changes)
        optuna_trials.require_optuna()
        search.store.refuse_several("a search")
        seen = subset(search.store, search.split)
        method = splits.default_method(seen.tracks)
        made = splits.make(seen.tracks, method, seed=search.seed, folds=search.folds, pairs=search.pairs)
        refuse_foreign(out, (optuna_trials.JOURNAL, SHARES), what="the search")
        return cls(search, seen, made, out, choose_device(search.device), on_fold)

    @property
    def identity(self) -> str:
        """The fingerprint of what decides what is found."""
        search = self.search
        recipe = recipes.load(search.recipe, search.changes).model_dump()
        ranges = {key: values.model_dump() for key, values in search.space.items()}
        whole = [recipe, ranges, self.split.fingerprint, search.folds, search.seed, search.store.fingerprint]
        return fingerprint(whole)

    def trial(self, study: Study, number: int) -> Tried:
        """Propose values for a slot, try them, and note what came out."""
        from optuna.trial import TrialState

        trial, values = optuna_trials.begin(study, number, self.search.space, seed=self.search.seed)
        began = time.monotonic()
        state, score, reason = TrialState.FAIL, None, ""
        try:
            score = self.score(trial, values, number)
            state = TrialState.COMPLETE if score is not None else TrialState.PRUNED
        except (RecipeError, TrainingError) as error:  # values that do not go together, or no finite loss
            reason = str(error)
        trial.set_user_attr("seconds", time.monotonic() - began)
        trial.set_user_attr("ended", reason or "yes")
        study.tell(trial, score, state=state)
        return next(each for each in optuna_trials.tried(study) if each.number == number)

    def score(self, trial: Trial, values: Mapping[str, Any], number: int) -> float | None:
        """Return the share of tracks that are right, or None when the trial is given up."""
        recipe = recipes.load(self.search.recipe, self.search.changes | dict(values))
        folder = self.out / "trials" / f"{number}-{fingerprint(dict(values))}"
        try:
            score = self._score(trial, recipe, folder, number)
        except LeftBehindError:  # another process goes on in it
            raise
        except GenrescopeError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)  # on Ctrl-C it stays, and the trial goes on in it
        return score

    def _score(self, trial: Trial, recipe: Recipe, folder: Path, number: int) -> float | None:
        right = total = 0
        for step, fold in enumerate(self.split.counts, start=1):
            correct, tracks = self._fold(recipe, fold, folder / f"fold-{fold}")
            right, total = right + correct, total + tracks
            trial.report(right / total, step)
            self.on_fold(number, right / total)
            if trial.should_prune() and step < len(self.split.counts):
                return None
        return right / total

    def _fold(self, recipe: Recipe, fold: str, path: Path) -> tuple[int, int]:
        """Train without a fold and count how many of its tracks are right."""
        parts = {track_id: "test" if part == fold else "train" for track_id, part in self.split.parts.items()}
        split = splits.Split(parts, f"{self.split.method}, fold {fold}")
        job = Job(self.store, recipe, split, path, seed=self.search.seed, device=self.device, resume=True)
        with ranks.alone():
            train(job, watch=Watch(on_step=lambda _: self.on_step()))
        model = modelfile.load(path, device=self.device)
        held = [track for track in self.store.tracks if parts[track.id] == "test"]
        rows = track_rows(model, sound_for(model, self.store).score(Scorer.of(model), held))
        return sum(row.right for row in rows), len(rows)
