"""What a reader of results made with a split should know of it, a sentence each."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.splits.files import ordered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genrescope.splits.duplicates import Pair
    from genrescope.splits.files import Split
    from genrescope.store.store import StoredTrack


def strangers(split: Split, tracks: Sequence[StoredTrack]) -> tuple[str, ...]:
    """Say which tracks a split and a store do not have in common, a sentence each; none where it fits.

    Raises:
        DataError: they have none in common.
    """
    ids = {track.id for track in tracks}
    gone, left_out = sorted(set(split.parts) - ids), sorted(ids - set(split.parts))
    if ids and len(gone) == len(split.parts):
        raise DataError(
            f"none of the split's {len(gone)} tracks is in the store, whose first is {min(ids)}; the split names "
            f"{gone[0] if gone else 'none'}. Give the store that it was made for, or make one with: "
            "genrescope split make"
        )
    notes = []
    if gone:
        notes.append(f"{len(gone)} of the split's {len(split.parts)} tracks are not in the store, such as {gone[0]}")
    if left_out:
        notes.append(f"{len(left_out)} tracks of the store are not in the split and take no part")
    return tuple(notes)


def cautions(
    tracks: Sequence[StoredTrack], parts: Mapping[str, str], pairs: Sequence[Pair] = (), *, asked: Sequence[str] = ()
) -> tuple[str, ...]:
    """Say what a reader of results made with a split should know, a sentence each.

    Args:
        tracks: the tracks of the store.
        parts: part by track id.
        pairs: the duplicates among the tracks.
        asked: parts that should be there, even if no track has them.
    """
    dealt = [track for track in tracks if track.id in parts]
    notes = _group_cautions(dealt, parts)
    apart = sum(
        pair.first in parts and pair.second in parts and parts[pair.first] != parts[pair.second] for pair in pairs
    )
    if apart:
        told = "1 pair of duplicates is" if apart == 1 else f"{apart} pairs of duplicates are"
        notes.append(f"{told} in two parts: accuracy will be too high")
    for part in ordered([*asked, *parts.values()]):
        there = {label for track in dealt if parts[track.id] == part for label in track.labels}
        absent = {label for track in dealt for label in track.labels} - there
        if absent:
            notes.append(f"the part {part} has no track of {', '.join(sorted(absent))}")
    return tuple(notes)


def _group_cautions(tracks: Sequence[StoredTrack], parts: Mapping[str, str]) -> list[str]:
    sides: dict[str, set[str]] = defaultdict(set)
    for track in tracks:
        if track.group:
            sides[track.group].add(parts[track.id])
    if not sides:
        return [
            "no groups are known: the same artist may be in two parts, which inflates accuracy. Give artists as the "
            "column group of a CSV file (path,genre,group), or by prepare --groups tags"
        ]
    notes = []
    torn = sum(len(its) > 1 for its in sides.values())
    if torn:
        notes.append(f"{torn} of {len(sides)} groups are in two parts: accuracy will be too high")
    unknown = sum(not track.group for track in tracks)
    if unknown:
        notes.append(f"the group of {unknown} of {len(tracks)} tracks is unknown; their artists may be in two parts")
    return notes
