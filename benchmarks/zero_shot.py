"""How good the model `genres` is without any training: `python -m benchmarks.zero_shot STORE`.

STORE is one of GTZAN. A track is right where its own genre has the highest score among those that are asked for. Levels
are measured on half of the artists and used on the others, forty times; the table that ships is of all clips.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope.evaluation.metrics import resampled_interval
from genrescope.modelfile.zero_shot import LEVEL_SHARE
from genrescope.models.listener import Listener
from genrescope.models.tag_genres import genres, kinds
from genrescope.store import listening
from genrescope.store.store import open_store

if TYPE_CHECKING:
    import numpy.typing as npt

TAGGERS = ("musicnn-msd", "musicnn-mtt")
FOUR = ("blues", "classical", "jazz", "rock")
DEALS = 40


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zero_shot", description=__doc__)
    parser.add_argument("store")
    store = open_store(parser.parse_args().store)
    models = listening.taggers(TAGGERS)
    found = listening.extract(store, Listener.of([model.network for model in models], 2), models).found
    names = listening.tags_of(models)
    tags = np.stack([found[track.id][:, -len(names) :].mean(axis=0) for track in store.tracks]).astype(np.float64)
    logits = {genre.name: tags[:, [names.index(tag) for tag in genre.tags]].mean(axis=1) for genre in genres()}
    truth = np.array([track.genre for track in store.tracks])
    artist = np.array([track.group or track.id for track in store.tracks])
    everything = np.ones(len(truth), dtype=bool)
    levels = _levels(logits, truth, everything)
    print("levels:", ", ".join(f"{name} {level:.2f}" for name, level in levels.items()))
    for kind, labels in kinds().items():
        said = {label.name: tags[:, [names.index(tag) for tag in label.tags]].mean(axis=1) for label in labels}
        print(f"{kind}:", ", ".join(f"{name} {level:.2f}" for name, level in _levels(said, truth, everything).items()))
    _thresholds(logits, levels, truth, artist)
    for asked in (FOUR, tuple(name for name in store.genres if name in logits)):
        _report(logits, truth, artist, asked)
        _own_levels(logits, truth, asked)


def _report(
    logits: dict[str, npt.NDArray[np.float64]],
    truth: npt.NDArray[np.str_],
    artist: npt.NDArray[np.str_],
    asked: tuple[str, ...],
) -> None:
    random, everyone = np.random.default_rng(1), np.unique(artist)
    shares = {"no level": 0.0, "half the level": 0.5, "the whole level": 1.0}
    right, asked_for = {name: np.zeros(len(truth)) for name in shares}, np.zeros(len(truth))
    for _ in range(DEALS):
        half = np.isin(artist, random.choice(everyone, len(everyone) // 2, replace=False))
        levels = _levels(logits, truth, half)
        scored = np.isin(truth, asked) & ~half
        asked_for += scored
        for name, share in shares.items():
            corrected = np.stack([logits[genre] - share * levels[genre] for genre in asked], axis=1)
            right[name] += scored & (np.array(asked)[corrected.argmax(axis=1)] == truth)
    print(f"{len(asked)} genres, {int((asked_for > 0).sum())} tracks, {DEALS} halves of the artists:")
    for name, its in right.items():
        told = [f"{100 * its.sum() / asked_for.sum():.1f} %"]
        for units, of in (("tracks", np.arange(len(truth))), ("whole artists", artist)):
            low, high = resampled_interval(*_by(of[asked_for > 0], its[asked_for > 0], asked_for[asked_for > 0]))
            told.append(f"{100 * low:.1f} to {100 * high:.1f} over {units}")
        print(f"  {name}: {', '.join(told)}")


def _own_levels(
    logits: dict[str, npt.NDArray[np.float64]], truth: npt.NDArray[np.str_], asked: tuple[str, ...]
) -> None:
    """Print what a library's own mean logits give instead of the shipped levels: all tracks, and 70 % of one genre."""
    random, shipped = np.random.default_rng(3), {genre.name: genre.level for genre in genres()}
    whole = np.flatnonzero(np.isin(truth, asked))
    one_sided = []
    for genre in asked:
        own, others = whole[truth[whole] == genre], whole[truth[whole] != genre]
        count = min(len(others), round(len(own) * 3 / 7))
        one_sided += [np.concatenate([own, random.choice(others, count, replace=False)]) for _ in range(DEALS)]
    for name, share in (("shipped, half", None), ("its own, half", 0.5), ("its own, the whole", 1.0)):

        def right(chosen: npt.NDArray[np.int64], share: float | None = share) -> float:
            level = {
                each: LEVEL_SHARE * shipped[each] if share is None else share * logits[each][chosen].mean()
                for each in asked
            }
            corrected = np.stack([logits[each][chosen] - level[each] for each in asked], axis=1)
            return float((np.array(asked)[corrected.argmax(axis=1)] == truth[chosen]).mean())

        skewed = np.mean([right(chosen) for chosen in one_sided])
        print(f"  levels {name}: {100 * right(whole):.1f} % of all, {100 * skewed:.1f} % where 70 % are of one genre")


