"""Learners: what learns genres by a recipe, and what it leaves for the model file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from genrescope.modelfile import Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from genrescope.features.placement import WindowSpec
    from genrescope.features.spec import Spec
    from genrescope.modelfile import Requirement
    from genrescope.training.job import Job, Material
    from genrescope.training.progress import Epoch, Watch
    from genrescope.training.run_folder import RunFolder


@dataclass(frozen=True)
class Learnt:
    """What a training leaves: a network, and what its model file says of it.

    Attributes:
        network: windows in, logits out.
        options: the keyword arguments that make it anew.
        windows_learnt: training windows in an epoch.
        temperature: what logits are divided by.
        unknown_above: the novelty from which a track is called none of the labels; None where the network cannot tell.
        exclusive: whether a track has one label.
        thresholds: by label, the score from which it counts, where a track may have several.
        requires: weights that the model file names instead of copying them.
    """

    network: nn.Module
    model: str
    options: dict[str, Any]
    front_end: Spec
    windows: WindowSpec
    history: Sequence[Epoch]
    windows_learnt: int
    weights: Terms = field(default_factory=lambda: Terms(licence="unspecified: the terms of the training data apply"))
    temperature: float = 1.0
    unknown_above: float | None = None
    exclusive: bool = True
    thresholds: dict[str, float] = field(default_factory=dict)
    requires: tuple[Requirement, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


class Learner(Protocol):
    """Learns genres by a recipe."""

    def check(self, job: Job, material: Material) -> None:
        """Refuse what does not suit, before anything is written.

        Raises:
            RecipeError: there is no such network, or it does not take such windows.
        """

    def learn(self, job: Job, material: Material, folder: RunFolder, watch: Watch) -> Learnt:
        """Learn what is left of a run that may have been interrupted.

        Raises:
            TrainingError: the loss is no longer finite.
            OutputError: the disk is full, say; the last checkpoint is kept.
        """
