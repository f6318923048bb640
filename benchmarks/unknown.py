"""Whether a listener tells music that is none of its genres: `python -m benchmarks.unknown STORE [--mine a,b,c]`.

STORE is one of labelled music with artists. Each genre in turn is kept from the listener, which is cross-validated on
the others by artist: their tracks are judged by models that know none of their artists, the genre that was kept away by
all of them. AUROC is that of novelty; "caught" is the share of the genre that was kept away above the model's own
threshold, "kept" the share of the others below it. Last come sounds that are no music, made here.

With --mine only these genres are learnt, and the tracks of all others are strangers, judged once without negative
examples and once with them: those of other artists and, in "new genre", of other genres as well. "caught at 95 %" is
the share of strangers above the novelty that 95 % of the held-out tracks of the learnt genres stay below, so both are
compared at one acceptance; its interval resamples strangers' artists, the same ones on both sides.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import genrescope
from genrescope import modelfile, splits
from genrescope.evaluation import negatives
from genrescope.evaluation.paired import resampled_mean
from genrescope.features.front_end import make, stored
from genrescope.inference.scorer import Scorer
from genrescope.sources.labels import NEGATIVE
from genrescope.splits import duplicates
from genrescope.store.store import open_store
from genrescope.training import recipe as recipes

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    import numpy.typing as npt

    from genrescope.modelfile import Model
    from genrescope.splits import Split
    from genrescope.store.store import Store

FOLDS, SEED, SECONDS, RATE = 5, 2, 10, 16_000
KEPT = 0.95


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unknown", description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--mine", help="genres to learn, as blues,jazz")
    given = parser.parse_args()
    store = open_store(given.store)
    if given.mine:
        _with_negatives(store, given.mine.split(","))
    else:
        _each_genre_in_turn(store)


def _each_genre_in_turn(store: Store) -> None:
    folds = splits.choose(store.tracks, None, seed=SEED, folds=FOLDS, pairs=duplicates.in_store(store))
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for genre in store.genres:
            known, other = _novelties(store, folds, genre, Path(temporary) / genre)
            rows.append([_auroc(known, other), float(np.mean(other > 0)), float(np.mean(known <= 0))])
            told = "AUROC {:.3f}, caught {:.0%}, kept {:.0%}".format(*rows[-1])
            print(f"without {genre} ({len(other)} of {len(known) + len(other)} tracks): {told}", flush=True)
        print("mean: AUROC {:.3f}, caught {:.0%}, kept {:.0%}".format(*np.mean(rows, axis=0)))
        model = modelfile.load(_trained(store, Path(temporary) / "all", {track.id: "train" for track in store.tracks}))
        for name, wave in _sounds().items():
            print(f"{name}: {'unknown' if _novelty_of_wave(model, wave) > 0 else 'missed'}")


def _with_negatives(store: Store, mine: Sequence[str]) -> None:
    """Print how many strangers are caught without negative examples, and with them; their artists are resampled."""
    folds = splits.choose(store.tracks, None, seed=SEED, folds=FOLDS, pairs=duplicates.in_store(store))
    marked = [replace(track, genre=track.genre if track.genre in mine else NEGATIVE) for track in store.tracks]
    own = replace(store, tracks=tuple(marked))
    genre_of = {track.id: track.genre for track in store.tracks if track.genre not in mine}
    strangers = sorted(set(genre_of.values()))
    caught: dict[str, dict[str, bool]] = {"none": {}, "other artists": {}, "new genre": {}}
    with tempfile.TemporaryDirectory() as temporary:
        for number, without in enumerate([strangers, [], *([genre] for genre in strangers)]):
            learnt = {id_ for id_, genre in genre_of.items() if genre not in without}
            found = _novelties_with(own, folds, learnt, Path(temporary) / str(number))
            name = ("none", "other artists", "new genre")[min(number, 2)]
            judged = [id_ for id_, genre in genre_of.items() if number < 2 or genre in without]
            known = np.array([its for id_, its in found.items() if id_ not in genre_of])
            other = np.array([found[id_] for id_ in judged])
            caught[name] |= {id_: found[id_] > np.quantile(known, KEPT) for id_ in judged}
            told = f"AUROC {_auroc(known, other):.3f}, at the own threshold caught {np.mean(other > 0):.1%}"
            whose = f" {without[0]}" if number > 1 else ""
            print(f"{name}{whose} ({len(judged)} strangers): {told}, kept {np.mean(known <= 0):.1%}", flush=True)
    artists = [track.group for track in store.tracks if track.id in genre_of]
    values = {name: np.array([float(its[id_]) for id_ in genre_of]) for name, its in caught.items()}
    for name, its in values.items():
        gain, (low, high) = its - values["none"], resampled_mean(its - values["none"], artists)
        told = f"{100 * gain.mean():+.1f} points, 95 % interval over artists {100 * low:+.1f} to {100 * high:+.1f}"
        print(f"{name}: caught at {KEPT:.0%} {its.mean():.1%} of {len(its)} ({told})")


def _novelties_with(store: Store, folds: Split, learnt: Container[str], out: Path) -> dict[str, float]:
    """Return the novelty above each model's threshold of all tracks, each by the model that knows none of its artist.

    Args:
        learnt: the tracks that are negative examples where they are in a training fold.
    """
    used = {track.id for track in store.tracks if track.labels or track.id in learnt}
    found: dict[str, float] = {}
    for fold in folds.counts:
        parts = {id_: "test" if part == fold else "train" for id_, part in folds.parts.items()}
        dealt = {id_: part for id_, part in parts.items() if id_ in used}
        novelty = _above_threshold(store, modelfile.load(_trained(store, out / fold, dealt)))
        found |= {id_: novelty[id_] for id_, part in parts.items() if part == "test"}
    return found


def _novelties(
    store: Store, folds: Split, genre: str, out: Path
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the novelty above each model's threshold of the other genres' tracks, and of one kept away."""
    others = {track.id for track in store.tracks if track.genre != genre}
    known: list[float] = []
    away: list[list[float]] = []
    for fold in folds.counts:
        parts = {id_: "test" if part == fold else "train" for id_, part in folds.parts.items() if id_ in others}
        novelty = _above_threshold(store, modelfile.load(_trained(store, out / fold, parts)))
        known += [novelty[id_] for id_, part in parts.items() if part == "test"]
        away.append([novelty[track.id] for track in store.tracks if track.genre == genre])
    return np.array(known), np.mean(away, axis=0)


