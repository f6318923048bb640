"""How splits are made: units that must stay whole are assigned to parts so that each part gets its share."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

Targets = dict[str, dict[str, float]]
"""How many tracks of each genre each part should have: part, then genre."""

_TRIES = 24  # greedy deals of which the best is kept
_TRY_UNITS = 20_000  # units dealt in all tries together: a large library is balanced well at the first
_POLISH_UNITS = 2_000  # more units than this balance themselves
_PARTNERS = 32  # units that one is compared with for a swap
_ROUNDS = 20
_SIZE_WEIGHT = 0.3  # what a part's size counts beside its genres
_NOTHING = 1e-9


def cut(ids: Sequence[str], shares: Mapping[str, float]) -> dict[str, str]:
    """Give each part its share of a shuffled list, to the nearest whole track, and at least one where there are enough.

    Example:
        >>> Counter(cut("abcdefghij", {"train": 0.8, "test": 0.2}).values())
        Counter({'train': 8, 'test': 2})
    """
    counts = whole_counts(len(ids), shares)
    dealt = [part for part, count in counts.items() for _ in range(count)]
    return dict(zip(ids, dealt, strict=True))


def whole_counts(total: int, shares: Mapping[str, float], lacking: Mapping[str, float] | None = None) -> dict[str, int]:
    """Divide `total` by shares into whole numbers, none zero where there are enough.

    Args:
        total: what to divide.
        shares: share by part.
        lacking: what the parts lack so far; among equal remainders the part that lacks more is rounded up.

    Example:
        >>> whole_counts(7, {"1": 0.5, "2": 0.5}, {"1": 0.0, "2": 0.5})
        {'1': 3, '2': 4}
    """
    lacking = lacking or {}
    counts = {part: int(share * total + _NOTHING) for part, share in shares.items()}
    by_remainder = sorted(
        shares, key=lambda part: (round(counts[part] - shares[part] * total, 6), -lacking.get(part, 0.0))
    )
    for part in by_remainder[: total - sum(counts.values())]:
        counts[part] += 1
    for part in shares:
        if counts[part] == 0 and total >= len(shares):
            counts[max(counts, key=lambda other: counts[other])] -= 1
            counts[part] = 1
    return counts


def whole_targets(genres: Mapping[str, int], shares: Mapping[str, float]) -> Targets:
    """Divide every genre into whole tracks, so that the parts' sizes come out right as well."""
    targets: Targets = {part: {} for part in shares}
    lacking = dict.fromkeys(shares, 0.0)
    for genre, total in genres.items():
        for part, count in whole_counts(total, shares, lacking).items():
            targets[part][genre] = count
            lacking[part] += shares[part] * total - count
    return targets


def exact_targets(genres: Mapping[str, int], shares: Mapping[str, float]) -> Targets:
    """Divide every genre exactly, into fractions of tracks."""
    return {part: {genre: share * total for genre, total in genres.items()} for part, share in shares.items()}


def deal(units: Sequence[Counter[str]], targets: Targets, rng: random.Random) -> list[str]:
    """Give every unit to a part so that the parts come as near to their targets as whole units allow.

    The largest units are dealt first, each to a part that lacks its genres. That is tried in several orders; the best
    try is kept and polished by moving and swapping units. Where each unit has one genre, no part exceeds its target of
    a genre by more than that genre's largest unit. No part is left empty where there are units enough.

    Args:
        units: the tracks of each genre in each unit, such as an artist.
        targets: the tracks of each genre that each part should have.
        rng: decides among equals, and the orders.

    Returns:
        The part of each unit.
    """
    best: _Dealing | None = None
    for number in range(max(1, min(_TRIES, _TRY_UNITS // max(1, len(units))))):
        tried = _Dealing(units, targets)
        tried.deal(rng, noise=1.0 if number else 0.0)
        if best is None or tried.cost < best.cost - _NOTHING:
            best = tried
        if best.cost < _NOTHING:
            break
    assert best is not None
    if len(units) <= _POLISH_UNITS:
        best.polish(rng)
    return [best.part_of[unit] for unit in range(len(units))]


@dataclass
class _Dealing:
    """Units that have been given to parts, and how far each part is from its targets.

    The cost is the sum of (tracks - target)^2 / (tracks of the genre in all) over parts and genres, and the same for
    the parts' sizes, which count less.
    """

    units: Sequence[Counter[str]]
    targets: Targets
    part_of: dict[int, str] = field(default_factory=dict)
    excess: dict[str, dict[str, float]] = field(init=False)
    surplus: dict[str, float] = field(init=False)
    held: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.excess = {part: {genre: -n for genre, n in its.items()} for part, its in self.targets.items()}
        self.surplus = {part: -sum(its.values()) for part, its in self.targets.items()}
        self.largest: Counter[str] = Counter()
        totals: Counter[str] = Counter()
        for unit in self.units:
            self.largest |= unit
            totals.update(unit)
        self.weight = {genre: 1 / total for genre, total in totals.items()}
        self.size_weight = _SIZE_WEIGHT * len(totals) / max(1, totals.total())

    @property
    def cost(self) -> float:
        """How far all parts are from their targets."""
        genres = sum(self.weight.get(genre, 0.0) * n * n for its in self.excess.values() for genre, n in its.items())
        return genres + self.size_weight * sum(n * n for n in self.surplus.values())

    def deal(self, rng: random.Random, *, noise: float) -> None:
        """Deal all units, the largest first; with noise the order is only roughly that."""
        order = list(range(len(self.units)))
        rng.shuffle(order)
        order.sort(key=lambda unit: -self.units[unit].total() * (1 + noise * rng.random()))
        for left, unit in zip(range(len(order), 0, -1), order, strict=True):
            empty = [part for part in self.targets if not self.held[part]]
            self._give(unit, self._best(unit, empty if len(empty) == left else list(self.targets), rng))

    def polish(self, rng: random.Random) -> None:
        """Move and swap units as long as that lowers the cost."""
        by_genre: dict[str, list[int]] = defaultdict(list)
        for unit, counts in enumerate(self.units):
            for genre in counts:
                by_genre[genre].append(unit)
        order = list(range(len(self.units)))
        for _ in range(_ROUNDS):
            rng.shuffle(order)
            better = [self._moved(unit) or self._swapped(unit, by_genre, rng) for unit in order]
            if not any(better):
                return

    def _best(self, unit: int, parts: Sequence[str], rng: random.Random) -> str:
        """Choose the part that lacks the unit most, among those that lack its genres at all."""
        counts = self.units[unit]
        lack = {part: sum(self.weight[g] * n * self.excess[part][g] for g, n in counts.items()) for part in parts}
        lacking = [part for part in parts if lack[part] < -_NOTHING] or list(parts)
        size = self.size_weight * counts.total()
        return min(lacking, key=lambda part: (round(lack[part] + size * self.surplus[part], 9), rng.random()))

    def _moved(self, unit: int) -> bool:
        """Move a unit to another part if that is better, but never a part's last one."""
        here = self.part_of[unit]
        for there in self.targets:
            counts = self.units[unit]
            if there != here and self.held[here] > 1 and self._gain(counts, here, there) < -_NOTHING:
                self._take(unit)
                self._give(unit, there)
                return True
        return False

    def _swapped(self, unit: int, by_genre: Mapping[str, list[int]], rng: random.Random) -> bool:
        here = self.part_of[unit]
        partners = {other for genre in self.units[unit] for other in _some(by_genre[genre], rng)}
        for other in sorted(partners):
            there = self.part_of[other]
            difference = self.units[unit].copy()
            difference.subtract(self.units[other])
            if there != here and self._gain(difference, here, there) < -_NOTHING:
                self._take(unit)
                self._take(other)
                self._give(unit, there)
                self._give(other, here)
                return True
        return False

    def _gain(self, counts: Counter[str], here: str, there: str) -> float:
        """Return what the cost changes when these tracks go from one part to another; zero where that is forbidden."""
        change = 0.0
        for genre, n in counts.items():
            gets, its = (there, n) if n > 0 else (here, -n)
            if self.excess[gets][genre] + its > self.largest[genre] + _NOTHING:
                return 0.0
            change += self.weight[genre] * 2 * n * (self.excess[there][genre] - self.excess[here][genre] + n)
        size = counts.total()
        return change + self.size_weight * 2 * size * (self.surplus[there] - self.surplus[here] + size)

    def _give(self, unit: int, part: str) -> None:
        self.part_of[unit] = part
        self._add(unit, part, 1)

    def _take(self, unit: int) -> None:
        self._add(unit, self.part_of.pop(unit), -1)

    def _add(self, unit: int, part: str, sign: int) -> None:
        self.held[part] += sign
        for genre, n in self.units[unit].items():
            self.excess[part][genre] += sign * n
            self.surplus[part] += sign * n


def _some(units: list[int], rng: random.Random) -> list[int]:
    return units if len(units) <= _PARTNERS else rng.sample(units, _PARTNERS)
