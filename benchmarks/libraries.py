"""A scanned library beside labelled data: what the benchmarks of similar songs and of albums share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genrescope.evaluation.paired import resampled_mean
from genrescope.library.database import Library
from genrescope.sources.data import read_data

if TYPE_CHECKING:
    import numpy.typing as npt

    Names = npt.NDArray[np.str_]
    Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """Songs of a library with what DATA says of them.

    Attributes:
        genre: of each song, shape (songs,).
        artist: of each song; the song's own path where it is not known.
        known: whether the artist is known.
        sound: what identifies the sound.
        labels: the model's labels.
        scores: float64 (songs, labels).
        embeddings: float32 (songs, width).
    """

    genre: Names
    artist: Names
    known: npt.NDArray[np.bool_]
    sound: Names
    labels: tuple[str, ...]
    scores: Numbers
    embeddings: npt.NDArray[np.float32]


def asked_for(benchmark: str, description: str | None) -> Labelled:
    """Return what the command line of a benchmark names: LIBRARY and DATA."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark}", description=description)
    parser.add_argument("library")
    parser.add_argument("data")
    chosen = parser.parse_args()
    return labelled(chosen.library, chosen.data)


def labelled(library: str, data: str) -> Labelled:
    """Read a library and the genres and artists of the same files from DATA, as `gtzan:FOLDER`."""
    root, tracks = read_data(data)
    by_path = {str((root / track.path).absolute()): track for track in tracks}
    with Library(Path(library)) as opened:
        model = opened.model()
        numbers, embeddings = opened.embeddings(model)
        entries = {each.song.id: each for each in opened.entries(model)}
    kept = [place for place, number in enumerate(numbers) if str(entries[number].song.path) in by_path]
    chosen = [entries[numbers[place]] for place in kept]
    found = [by_path[str(each.song.path)] for each in chosen]
    predictions = [each.prediction for each in chosen if each.prediction is not None]
    return Labelled(
        np.array([track.genre for track in found]),
        np.array([track.group or str(track.id) for track in found]),
        np.array([bool(track.group) for track in found]),
        np.array([each.song.sound_id for each in chosen]),
        model.labels,
        np.array([[each.scores[label] for label in model.labels] for each in predictions]),
        embeddings[kept],
    )


def share(right: Numbers, artist: Names) -> str:
    """Return a share in percent, with its 95 % interval over whole artists."""
    low, high = resampled_mean(right, list(artist))
    return f"{100 * right.mean():.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def gain(difference: Numbers, artist: Names) -> str:
    """Return a difference in points, with its 95 % interval over whole artists."""
    low, high = resampled_mean(difference, list(artist))
    return f"{100 * difference.mean():+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
