"""What ten windows of a long song lose: `python -m benchmarks.long_songs STORE`.

STORE is one of GTZAN. Its clips of 30 s are joined to songs of 4 minutes at most, each of one artist and one genre; the
model `genres` scores all windows of a song, ten spread over it, and ten in its middle, as `predict` chooses them. A
song is right where its own genre has the highest score among the nine of GTZAN that have tags.
"""

from __future__ import annotations

import argparse
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope import modelfile
from genrescope.evaluation.metrics import wilson
from genrescope.features.placement import WINDOWS, Choice, WindowSpec
from genrescope.modelfile import shelf
from genrescope.models.listener import Listener
from genrescope.store import listening
from genrescope.store.store import open_store

if TYPE_CHECKING:
    from genrescope.store.store import StoredTrack

CLIPS, LEAST = 8, 4  # in a song
CHOICES = {"all": Choice(), "10 windows": Choice(WINDOWS), "middle 30 s": Choice(WINDOWS, 30.0)}


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_songs", description=__doc__)
    parser.add_argument("store")
    store = open_store(parser.parse_args().store)
    _, path = shelf.get(shelf.DEFAULT)
    model = modelfile.load(path)
    network, header = model.network, model.header
    assert isinstance(network, Listener)
    found = listening.extract(store, network, listening.taggers(list(header.options["taggers"]))).found
    asked = [genre for genre in store.genres if genre in header.labels]
    columns = [header.labels.index(genre) for genre in asked]
    said: dict[str, list[str]] = {name: [] for name in CHOICES}
    truth = []
    for song in _songs([track for track in store.tracks if track.genre in asked and track.group]):
        logits = network.head(torch.from_numpy(np.concatenate([found[track.id] for track in song])))
        truth.append(song[0].genre)
        for name, choice in CHOICES.items():
            starts = choice.starts(
                WindowSpec(header.windows.frames), header.front_end, len(logits) * header.windows.frames
            )
            chosen = logits[[start // header.windows.frames for start in starts]].mean(dim=0)
            said[name].append(asked[int(chosen[columns].argmax())])
    print(f"{len(truth)} songs of {LEAST} to {CLIPS} clips")
    for name, genres in said.items():
        right = sum(genre == own for genre, own in zip(genres, truth, strict=True))
        same = sum(genre == other for genre, other in zip(genres, said["all"], strict=True))
        low, high = wilson(right, len(truth))
        print(f"{name}: {100 * right / len(truth):.1f} % ({100 * low:.1f} to {100 * high:.1f}), "
              f"as all windows in {same} of {len(truth)}")  # fmt: skip


def _songs(tracks: list[StoredTrack]) -> list[list[StoredTrack]]:
    """Join the clips of each artist and genre."""
    songs = []
    for _, group in groupby(sorted(tracks, key=_own), key=_own):
        clips = list(group)
        songs += [clips[at : at + CLIPS] for at in range(0, len(clips), CLIPS)]
    return [song for song in songs if len(song) >= LEAST]


def _own(track: StoredTrack) -> tuple[str, str]:
    return track.genre, track.group


if __name__ == "__main__":
    main()
