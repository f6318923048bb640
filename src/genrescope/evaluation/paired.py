"""Two systems on the same tracks: how far apart they are, and how sure that is.

Tracks that both get right, or both wrong, say nothing about which one is better. So differences are taken track by
track, which detects far smaller differences than two separate intervals do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from genrescope.evaluation import metrics
from genrescope.results import Difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

RESAMPLES = 10_000
_DIGITS = 9  # to which sums must agree to be of one kind


def clusters(groups: Sequence[str]) -> npt.NDArray[np.int64]:
    """Number the tracks' groups; a track whose group is unknown, empty, is one by itself.

    Example:
        >>> clusters(["queen", "", "abba", "queen", ""]).tolist()
        [3, 0, 2, 3, 1]
    """
    names = [f"1 {group}" if group else f"0 {place:09d}" for place, group in enumerate(groups)]
    # np.unique sorts: tracks alone first, in their order, then the groups by name.
    return np.unique(np.array(names, dtype=str), return_inverse=True)[1].reshape(-1).astype(np.int64)


def resampled_mean(
    values: npt.ArrayLike, groups: Sequence[str] | None = None, *, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the 95 % interval of a mean over tracks by the bootstrap's percentiles, of tracks or of whole groups.

    A resample draws as many clusters as there are, with replacement, and takes the sum of their values over their
    number of tracks. Clusters of equal sum and size are of one kind, and how many of each kind are drawn follows a
    multinomial distribution. Drawing those counts at once gives the same distribution as drawing clusters one by one,
    and 25,000 tracks that are right or wrong cost no more than 25.

    Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        values: one for each track.
        groups: the artist of each track, empty where unknown; None resamples tracks.
        seed: of the draws.
        resamples: how often is drawn.

    Example:
        >>> resampled_mean([1, 1, 1])
        (1.0, 1.0)
    """
    given = np.asarray(values, dtype=np.float64)
    owner = np.arange(len(given)) if groups is None else clusters(groups)
    sums, sizes = np.bincount(owner, weights=given), np.bincount(owner)
    kinds, count = np.unique(np.stack([sums.round(_DIGITS), sizes], axis=1), axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(count.sum(), count / count.sum(), size=resamples)
    low, high = np.quantile((drawn @ kinds[:, 0]) / (drawn @ kinds[:, 1]), [0.025, 0.975])
    return float(low), float(high)


def mcnemar(won: int, lost: int) -> float:
    """Return the two-sided p of McNemar's exact test: that so one-sided a count of discordant tracks is chance.

    Were both systems equally good, each of the n = b + c tracks that only one of them gets right would be either's
    with even chances, so p = min(1, 2 sum_{k=0}^{min(b, c)} C(n, k) / 2^n).

    Source: Q. McNemar, Note on the sampling error of the difference between correlated proportions or percentages,
    Psychometrika 12, 1947; the exact form is the sign test, as in M. W. Fagerland et al., The McNemar test for binary
    matched-pairs data, BMC Medical Research Methodology 13:91, 2013.

    Args:
        won: tracks that only the one system gets right, b.
        lost: tracks that only the other gets right, c.

    Example:
        >>> round(mcnemar(12, 2), 4), mcnemar(0, 0)
        (0.0129, 1.0)
    """
    from scipy.stats import binomtest

    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def newcombe(both: int, won: int, lost: int, neither: int) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two shares of the same tracks, (won - lost) / n.

    Wilson's intervals (l1, u1) of p1 = (both + won) / n and (l2, u2) of p2 = (both + lost) / n are joined by
    `D - sqrt((p1 - l1)^2 - 2 f (p1 - l1)(u2 - p2) + (u2 - p2)^2)` below, and above by
    `D + sqrt((u1 - p1)^2 - 2 f (u1 - p1)(p2 - l2) + (p2 - l2)^2)`, where f is the correlation phi of the fourfold
    table, its numerator `both * neither - won * lost` lessened by n / 2 (to no less than 0) where it is positive.

    Source: R. G. Newcombe, Improved confidence intervals for the difference between binomial proportions based on
    paired data, Statistics in Medicine 17, 1998, method 10.

    Args:
        both: tracks that both systems get right.
        won: tracks that only the first gets right.
        lost: tracks that only the second gets right.
        neither: tracks that neither gets right.
    """
    total = both + won + lost + neither
    first, second = (both + won) / total, (both + lost) / total
    low1, high1 = metrics.wilson(both + won, total)
    low2, high2 = metrics.wilson(both + lost, total)
    phi = _phi(both, won, lost, neither)
    below = (first - low1) ** 2 - 2 * phi * (first - low1) * (high2 - second) + (high2 - second) ** 2
    above = (high1 - first) ** 2 - 2 * phi * (high1 - first) * (second - low2) + (second - low2) ** 2
    difference = (won - lost) / total
    return difference - math.sqrt(max(below, 0.0)), difference + math.sqrt(max(above, 0.0))


def holm(p: Sequence[float]) -> list[float]:
    """Return p values that allow for how many were looked at.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none falls below one before it, or exceeds 1.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6,
    1979.

    Example:
        >>> holm([0.01, 0.5, 0.02])
        [0.03, 0.5, 0.04]
    """
    adjusted, least = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        least = max(least, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = least
    return adjusted


def difference(own: npt.ArrayLike, reference: npt.ArrayLike, groups: Sequence[str] | None = None) -> Difference:
    """Compare a system with a reference on the same tracks.

    Args:
        own: for each track, in how many of its runs the system is right, as a share; 0 or 1 for one run.
        reference: the same of the reference.
        groups: the artist of each track, empty where unknown; None where no group is known.
    """
    mine, theirs = np.asarray(own, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    apart = mine - theirs
    won, lost = int((apart > 0).sum()), int((apart < 0).sum())
    binary = bool(np.isin(np.concatenate([mine, theirs]), (0, 1)).all())
    both = int((mine * theirs).sum())
    return Difference(
        difference=float(apart.mean()),
        interval=resampled_mean(apart),
        interval_by_groups=None if groups is None else resampled_mean(apart, groups),
        won=won,
        lost=lost,
        p=mcnemar(won, lost),
        interval_newcombe=newcombe(both, won, lost, len(apart) - both - won - lost) if binary else None,
    )


def _phi(both: int, won: int, lost: int, neither: int) -> float:
    margins = (both + won) * (lost + neither) * (both + lost) * (won + neither)
    if margins == 0:
        return 0.0
    numerator: float = both * neither - won * lost
    if numerator > 0:
        numerator = max(numerator - (both + won + lost + neither) / 2, 0.0)
    return numerator / math.sqrt(margins)
