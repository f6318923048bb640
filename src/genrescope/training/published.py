"""What probes and fine-tuned networks have in common: the published network that they begin from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genrescope.modelfile import Requirement, Terms
from genrescope.models.published import BODY
from genrescope.training.learner import Learnt
from genrescope.training.recipe_sections import NetworkSection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.models.published import Published, PublishedSpec
    from genrescope.training.progress import Epoch


def network_section(spec: PublishedSpec, layer: str) -> NetworkSection:
    """Return the section of a recipe on a network and its layer."""
    return NetworkSection(
        name=spec.name, model_type=spec.model_type, identity=spec.identity, layer=layer, seconds=spec.seconds
    )


def learnt(
    network: Published, layer: str, options: dict[str, Any], history: Sequence[Epoch], windows: int, *, changed: bool
) -> Learnt:
    """Return what a training on a published network leaves.

    Args:
        changed: whether the network's own weights were trained, so that the file must have them. Else a network of
            the hub is named, and one of a folder is copied.
    """
    spec = network.body.spec
    copied = changed or not spec.revision
    needs: tuple[Requirement, ...] = ()
    if not copied:
        needs = (
            Requirement(
                name=spec.name, revision=spec.revision, identity=spec.identity, parameters=spec.parameters, prefix=BODY
            ),
        )
    return Learnt(
        network,
        "published",
        {"network": spec.to_dict(), "layer": layer, "copied": copied, **options},
        front_end=spec.spec,
        windows=spec.windows,
        history=history,
        windows_learnt=windows,
        weights=Terms(licence=f"that of the published network {spec.name}; look it up where it was published"),
        requires=needs,
        facts={"network_revision": spec.revision},
    )
