"""Learning curves by tracks per genre: `python -m benchmarks.few_labels STORE [--recipe NAME] [--seeds 2,3,4]`.

Cross-validated by artist. Some of each genre of a fold's training tracks are learnt, one of each artist before a
second of any; fewer are always among more. Accuracy is by track, all folds together, with 95 % intervals over tracks
and over whole artists; seeds are averaged track by track.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import genrescope
from genrescope import modelfile, splits
from genrescope.evaluation.metrics import resampled_interval
from genrescope.evaluation.sound import sound_for
from genrescope.inference.scorer import Scorer, verdicts
from genrescope.models.listener import Listener
from genrescope.splits import duplicates
from genrescope.store import listening
from genrescope.store.store import open_store
from genrescope.training import recipe as recipes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from genrescope.modelfile import Model
    from genrescope.splits import Split
    from genrescope.store.store import Store, StoredTrack

COUNTS, FOLDS = (1, 2, 4, 8, 16), 5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_labels", description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--recipe", default="listener")
    parser.add_argument("--seeds", default="2,3,4")
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)))
    given = parser.parse_args()
    store, seeds = open_store(given.store), [int(seed) for seed in given.seeds.split(",")]
    for count in map(int, given.counts.split(",")):
        right = np.array([_right(store, given.recipe, count, seed) for seed in seeds])
        _report(store, given.recipe, count, right)


def _report(store: Store, recipe: str, count: int, right: np.ndarray) -> None:
    """Print a line; `right` is of shape (seeds, tracks)."""
    hits, owners = right.sum(axis=0), [track.group or track.id for track in store.tracks]
    told = [f"{100 * right.mean():.1f} % of {right.shape[1]} tracks"]
    for name, of in (("tracks", list(map(str, range(len(hits))))), ("whole artists", owners)):
        units = sorted(set(of))
        place = np.array([units.index(each) for each in of])
        low, high = resampled_interval(
            np.bincount(place, weights=hits).astype(int).tolist(), (np.bincount(place) * len(right)).tolist()
        )
        told.append(f"{100 * low:.1f} to {100 * high:.1f} over {name}")
    print(
        f"{recipe}, {count} tracks a genre, seeds {[round(100 * row.mean(), 1) for row in right]}: {', '.join(told)}",
        flush=True,
    )


def _right(store: Store, recipe: str, count: int, seed: int) -> np.ndarray:
    """Return of each track whether the model that had not learnt its fold was right."""
    folds = splits.choose(store.tracks, None, seed=seed, folds=FOLDS, pairs=duplicates.in_store(store))
    predicted: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for fold in folds.counts:
            split = _few(store, folds, fold, count, seed)
            job = genrescope.Job(
                store, recipes.load_any(recipe), split, Path(temporary) / fold, seed=seed, device="cpu", pairs=()
            )
            model = modelfile.load(genrescope.train(job))
            tracks = [track for track in store.tracks if folds.parts.get(track.id) == fold]
            scores = _kept_features(store, model, tracks) if recipe == "listener" else _scored(store, model, tracks)
            for track, row in zip(tracks, scores, strict=True):
                predicted[track.id] = model.header.labels[int(row.argmax())]
    return np.array([predicted[track.id] == track.genre for track in store.tracks])


def _few(store: Store, folds: Split, fold: str, count: int, seed: int) -> Split:
    """Return a split that learns so many tracks of each genre, and tests on a fold."""
    random, by_genre = np.random.default_rng(seed), defaultdict(list)
    learnt = [track for track in store.tracks if folds.parts.get(track.id) not in (fold, None)]
    for place in random.permutation(len(learnt)):
        by_genre[learnt[place].genre].append(learnt[place])
    parts = {id_: "test" for id_, part in folds.parts.items() if part == fold}
    for tracks in by_genre.values():
        seen: Counter[str] = Counter()
        order = []
        for track in tracks:
            order.append(seen[track.group or track.id])
            seen[track.group or track.id] += 1
        parts |= {tracks[place].id: "train" for place in np.argsort(order, kind="stable")[:count]}
    return splits.Split(parts, "few labels")


def _scored(store: Store, model: Model, tracks: Sequence[StoredTrack]) -> torch.Tensor:
    scored = sound_for(model, store).score(Scorer.of(model), tracks)
    return verdicts(scored.scores, scored.placed, verdict=model.header.verdict, count=len(tracks))


def _kept_features(store: Store, model: Model, tracks: Sequence[StoredTrack]) -> torch.Tensor:
    """Return a listener's logits by the features that the store keeps, instead of reading the audio again."""
    import torch

    network = model.network
    assert isinstance(network, Listener)
    found = listening.extract(store, network, listening.taggers(list(model.header.options["taggers"]))).found
    with torch.inference_mode():
        return torch.stack([network.head(torch.from_numpy(found[track.id])).mean(dim=0) for track in tracks])


if __name__ == "__main__":
    main()
