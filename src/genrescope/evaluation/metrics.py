"""Counts, shares and their intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from genrescope.results import ConfusedPair, GenreFigures, Share

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

Z95 = 1.959963984540054
"""The normal distribution's 97.5 % point."""

_RESAMPLES = 2000
_AT_ONCE = 100  # resamples that are held in memory
_CONFUSED = 10  # pairs of genres that are told


def wilson(correct: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Wilson's score method.

    With p = correct / total and z = 1.96 the interval is centred at (p + z^2 / 2n) / (1 + z^2 / n) and reaches
    z sqrt(p (1 - p) / n + z^2 / 4n^2) / (1 + z^2 / n) either way; unlike the normal interval it never leaves [0, 1].

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.

    Raises:
        ValueError: `correct` is not between 0 and `total`, or `total` is 0.

    Example:
        >>> [round(bound, 3) for bound in wilson(138, 200)]
        [0.623, 0.75]
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"{correct} of {total}; accepted is 0 <= correct <= total and total > 0")
    p, n, z2 = correct / total, total, Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return (0.0 if correct == 0 else middle - reach), (1.0 if correct == total else middle + reach)


def share(correct: int, total: int) -> Share:
    """Return a share with its counts and its interval."""
    return Share(correct=correct, total=total, value=correct / total, interval=wilson(correct, total))


def resampled_interval(correct: Sequence[int], total: Sequence[int]) -> tuple[float, float]:
    """Return the 95 % interval of a pooled share whose cases come in clusters, by resampling whole clusters.

    The windows of a track are right or wrong together, so counting them as independent (as Wilson's method does)
    promises too much. Resampling tracks does not. `correct` and `total` count the cases of each cluster.
    """
    right, cases = np.asarray(correct), np.asarray(total)
    drawn = np.random.default_rng(0).integers(0, len(cases), (_RESAMPLES, len(cases)))
    shares = right[drawn].sum(axis=1) / cases[drawn].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


def confusion(truth: Sequence[int], predicted: Sequence[int], genres: int) -> npt.NDArray[np.int64]:
    """Count truth (rows) against prediction (columns), shape (genres, genres).

    Example:
        >>> confusion([0, 0, 1], [0, 1, 1], 2).tolist()
        [[1, 1], [0, 1]]
    """
    counts = np.zeros((genres, genres), dtype=np.int64)
    np.add.at(counts, (np.asarray(truth, dtype=int), np.asarray(predicted, dtype=int)), 1)
    return counts


def per_genre(counts: npt.NDArray[np.int64], labels: Sequence[str]) -> dict[str, GenreFigures]:
    """Return precision, recall with its interval, F1 and number of tracks of each genre.

    A figure that would divide by zero is None: precision where nothing was predicted, recall where nothing is.
    """
    found = {}
    for position, label in enumerate(labels):
        hits = int(counts[position, position])
        actual, predicted = int(counts[position].sum()), int(counts[:, position].sum())
        found[label] = GenreFigures(
            tracks=actual,
            precision=hits / predicted if predicted else None,
            recall=hits / actual if actual else None,
            recall_interval=wilson(hits, actual) if actual else None,
            f1=2 * hits / (actual + predicted) if actual + predicted else None,
        )
    return found


def macro_f1(truth: Sequence[int], predicted: Sequence[int], genres: int) -> float:
    """Return the mean F1 of the genres that have tracks.

    Args:
        truth: the number of each track's genre.
        predicted: the number of the genre that it was taken for.
        genres: how many there are.

    Example:
        >>> macro_f1([0, 0, 1, 1], [0, 1, 1, 1], 2)
        0.7333333333333334
    """
    return float(_macro_f1(_marginals(truth, predicted, genres).sum(axis=0)))


def macro_f1_interval(
    truth: Sequence[int], predicted: Sequence[int], genres: int, clusters: Sequence[str] | None = None
) -> tuple[float, float]:
    """Return the 95 % interval of the macro F1 by the bootstrap's percentiles.

    Each resample draws as many tracks, or clusters of tracks, as there are. A genre that a resample leaves out does not
    count in its mean, as a genre without tracks does not.

    Args:
        truth: as for `macro_f1`.
        predicted: as for `macro_f1`.
        genres: as for `macro_f1`.
        clusters: what each track belongs to, as its artist; None resamples tracks.
    """
    counts = _marginals(truth, predicted, genres)
    if clusters is not None:
        owners, place = np.unique(np.array(clusters, dtype=str), return_inverse=True)
        together = np.zeros((len(owners), *counts.shape[1:]))
        np.add.at(together, place.reshape(-1), counts)
        counts = together
    kinds, often = np.unique(counts, axis=0, return_counts=True)  # equal ones are drawn together
    random, total = np.random.default_rng(0), len(counts)
    values = [
        _macro_f1(np.tensordot(random.multinomial(total, often / total, size=_AT_ONCE), kinds, axes=1))
        for _ in range(_RESAMPLES // _AT_ONCE)
    ]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _marginals(truth: Sequence[int], predicted: Sequence[int], genres: int) -> npt.NDArray[np.float64]:
    """Return for each track, (tracks, 3, genres), whether it is right, is, and was taken for each genre."""
    is_, taken = np.eye(genres)[np.asarray(truth, dtype=int)], np.eye(genres)[np.asarray(predicted, dtype=int)]
    return np.stack([is_ * taken, is_, taken], axis=1)


def _macro_f1(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the macro F1 from counts of tracks that are right, are, and were taken for a genre, (..., 3, genres)."""
    right, actual, taken = counts[..., 0, :], counts[..., 1, :], counts[..., 2, :]
    f1 = 2 * right / np.maximum(actual + taken, 1)
    found: npt.NDArray[np.float64] = (f1 * (actual > 0)).sum(axis=-1) / np.maximum((actual > 0).sum(axis=-1), 1)
    return found


def confused_pairs(counts: npt.NDArray[np.int64], labels: Sequence[str]) -> list[ConfusedPair]:
    """Return the ten most frequent confusions, the most frequent first."""
    pairs = [
        ConfusedPair(
            truth=labels[row],
            predicted=labels[column],
            count=int(counts[row, column]),
            share=float(counts[row, column] / counts[row].sum()),
        )
        for row, column in np.argwhere(counts > 0)
        if row != column
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share, pair.truth, pair.predicted))[:_CONFUSED]
