"""The base of all types of results."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict

_Item = TypeVar("_Item")

Format = Literal[1]
FORMAT: Format = 1
"""The version of the files' form; it rises when an older reader would misread a newer file."""

Many = Annotated[tuple[_Item, ...], Strict(False)]
"""A list in JSON; only the container is converted, its items are as strict as all else."""

Portion = Annotated[float, Field(ge=0, le=1)]
"""A share or a probability, 0 to 1."""

Count = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """Frozen and strict: unknown keys, wrong kinds of values and numbers that are not finite are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )
