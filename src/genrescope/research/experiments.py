"""The experiments of a study: a TOML file, checked as a whole before anything runs.

```
[defaults]                            # what every experiment takes that does not say otherwise
store = "store"
split = "stratified-group"
folds = 5
seeds = [0, 1, 2]

[[experiment]]
recipe = "pooled-svm"

[[experiment]]
name = "linear"
recipe = "pooled-svm"
set = { classifier.kernel = "linear" }

[[experiment]]                        # a learning curve: an experiment for each share
recipe = "pooled-svm"
share = [0.1, 0.3, 1.0]
by = "artists"
```

Paths are taken from the folder of the file that names them.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genrescope import splits
from genrescope.errors import DataError, GenrescopeError, nearest
from genrescope.files import fingerprint, read_text
from genrescope.models import registry
from genrescope.splits import duplicates, subsets
from genrescope.splits.subsets import By  # noqa: TC001 - pydantic reads the annotation
from genrescope.store.store import open_store
from genrescope.training import recipe as recipes
from genrescope.training.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genrescope.splits import Split
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store
    from genrescope.training.recipe import Recipe

_Share = Annotated[float, Field(gt=0, le=1)]
_Seed = Annotated[int, Field(ge=0)]


class _Entry(BaseModel):
    """An `[[experiment]]` with the defaults filled in."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = ""
    store: str
    recipe: str
    changes: dict[str, Any] = Field(default_factory=dict, alias="set")
    split: str | None = None
    split_seed: _Seed | None = None
    folds: Annotated[int, Field(ge=2)] | None = None
    parts: Annotated[list[str], Field(min_length=1)] = ["train"]
    score: str = "validation"
    seeds: Annotated[list[_Seed], Field(min_length=1)] = [0]
    share: _Share | Annotated[list[_Share], Field(min_length=1)] = 1.0
    by: By = "tracks"


@dataclass(frozen=True)
class Run:
    """One training, or one cross-validation, of a study.

    Attributes:
        name: of its experiment.
        seed: of the training; and of the split, unless the experiment has a `split_seed`.
        recipe: what is trained.
        store: folder of the store.
        split: part or fold of each track; nothing is left out yet.
        folds: whether the split is of folds.
        parts: the parts to learn from.
        score: the part that is scored.
        share: how much of what could be learnt is.
        by: what the share counts.
        pairs: the duplicates in the store.
        identity: fingerprint of everything that decides the result.
        path: its folder below the study's: a run folder or a cross-validation.
    """

    name: str
    seed: int
    recipe: Recipe
    store: Path
    split: Split
    folds: bool
    parts: tuple[str, ...]
    score: str
    share: float
    by: By
    pairs: tuple[Pair, ...]
    identity: str
    path: Path

    def job(self, store: Store, split: Split, device: str) -> Job:
        """Return the training of the run, or of its folds, on a split; what was begun goes on."""
        return Job(
            store, self.recipe, split, self.path, parts=self.parts, seed=self.seed, device=device, resume=True,
            pairs=self.pairs,
        )  # fmt: skip

    def thin(self, split: Split, store: Store) -> Split:
        """Return a split that leaves the run's share of what is learnt."""
        parts = ("train",) if self.folds else self.parts
        return subsets.thinned(
            split, store.tracks, self.share, by=self.by, parts=parts, seed=self.seed, pairs=self.pairs
        )


def keys() -> list[str]:
    """Return the keys that an experiment may have.

    Example:
        >>> {"recipe", "set", "folds"} <= set(keys())
        True
    """
    return [field.alias or name for name, field in _Entry.model_fields.items()]


def read(
    path: str | Path,
    out: str | Path,
    *,
    find_pairs: Callable[[Store], Sequence[Pair]] = duplicates.in_store,
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
    entries, faults = _entries(path)
    stores = _Stores(path.parent, find_pairs)
    runs: list[Run] = []
    for number, entry in entries:
        for share in entry.share if isinstance(entry.share, list) else [entry.share]:
            name = _name(entry, share)
            try:
                runs += _runs(entry, name, share, stores, out)
            except GenrescopeError as error:
                faults.append(f"experiment {number} ({name}): {error}")
    folders = Counter(str(run.path).casefold() for run in runs)
    twice = sorted({run.name for run in runs if folders[str(run.path).casefold()] > 1})
    faults += [f'two experiments, or two seeds of one, are called "{name}"; give one another name' for name in twice]
    if faults:
        raise DataError(f"{path}: " + "; ".join(dict.fromkeys(faults)))
    return runs


def _entries(path: Path) -> tuple[list[tuple[int, _Entry]], list[str]]:
    """Return the experiments with their numbers, and what is wrong with the others."""
    values = _toml(path)
    faults = [
        f'no key "{key}"; {nearest(key, ["defaults", "experiment"])}'
        for key in values
        if key not in ("defaults", "experiment")
    ]
    defaults, listed = values.get("defaults", {}), values.get("experiment", [])
    if not isinstance(defaults, dict):
        raise DataError(f"{path}: defaults is no table; write [defaults] above its keys")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed) or not listed:
        raise DataError(f"{path} lists no experiments; write [[experiment]] above the keys of each")
    entries = []
    for number, own in enumerate(listed, start=1):
        merged = defaults | own | {"set": {**flat(defaults.get("set", {})), **flat(own.get("set", {}))}}
        try:
            entries.append((number, _Entry.model_validate(merged)))
        except ValidationError as error:
            faults += [_words(problem, number, merged) for problem in error.errors()]
    return entries, faults


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path, strict=True))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} is not valid TOML: {error}") from error


