"""Less to learn from: a share of a split's training tracks, or of its artists, for learning curves."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from genrescope.errors import DataError
from genrescope.splits import groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genrescope.splits.duplicates import Pair
    from genrescope.splits.files import Split
    from genrescope.store.store import StoredTrack

By = Literal["tracks", "artists"]


def thinned(
    split: Split,
    tracks: Sequence[StoredTrack],
    share: float,
    *,
    by: By = "tracks",
    parts: Sequence[str] = ("train",),
    seed: int = 0,
    pairs: Sequence[Pair] = (),
) -> Split:
    """Leave a share of the tracks to learn from, the same of each genre; all that is scored stays.

    The tracks of a smaller share are among those of a larger one, so a curve over shares adds and never replaces.

    Args:
        split: part by track.
        tracks: the tracks of the store.
        share: above 0, up to 1. Of each genre one track, or artist, is left at least.
        by: count single tracks, or artists with all that they made; whose artist is unknown is an artist of its own.
        parts: the parts to learn from.
        seed: other seeds choose others.
        pairs: the duplicates among the tracks; they are of one artist.

    Returns:
        The split without the tracks that are left out.

    Raises:
        DataError: the share is none.
    """
    if not 0 < share <= 1:
        raise DataError(f"a share of {share}; accepted is above 0, up to 1")
    if share == 1:
        return split
    unit_of = units([track for track in tracks if split.parts.get(track.id) in parts], by=by, pairs=pairs)
    genre_of = {track.id: track.genre for track in tracks}
    kept = _chosen(unit_of, genre_of, share, seed)
    left = {
        track_id: part for track_id, part in split.parts.items() if part not in parts or unit_of.get(track_id) in kept
    }
    return replace(split, parts=left, method=f"{split.method}, {100 * share:g} % of the {by}")


def units(tracks: Sequence[StoredTrack], *, by: By = "artists", pairs: Sequence[Pair] = ()) -> dict[str, str]:
    """Return what each track counts as: itself, or its artist, by its id."""
    joined = groups.join(tracks, pairs) if by == "artists" else {}
    return {track.id: f"artist {joined[track.id]}" if joined.get(track.id) else f"track {track.id}" for track in tracks}


def _chosen(unit_of: Mapping[str, str], genre_of: Mapping[str, str], share: float, seed: int) -> set[str]:
    """Choose units genre by genre; a unit of several genres counts for the one that it has most of."""
    genres: dict[str, Counter[str]] = defaultdict(Counter)
    for track_id, unit in unit_of.items():
        genres[unit][genre_of[track_id]] += 1
    by_genre: dict[str, list[str]] = defaultdict(list)
    for unit, counts in sorted(genres.items()):
        by_genre[max(sorted(counts), key=lambda genre: counts[genre])].append(unit)
    kept: set[str] = set()
    for genre, its in by_genre.items():
        random.Random(f"{seed} {genre}").shuffle(its)
        kept |= set(its[: max(1, round(share * len(its)))])
    return kept
