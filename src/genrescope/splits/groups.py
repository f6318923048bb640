"""Groups that share a recording become one: what must stay in one part of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.linked import linked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from genrescope.linked import Node
    from genrescope.sources.track import Track
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import StoredTrack


def join(tracks: Iterable[Track | StoredTrack], pairs: Iterable[Pair]) -> dict[str, str]:
    """Make one group of groups that share a recording.

    Two tracks are of one group if they have the same group, if they are a pair, or if a chain of such tracks lies
    between them; a pair's track may be missing from `tracks` and still link two others.

    Args:
        tracks: tracks with their groups, empty where unknown.
        pairs: tracks of one recording.

    Returns:
        The group of each track by its id. A joined group has the name that comes first in the alphabet; where no
        track of it has a group, the first id; a track without group and copies has an empty one.

    Example:
        >>> from pathlib import Path
        >>> from genrescope.splits.duplicates import Pair
        >>> from genrescope.sources.track import Track
        >>> known = {"a": "queen", "b": "abba", "c": ""}
        >>> songs = [Track(name, Path(name), "pop", group) for name, group in known.items()]
        >>> join(songs, [Pair("a", "b", "near")])
        {'a': 'abba', 'b': 'abba', 'c': ''}
    """
    known = sorted((track.id, track.group) for track in tracks)
    links = [(("track", track_id), ("group", group) if group else ("track", track_id)) for track_id, group in known]
    head_of = linked(links + [(("track", pair.first), ("track", pair.second)) for pair in pairs])
    members: dict[Node, list[tuple[str, str]]] = {}
    for track_id, group in known:
        members.setdefault(head_of["track", track_id], []).append((track_id, group))
    taken = {group for _, group in known}
    return {track_id: name for its in members.values() for name in [_name(its, taken)] for track_id, _ in its}


def _name(members: Sequence[tuple[str, str]], taken: set[str]) -> str:
    """Name a joined group; an id that is also the name of another group is marked."""
    groups = [group for _, group in members if group]
    if groups or len(members) == 1:
        return min(groups, default="")
    name = min(track_id for track_id, _ in members)
    while name in taken:
        name += " (copies)"
    return name
