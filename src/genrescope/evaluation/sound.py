"""Where the frames of scored tracks come from: the store, the audio files, or embeddings that were computed before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch

from genrescope import audio, workers
from genrescope.errors import DataError, reason_of
from genrescope.features.front_end import make, stored
from genrescope.features.windows import Windows
from genrescope.inference.scorer import Scorer, joined
from genrescope.models.listener import Listener
from genrescope.sources.data import read_data
from genrescope.store import listening

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from genrescope.features.windows import Frames
    from genrescope.modelfile import Model
    from genrescope.store.embeddings import Embeddings
    from genrescope.store.store import Store, StoredTrack


@dataclass(frozen=True)
class Scored:
    """What a model made of tracks.

    Attributes:
        tracks: those that could be scored.
        scores: float32 (windows, labels), probabilities.
        placed: whose each window is, by its position in `tracks`.
        failed: why the others could not, by their ids.
    """

    tracks: Sequence[StoredTrack]
    scores: Tensor
    placed: Windows
    failed: Mapping[str, str] = field(default_factory=dict)


class Sound(Protocol):
    """The frames of tracks, as a model takes them."""

    def score(self, scorer: Scorer, tracks: Sequence[StoredTrack]) -> Scored:
        """Score tracks."""


@dataclass(frozen=True)
class StoreSound:
    """The store's own frames, for models with the store's front end."""

    store: Store

    def score(self, scorer: Scorer, tracks: Sequence[StoredTrack]) -> Scored:
        """Score tracks."""
        return Scored(tracks, *scorer.tracks(self.store.frames, tracks))


@dataclass(frozen=True)
class FileSound:
    """The audio files, for models with a front end of their own; they are decoded as for a prediction."""

    paths: Mapping[str, Path]

    @classmethod
    def of(cls, store: Store, data: str | None = None) -> FileSound:
        """Find the files of a store's tracks; `data` is where they are now, as DATA, if they were moved.

        Raises:
            DataError: it is not there.
        """
        try:
            _, listed = read_data(data if data is not None else store.data)
        except DataError as error:
            raise DataError(
                f"the model needs the audio that {store.path} was prepared from, which is not there ({error})"
            ) from error
        return cls({track.id: track.path for track in listed})

    def score(self, scorer: Scorer, tracks: Sequence[StoredTrack]) -> Scored:
        """Score tracks one after the other; a thread decodes ahead.

        Raises:
            DataError: none of them can be decoded.
        """
        failed: dict[str, str] = {}
        usable, scored = [], []
        for track, frames in workers.ahead(self._decoded(scorer, tracks)):
            if isinstance(frames, str):
                failed[track.id] = frames
            else:
                usable.append(track)
                scored.append(scorer.track(frames))
        if not scored:
            raise DataError(f"none of the {len(tracks)} tracks can be decoded; {tracks[0].id}: {failed[tracks[0].id]}")
        return Scored(usable, *joined(scored), failed)

    def _decoded(self, scorer: Scorer, tracks: Sequence[StoredTrack]) -> Iterator[tuple[StoredTrack, Frames | str]]:
        """Yield each track with its frames, or with the reason why it has none."""
        front_end = make(scorer.front_end)
        there = [track for track in tracks if track.id in self.paths]
        for track in tracks:
            if track.id not in self.paths:
                yield track, "file: it is not in DATA"
        with audio.decoders(scorer.front_end.sample_rate) as pool:
            heard = pool.streams((self.paths[track.id], "") for track in there)
            for track, (_, pieces) in zip(there, heard, strict=True):
                try:
                    yield track, stored(pieces, front_end)
                except Exception as error:  # one bad file never stops a run, whatever a decoder throws
                    yield track, reason_of(error)


@dataclass(frozen=True)
class EmbeddingSound:
    """Embeddings that were computed before, for a head on a published network."""

    embeddings: Mapping[str, Embeddings]

    @torch.inference_mode()
    def score(self, scorer: Scorer, tracks: Sequence[StoredTrack]) -> Scored:
        """Score tracks by the model's head alone."""
        head = scorer.network.get_submodule("head")
        device = next(head.parameters()).device
        parts = [torch.from_numpy(self.embeddings[track.id]) for track in tracks]
        scores = torch.cat([scorer.probabilities(head(part.to(device))) for part in parts])
        owners = torch.arange(len(parts)).repeat_interleave(torch.tensor([len(part) for part in parts]))
        return Scored(tracks, scores, Windows(owners, owners, owners))


def sound_for(model: Model, store: Store) -> Sound:
    """Return where a model's frames come from: the store where they are in it, else the files that it was made from.

    Raises:
        DataError: the files are not there.
    """
    if store.spec == model.header.front_end:
        return StoreSound(store)
    if isinstance(model.network, Listener):
        return EmbeddingSound(listening.extract(store, model.network, [model]).found)
    return FileSound.of(store)
