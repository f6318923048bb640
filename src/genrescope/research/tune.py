"""Tuning: better values for a recipe's keys, judged by artists that a network has not heard, never by the test part.

```
DIR/tune.db        every trial; the same command goes on with it
DIR/tune.json      what came out
DIR/best.toml      a recipe with the best values, over the one that was tuned
DIR/tune.png       scores over time, and each key's values against the scores
DIR/trials/        the runs of the trial in progress
```
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from genrescope import modelfile, splits
from genrescope.devices import choose_device
from genrescope.errors import DataError, GenrescopeError, RecipeError, TrainingError
from genrescope.evaluation.evaluate import track_rows
from genrescope.evaluation.sound import sound_for
from genrescope.files import fingerprint, refuse_foreign, write_json, write_text
from genrescope.inference.scorer import Scorer
from genrescope.training import recipe as recipes
from genrescope.training.job import Job
from genrescope.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from genrescope.research.tune_space import Range
    from genrescope.splits import Split
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store
    from genrescope.training.recipe import Recipe

DATABASE = "tune.db"
FILE_NAME = "tune.json"
BEST = "best.toml"
PICTURE = "tune.png"
_FORMAT = 1
_NAME = "tune"
_TELLING = 8  # trials below which no key can be said to matter


@dataclass(frozen=True)
class Tried:
    """A trial that has ended.

    Attributes:
        number: counted from 1.
        values: by recipe key.
        score: share of the tracks that were right, out of fold; None where it failed or was given up.
        state: `complete`, `pruned` (given up: worse than half of the others so far) or `failed`.
        reason: why it failed; empty where it did not.
        seconds: how long it took.
    """

    number: int
    values: dict[str, Any]
    score: float | None
    state: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class Tuned:
    """What `tune` did.

    Attributes:
        trials: all trials that have ended, also of earlier calls.
        best: the best one; None where none was completed.
        importance: share of the scores' differences that each key explains, as far as that can be told.
        out: the folder of the results.
    """

    trials: tuple[Tried, ...]
    best: Tried | None
    importance: dict[str, float]
    out: Path


def tune(
    store: Store,
    base: str,
    space: Mapping[str, Range],
    out: str | Path,
    *,
    trials: int,
    changes: Mapping[str, Any] | None = None,
    split: Split | None = None,
    folds: int = 3,
    minutes: float | None = None,
    pairs: Sequence[Pair] = (),
    seed: int = 0,
    device: str = "auto",
    on_fold: Callable[[int, float], None] = lambda *_: None,
    on_trial: Callable[[Tried], None] = lambda _: None,
) -> Tuned:
    """Search for the values that get most tracks right, each track by a network that did not learn its fold.

    Values are proposed by a tree-structured Parzen estimator. A trial that is worse after a fold than half of the
    others were is given up. The same call goes on where it was interrupted, and gives what it would have given in one
    go.

    Args:
        store: the log-mels.
        base: name or file of the recipe to tune.
        space: what may change.
        out: the folder of the results.
        trials: how many there are to be in all, those of earlier calls included.
        changes: values by key that hold for all trials.
        split: a split whose part `test` is not looked at; None takes all tracks of the store.
        folds: of the tracks that are looked at; no artist is in two.
        minutes: begin no trial after so many.
        pairs: the duplicates in the store.
        seed: of proposals, folds and training.
        device: `auto`, `cpu`, `cuda` or `mps`.
        on_fold: called after each fold with the number of the trial and its score so far.
        on_trial: called after each trial.

    Returns:
        All trials and the best one.

    Raises:
        TrainingError: Optuna is not installed.
        DataError: the store or split does not suit, or `out` holds a search of something else.
        RecipeError: the recipe cannot be used.
    """
    out, device, changes = Path(out), choose_device(device), dict(changes or {})
    recipes.load(base, changes)
    _import()
    seen = subset(store, split)
    made = splits.make(seen.tracks, splits.default_method(seen.tracks), seed=seed, folds=folds, pairs=pairs)
    refuse_foreign(out, (DATABASE,), what="the search")
    ranges = {key: its.model_dump() for key, its in space.items()}
    identity = fingerprint(
        [recipes.load(base, changes).model_dump(), ranges, made.fingerprint, folds, seed, store.fingerprint]
    )
    search = _Search(seen, base, changes, space, out, split=made, seed=seed, device=device, on_fold=on_fold)
    study = _open(out, identity)
    try:
        until = time.monotonic() + 60 * minutes if minutes is not None else None
        while len(_ended(study)) < trials and (until is None or time.monotonic() < until):
            on_trial(search.trial(study))
        return _results(study, search)
    finally:
        _close(study)


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
class _Search:
    """What all trials have in common."""

    store: Store
    base: str
    changes: dict[str, Any]
    space: Mapping[str, Range]
    out: Path
    split: Split
    seed: int
    device: str
    on_fold: Callable[[int, float], None]

    def trial(self, study: Study) -> Tried:
        """Propose values, try them, and note what came out."""
        from optuna.trial import TrialState

        ended = len(_ended(study))
        study.sampler = _sampler(self.seed, ended)
        trial = study.ask()
        values = {key: _suggest(trial, key, its) for key, its in self.space.items()}
        began, number = time.monotonic(), ended + 1
        state, score, reason = TrialState.FAIL, None, ""
        try:
            score = self.score(trial, values, number)
            state = TrialState.COMPLETE if score is not None else TrialState.PRUNED
        except (RecipeError, TrainingError) as error:  # values that do not go together, or no finite loss
            reason = str(error)
        trial.set_user_attr("seconds", time.monotonic() - began)
        trial.set_user_attr("ended", reason or "yes")
        study.tell(trial, score, state=state)
        return _tried(study.trials[trial.number], number)

    def score(self, trial: Trial, values: Mapping[str, Any], number: int) -> float | None:
        """Return the share of tracks that are right, or None when the trial is given up."""
        recipe = recipes.load(self.base, self.changes | dict(values))
        folder = self.out / "trials" / fingerprint(dict(values))
        right = total = 0
        try:
            for step, fold in enumerate(self.split.counts, start=1):
                correct, tracks = self._fold(recipe, fold, folder / f"fold-{fold}")
                right, total = right + correct, total + tracks
                trial.report(right / total, step)
                self.on_fold(number, right / total)
                if trial.should_prune() and step < len(self.split.counts):
                    break
            else:
                step += 1
        except GenrescopeError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)  # on Ctrl-C it stays, and the trial goes on in it
        return right / total if step > len(self.split.counts) else None

    def _fold(self, recipe: Recipe, fold: str, path: Path) -> tuple[int, int]:
        """Train without a fold and count how many of its tracks are right."""
        parts = {track_id: "test" if part == fold else "train" for track_id, part in self.split.parts.items()}
        split = splits.Split(parts, f"{self.split.method}, fold {fold}")
        train(Job(self.store, recipe, split, path, seed=self.seed, device=self.device, resume=True))
        model = modelfile.load(path, device=self.device)
        held = [track for track in self.store.tracks if parts[track.id] == "test"]
        rows = track_rows(model, sound_for(model, self.store).score(Scorer.of(model), held))
        return sum(row.right for row in rows), len(rows)


def _import() -> Any:
    """Load Optuna, which is an extra, and keep it from printing."""
    try:
        import optuna
    except ImportError as error:
        raise TrainingError("tuning needs Optuna, an extra: pip install 'genrescope[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _suggest(trial: Trial, key: str, its: Range) -> Any:
    if its.choices is not None:
        return trial.suggest_categorical(key, its.choices)
    assert its.low is not None
    assert its.high is not None
    if isinstance(its.low, int) and isinstance(its.high, int):
        return trial.suggest_int(key, its.low, its.high, log=its.log)
    return trial.suggest_float(key, its.low, its.high, log=its.log)


def _sampler(seed: int, ended: int) -> Any:
    """Return a sampler whose next proposal depends on the seed and the trials that have ended, and nothing else."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=int(fingerprint([seed, ended])[:8], 16))


