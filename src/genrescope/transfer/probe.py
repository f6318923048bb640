"""The probe: standardised features, and one support vector machine for each genre.

Fitted as the classical baseline is, so how sure it may be is measured on artists that its machines had not learnt. It
is a file of arrays; loading it runs no code.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch

from genrescope import modelfile
from genrescope.errors import DataError, ModelFileError, nearest
from genrescope.features.windows import Windows
from genrescope.models.pooled import Machines
from genrescope.training.recipe_sections import ClassifierSection, ProbeSection
from genrescope.training.recipe_transfer import ProbeRecipe
from genrescope.training.svm import fit_points
from genrescope.transfer.learner import Answer, described, network_section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from genrescope.store.store import StoredTrack
    from genrescope.training.run_folder import RunFolder
    from genrescope.transfer.learner import Material
    from genrescope.transfer.network import Features, Network

KERNELS = get_args(ProbeSection.model_fields["kernel"].annotation)
"""The kernels of the machines."""

PRICES = {"linear": 0.01, "rbf": 10.0}
"""Price of a window on the wrong side where none is given; hundreds of standardised features want a low one."""

_KEY = "genrescope-probe"
_FORMAT = 1


@dataclass(frozen=True)
class Probe:
    """A probe in memory.

    Attributes:
        machines: one for each genre.
        labels: the genres, in the order of the logits.
        recipe: what made it, as plain values.
    """

    machines: Machines
    labels: tuple[str, ...]
    recipe: dict[str, Any]

    @torch.inference_mode()
    def scores(self, features: Features) -> Tensor:
        """Return probabilities of shape (windows, genres) of features of shape (windows, width)."""
        logits: Tensor = self.machines(torch.from_numpy(features))
        return logits.softmax(dim=1)


def recipe_of(network: Network, *, layer: str, kernel: str, c: float | None = None) -> ProbeRecipe:
    """Return the recipe of a probe on a layer of a network.

    Args:
        network: what hears.
        layer: a layer's number, or `mean` of all.
        kernel: one of `KERNELS`.
        c: price of a window on the wrong side; None takes that of the kernel.

    Raises:
        DataError: there is no such kernel, or the price is not positive.
    """
    if kernel not in KERNELS:
        raise DataError(f'no kernel called "{kernel}"; {nearest(kernel, KERNELS)}')
    if c is not None and not 0 < c < float("inf"):
        raise DataError(f"--c {c:g}; accepted are positive numbers")
    section = ProbeSection.model_validate({"kernel": kernel, "c": c or PRICES[kernel]})
    return ProbeRecipe(
        name=f"{network.name.rpartition('/')[2]} + {kernel}",
        intent=f"A {kernel} probe on {described(network, layer)}, which learns nothing more.",
        network=network_section(network, layer),
        probe=section,
    )


@dataclass(frozen=True)
class ProbeLearner:
    """Fits a probe, and scores by it.

    Attributes:
        recipe: the probe.
        network: what heard the tracks.
        features: of each track, of shape (windows, width).
    """

    recipe: ProbeRecipe
    network: Network
    features: Mapping[str, Features]

    def learn(self, folder: RunFolder, material: Material) -> dict[str, Any]:
        """Fit a probe and leave it in a run folder; return what the run tells of it. Nothing is drawn."""
        begun = time.monotonic()
        save(folder.path, fit(self.features, material.learnt, material.labels, self.recipe))
        heard = sum(len(self.features[track.id]) for track in material.learnt)
        return {"windows": heard, "epochs": 1, "seconds": round(time.monotonic() - begun, 1)}

    def judge(self, run: Path, tracks: Sequence[StoredTrack]) -> Answer:
        """Score tracks by the probe of a run folder."""
        found = load(run)
        scores, placed = score(found, self.features, tracks)
        return Answer(
            scores=scores, placed=placed, labels=found.labels, recipe=found.recipe, file=modelfile.PROBE_NAME,
            architecture=f"{self.network.model_type}, frozen, and a {found.machines.kernel} probe",
            parameters=self.network.parameters + sum(its.numel() for its in found.machines.parameters()),
        )  # fmt: skip


def fit(
    features: Mapping[str, Features], tracks: Sequence[StoredTrack], labels: Sequence[str], recipe: ProbeRecipe
) -> Probe:
    """Fit a probe to the windows of tracks.

    Args:
        features: of each track, of shape (windows, width).
        tracks: what is learnt.
        labels: the genres, in the order of the logits.
        recipe: kernel and price.
    """
    points, owners = gathered(features, tracks)
    genre = np.array([labels.index(track.genre) for track in tracks])[owners]
    artist = np.array([track.group or f"track {track.id}" for track in tracks])[owners]
    machines = fit_points(
        points.astype(np.float64), genre, artist, ClassifierSection(**recipe.probe.model_dump()), genres=len(labels),
        make=partial(Machines, features=points.shape[1]),
    )  # fmt: skip
    return Probe(machines, tuple(labels), recipe.model_dump())


def gathered(
    features: Mapping[str, Features], tracks: Sequence[StoredTrack]
) -> tuple[Features, np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the windows of all tracks, and the position of each one's track."""
    parts = [features[track.id] for track in tracks]
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def score(probe: Probe, features: Mapping[str, Features], tracks: Sequence[StoredTrack]) -> tuple[Tensor, Windows]:
    """Return the probabilities of all windows of tracks, and whose each is."""
    points, owners = gathered(features, tracks)
    nowhere = torch.zeros(len(points), dtype=torch.int64)
    return probe.scores(points), Windows(nowhere, nowhere, torch.from_numpy(owners))


def save(folder: Path, probe: Probe) -> None:
    """Write a probe into a run folder, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    header = {
        "format": _FORMAT, "labels": probe.labels, "kernel": probe.machines.kernel, "recipe": probe.recipe,
    }  # fmt: skip
    tensors = {name: tensor.detach().contiguous() for name, tensor in probe.machines.state_dict().items()}
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    modelfile.save_tensors(folder / modelfile.PROBE_NAME, tensors, {_KEY: text})


def load(folder: Path) -> Probe:
    """Read the probe of a run folder.

    Raises:
        ModelFileError: there is none, or it is damaged.
    """
    path = folder / modelfile.PROBE_NAME
    tensors, metadata = modelfile.load_tensors(path)
    try:
        header = json.loads(metadata[_KEY])
        if header["format"] != _FORMAT:
            raise ValueError(f"format {header['format']}")
        vectors, width = tensors["vectors"].shape
        machines = Machines(len(header["labels"]), features=width, vectors=vectors, kernel=header["kernel"])
        machines.load_state_dict(tensors)
        return Probe(machines.eval(), tuple(header["labels"]), header["recipe"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ModelFileError(f"{path} is no probe of genrescope, or damaged: {error}") from error
