"""Networks by name.

A variant is a function that takes the number of labels, and keyword arguments that a recipe may set, and returns a
network: a module that takes windows of shape (batch, 1, features, frames) and returns logits of shape (batch, labels).
A network that also has `embed`, which returns (batch, width), and `width` gives embeddings. One that has
`logits_and_embeddings`, which returns both, gives them for the price of one.

`@register` makes a function a variant under its own name. The families of this package are modules named in
`_FAMILIES`. Other packages add theirs by an entry point of the group `genrescope.models`, which names a module that
registers its variants when it is imported:

```toml
[project.entry-points."genrescope.models"]
mine = "my_package.networks"
```
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn

from genrescope.errors import RecipeError, nearest

Variant: TypeAlias = Callable[..., nn.Module]

ENTRY_POINTS = "genrescope.models"
"""The group of entry points by which other packages add variants."""

_FAMILIES = ("ensemble", "listener", "mgcc", "musicnn", "pooled", "published_loading", "vgg")
_VARIANTS: dict[str, Variant] = {}


def register(variant: Variant) -> Variant:
    """Register a variant under its function's name, with hyphens for underscores.

    Raises:
        ValueError: another function has that name already.
    """
    name = variant.__name__.replace("_", "-")
    known = _VARIANTS.get(name)
    if known is not None and (known.__module__, known.__qualname__) != (variant.__module__, variant.__qualname__):
        raise ValueError(f'model "{name}" is registered already, by {known.__module__}; choose another name')
    _VARIANTS[name] = variant
    return variant


def names() -> list[str]:
    """Return the names of all variants.

    Example:
        >>> names()[:4]
        ['listener', 'mgcc', 'mgcc-small', 'musicnn']
    """
    _load_all()
    return sorted(_VARIANTS)


def create(name: str, labels: int, **options: Any) -> nn.Module:
    """Make a freshly initialised network.

    Args:
        labels: number of logits.

    Raises:
        RecipeError: no variant has that name, or it does not take one of the options.
    """
    if name not in names():
        raise RecipeError(f'no model called "{name}"; {nearest(name, names())}')
    try:
        return _VARIANTS[name](labels, **options)
    except (TypeError, ValueError) as error:
        raise RecipeError(f'model "{name}" does not accept {options}: {error}') from error


def refuse_windows(name: str, options: dict[str, Any], *, features: int, frames: int) -> None:
    """Refuse a network that does not exist, or cannot take windows of a size.

    Raises:
        RecipeError: it is one.
    """
    with torch.device("meta"):
        network = create(name, 2, **options).eval()
        try:
            network(torch.zeros(1, 1, features, frames))
        except (RuntimeError, ValueError) as error:
            raise RecipeError(
                f'model "{name}" does not take windows of {frames} frames and {features} bands: {error}. Choose '
                "another length with --set windows.frames=..."
            ) from error


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters, of averaged weights too, which ask for no gradient; buffers do not count."""
    return sum(parameter.numel() for parameter in model.parameters())


@functools.cache
def _load_all() -> None:
    """Import what registers variants, once."""
    for family in _FAMILIES:
        importlib.import_module(f"genrescope.models.{family}")
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
        except Exception as error:  # whatever the code of another package raises
            raise RecipeError(
                f'the models of the package behind entry point "{entry.name}" ({entry.value}) cannot be loaded: '
                f"{type(error).__name__}: {error}. Mend or uninstall that package"
            ) from error
