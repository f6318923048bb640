"""Figures where tracks have several genres: average precision and F1, with bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESAMPLES = 2000
_AT_ONCE = 100  # resamples that are held in memory

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Figures:
    """The figures of one or more resamples; those that would divide by zero are nan.

    Attributes:
        average_precision: (resamples, labels).
        counts: (resamples, 3, labels), tracks that have a label and are given it, that have it, that are given it.
    """

    average_precision: Floats
    counts: Floats

    @cached_property
    def mean_average_precision(self) -> Floats:
        """The mean over the labels that have tracks, (resamples,)."""
        return _mean(self.average_precision)

    @cached_property
    def f1(self) -> Floats:
        """Of each label, (resamples, labels)."""
        return _f1(self.counts)

    @cached_property
    def macro_f1(self) -> Floats:
        """The mean over the labels that have tracks, (resamples,)."""
        return _mean(np.where(self.counts[:, 1] > 0, self.f1, np.nan))

    @cached_property
    def micro_f1(self) -> Floats:
        """Of all decisions together, (resamples,)."""
        return _f1(self.counts.sum(axis=2))


def figures(scores: Floats, targets: Floats, taken: Floats, times: Floats | None = None) -> Figures:
    """Count tracks, each as often as a resample has it.

    The average precision of a label is `sum_k (R_k - R_{k-1}) P_k` over the distinct scores, the highest first, with
    precision P and recall R of the tracks down to each: scikit-learn's `average_precision_score`.

    Args:
        scores: (tracks, labels), in [0, 1].
        targets: (tracks, labels), 1 or 0.
        taken: (tracks, labels), 1 where a track is given a label, else 0.
        times: (resamples, tracks), how often each track is in each resample; None takes each once.

    Example:
        >>> scores, truth = np.array([[0.9], [0.8], [0.1]]), np.array([[1.0], [0.0], [1.0]])
        >>> found = figures(scores, truth, (scores > 0.5).astype(float))
        >>> found.average_precision.round(3).tolist(), found.macro_f1.tolist()
        ([[0.833]], [0.5])
    """
    times = np.ones((1, len(scores))) if times is None else times
    counts = np.stack([times @ (targets * taken), times @ targets, times @ taken], axis=1)
    pairs = zip(scores.T, targets.T, strict=True)
    return Figures(np.stack([_average_precision(own, truth, times) for own, truth in pairs], axis=1), counts)


def resampled(scores: Floats, targets: Floats, taken: Floats, owners: Integers) -> Figures:
    """Return the figures of 2,000 bootstrap resamples of whole clusters of tracks, or of tracks.

    Args:
        scores: as for `figures`.
        targets: as for `figures`.
        taken: as for `figures`.
        owners: (tracks,), the number of each track's cluster, from 0.
    """
    drawn = [figures(scores, targets, taken, times) for times in _draws(owners)]
    return Figures(
        np.concatenate([each.average_precision for each in drawn]), np.concatenate([each.counts for each in drawn])
    )


def interval(values: Floats) -> tuple[float, float]:
    """Return the middle 95 % of resamples, those without a value left out."""
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


def _draws(owners: Integers) -> Iterator[Floats]:
    clusters, random = int(owners.max()) + 1, np.random.default_rng(0)
    for _ in range(_RESAMPLES // _AT_ONCE):
        yield random.multinomial(clusters, np.full(clusters, 1 / clusters), size=_AT_ONCE)[:, owners].astype(float)


def _average_precision(scores: Floats, truth: Floats, times: Floats) -> Floats:
    """Return the average precision of one label in each resample, (resamples,); nan where no track has it."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of the tracks with one score
    drawn = times[:, order]
    seen = np.cumsum(drawn, axis=1)[:, last]
    right = np.cumsum(drawn * truth[order], axis=1)[:, last]
    gained = np.diff(right, axis=1, prepend=0.0)
    total = right[:, -1]
    found = (gained * right / np.maximum(seen, 1)).sum(axis=1)
    return np.asarray(np.divide(found, total, out=np.full(len(found), np.nan), where=total > 0))


def _f1(counts: Floats) -> Floats:
    """Return F1 from counts (resamples, 3, ...): right, actual, given; nan where nothing is either."""
    right, both = counts[:, 0], counts[:, 1] + counts[:, 2]
    return np.asarray(np.divide(2 * right, both, out=np.full(right.shape, np.nan), where=both > 0))


def _mean(values: Floats) -> Floats:
    """Return the mean over labels, (resamples,); nan where none has a value."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    empty = np.full(len(values), np.nan)
    return np.asarray(np.divide(total, known.sum(axis=1), out=empty, where=known.any(axis=1)))
