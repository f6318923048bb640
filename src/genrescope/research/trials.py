"""The trials of a search, as Optuna keeps them in a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError
from genrescope.extras import require
from genrescope.files import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from genrescope.research.tune_space import Range

DATABASE = "tune.db"
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


def require_optuna() -> Any:
    """Load Optuna, which is an extra, and keep it from printing.

    Raises:
        MissingPackageError: it is not installed.
    """
    require("tune", "tuning")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def open_study(out: Path, identity: str) -> Study:
    """Open the search in a folder, or begin it; a trial that was interrupted begins anew.

    Raises:
        DataError: it is a search of something else.
    """
    optuna = require_optuna()
    out.mkdir(parents=True, exist_ok=True)
    study: Study = optuna.create_study(
        storage=f"sqlite:///{(out / DATABASE).resolve()}", study_name=_NAME, direction="maximize", load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )  # fmt: skip
    if study.user_attrs.get("identity") not in (None, identity):
        close(study)
        raise DataError(
            f"{out} holds a search with another recipe, space, split, seed, folds or data; choose another --out"
        )
    study.set_user_attr("identity", identity)
    for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def close(study: Study) -> None:
    """Let go of the database."""
    storage: Any = study._storage
    getattr(storage, "_backend", storage).engine.dispose()


def seed_sampler(study: Study, seed: int) -> None:
    """Make the next proposal depend on the seed and the trials that have ended, and nothing else."""
    from optuna.samplers import TPESampler

    study.sampler = TPESampler(seed=int(fingerprint([seed, len(ended(study))])[:8], 16))


def suggest(trial: Trial, key: str, values: Range) -> Any:
    """Propose a value of a recipe's key."""
    if values.choices is not None:
        return trial.suggest_categorical(key, values.choices)
    assert values.low is not None
    assert values.high is not None
    if isinstance(values.low, int) and isinstance(values.high, int):
        return trial.suggest_int(key, values.low, values.high, log=values.log)
    return trial.suggest_float(key, values.low, values.high, log=values.log)


def ended(study: Study) -> list[FrozenTrial]:
    """Return the trials that have ended by themselves; those that were interrupted are none."""
    return [trial for trial in study.trials if trial.state.is_finished() and "ended" in trial.user_attrs]


def tried(study: Study) -> tuple[Tried, ...]:
    """Return the trials that have ended by themselves, as they are told."""
    return tuple(_tried(trial, number) for number, trial in enumerate(ended(study), start=1))


def importance(study: Study) -> dict[str, float]:
    """Return the share of the scores' differences that each key explains; nothing where that is unknown."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    scores = [trial.value for trial in study.trials if trial.state.name == "COMPLETE"]
    if len(scores) < _TELLING or len(set(scores)) < 2:
        return {}
    return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))


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
