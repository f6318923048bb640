"""Splits: which tracks train, validate and test. Made of tracks, never of windows, so windows cannot leak."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from genrescope.errors import DataError, nearest
from genrescope.sources import cards
from genrescope.splits import dealing, groups
from genrescope.splits.cautions import cautions
from genrescope.splits.files import Split, ordered
from genrescope.splits.subsets import units
from genrescope.store.index import genre_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import StoredTrack

RANDOM_SHARES = {"train": 0.8, "test": 0.2}
"""Shares of the method `random`: those of the original system."""
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
"""Shares of the other methods."""

OFFICIAL = "official"
"""The method that takes the data set's own split."""


def methods() -> list[str]:
    """Return the names that `make` accepts.

    Example:
        >>> methods()[:5]
        ['random', 'stratified', 'group', 'stratified-group', 'official']
    """
    return [*_METHODS, OFFICIAL, *cards.official_splits()]


def is_fixed(method: str) -> bool:
    """Whether a method is an official split, which knows neither seed nor shares nor folds."""
    return method == OFFICIAL or method in cards.official_splits()


def default_method(tracks: Sequence[StoredTrack]) -> str:
    """Return the method to take where none was asked for: `stratified-group` where groups are known."""
    return "stratified-group" if any(track.group for track in tracks) else "stratified"


def make(
    tracks: Sequence[StoredTrack],
    method: str,
    *,
    seed: int = 0,
    shares: Mapping[str, float] | None = None,
    folds: int | None = None,
    pairs: Sequence[Pair] = (),
) -> Split:
    """Make a split of tracks by a method's name.

    Args:
        tracks: what to split.
        method: `random` (whole tracks, nothing else looked at; 80/20 as the original system), `stratified` (each
            genre in the same shares, duplicates kept together), `group` (neither groups nor duplicates in two parts,
            parts of the right size), `stratified-group` (the same, and genres balanced as far as groups allow),
            `official` (the data set's own), or an official split's name.
        seed: other seeds give other splits; not used by official ones.
        shares: share by part; they add up to 1.
        folds: make this many parts of equal share, called "1", "2" and so on, for cross-validation.
        pairs: the duplicates among the tracks; `duplicates.in_store` finds them.

    Raises:
        DataError: the method is unknown or does not suit the tracks.
    """
    asked = list[str]()
    tracks = sorted(tracks, key=lambda track: track.id)
    if is_fixed(method):
        if shares is not None or folds is not None:
            raise DataError(f"the split {method} is fixed; leave out the {'folds' if shares is None else 'shares'}")
        made = _own(tracks) if method == OFFICIAL else _published(tracks, cards.official_splits()[method])
    elif method in _METHODS:
        by_part = _shares(method, shares, folds, len(tracks))
        asked = list(by_part)
        parts = _METHODS[method](tracks, random.Random(seed), by_part, pairs)
        made = Split(dict(sorted(parts.items())), f"{method} ({_told(method, seed, shares, folds)})")
    else:
        raise DataError(f'no split method called "{method}"; {nearest(method, methods())}')
    return replace(made, notes=made.notes + cautions(tracks, made.parts, pairs, asked=asked))


def recordings(tracks: Sequence[StoredTrack], pairs: Sequence[Pair]) -> dict[str, str]:
    """Name the recording of every track by its id: equal for duplicates, and for duplicates of duplicates."""
    joined = groups.join([replace(track, group="") for track in tracks], pairs)
    return {track.id: f"recording {joined[track.id]}" if joined[track.id] else f"track {track.id}" for track in tracks}


# -- the methods ------------------------------------------------------------------------------------------------


def _random(
    tracks: Sequence[StoredTrack], rng: random.Random, shares: Mapping[str, float], _: Sequence[Pair]
) -> dict[str, str]:
    """Shuffle and cut, as the original system did: neither genres, artists nor duplicates are looked at."""
    shuffled = [track.id for track in tracks]
    rng.shuffle(shuffled)
    return dealing.cut(shuffled, shares)


def _stratified(
    tracks: Sequence[StoredTrack], rng: random.Random, shares: Mapping[str, float], pairs: Sequence[Pair]
) -> dict[str, str]:
    """Give each part the same share of each genre; duplicates stay together."""
    genres = genre_counts(stratum for track in tracks for stratum in _strata(track))
    for genre, count in genres.items():
        if count < len(shares):
            raise DataError(
                f'genre "{genre}" has {count} {"track" if count == 1 else "tracks"}, too few for '
                f"{len(shares)} parts; add tracks, or leave it out with --genres when preparing"
            )
    return _dealt(tracks, recordings(tracks, pairs), dealing.whole_targets(genres, shares), rng)


