"""A published network that learns genres itself: a linear head on what a probe would take, and what stays frozen.

A wave is judged by windows of the network's length, as many as fit best, evenly from its beginning to its end; the
wave of a track that is shorter than a window is repeated. The file is one of arrays; loading it runs no code.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from genrescope import modelfile, workers
from genrescope.errors import DataError, ModelFileError
from genrescope.features.windows import Windows
from genrescope.transfer.network import MEAN, batches_of, starts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from genrescope.store.store import StoredTrack
    from genrescope.transfer.network import Network
    from genrescope.transfer.waves import StoredWave

_KEY = "genrescope-tuned"
_FORMAT = 1


class Tunable(nn.Module):
    """A copy of a published network, and a linear head over the genres.

    Frozen are the convolutions that a `wave` network hears by, the lowest layers as asked, and with the first of them
    all that stands before it. What is frozen neither learns nor drops anything out. Batch norm keeps the statistics it
    was published with, and the masks and skipped layers of self-supervised learning are switched off: the rest, with
    dropout, trains as its configuration says.

    Args:
        network: what is copied.
        genres: how many there are.
        layer: the layer that the head takes, or `mean` of all.
        freeze: how many of the lowest layers stay as they are.
    """

    def __init__(self, network: Network, genres: int, *, layer: str, freeze: int) -> None:
        super().__init__()
        self._network, self._layer = network, layer
        self.body: nn.Module = copy.deepcopy(network.model)
        for name, off in (("apply_spec_augment", False), ("layerdrop", 0.0)):
            if hasattr(self.body.config, name):
                setattr(self.body.config, name, off)
        self.head = nn.Linear(network.width, genres, device=network.device)
        self._still = _frozen(self.body, network, freeze)
        for part in self._still:
            part.requires_grad_(False)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return logits of shape (windows, genres) of what the network's `inputs` returned."""
        found = self._network.layers_of(self.body, inputs)
        logits: Tensor = self.head(found.mean(dim=1) if self._layer == MEAN else found[:, int(self._layer)])
        return logits

    def train(self, mode: bool = True) -> Tunable:
        """Switch between learning and judging; frozen parts and batch norm only ever judge."""
        super().train(mode)
        norms = [part for part in self.body.modules() if isinstance(part, nn.BatchNorm2d)]
        for part in (*self._still, *norms):
            part.train(False)
        return self


def layers_to_freeze(network: Network) -> int:
    """Return how many layers `--freeze` counts: transformer layers, or of CLAP the stages of its Swin transformer."""
    return len(_layers(network.model, network))


def check_freeze(network: Network, freeze: int) -> int:
    """Return how many layers are frozen.

    Raises:
        DataError: the network has not so many.
    """
    most = layers_to_freeze(network)
    if not 0 <= freeze <= most:
        told = "stages of its Swin transformer" if network.kind == "clap" else "layers"
        raise DataError(f"--freeze {freeze}; {network.name} has {most} {told}, so accepted are 0 to {most}")
    return freeze


def _layers(model: Any, network: Network) -> Sequence[nn.Module]:
    if network.kind == "clap":
        return list(model.audio_encoder.layers)
    if network.kind == "wave":
        return list(model.encoder.layers)
    return list(model.layers if hasattr(model, "layers") else model.encoder.layer)  # as transformers has it


def _frozen(model: Any, network: Network, freeze: int) -> list[nn.Module]:
    """Return the parts that stay as they are."""
    layers = list(_layers(model, network)[:freeze])
    if network.kind == "wave":
        always = [model.feature_extractor]
        before = [model.feature_projection, model.encoder.pos_conv_embed]
        if not getattr(model.config, "do_stable_layer_norm", False):  # else its norm stands after the layers
            before.append(model.encoder.layer_norm)
    elif network.kind == "ast":
        always, before = [], [model.embeddings]
    else:
        always, before = [], [model.audio_encoder.batch_norm, model.audio_encoder.patch_embed]
    return [*always, *(before if freeze else []), *layers]


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned network in memory.

    Attributes:
        model: network and head.
        network: the published one.
        labels: the genres, in the order of the logits.
        recipe: what made it, as plain values.
    """

    model: Tunable
    network: Network
    labels: tuple[str, ...]
    recipe: dict[str, Any]


@torch.inference_mode()
def score(
    model: nn.Module,
    network: Network,
    waves: Mapping[str, StoredWave],
    tracks: Sequence[StoredTrack],
    *,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Tensor, Windows]:
    """Return the probabilities of all windows of tracks, float32 (windows, genres) on the CPU, and whose each is.

    Args:
        model: takes what the network's `inputs` returns, and returns logits; it is put into evaluation mode and back.
        network: the published one.
        waves: by the tracks' ids.
        tracks: what is scored.
        on_batch: called with the windows done and those in all.
    """
    placed = [
        (owner, waves[track.id], start)
        for owner, track in enumerate(tracks)
        for start in starts_of(waves[track.id].samples, network.window)
    ]
    cut = ([wave.cut(start, network.window) for _, wave, start in batch] for batch in batches_of(placed))
    was_training, scores, done = model.training, [], 0
    model.eval()
    try:
        for inputs in workers.ahead(map(network.inputs, cut)):
            scores.append(model(inputs).float().softmax(dim=1).cpu())
            done += len(scores[-1])
            on_batch(done, len(placed))
    finally:
        model.train(was_training)
    nowhere = torch.zeros(len(placed), dtype=torch.int64)
    return torch.cat(scores), Windows(nowhere, nowhere, torch.tensor([owner for owner, _, _ in placed]))


def save(folder: Path, model: nn.Module, labels: Sequence[str], recipe: dict[str, Any]) -> None:
    """Write a fine-tuned network with its head into a run folder, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    header = json.dumps(
        {"format": _FORMAT, "labels": list(labels), "recipe": recipe}, ensure_ascii=False, allow_nan=False
    )
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    modelfile.save_tensors(folder / modelfile.TUNED_NAME, tensors, {_KEY: header})


def load(folder: Path, network: Network) -> Tuned:
    """Read the fine-tuned network of a run folder.

    Args:
        folder: the run folder.
        network: the published network that it was made from, which knows how to hear.

    Raises:
        ModelFileError: there is none, it is damaged, or it was made from another network.
    """
    path = folder / modelfile.TUNED_NAME
    tensors, metadata = modelfile.load_tensors(path)
    try:
        header = json.loads(metadata[_KEY])
        if header["format"] != _FORMAT:
            raise ValueError(f"format {header['format']}")
        its = header["recipe"]["network"]
        if its["identity"] != network.identity:
            raise ValueError(f"it was made from {its['name']} with other weights than {network.name} has")
        labels = tuple(header["labels"])
        model = Tunable(network, len(labels), layer=its["layer"], freeze=0)
        model.load_state_dict(tensors)
        return Tuned(model.eval(), network, labels, header["recipe"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ModelFileError(f"{path} is no fine-tuned network of genrescope, or damaged: {error}") from error