def _open(out: Path, identity: str) -> Study:
    """Open the search, or begin it; what was interrupted begins anew.

    Raises:
        DataError: it is a search of something else.
    """
    optuna = _import()
    out.mkdir(parents=True, exist_ok=True)
    study: Study = optuna.create_study(
        storage=f"sqlite:///{(out / DATABASE).resolve()}", study_name=_NAME, direction="maximize", load_if_exists=True,
        sampler=_sampler(0, 0), pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )  # fmt: skip
    known = study.user_attrs.get("identity")
    if known not in (None, identity):
        _close(study)
        raise DataError(
            f"{out} holds a search with another recipe, space, split, seed, folds or data; choose another --out"
        )
    study.set_user_attr("identity", identity)
    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _close(study: Study) -> None:
    """Let go of the database."""
    storage: Any = study._storage
    getattr(storage, "_backend", storage).engine.dispose()


def _ended(study: Study) -> list[FrozenTrial]:
    """Return the trials that have ended by themselves; those that were interrupted are none."""
    return [trial for trial in study.trials if trial.state.is_finished() and "ended" in trial.user_attrs]


def _tried(trial: FrozenTrial, number: int) -> Tried:
    state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
    told = str(trial.user_attrs["ended"])
    return Tried(
        number=number,
        values=dict(trial.params),
        score=trial.value if state == "complete" else None,
        state=state,
        reason=told if state == "failed" else "",
        seconds=float(trial.user_attrs["seconds"]),
    )


def _results(study: Study, search: _Search) -> Tuned:
    """Write what came out."""
    from genrescope.research import tune_figure

    tried = tuple(_tried(trial, number) for number, trial in enumerate(_ended(study), start=1))
    complete = [each for each in tried if each.score is not None]
    best = max(complete, key=lambda each: (each.score or 0.0, -each.number), default=None)
    importance = _importance(study) if len(complete) >= _TELLING else {}
    write_json(
        search.out / FILE_NAME,
        {
            "format": _FORMAT,
            "recipe": search.base,
            "changes": search.changes,
            "split": search.split.method,
            "tracks": len(search.store.tracks),
            "seed": search.seed,
            "data_fingerprint": search.store.fingerprint,
            "best": dataclasses.asdict(best) if best is not None else None,
            "importance": importance,
            "trials": [dataclasses.asdict(each) for each in tried],
        },
    )
    if best is not None:
        write_text(search.out / BEST, _best(search, best))
        tune_figure.write(tried, search.space, importance, search.out / PICTURE)
    return Tuned(tried, best, importance, search.out)


def _importance(study: Study) -> dict[str, float]:
    """Return how much of the scores' differences each key explains; nothing where there are none."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    if len({trial.value for trial in study.trials if trial.state.name == "COMPLETE"}) < 2:
        return {}
    return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))


def _best(search: _Search, best: Tried) -> str:
    """Return a recipe with the best values, over the one that was tuned."""
    extends = search.base
    if extends.endswith(".toml"):
        extends = os.path.relpath(extends, search.out)
    values: dict[str, Any] = {
        "extends": Path(extends).as_posix(),
        "intent": f"The best of a search over {search.split.method}: {100 * (best.score or 0):.1f} % out of fold.",
    }
    for key, value in (search.changes | best.values).items():
        section, dot, inner = key.partition(".")
        if dot:
            values.setdefault(section, {})[inner] = value
        else:
            values[key] = value
    return tomli_w.dumps(values)
