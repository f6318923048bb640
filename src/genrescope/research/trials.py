"""The trials of a search, as Optuna keeps them in a journal that several processes write.

A search has slots, numbered from 1; which process works on which is settled elsewhere (`shared_work`). Optuna holds
what was tried in each, so that every process proposes by all that is known. A slot whose process died is tried again
with the same values: that is another trial of Optuna's.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError
from genrescope.extras import require
from genrescope.files import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from genrescope.research.tune_space import Range

JOURNAL = "tune.journal"
_TELLING = 8  # trials below which no key can be said to matter


@dataclass(frozen=True)
class Tried:
    """A trial that has ended.

    Attributes:
        number: its slot.
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


def require_optuna() -> Any:
    """Load Optuna, which is an extra, and keep it from printing.

    Raises:
        MissingPackageError: it is not installed.
    """
    require("tune", "tuning")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def open_study(out: Path, identity: str) -> Study:
    """Open the search in a folder, or begin it; several processes may.

    Raises:
        DataError: it is a search of something else.
    """
    optuna = require_optuna()
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    out.mkdir(parents=True, exist_ok=True)
    path = str(out / JOURNAL)
    storage = optuna.storages.JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    study: Study = optuna.create_study(
        storage=storage, study_name=identity, direction="maximize", load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )  # fmt: skip
    if storage.get_all_studies()[0].study_name != identity:  # the first one counts: there may have been two at once
        raise DataError(
            f"{out} holds a search with another recipe, space, split, seed, folds or data; choose another --out"
        )
    return study


def begin(study: Study, slot: int, space: Mapping[str, Range], *, seed: int) -> tuple[Trial, dict[str, Any]]:
    """Begin the trial of a slot; return it and its values.

    They depend on the seed, the slot and the trials that have ended. Of trials in progress elsewhere TPE keeps away. A
    trial of this slot that was interrupted counts as failed, and its values are taken again.
    """
    import optuna

    values: dict[str, Any] = {}
    for trial in study.get_trials(deepcopy=False):
        if trial.user_attrs.get("slot") == slot and "ended" not in trial.user_attrs:
            values = dict(trial.params) if len(trial.params) == len(space) else values
            if not trial.state.is_finished():
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    sampler = optuna.samplers.TPESampler(seed=int(fingerprint([seed, slot - 1])[:8], 16), constant_liar=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = optuna.samplers.PartialFixedSampler(values, sampler) if values else sampler
        begun = study.ask()
        begun.set_user_attr("slot", slot)
        return begun, {key: suggest(begun, key, its) for key, its in space.items()}


def suggest(trial: Trial, key: str, values: Range) -> Any:
    """Propose a value of a recipe's key."""
    if values.choices is not None:
        return trial.suggest_categorical(key, values.choices)
    assert values.low is not None
    assert values.high is not None
    if isinstance(values.low, int) and isinstance(values.high, int):
        return trial.suggest_int(key, values.low, values.high, log=values.log)
    return trial.suggest_float(key, values.low, values.high, log=values.log)


def ended(study: Study) -> dict[int, FrozenTrial]:
    """Return the trials that have ended by themselves, by slot; those that were interrupted are none."""
    trials = study.get_trials(deepcopy=False)
    found = {trial.user_attrs["slot"]: trial for trial in trials if trial.state.is_finished() and _is_whole(trial)}
    return dict(sorted(found.items()))


def tried(study: Study) -> tuple[Tried, ...]:
    """Return the trials that have ended by themselves, as they are told."""
    return tuple(_tried(trial, slot) for slot, trial in ended(study).items())


def importance(study: Study) -> dict[str, float]:
    """Return the share of the scores' differences that each key explains; nothing where that is unknown."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    scores = [trial.value for trial in study.trials if trial.state.name == "COMPLETE"]
    if len(scores) < _TELLING or len(set(scores)) < 2:
        return {}
    return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))


def _is_whole(trial: FrozenTrial) -> bool:
    return {"slot", "ended"} <= set(trial.user_attrs)


def _tried(trial: FrozenTrial, number: int) -> Tried:
    state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
    return Tried(
        number=number,
        values=dict(trial.params),
        score=trial.value if state == "complete" else None,
        state=state,
        reason=str(trial.user_attrs["ended"]) if state == "failed" else "",
        seconds=float(trial.user_attrs["seconds"]),
    )
