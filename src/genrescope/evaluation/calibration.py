"""Calibration: whether a track of which the model is 80 % sure is right four times in five."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from genrescope.evaluation import metrics
from genrescope.evaluation.paired import clusters
from genrescope.results import Bin, Calibration, CalibrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BINS = 10
_RESAMPLES = 2000
_AT_ONCE = 2_000_000  # numbers drawn in one piece: 16 MB

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]


def calibration(confidence: npt.ArrayLike, right: npt.ArrayLike, groups: Sequence[str] | None = None) -> Calibration:
    """Compare a model's confidence with its accuracy.

    The tracks are put into bins by their confidence, and the expected calibration error is the mean distance of
    confidence and accuracy, each bin weighted by its tracks: `ECE = sum_b (n_b / n) |acc(b) - conf(b)|`. It is given
    for ten bins of equal width, `((b - 1) / 10, b / 10]`, and for ten bins of equally many tracks ("adaptive"), which
    do not hide what happens where most confidences lie.

    ECE is never negative, so chance alone lifts it, and in small samples by much; an interval that resamples tracks is
    lifted, too. `if_calibrated` says what to hold it against: the range of 95 % of the ECE that the same confidences
    would give if each were exactly true.

    Sources: C. Guo et al., On calibration of modern neural networks, ICML 2017 (ECE); J. Nixon et al., Measuring
    calibration in deep learning, CVPR Workshops 2019 (equal mass); J. Bröcker and L. A. Smith, Increasing the
    reliability of reliability diagrams, Weather and Forecasting 22, 2007 (what chance alone does).

    Args:
        confidence: of each track, the probability of the genre that it was taken for.
        right: of each track, whether that is its genre.
        groups: the artist of each track, empty where unknown; None where no group is known.
    """
    sure, hits = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    width = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)
    mass = np.empty(len(sure), dtype=np.int64)
    for place, chosen in enumerate(np.array_split(np.argsort(sure, kind="stable"), min(BINS, len(sure)))):
        mass[chosen] = place
    ends = [(place / BINS, (place + 1) / BINS) for place in range(BINS)]
    return Calibration(
        tracks=len(sure),
        confidence=float(sure.mean()),
        accuracy=float(hits.mean()),
        equal_width=_error(sure, hits, width, groups, ends),
        equal_mass=_error(sure, hits, mass, groups, None),
    )


def _error(
    sure: Floats,
    hits: Floats,
    place: Integers,
    groups: Sequence[str] | None,
    ends: Sequence[tuple[float, float]] | None,
) -> CalibrationError:
    """Return ECE with its intervals; bins stay where they are when tracks are resampled.

    With g = right - confidence the sum simplifies to `ECE = sum_b |sum_{i in b} g_i| / n`.
    """
    alone = np.arange(len(sure))
    gaps = hits - sure
    ece = np.abs(np.bincount(place, weights=gaps)).sum() / len(sure)
    return CalibrationError(
        ece=float(ece),
        interval=_resampled(gaps, place, alone),
        interval_by_groups=None if groups is None else _resampled(gaps, place, clusters(groups)),
        if_calibrated=_if_calibrated(sure, place),
        bins=_bins(sure, hits, place, ends),
    )


def _resampled(gaps: Floats, place: Integers, owner: Integers) -> tuple[float, float]:
    """Return the bootstrap's percentiles of ECE, drawing whole clusters."""
    count = int(owner.max()) + 1
    sums = np.zeros((count, int(place.max()) + 1))
    np.add.at(sums, (owner, place), gaps)
    sizes = np.bincount(owner, minlength=count)

    def draw(rng: np.random.Generator, rows: int) -> Floats:
        drawn = rng.integers(0, count, (rows, count)) + count * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        found: Floats = np.abs(times @ sums).sum(axis=1) / (times @ sizes)
        return found

    return _range(draw, count)


def _if_calibrated(sure: Floats, place: Integers) -> tuple[float, float]:
    """Return the range of ECE when each track is right with the probability of its confidence."""
    member = np.zeros((len(sure), int(place.max()) + 1))
    member[np.arange(len(sure)), place] = 1

    def draw(rng: np.random.Generator, rows: int) -> Floats:
        hits = rng.random((rows, len(sure))) < sure
        found: Floats = np.abs((hits - sure) @ member).sum(axis=1) / len(sure)
        return found

    return _range(draw, len(sure))


def _range(draw: Callable[[np.random.Generator, int], Floats], width: int) -> tuple[float, float]:
    """Return the middle 95 % of what is drawn, in pieces that fit into memory."""
    rng = np.random.default_rng(0)
    found = np.concatenate([draw(rng, rows) for rows in _pieces(max(1, _AT_ONCE // width))])
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _pieces(size: int) -> Iterator[int]:
    for begun in range(0, _RESAMPLES, size):
        yield min(size, _RESAMPLES - begun)


def _bins(sure: Floats, hits: Floats, place: Integers, ends: Sequence[tuple[float, float]] | None) -> tuple[Bin, ...]:
    found = []
    for number in np.unique(place):
        own = sure[place == number]
        low, high = ends[number] if ends is not None else (float(own.min()), float(own.max()))
        correct = int(hits[place == number].sum())
        found.append(
            Bin(
                low=low,
                high=high,
                tracks=len(own),
                confidence=float(own.mean()),
                accuracy=correct / len(own),
                interval=metrics.wilson(correct, len(own)),
            )
        )
    return tuple(found)
