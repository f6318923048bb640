"""A search's question and its answer: what is searched, and what came out, as values and as files."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from genrescope.files import write_json, write_text
from genrescope.research import trials as optuna_trials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna import Study

    from genrescope.research.trials import Tried
    from genrescope.research.tune_space import Range
    from genrescope.splits import Split
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store

FILE_NAME = "tune.json"
BEST = "best.toml"
PICTURE = "tune.png"
_FORMAT = 1


@dataclass(frozen=True)
class Search:
    """What is searched; equal searches find the same.

    Attributes:
        store: the log-mels.
        recipe: name or file of the recipe to tune.
        space: what may change.
        changes: values by key that hold for all trials.
        split: a split whose part `test` is not looked at; None takes all tracks of the store.
        folds: of the tracks that are looked at; no artist is in two.
        pairs: the duplicates in the store.
        seed: of proposals, folds and training.
        device: `auto`, `cpu`, `cuda` or `mps`.
    """

    store: Store
    recipe: str
    space: Mapping[str, Range]
    changes: dict[str, Any] = field(default_factory=dict)
    split: Split | None = None
    folds: int = 3
    pairs: Sequence[Pair] = ()
    seed: int = 0
    device: str = "auto"


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


def results(search: Search, store: Store, split: Split, out: Path, study: Study) -> Tuned:
    """Write what a search has found so far, and return it.

    Args:
        search: what is searched.
        store: with the tracks that are looked at.
        split: its folds.
        out: the folder of the results.
        study: Optuna's, with all trials.
    """
    from genrescope.research import tune_figure

    tried = optuna_trials.tried(study)
    complete = [each for each in tried if each.score is not None]
    best = max(complete, key=lambda each: (each.score or 0.0, -each.number), default=None)
    importance = optuna_trials.importance(study)
    write_json(
        out / FILE_NAME,
        shared=True,
        value={
            "format": _FORMAT,
            "recipe": search.recipe,
            "changes": search.changes,
            "split": split.method,
            "tracks": len(store.tracks),
            "seed": search.seed,
            "data_fingerprint": store.fingerprint,
            "best": dataclasses.asdict(best) if best is not None else None,
            "importance": importance,
            "trials": [dataclasses.asdict(each) for each in tried],
        },
    )
    if best is not None:
        write_text(out / BEST, _best(search, split, out, best), shared=True)
        tune_figure.write(tried, search.space, importance, out / PICTURE)
    return Tuned(tried, best, importance, out)


def _best(search: Search, split: Split, out: Path, best: Tried) -> str:
    extends = search.recipe
    if extends.endswith(".toml"):
        extends = os.path.relpath(extends, out)
    values: dict[str, Any] = {
        "extends": Path(extends).as_posix(),
        "intent": f"The best of a search over {split.method}: {100 * (best.score or 0):.1f} % out of fold.",
    }
    for key, value in (search.changes | best.values).items():
        section, dot, inner = key.partition(".")
        if dot:
            values.setdefault(section, {})[inner] = value
        else:
            values[key] = value
    return tomli_w.dumps(values)