def _trained(store: Store, out: Path, parts: dict[str, str]) -> Path:
    split = splits.Split(parts, "benchmark")
    return genrescope.train(genrescope.Job(store, recipes.load_any("listener"), split, out, device="cpu", pairs=()))


def _above_threshold(store: Store, model: Model) -> dict[str, float]:
    """Return the novelty above the threshold of each track, by its id."""
    found = negatives.novelties(model, store, store.tracks)
    return {track_id: _above(model, novelty) for track_id, novelty in found.items()}


def _novelty_of_wave(model: Model, wave: npt.NDArray[np.float32]) -> float:
    frames = stored([wave], make(model.header.front_end))
    novelty = Scorer.of(model).track(frames).novelty
    assert novelty is not None
    return _above(model, novelty)


def _above(model: Model, novelty: float) -> float:
    assert model.header.unknown_above is not None
    return novelty - model.header.unknown_above


def _auroc(known: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    from sklearn.metrics import roc_auc_score

    truth = np.concatenate([np.zeros(len(known)), np.ones(len(other))])
    return float(roc_auc_score(truth, np.concatenate([known, other])))


def _sounds() -> dict[str, npt.NDArray[np.float32]]:
    """Return ten seconds each of sounds that are no music."""
    random, time = np.random.default_rng(0), np.arange(SECONDS * RATE) / RATE
    brown = np.cumsum(random.normal(0, 1, len(time)))
    gate = np.sin(2 * np.pi * 4 * time) > 0
    made = {
        "white noise": random.normal(0, 0.1, len(time)),
        "brown noise": 0.5 * (brown - brown.mean()) / np.abs(brown).max(),
        "noise in bursts": random.normal(0, 0.1, len(time)) * gate,
        "quiet noise at -54 dB": random.normal(0, 0.002, len(time)),
        "mains hum": 0.2 * np.sin(2 * np.pi * 50 * time) + 0.1 * np.sin(2 * np.pi * 150 * time),
        "a tone of 440 Hz": 0.3 * np.sin(2 * np.pi * 440 * time),
        "a tone of 1 kHz": 0.3 * np.sin(2 * np.pi * 1000 * time),
        "a sweep": 0.3 * np.sin(2 * np.pi * (100 + 200 * time) * time),
        "clicks": 0.9 * (np.arange(len(time)) % (RATE // 2) == 0),
    }
    return {name: wave.astype(np.float32) for name, wave in made.items()}


if __name__ == "__main__":
    main()
