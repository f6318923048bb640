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

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genrescope.errors import DataError, nearest
from genrescope.splits.subsets import By  # noqa: TC001 - pydantic reads the annotation
from genrescope.tables import flat, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

_Share = Annotated[float, Field(gt=0, le=1)]
_Seed = Annotated[int, Field(ge=0)]


class Experiment(BaseModel):
    """An `[[experiment]]` with the defaults filled in; with several shares it stands for as many experiments."""

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

    def name_with(self, share: float) -> str:
        """Return its name with a share: what the file says, or else what it does."""
        words = [self.name or Path(self.recipe).stem]
        if not self.name:
            words += [f"{key.rpartition('.')[2]}-{value}" for key, value in self.changes.items()]
        if isinstance(self.share, list) or (share < 1 and not self.name):
            words.append(f"{100 * share:g}-percent-{self.by}")
        return "-".join(words)


def keys() -> list[str]:
    """Return the keys that an experiment may have.

    Example:
        >>> {"recipe", "set", "folds"} <= set(keys())
        True
    """
    return [field.alias or name for name, field in Experiment.model_fields.items()]


def read_experiments(path: Path) -> tuple[list[tuple[int, Experiment]], list[str]]:
    """Return a file's experiments with their numbers, and what is wrong with the others.

    Raises:
        DataError: the file cannot be read, or lists none.
    """
    values = read_toml(path)
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
    found = []
    for number, own in enumerate(listed, start=1):
        merged = defaults | own | {"set": _changes(defaults) | _changes(own)}
        try:
            found.append((number, Experiment.model_validate(merged)))
        except ValidationError as error:
            faults += [_words(problem, number, merged) for problem in error.errors()]
    return found, faults


def _changes(values: Mapping[str, Any]) -> dict[str, Any]:
    changes = values.get("set", {})
    if not isinstance(changes, dict):
        raise DataError(f"set = {changes!r}; accepted is a table of recipe keys, as {{ training.epochs = 5 }}")
    return flat(changes)


def _words(problem: Any, number: int, merged: Mapping[str, Any]) -> str:
    """Put one of pydantic's findings in the words of a study's file."""
    key, where = str(problem["loc"][0]), f"experiment {number}"
    if problem["type"] == "extra_forbidden":
        return f'{where}: no key "{key}"; {nearest(key, keys())}'
    if problem["type"] == "missing":
        return f'{where} lacks the key "{key}"'
    return f"{where}: {key} = {merged.get(key)!r}: {problem['msg']}"
