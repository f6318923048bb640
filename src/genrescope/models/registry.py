"""Networks by name.

A family is a module of this package named in `_FAMILIES`; `@register` on a function that returns a network makes it a
variant. Variants take the number of genres, and keyword arguments that a recipe may set; networks take images of
shape (batch, 1, n_mels, frames) and return logits of shape (batch, genres).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from torch import nn

from genrescope.errors import RecipeError, nearest

_FAMILIES = ("committee", "mgcc", "pooled", "vgg")
_VARIANTS: dict[str, Callable[..., nn.Module]] = {}

Variant = Callable[..., nn.Module]


def register(variant: Variant) -> Variant:
    """Register a variant under its function's name, with hyphens for underscores."""
    _VARIANTS[variant.__name__.replace("_", "-")] = variant
    return variant


def names() -> list[str]:
    """Return the names of all variants.

    Example:
        >>> names()
        ['committee', 'mgcc', 'mgcc-small', 'pooled-svm', 'vgg-16']
    """
    for family in _FAMILIES:
        importlib.import_module(f"genrescope.models.{family}")
    return sorted(_VARIANTS)


def create(name: str, genres: int, **options: Any) -> nn.Module:
    """Make a freshly initialised network.

    Raises:
        RecipeError: no variant has that name, or it does not take one of the options.
    """
    if name not in names():
        raise RecipeError(f'no model called "{name}"; {nearest(name, names())}')
    try:
        return _VARIANTS[name](genres, **options)
    except (TypeError, ValueError) as error:
        raise RecipeError(f'model "{name}" does not accept {options}: {error}') from error


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters, of averaged weights too, which ask for no gradient; buffers do not count."""
    return sum(parameter.numel() for parameter in model.parameters())
