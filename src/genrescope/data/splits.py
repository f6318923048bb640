"""Splits: which tracks train, validate and test. Made of tracks, never of windows, so windows cannot leak."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genrescope.data import cards, index
from genrescope.errors import DataError, nearest
from genrescope.files import csv_line, fingerprint, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from genrescope.data.store import StoredTrack

PARTS = ("train", "validation", "test")
RANDOM_SHARES = {"train": 0.8, "test": 0.2}
"""Shares of the method `random`: those of the original system."""
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
"""Shares of the methods `stratified` and `group`."""


@dataclass(frozen=True)
class Split:
    """A part for every track; tracks without a part take no part.

    Attributes:
        parts: part by track id.
        method: how it was made.
        notes: what a reader should know, a sentence each.
    """

    parts: Mapping[str, str]
    method: str
    notes: tuple[str, ...] = field(default=())

    def ids(self, part: str) -> list[str]:
        """Return the ids of a part, sorted.

        Raises:
            DataError: no track has that part; the nearest that tracks have is named.
        """
        found = sorted(track_id for track_id, its in self.parts.items() if its == part)
        if not found:
            raise DataError(f'the split has no part "{part}"; {nearest(part, sorted(set(self.parts.values())))}')
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Number of tracks by part, the customary parts first."""
        counted = Counter(self.parts.values())
        order = [part for part in PARTS if part in counted] + sorted(set(counted) - set(PARTS))
        return {part: counted[part] for part in order}

    @property
    def fingerprint(self) -> str:
        """16 digits that are equal for equal splits."""
        return fingerprint(dict(self.parts))


def methods() -> list[str]:
    """Return the names that `make` accepts.

    Example:
        >>> methods()
        ['random', 'stratified', 'group', 'gtzan-fault-filtered']
    """
    return [*_METHODS, *cards.official_splits()]


def make(
    tracks: Sequence[StoredTrack], method: str, *, seed: int = 0, shares: Mapping[str, float] | None = None
) -> Split:
    """Make a split of tracks by a method's name.

    Args:
        tracks: what to split.
        method: `random` (whole tracks, nothing else looked at; 80/20 as the original system), `stratified` (each
            genre in the same shares), `group` (no group on two sides, genres balanced as far as groups allow), or an
            official split's name.
        seed: other seeds give other splits; not used by official ones.
        shares: share by part; they add up to 1.

    Raises:
        DataError: the method is unknown or does not suit the tracks.
    """
    official = cards.official_splits()
    if method in official:
        if shares is not None:
            raise DataError(f"the split {method} is fixed; leave out the shares")
        return _official(tracks, official[method])
    if method not in _METHODS:
        raise DataError(f'no split method called "{method}"; {nearest(method, methods())}')
    default = RANDOM_SHARES if method == "random" else SHARES
    shares = _checked(dict(shares or default))
    ordered = sorted(tracks, key=lambda track: track.id)
    parts = _METHODS[method](ordered, random.Random(seed), shares)
    return Split(dict(sorted(parts.items())), f"{method} (seed {seed})", _cautions(ordered, parts, list(shares)))


def read(path: Path) -> Split:
    """Read a split file: CSV with the columns `id` and `part`.

    Raises:
        DataError: it cannot be read, or names a track twice.
    """
    parts: dict[str, str] = {}
    for row in index.read_table(path, required=("id", "part")):
        if row["id"] in parts:
            raise DataError(f"{path}: track {row['id']} stands there twice")
        parts[row["id"]] = row["part"]
    return Split(parts, f"file {path.name}")


def write(split: Split, path: Path) -> None:
    """Write a split file, whole or not at all."""
    write_text(path, "".join(map(csv_line, [("id", "part"), *sorted(split.parts.items())])))


# -- the methods ------------------------------------------------------------------------------------------------


def _random(tracks: Sequence[StoredTrack], rng: random.Random, shares: Mapping[str, float]) -> dict[str, str]:
    """Shuffle and cut, as the original system did: neither genres nor artists are looked at."""
    shuffled = [track.id for track in tracks]
    rng.shuffle(shuffled)
    return _cut(shuffled, shares)


def _stratified(tracks: Sequence[StoredTrack], rng: random.Random, shares: Mapping[str, float]) -> dict[str, str]:
    """Shuffle and cut each genre by itself."""
    by_genre: dict[str, list[str]] = defaultdict(list)
    for track in tracks:
        by_genre[track.genre].append(track.id)
    parts: dict[str, str] = {}
    for genre, ids in by_genre.items():
        if len(ids) < len(shares):
            raise DataError(
                f'genre "{genre}" has {len(ids)} {"track" if len(ids) == 1 else "tracks"}, too few for '
                f"{len(shares)} parts; add tracks, or leave it out with --genres when preparing"
            )
        rng.shuffle(ids)
        parts |= _cut(ids, shares)
    return parts


