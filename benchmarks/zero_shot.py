"""How good the model `genres` is without any training: `python -m benchmarks.zero_shot STORE`.

STORE is one of GTZAN. A track is right where its own genre has the highest score among those that are asked for. Levels
are measured on half of the artists and used on the others, forty times; the table that ships is of all clips.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from genrescope.models.tag_genres import genres
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
    found = listening.extract(store, listening.network_of(models, 2), models).found
    names = [f"{name}:{tag}" for name, model in zip(TAGGERS, models, strict=True) for tag in model.header.labels]
    tags = np.stack([found[track.id][:, -len(names) :].mean(axis=0) for track in store.tracks]).astype(np.float64)
    logits = {genre.name: tags[:, [names.index(tag) for tag in genre.tags]].mean(axis=1) for genre in genres()}
    truth = np.array([track.genre for track in store.tracks])
    artist = np.array([track.group or track.id for track in store.tracks])
    levels = _levels(logits, truth, np.ones(len(truth), dtype=bool))
    print("levels:", ", ".join(f"{name} {level:.2f}" for name, level in levels.items()))
    for asked in (FOUR, tuple(name for name in store.genres if name in logits)):
        _report(logits, truth, artist, asked)


def _report(
    logits: dict[str, npt.NDArray[np.float64]],
    truth: npt.NDArray[np.str_],
    artist: npt.NDArray[np.str_],
    asked: tuple[str, ...],
) -> None:
    random, scores = np.random.default_rng(1), dict[str, list[float]]()
    everyone = np.unique(artist)
    for _ in range(DEALS):
        half = np.isin(artist, random.choice(everyone, len(everyone) // 2, replace=False))
        levels = _levels(logits, truth, half)
        for name, share in (("no level", 0.0), ("half the level", 0.5), ("the whole level", 1.0)):
            scored = np.isin(truth, asked) & ~half
            corrected = np.stack([logits[genre][scored] - share * levels[genre] for genre in asked], axis=1)
            right = np.array(asked)[corrected.argmax(axis=1)] == truth[scored]
            scores.setdefault(name, []).append(float(right.mean()))
    told = ", ".join(f"{name} {100 * np.mean(each):.1f} %" for name, each in scores.items())
    print(
        f"{len(asked)} genres, {int(np.isin(truth, asked).sum())} tracks, mean of {DEALS} halves of the artists: {told}"
    )


def _levels(
    logits: dict[str, npt.NDArray[np.float64]], truth: npt.NDArray[np.str_], chosen: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Return the mean logit of each genre's tags over the chosen tracks, each true genre counting alike."""
    weights = np.array([1 / max(1, int((chosen & (truth == genre)).sum())) for genre in truth]) * chosen
    return {name: float(np.average(each, weights=weights)) for name, each in logits.items()}


if __name__ == "__main__":
    main()
