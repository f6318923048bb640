"""Audit: every leak of a split, that is everything in both training and test data, which inflates scores."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from genrescope import splits
from genrescope.splits.leaks import KINDS, Audit, Conflict, HeldOut, Leak

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import StoredTrack


def audit(
    tracks: Sequence[StoredTrack],
    parts: Mapping[str, Iterable[str]],
    pairs: Sequence[Pair],
    *,
    learnt: Sequence[str] | None = None,
    unmatched: Sequence[str] = (),
) -> Audit:
    """Find everything that is in two parts of a split.

    Duplicates are followed: two tracks that repeat a third one are of one recording, also where the third takes no
    part.

    Args:
        tracks: the tracks of the store.
        parts: ids of tracks by part; a track may stand in two parts, and several times in one, where the split was
            made of windows.
        pairs: the duplicates among the tracks; `duplicates.in_store` finds them.
        learnt: the parts that a model is trained on; by default `train`, and where there is none each part is compared
            with all others, as folds are.
        unmatched: names of the split that are no track of the store, to be reported.

    Returns:
        Every leak between parts of which one is held out, and how many tracks of the parts held out it touches.
    """
    known = {track.id: track for track in tracks}
    listed = {part: [each for each in its if each in known] for part, its in parts.items()}
    sides = {part: list(dict.fromkeys(listed[part])) for part in splits.ordered(listed)}
    watched = [pair for pair in combinations(sides, 2) if not {*pair} <= {*(learnt or ())}]
    used = {track_id: known[track_id] for its in sides.values() for track_id in its}
    keys = _Keys.of(tracks, pairs)
    return Audit(
        parts={part: len(its) for part, its in sides.items()},
        items={part: len(listed[part]) for part in sides},
        leaks=tuple(leak for pair in watched for leak in _between(pair, sides, keys)),
        held_out=tuple(_held_out(part, _learnt(part, sides, learnt), sides, keys) for part in _tested(sides, learnt)),
        conflicts=_conflicts(used, keys),
        grouped=sum(bool(track.group) for track in used.values()),
        tracks=len(used),
        unmatched=tuple(unmatched),
    )


@dataclass(frozen=True)
class _Keys:
    """What tracks have in common, by id: equal keys are of one exact sound, one recording, one group."""

    exact: Mapping[str, str]
    recording: Mapping[str, str]
    group: Mapping[str, str]

    @classmethod
    def of(cls, tracks: Sequence[StoredTrack], pairs: Sequence[Pair]) -> _Keys:
        return cls(
            splits.recordings(tracks, [pair for pair in pairs if pair.kind == "exact"]),
            splits.recordings(tracks, pairs),
            {track.id: track.group for track in tracks},
        )


def _between(pair: tuple[str, str], sides: Mapping[str, Sequence[str]], keys: _Keys) -> list[Leak]:
    """List the leaks between two parts: tracks, then recordings, then groups."""
    first, second = (sides[part] for part in pair)
    twice = set(first) & set(second)
    leaks = [Leak("track", pair, ((each,), (each,))) for each in first if each in twice]
    for here, there in _shared(first, second, keys.recording):
        for a in here:
            for b in there:
                if a != b:
                    kind = "exact" if keys.exact[a] == keys.exact[b] else "near"
                    leaks.append(Leak(kind, pair, ((a,), (b,))))
    for here, there in _shared(first, second, keys.group):
        if len({*here, *there}) > 1:
            leaks.append(Leak("group", pair, (tuple(here), tuple(there)), keys.group[here[0]]))
    return sorted(leaks, key=lambda leak: list(KINDS).index(leak.kind))


def _shared(
    first: Iterable[str], second: Iterable[str], key_of: Mapping[str, str]
) -> Iterable[tuple[list[str], list[str]]]:
    """Return the tracks on either side of every key that is on both; tracks with an empty key have none."""
    here: dict[str, list[str]] = defaultdict(list)
    there: dict[str, list[str]] = defaultdict(list)
    for side, ids in ((here, first), (there, second)):
        for track_id in ids:
            if key_of[track_id]:
                side[key_of[track_id]].append(track_id)
    return [(here[key], there[key]) for key in here if key in there]


def _tested(sides: Mapping[str, Sequence[str]], learnt: Sequence[str] | None) -> list[str]:
    """Return the parts that are held out, none of them empty."""
    taught = set(learnt if learnt is not None else {"train"} & set(sides))
    return [part for part, ids in sides.items() if part not in taught and ids]


def _learnt(part: str, sides: Mapping[str, Sequence[str]], learnt: Sequence[str] | None) -> tuple[str, ...]:
    if learnt is not None:
        return tuple(learnt)
    return ("train",) if "train" in sides else tuple(other for other in sides if other != part)


def _held_out(part: str, learnt: tuple[str, ...], sides: Mapping[str, Sequence[str]], keys: _Keys) -> HeldOut:
    """Count the tracks of a part that are touched by others that were learnt."""
    taught = {track_id for other in learnt for track_id in sides.get(other, ())}
    exact, recording, group = (
        Counter(key_of[each] for each in taught) for key_of in (keys.exact, keys.recording, keys.group)
    )
    by_kind: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    touched = 0
    for each in sides[part]:
        own = each in taught
        same = exact[keys.exact[each]] - own
        found = {
            "track": own,
            "exact": same > 0,
            "near": recording[keys.recording[each]] - own > same,
            "group": bool(keys.group[each]) and group[keys.group[each]] > own,
        }
        by_kind.update(kind for kind, its in found.items() if its)
        touched += any(found.values())
    return HeldOut(part, learnt, len(sides[part]), dict(by_kind), touched)


def _conflicts(tracks: Mapping[str, StoredTrack], keys: _Keys) -> tuple[Conflict, ...]:
    recordings: dict[str, list[StoredTrack]] = defaultdict(list)
    for track_id in sorted(tracks):
        recordings[keys.recording[track_id]].append(tracks[track_id])
    return tuple(
        Conflict(tuple(track.id for track in its), tuple(track.genre for track in its))
        for its in recordings.values()
        if len({track.genre for track in its}) > 1
    )