def _group(tracks: Sequence[StoredTrack], rng: random.Random, shares: Mapping[str, float]) -> dict[str, str]:
    """Deal out whole groups, the largest first, each to the part that lacks most of its genres.

    A track whose group is unknown counts as a group of its own. Where a group has one genre, no part exceeds its
    share of a genre by more than that genre's largest group.
    """
    if not any(track.group for track in tracks):
        raise DataError(
            "no groups are known, so a split by group is impossible. Give DATA as a CSV file with a column "
            'group (the artist), or use the method "stratified"'
        )
    groups: dict[str, list[StoredTrack]] = defaultdict(list)
    for track in tracks:
        groups[f"group {track.group}" if track.group else f"track {track.id}"].append(track)
    if len(groups) < len(shares):
        raise DataError(f"{len(groups)} groups are too few for {len(shares)} parts; add tracks of other artists")
    lacking = {
        part: {genre: share * count for genre, count in Counter(track.genre for track in tracks).items()}
        for part, share in shares.items()
    }
    names = sorted(groups)
    rng.shuffle(names)
    names.sort(key=lambda name: -len(groups[name]))
    parts: dict[str, str] = {}
    for left, name in zip(range(len(names), 0, -1), names, strict=True):
        counts = Counter(track.genre for track in groups[name])
        empty = [part for part in shares if part not in parts.values()]
        open_parts = empty if len(empty) == left else list(shares)  # the last groups go to parts that have none yet
        part = max(open_parts, key=lambda part: sum(n * lacking[part][genre] for genre, n in counts.items()))
        for genre, count in counts.items():
            lacking[part][genre] -= count
        parts |= {track.id: part for track in groups[name]}
    return parts


_METHODS = {"random": _random, "stratified": _stratified, "group": _group}


def _official(tracks: Sequence[StoredTrack], official: cards.Official) -> Split:
    """Look every track up in a published split; tell how many of its tracks are present."""
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
    told = ", ".join(f"{present[part]} of {whole[part]} {part}" for part in whole)
    left_out = len(tracks) - len(parts)
    return Split(
        dict(sorted(parts.items())),
        official.name,
        (f"tracks present: {told}; {left_out} tracks are not in the split and take no part",),
    )


def _cut(ids: Sequence[str], shares: Mapping[str, float]) -> dict[str, str]:
    """Give each part its share of a shuffled list, to the nearest whole track, and at least one where there are enough.

    Example:
        >>> Counter(_cut("abcdefghij", {"train": 0.8, "test": 0.2}).values())
        Counter({'train': 8, 'test': 2})
    """
    counts = {part: int(share * len(ids) + 1e-9) for part, share in shares.items()}
    by_remainder = sorted(shares, key=lambda part: counts[part] - shares[part] * len(ids))
    for part in by_remainder[: len(ids) - sum(counts.values())]:
        counts[part] += 1
    for part in shares:
        if counts[part] == 0 and len(ids) >= len(shares):
            counts[max(counts, key=lambda other: counts[other])] -= 1
            counts[part] = 1
    dealt = [part for part, count in counts.items() for _ in range(count)]
    return dict(zip(ids, dealt, strict=True))


def _checked(shares: dict[str, float]) -> dict[str, float]:
    if not shares or any(share <= 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise DataError(f"shares {shares}; accepted are positive numbers that add up to 1, as train=0.8,test=0.2")
    return shares


def _cautions(tracks: Sequence[StoredTrack], parts: Mapping[str, str], asked: Sequence[str]) -> tuple[str, ...]:
    """Say what a reader of results made with this split should know."""
    notes = []
    sides: dict[str, set[str]] = defaultdict(set)
    for track in tracks:
        if track.group:
            sides[track.group].add(parts[track.id])
    torn = sum(len(its) > 1 for its in sides.values())
    if torn:
        notes.append(f"{torn} of {len(sides)} groups stand on two sides: scores will look better than they are")
    if not sides:
        notes.append("no groups are known: the same artist may stand on two sides, which makes scores look better")
    for part in asked:
        absent = {track.genre for track in tracks} - {track.genre for track in tracks if parts[track.id] == part}
        if absent:
            notes.append(f"the part {part} has no track of {', '.join(sorted(absent))}")
    return tuple(notes)