def _group(
    tracks: Sequence[StoredTrack], rng: random.Random, shares: Mapping[str, float], pairs: Sequence[Pair]
) -> dict[str, str]:
    """Assign whole groups to parts so that the parts have the right sizes; genres are ignored."""
    units = _grouped(tracks, pairs, shares)
    blind = [replace(track, genre="") for track in tracks]
    return _dealt(blind, units, dealing.exact_targets({"": len(tracks)}, shares), rng)


def _stratified_group(
    tracks: Sequence[StoredTrack], rng: random.Random, shares: Mapping[str, float], pairs: Sequence[Pair]
) -> dict[str, str]:
    """Assign whole groups to parts so that the parts have the right share of every genre, as far as groups allow."""
    units = _grouped(tracks, pairs, shares)
    genres = genre_counts(stratum for track in tracks for stratum in _strata(track))
    return _dealt(tracks, units, dealing.exact_targets(genres, shares), rng)


_METHODS = {"random": _random, "stratified": _stratified, "group": _group, "stratified-group": _stratified_group}


def _grouped(tracks: Sequence[StoredTrack], pairs: Sequence[Pair], shares: Mapping[str, float]) -> Mapping[str, str]:
    """Return what must stay whole, by track: its group, joined with those that it shares a recording with."""
    if not any(track.group for track in tracks):
        raise DataError(
            "no groups are known, so a split by group is impossible. Give DATA as a CSV file with a column "
            'group (the artist), or use the method "stratified"'
        )
    unit_of = units(tracks, pairs=pairs)
    if (count := len(set(unit_of.values()))) < len(shares):
        raise DataError(f"{count} groups are too few for {len(shares)} parts; add tracks of other artists")
    return unit_of


def _dealt(
    tracks: Sequence[StoredTrack], unit_of: Mapping[str, str], targets: dealing.Targets, rng: random.Random
) -> dict[str, str]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for track in tracks:
        counts[unit_of[track.id]].update(_strata(track))
    parts = dict(zip(counts, dealing.deal(list(counts.values()), targets, rng), strict=True))
    return {track.id: parts[unit_of[track.id]] for track in tracks}


def _strata(track: StoredTrack) -> tuple[str, ...]:
    """Return what of a track is shared out evenly: each of its genres, or that it is a negative example."""
    return track.labels or (track.genre,)


def _own(tracks: Sequence[StoredTrack]) -> Split:
    parts = {track.id: track.part for track in tracks if track.part}
    if not parts:
        raise DataError(
            "the data set brings no split of its own: no track has a part. Give DATA as a CSV file with a column "
            f"part, or use another method: {', '.join(_METHODS)}"
        )
    left_out = len(tracks) - len(parts)
    return Split(parts, OFFICIAL, (f"{left_out} tracks have no part and take no part",) if left_out else ())


def _published(tracks: Sequence[StoredTrack], official: cards.Official) -> Split:
    """Look every track up in a published split; report how many of its tracks are present."""
    published = official.parts()
    parts = {}
    for track in tracks:
        name = official.track_id(track.id) or official.track_id(track.path)
        if name in published:
            parts[track.id] = published[name]
    if not parts:
        raise DataError(
            f"none of the tracks is in the split {official.name}: their names must contain ids such as "
            f"{next(iter(published))}"
        )
    present, whole = Counter(parts.values()), Counter(published.values())
    told = ", ".join(f"{present[part]} of {whole[part]} {part}" for part in ordered(whole))
    left_out = len(tracks) - len(parts)
    note = f"tracks present: {told}; {left_out} tracks are not in the split and take no part"
    return Split(dict(sorted(parts.items())), official.name, (note,))


def _shares(method: str, shares: Mapping[str, float] | None, folds: int | None, tracks: int) -> dict[str, float]:
    if folds is None:
        return _checked(dict(shares or (RANDOM_SHARES if method == "random" else SHARES)))
    if shares is not None:
        raise DataError("folds have equal shares; give shares or folds, not both")
    if not 2 <= folds <= tracks:
        raise DataError(f"{folds} folds of {tracks} tracks; accepted are 2 or more, and no more than tracks")
    return {str(number): 1 / folds for number in range(1, folds + 1)}


def _checked(shares: dict[str, float]) -> dict[str, float]:
    if not shares or any(share <= 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise DataError(f"shares {shares}; accepted are positive numbers that add up to 1, as train=0.8,test=0.2")
    return shares


def _told(method: str, seed: int, shares: Mapping[str, float] | None, folds: int | None) -> str:
    """Say what is needed to make a split again."""
    told = [f"seed {seed}"]
    if folds is not None:
        told.append(f"{folds} folds")
    if shares is not None and dict(shares) != (RANDOM_SHARES if method == "random" else SHARES):
        told += [f"{part} {share:.6g}" for part, share in shares.items()]
    return ", ".join(told)
