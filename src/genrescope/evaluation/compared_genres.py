"""A comparison genre by genre: which system classifies more of a genre's tracks correctly."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from genrescope.evaluation import metrics, paired
from genrescope.results import AdjustedDifference, ComparedGenre, GenreEntry, NamedDifference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Right: TypeAlias = npt.NDArray[np.float64]
"""Whether each run of an entry is right on each track, (runs, tracks), 0 or 1."""


def by_genre(
    entries: Mapping[str, Right], truth: Sequence[str], groups: Sequence[str] | None
) -> tuple[ComparedGenre, ...]:
    """Compare entries on the tracks of each genre.

    Args:
        entries: by their names, the reference first.
        truth: the genre of each track.
        groups: the artist of each track, empty where unknown; None where no artist is known.
    """
    places = {genre: np.flatnonzero(np.array(truth) == genre) for genre in sorted(set(truth))}
    differences = {genre: _against_first(entries, at, groups) for genre, at in places.items()}
    adjusted = iter(paired.holm([each.p for found in differences.values() for each in found]))
    return tuple(
        ComparedGenre(
            genre=genre,
            tracks=len(at),
            best=_best({name: right[:, at] for name, right in entries.items()}),
            entries=tuple(_entry(name, right[:, at]) for name, right in entries.items()),
            against_reference=tuple(
                AdjustedDifference(**dict(each), p_holm=next(adjusted)) for each in differences[genre]
            ),
        )
        for genre, at in places.items()
    )


def _against_first(
    entries: Mapping[str, Right], at: npt.NDArray[np.intp], groups: Sequence[str] | None
) -> list[NamedDifference]:
    """Hold all entries but the first against it on some tracks."""
    reference, *others = entries
    own_groups = [groups[place] for place in at] if groups is not None else None
    found = []
    for name in others:
        apart = paired.difference(entries[name][:, at].mean(axis=0), entries[reference][:, at].mean(axis=0), own_groups)
        found.append(NamedDifference(name=name, reference=reference, **dict(apart)))
    return found


def _entry(name: str, right: Right) -> GenreEntry:
    tracks, recall = right.shape[1], float(right.mean())
    alone = len(right) == 1
    interval = metrics.wilson(round(recall * tracks), tracks) if alone else paired.resampled_mean(right.mean(axis=0))
    return GenreEntry(name=name, recall=recall, interval=interval)


def _best(entries: Mapping[str, Right]) -> str | None:
    """Return the entry that is right most often; None where several are."""
    counts = {name: right.mean() for name, right in entries.items()}
    first = max(counts, key=lambda name: counts[name])
    return first if sum(bool(np.isclose(each, counts[first])) for each in counts.values()) == 1 else None
