"""The files of recipes: found by name or path, each read over the one that it extends."""

from __future__ import annotations

import importlib.resources
import os
import tomllib
from pathlib import Path
from typing import Any

from genrescope.errors import RecipeError, nearest

_LARGEST = 1_000_000  # bytes of a recipe's file
_LONGEST_CHAIN = 20  # recipes that extend each other


def names() -> list[str]:
    """Return the names of the recipes that ship with genrescope.

    Example:
        >>> "mgcc" in names()
        True
    """
    found = importlib.resources.files("genrescope.recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in found if file.name.endswith(".toml"))


def located(name: str, beside: Path = Path()) -> str:
    """Return the name of a recipe that ships with genrescope, or the path of a recipe's file.

    Args:
        name: of a recipe, or of a file in the folder `beside`, with or without `.toml`. A name that ships with
            genrescope stands for that recipe; a file of the same name is given with its ending.

    Example:
        >>> located("mgcc"), located("mine.toml", Path("recipes"))
        ('mgcc', 'recipes/mine.toml')
    """
    if name.endswith(".toml"):
        return str(beside / name)
    file = beside / f"{name}.toml"
    return str(file) if name not in names() and file.is_file() else name


def namesake(name: str, beside: Path = Path()) -> Path | None:
    """Return the file that is called as a recipe that ships with genrescope, which is taken instead of it."""
    file = beside / f"{name}.toml"
    return file if name in names() and file.is_file() else None


def merged(name: str, *, seen: tuple[str, ...]) -> dict[str, Any]:
    """Read a recipe's file over the one that it extends.

    Args:
        name: of a recipe, or a file that ends in .toml.
        seen: the recipes that extend it.

    Raises:
        RecipeError: there is none, it is no recipe, or it extends itself.
    """
    values = _read(name)
    parent = values.pop("extends", None)
    if parent is None:
        return values
    if not isinstance(parent, str):
        raise RecipeError(
            f"recipe {name} extends {parent!r}; accepted is a recipe's name, or a file that ends in .toml"
        )
    if name.endswith(".toml"):
        parent = located(parent, Path(name).parent)  # beside the file that names it
    if _identity(parent) in map(_identity, (*seen, name)):
        raise RecipeError(f"recipe {name} extends itself: {' -> '.join((*seen, name, parent))}")
    if len(seen) > _LONGEST_CHAIN:
        raise RecipeError(f"recipe {seen[0]} extends a recipe that extends another, {len(seen)} times; merge them")
    below = merged(parent, seen=(*seen, name))
    for key, value in values.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        below[key] = below[key] | value if both else value
    return below


def _identity(name: str) -> str:
    """Return what is equal for all spellings of a recipe's file, those through links too."""
    return os.path.realpath(name) if name.endswith(".toml") else name


def _read(name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(name))
    except (ValueError, RecursionError) as error:  # numbers of 5,000 digits; brackets in brackets
        raise RecipeError(f"recipe {name} is not valid TOML: {error}") from error


def _text(name: str) -> str:
    if not name.endswith(".toml"):
        if name not in names():
            raise RecipeError(f'no recipe called "{name}"; {nearest(name, names())}')
        return (importlib.resources.files("genrescope.recipes") / f"{name}.toml").read_text(encoding="utf-8")
    path = Path(name)
    if not path.is_file():
        raise RecipeError(f"no recipe file {path}")
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise RecipeError(f"recipe file {path} has {size:,} bytes; a recipe has {_LARGEST:,} at most")
        return path.read_text(encoding="utf-8").removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe file {path} cannot be read: {error}") from error
