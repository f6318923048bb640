"""What learns genres by a published network: a probe, or the network itself. Runs are made of either alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from genrescope.training.recipe_sections import NetworkSection
from genrescope.transfer.network import MEAN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from genrescope.features.windows import Windows
    from genrescope.store.store import StoredTrack
    from genrescope.training.recipe_transfer import TransferRecipe
    from genrescope.training.run_folder import RunFolder
    from genrescope.transfer.network import Network


@dataclass(frozen=True)
class Material:
    """What is learnt.

    Attributes:
        learnt: the tracks to learn from.
        held_out: the tracks of the part `validation`, where it is not learnt from.
        labels: the genres, in the order of the logits.
        seed: of everything random.
    """

    learnt: Sequence[StoredTrack]
    held_out: Sequence[StoredTrack]
    labels: Sequence[str]
    seed: int


@dataclass(frozen=True)
class Answer:
    """What was made of tracks, and by what.

    Attributes:
        scores: probabilities of shape (windows, genres).
        placed: whose each window is.
        labels: the genres, in the order of the scores.
        recipe: what made the model, as plain values.
        file: name of the model's file in its run folder.
        architecture: in words.
        parameters: how many weights it has, the network's included.
    """

    scores: Tensor
    placed: Windows
    labels: Sequence[str]
    recipe: dict[str, Any]
    file: str
    architecture: str
    parameters: int


class Learner(Protocol):
    """Learns genres and scores by what it learnt."""

    @property
    def recipe(self) -> TransferRecipe:
        """What is learnt, and how."""

    def learn(self, folder: RunFolder, material: Material) -> dict[str, Any]:
        """Learn, leave a file in a run folder, and return what `run.json` tells: windows, epochs, seconds."""

    def judge(self, run: Path, tracks: Sequence[StoredTrack]) -> Answer:
        """Score tracks by the file of a run folder."""


def network_section(network: Network, layer: str) -> NetworkSection:
    """Return what a recipe tells of a network of which a layer is taken."""
    return NetworkSection(
        name=network.name, model_type=network.model_type, identity=network.identity, layer=layer,
        seconds=network.seconds,
    )  # fmt: skip


def described(network: Network, layer: str) -> str:
    """Return in words what is taken of a network."""
    told = "the mean of all layers" if layer == MEAN else f"layer {layer}"
    return f"{told if network.layers > 1 else 'the pooled output'} of the published network {network.name}"
