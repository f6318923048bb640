"""What the mean over an artist's songs gains or loses: `python -m benchmarks.album LIBRARY DATA`.

LIBRARY is a `library.db` of the files of DATA, whose genres and artists are known, as `gtzan:FOLDER`. Scores are those
of the library's model, restricted to DATA's genres; songs of an artist stand for an album. GTZAN's artists have one
genre each, which flatters the mean: so artists of two genres are also joined in pairs, where it must lose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.libraries import asked_for, gain, share

if TYPE_CHECKING:
    from benchmarks.libraries import Names, Numbers

WEIGHTS = (0.25, 0.5, 0.75, 1.0)
PAIRINGS = 40


def main() -> None:
    songs = asked_for("album", __doc__)
    names, counts = np.unique(songs.artist[songs.known], return_counts=True)
    kept = np.isin(songs.artist, names[counts > 1])
    asked = [songs.labels.index(genre) for genre in sorted(set(songs.genre)) if genre in songs.labels]
    kept &= np.isin(songs.genre, np.array(songs.labels)[asked])
    labels, scores = np.array(songs.labels)[asked], songs.scores[kept][:, asked]
    genre, artist = songs.genre[kept], songs.artist[kept]
    print(f"{len(genre)} songs of {len(set(artist))} artists with two or more, {len(labels)} genres")
    own = (labels[scores.argmax(axis=1)] == genre).astype(float)
    print(f"each song by itself: {share(own, artist)}")
    for weight in WEIGHTS:
        mixed = (labels[_mixed(scores, artist, weight).argmax(axis=1)] == genre).astype(float)
        print(f"weight {weight:.2f} of the artist's mean: {share(mixed, artist)}; gain {gain(mixed - own, artist)}")
    _joined(scores, labels, genre, artist, own)


def _mixed(scores: Numbers, group: Names, weight: float) -> Numbers:
    """Return scores drawn towards the mean of their group."""
    _, found = np.unique(group, return_inverse=True)
    sums = np.stack([np.bincount(found, weights=column) for column in scores.T], axis=1)
    means = sums / np.bincount(found)[:, None]
    return (1 - weight) * scores + weight * means[found]


def _joined(scores: Numbers, labels: Names, genre: Names, artist: Names, own: Numbers) -> None:
    """Print what the mean does to groups of two artists of different genres, drawn many times."""
    random = np.random.default_rng(0)
    genre_of = dict(zip(artist, genre, strict=True))
    differences: dict[float, list[Numbers]] = {weight: [] for weight in WEIGHTS}
    for _ in range(PAIRINGS):
        order = list(random.permutation(sorted(genre_of)))
        pair: dict[str, str] = {}
        while order:
            one = order.pop()
            other = next((each for each in order if genre_of[each] != genre_of[one]), None)
            pair[one] = one
            if other is not None:
                order.remove(other)
                pair[other] = one
        groups = np.array([pair[each] for each in artist])
        for weight, found in differences.items():
            mixed = labels[_mixed(scores, groups, weight).argmax(axis=1)] == genre
            found.append(mixed.astype(float) - own)
    for weight, found in differences.items():
        print(
            f"two artists of different genres as one, weight {weight:.2f}: gain {gain(np.mean(found, axis=0), artist)}"
        )


if __name__ == "__main__":
    main()
