"""What a search may change: a TOML file whose keys are a recipe's.

```
"schedule.max_rate" = { low = 1e-4, high = 1e-2, log = true }
"model.dropout" = { low = 0.0, high = 0.6 }
"windows.frames" = { choices = [128, 256] }
```
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from genrescope.errors import DataError, nearest
from genrescope.tables import read_toml
from genrescope.training import recipe as recipes

if TYPE_CHECKING:
    from collections.abc import Mapping


class Range(BaseModel):
    """The values that a key may take: between two bounds, or one of some choices."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    """Whether ratios count, not differences: for rates."""
    choices: Annotated[list[str | bool | int | float], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Range:
        bounded = self.low is not None and self.high is not None
        if bounded == (self.choices is not None) or (self.choices and (self.low, self.high) != (None, None)):
            raise ValueError("give low and high, or choices")
        if self.low is not None and self.high is not None:
            if self.low > self.high:
                raise ValueError(f"low {self.low} is above high {self.high}")
            if self.log and self.low <= 0:
                raise ValueError(f"with log, low must be above 0, not {self.low}")
        return self


def read_space(path: str | Path) -> dict[str, Range]:
    """Read a space.

    Raises:
        DataError: it cannot be read, or a key or range is wrong; the nearest right key is named.
    """
    path = Path(path)
    space = {key: _range(path, key, value) for key, value in _ranges(read_toml(path)).items()}
    if not space:
        raise DataError(f'{path} names no key; write "schedule.max_rate" = {{ low = 1e-4, high = 1e-2, log = true }}')
    return space


def _ranges(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Find the ranges in tables within tables; TOML takes `model.dropout = ...` for one."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, dict) and not set(value) & set(Range.model_fields)
        found |= _ranges(value, f"{prefix}{key}.") if inner and value else {prefix + key: value}
    return found


def _range(path: Path, key: str, value: Any) -> Range:
    known = recipes.keys()
    tunable = [each for each in known if "." in each]
    if key not in tunable:
        raise DataError(f'{path}: no recipe key "{key}"; {nearest(key, tunable)}')
    if not isinstance(value, dict):
        raise DataError(f"{path}: {key} = {value!r}; accepted is {{ low = 0.1, high = 0.5 }} or {{ choices = [1, 2] }}")
    try:
        return Range.model_validate(value)
    except ValidationError as error:
        problem = error.errors()[0]
        named = ".".join(map(str, problem["loc"][:1]))
        if problem["type"] == "extra_forbidden":
            raise DataError(f'{path}: {key}: no "{named}"; {nearest(named, list(Range.model_fields))}') from error
        raise DataError(f"{path}: {key}{f'.{named}' if named else ''}: {problem['msg']}") from error
