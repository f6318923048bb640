"""The seam between what a network hears and what it says: a trunk, whose `embed` gives features, and a head on it.

A family that keeps to it has `embed`, the number of features as `width`, and its head under the name `classifier`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from genrescope.errors import RecipeError
from genrescope.models import registry
from genrescope.models.inputs import Normalise

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

_HEAD = "classifier"


def with_head(name: str, head: Callable[[int], nn.Module], **options: Any) -> nn.Module:
    """Make a freshly initialised network of the registry with another head.

    Args:
        name: a name of the registry.
        head: makes the head from the number of its inputs.
        options: keyword arguments of the network.

    Raises:
        RecipeError: there is no such network, or it has no trunk of its own.

    Example:
        >>> from torch import nn
        >>> with_head("vgg-16", lambda width: nn.Linear(width, 3)).classifier
        Linear(in_features=512, out_features=3, bias=True)
    """
    model = registry.create(name, 2, **options)
    if not hasattr(model, "embed"):
        raise RecipeError(
            f'model "{name}" has no trunk that another head could stand on; those of the families vgg, residual, '
            "bands and attentive have, as vgg-16"
        )
    model.classifier = head(cast("int", model.width))
    return model


def trunk_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors that do not depend on what is said, nor on whose music is normal.

    These are all but the head's, and but for the statistics of `Normalise`.
    """
    measured = tuple(f"{name}." for name, module in model.named_modules() if isinstance(module, Normalise))
    return {
        name: tensor for name, tensor in model.state_dict().items() if not name.startswith((f"{_HEAD}.", *measured))
    }
