"""The keys of recipes, told for people: what each accepts, what it is by default, and what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope.errors import RecipeError, nearest
from genrescope.training.recipe import Recipe, load_any
from genrescope.training.recipe_listener import ListenerRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.training.recipe_sections import Section

_DEFAULTS: dict[type[Section], str] = {
    Recipe: "base",
    ListenerRecipe: "listener",
}  # the recipes that tell what is not said otherwise
_NO_BOUND = 1e6  # such bounds only keep nonsense out


@dataclass(frozen=True)
class Key:
    """A key of a recipe.

    Attributes:
        name: as `--set` takes it, `training.epochs`.
        accepted: its type and range, or its choices.
        default: its value in the recipe that others extend.
        about: what it does.
    """

    name: str
    accepted: str
    default: Any
    about: str


def described(sections: Sequence[str] = ()) -> list[Key]:
    """Return the keys of some sections, or of all of them.

    Raises:
        RecipeError: there is no such section; the nearest one is named.

    Example:
        >>> described(["evaluation"])[0].accepted
        'first or vote'
    """
    found: dict[str, list[Key]] = {}
    for kind, recipe in _DEFAULTS.items():
        values = load_any(recipe).model_dump()
        schema = kind.model_json_schema()
        for section, its in schema["properties"].items():
            if section not in found and "$ref" in its:
                found[section] = _keys(section, schema["$defs"][its["$ref"].rpartition("/")[2]], values[section])
    for section in sections:
        if section not in found:
            raise RecipeError(f'no section "{section}" in a recipe; {nearest(section, found)}')
    return [key for section in sections or found for key in found[section]]


def _keys(section: str, schema: dict[str, Any], values: dict[str, Any]) -> list[Key]:
    return [
        Key(f"{section}.{name}", accepted(its), values[name], " ".join(its["description"].split()))
        for name, its in schema["properties"].items()
    ]


def accepted(schema: dict[str, Any]) -> str:
    """Say what a JSON Schema of a value accepts.

    Example:
        >>> accepted({"type": "integer", "minimum": 1}), accepted({"type": "number", "exclusiveMaximum": 1})
        ('whole number, 1 or more', 'number, below 1')
    """
    if "enum" in schema:
        *others, last = schema["enum"]
        return f"{', '.join(others)} or {last}" if others else str(last)
    if schema["type"] == "array":
        return f"list of: {accepted(schema['items'])}"
    words = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
    bounds = _bounds(schema)
    return words[schema["type"]] + (f", {bounds}" if bounds else "")


def _bounds(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum", _NO_BOUND)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and below is None:
        return f"{low:g} to {high:g}" if high < _NO_BOUND else f"{low:g} or more"
    told = [
        f"above {above:g}" if above is not None else f"{low:g} or more" if low is not None else "",
        f"below {below:g}" if below is not None else f"{high:g} at most" if high < _NO_BOUND else "",
    ]
    return ", ".join(filter(None, told))