def _thresholds(
    logits: dict[str, npt.NDArray[np.float64]],
    levels: dict[str, float],
    truth: npt.NDArray[np.str_],
    artist: npt.NDArray[np.str_],
) -> None:
    """Print, for each genre, the score from which it counts: where F1 is highest, each true genre counting alike.

    Precision and recall are those of thresholds that were chosen on other artists.
    """
    random, everyone = np.random.default_rng(2), np.unique(artist)
    halves = [np.isin(artist, random.choice(everyone, len(everyone) // 2, replace=False)) for _ in range(DEALS)]
    weight = np.array([1 / (truth == genre).sum() for genre in truth])
    print("thresholds (precision and recall at those of other artists):")
    for name in (name for name in logits if name in truth):
        scores, own = 1 / (1 + np.exp(LEVEL_SHARE * levels[name] - logits[name])), truth == name
        rates = []
        for half in halves:
            if (own & half).any() and (own & ~half).any():
                reached = scores >= _best(scores[half], own[half], weight[half])
                rates.append(_rates(reached[~half], own[~half], weight[~half]))
        precision, recall = np.nanmean(rates, axis=0)
        print(f"  {name} {_best(scores, own, weight):.2f} ({precision:.2f}, {recall:.2f})")


def _best(scores: npt.NDArray[np.float64], own: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]) -> float:
    def f1(threshold: float) -> float:
        precision, recall = _rates(scores >= threshold, own, weight)
        return float(np.nan_to_num(2 * precision * recall / (precision + recall)))

    with np.errstate(invalid="ignore"):
        return float(max(np.linspace(0.05, 0.95, 91), key=f1))


def _rates(
    reached: npt.NDArray[np.bool_], own: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Return precision and recall."""
    both = (weight * (reached & own)).sum()
    with np.errstate(invalid="ignore"):
        return both / (weight * reached).sum(), both / (weight * own).sum()


def _by(units: npt.NDArray[Any], *counts: npt.NDArray[np.float64]) -> list[list[int]]:
    """Add up counts unit by unit."""
    found = np.unique(units, return_inverse=True)[1]
    return [np.bincount(found, weights=each).astype(int).tolist() for each in counts]


def _levels(
    logits: dict[str, npt.NDArray[np.float64]], truth: npt.NDArray[np.str_], chosen: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Return the mean logit of each genre's tags over the chosen tracks, each true genre counting alike."""
    weights = np.array([1 / max(1, int((chosen & (truth == genre)).sum())) for genre in truth]) * chosen
    return {name: float(np.average(each, weights=weights)) for name, each in logits.items()}


if __name__ == "__main__":
    main()
