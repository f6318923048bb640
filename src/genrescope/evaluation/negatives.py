"""Negative examples: how many songs of none of the genres a model calls unknown, and how many of its own genres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from genrescope.evaluation.metrics import share
from genrescope.inference.scorer import novelty_of
from genrescope.models.listener import Listener
from genrescope.results import NegativeFigures
from genrescope.store import listening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.modelfile import Model
    from genrescope.store.store import Store, StoredTrack


def tells_unknown(model: Model) -> bool:
    """Whether a model can call a track unknown, by features that a store keeps."""
    return isinstance(model.network, Listener) and model.header.unknown_above is not None


def unknown_among(model: Model, store: Store, tracks: Sequence[StoredTrack]) -> dict[str, bool]:
    """Return by its id whether each track is marked unknown, as a prediction of its file would mark it.

    Raises:
        DataError: the audio cannot be found.
    """
    return {track_id: model.header.is_unknown(its) for track_id, its in novelties(model, store, tracks).items()}


@torch.inference_mode()
def novelties(model: Model, store: Store, tracks: Sequence[StoredTrack]) -> dict[str, float]:
    """Return by its id the novelty of each track, from the features that the store keeps.

    Raises:
        DataError: the audio cannot be found.
    """
    network = model.network
    assert isinstance(network, Listener)
    features = listening.extract(store, network, [model]).found
    found = {}
    for track in tracks:
        outputs = network.head.with_others(torch.from_numpy(features[track.id]))
        found[track.id] = novelty_of(outputs.mean(dim=0), len(model.header.labels))
    return found


def counted(unknown: dict[str, bool], tracks: Sequence[StoredTrack]) -> NegativeFigures | None:
    """Count tracks without a genre, and with one; None where there are none without.

    Args:
        unknown: what `unknown_among` returned, of one model or of several folds'.
        tracks: the tracks.
    """
    without = [unknown[track.id] for track in tracks if not track.labels and track.id in unknown]
    known = [unknown[track.id] for track in tracks if track.labels and track.id in unknown]
    if not without or not known:
        return None
    return NegativeFigures(caught=share(sum(without), len(without)), lost=share(sum(known), len(known)))