def _words(problem: Any, number: int, merged: Mapping[str, Any]) -> str:
    """Put one of pydantic's findings in the words of a study's file."""
    key = str(problem["loc"][0])
    told = f"experiment {number}"
    if problem["type"] == "extra_forbidden":
        return f'{told}: no key "{key}"; {nearest(key, keys())}'
    if problem["type"] == "missing":
        return f'{told} lacks the key "{key}"'
    return f"{told}: {key} = {merged.get(key)!r}: {problem['msg']}"


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested tables as one with dotted keys; TOML takes `a.b = 1` for a table in a table.

    Example:
        >>> flat({"model": {"dropout": 0.1}, "training.epochs": 2})
        {'model.dropout': 0.1, 'training.epochs': 2}
    """
    if not isinstance(values, dict):
        raise DataError(f"set = {values!r}; accepted is a table of recipe keys, as {{ training.epochs = 5 }}")
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def _name(entry: _Entry, share: float) -> str:
    """Name an experiment by what it does, where the file does not."""
    told = [entry.name or Path(entry.recipe).stem]
    if not entry.name:
        told += [f"{key.rpartition('.')[2]}-{value}" for key, value in entry.changes.items()]
    if isinstance(entry.share, list) or (share < 1 and not entry.name):
        told.append(f"{100 * share:g}-percent-{entry.by}")
    return "-".join(told)


def folder_name(name: str) -> str:
    """Return a name as a folder can have it.

    Example:
        >>> folder_name("mgcc, 50 epochs")
        'mgcc-50-epochs'
    """
    return re.sub(r"[^\w.]+", "-", name).strip("-._") or "experiment"


@dataclass
class _Stores:
    """Stores that were opened, and the duplicates in them, each once."""

    beside: Path
    find_pairs: Callable[[Store], Sequence[Pair]]

    def __post_init__(self) -> None:
        self._opened: dict[Path, tuple[Store, tuple[Pair, ...]]] = {}

    def get(self, name: str) -> tuple[Store, tuple[Pair, ...]]:
        path = self.beside / name
        if path not in self._opened:
            store = open_store(path)
            self._opened[path] = store, tuple(self.find_pairs(store))
        return self._opened[path]


def _runs(entry: _Entry, name: str, share: float, stores: _Stores, out: Path) -> list[Run]:
    """Resolve and check an experiment; return a run for each seed."""
    recipe = recipes.load(_beside(stores.beside, entry.recipe, ending=".toml"), entry.changes)
    store, pairs = stores.get(entry.store)
    if recipe.kind != "svm":
        frames = recipe.windows.frames
        registry.refuse_windows(recipe.model.name, recipe.model.options, features=store.spec.width, frames=frames)
    if entry.folds is not None and (entry.parts != ["train"] or entry.score != "validation"):
        raise DataError("with folds every run learns from all folds but one and scores that; leave out parts and score")
    runs = []
    for seed in entry.seeds:
        dealt = entry.split_seed if entry.split_seed is not None else seed
        wanted = _beside(stores.beside, entry.split) if entry.split is not None else None
        split = splits.choose(store.tracks, wanted, seed=dealt, folds=entry.folds, pairs=pairs)
        _check_parts(entry, split)
        decides = [
            recipe.deciding, split.fingerprint, bool(entry.folds),
            sorted(entry.parts), [share, entry.by] if share < 1 else [], seed, store.fingerprint,
        ]  # fmt: skip
        runs.append(
            Run(
                name=name,
                seed=seed,
                recipe=recipe,
                store=store.path,
                split=split,
                folds=entry.folds is not None,
                parts=tuple(entry.parts),
                score=entry.score,
                share=share,
                by=entry.by,
                pairs=pairs,
                identity=fingerprint(decides),
                path=out / folder_name(name) / f"seed-{seed}",
            )
        )
    return runs


def _beside(folder: Path, name: str, *, ending: str = "") -> str:
    """Return the path of a file beside the study's own, where a name is one's."""
    path = folder / name
    return str(path) if (ending and name.endswith(ending)) or (not ending and path.is_file()) else name


def _check_parts(entry: _Entry, split: Split) -> None:
    """Refuse parts that the split does not have, and scores of what was learnt."""
    if entry.folds is not None:
        return
    for part in entry.parts:
        split.ids(part)
    if entry.score in entry.parts:
        raise DataError(f"the part {entry.score} is learnt from, so its scores would say nothing; choose another score")
    if entry.score not in split.counts and "test" in split.counts and entry.score == "validation":
        raise DataError(
            f'the split {split.method} has no part "validation" to score; the part test is scored only where the '
            'file says score = "test"'
        )
    split.ids(entry.score)
