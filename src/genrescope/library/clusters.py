"""Clusters of songs: k-means on standardised embeddings, each with a name that says what it holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genrescope.library.listing import genres_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from genrescope.library.rows import Entry
    from genrescope.library.similar import Vectors

    Numbers = npt.NDArray[np.int64]

_ROUNDS = 50
_STARTS = 4  # of which the best counts
_SHARE = 0.25  # of a cluster's songs that a second genre needs to stand in its name
_TAGS = 2  # in a name
_MOST = 20  # clusters, where the user names no number


@dataclass(frozen=True)
class Cluster:
    """Songs that sound alike.

    Attributes:
        name: its genres and the tags that set it apart, no two clusters alike.
        entries: its songs, those nearest to its middle first.
    """

    name: str
    entries: tuple[Entry, ...]


def suggested(songs: int) -> int:
    """Return a number of clusters for so many songs: the square root of half of them, from 2 to 20.

    Example:
        >>> suggested(354), suggested(10), suggested(50_000)
        (13, 2, 20)
    """
    return int(np.clip(round((songs / 2) ** 0.5), 2, _MOST))


def clusters(entries: Sequence[Entry], vectors: Vectors, count: int, *, seed: int = 0) -> list[Cluster]:
    """Divide songs into clusters, the largest first; equal seeds give equal clusters.

    Args:
        entries: the songs.
        vectors: their standardised embeddings, float32 (songs, width), each of length 1.
        count: number of clusters, at most as many as there are songs.
        seed: of the random starts.
    """
    count = min(count, len(entries))
    random = np.random.default_rng(seed)
    tries = [_k_means(vectors, _spread(vectors, count, random)) for _ in range(_STARTS)]
    assigned, similarity = max(tries, key=lambda each: float(each[1].sum()))
    members = [np.flatnonzero(assigned == number) for number in range(count)]
    sorted_members = [place[np.argsort(-similarity[place], kind="stable")] for place in members if len(place)]
    groups = [[entries[place] for place in places] for places in sorted(sorted_members, key=len, reverse=True)]
    usual = _mean_tags(entries)
    names = _unique([_name(group, usual) for group in groups])
    return [Cluster(name, tuple(group)) for name, group in zip(names, groups, strict=True)]


def _spread(vectors: Vectors, count: int, random: np.random.Generator) -> Vectors:
    """Draw first centres far from each other (k-means++, Arthur and Vassilvitskii 2007)."""
    chosen = [int(random.integers(len(vectors)))]
    distance = 1 - vectors @ vectors[chosen[0]]
    while len(chosen) < count:
        weights = np.clip(distance, 0, None).astype(np.float64)
        weights[chosen] = 0
        total = weights.sum()
        left = np.setdiff1d(np.arange(len(vectors)), chosen)
        place = int(random.choice(len(vectors), p=weights / total) if total > 0 else left[0])
        chosen.append(place)
        distance = np.minimum(distance, 1 - vectors @ vectors[place])
    return vectors[chosen]


def _k_means(vectors: Vectors, centres: Vectors) -> tuple[Numbers, Vectors]:
    """Return each vector's cluster and its similarity to the centre (spherical k-means, Dhillon and Modha 2001)."""
    assigned = np.full(len(vectors), -1)
    for _ in range(_ROUNDS):
        similar = vectors @ centres.T
        found = similar.argmax(axis=1)
        if np.array_equal(found, assigned):
            break
        assigned = found
        sums = np.zeros_like(centres)
        np.add.at(sums, assigned, vectors)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 0, sums / np.maximum(length, 1e-9), centres)
    return assigned, similar.max(axis=1)


def _name(group: Sequence[Entry], usual: dict[str, float]) -> str:
    """Return a cluster's genres, and the tags that lie most above their mean over the library."""
    counted = Counter(genre for entry in group for genre in genres_of(entry)[:1]).most_common(2)
    genres = [genre for place, (genre, songs) in enumerate(counted) if place == 0 or songs >= _SHARE * len(group)]
    tags = _mean_tags(group)
    below = sorted((usual.get(tag, 0.0) - score, tag) for tag, score in tags.items())
    chosen = [tag for difference, tag in below if difference < 0 and tag not in genres][:_TAGS]
    return " - ".join(filter(None, (" and ".join(genres), ", ".join(chosen)))) or "songs"


def _mean_tags(entries: Sequence[Entry]) -> dict[str, float]:
    """Return the mean score of every tag that is no genre; none where the model knows none."""
    sums: Counter[str] = Counter()
    for entry in entries:
        for scores in entry.prediction.tags.values() if entry.prediction else ():
            sums.update(scores)
    return {tag: total / len(entries) for tag, total in sums.items()}


def _unique(names: Sequence[str]) -> list[str]:
    """Number the names that occur before."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return found
