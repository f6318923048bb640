"""What an audit of a split finds, and how it is reported."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from genrescope.splits.files import PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = {"track": "same track", "exact": "exact duplicates", "near": "near duplicates", "group": "artists"}
"""Kinds of leaks: a track of which items are in two parts; two tracks of one recording; two tracks of one group."""

_TOUCHED = {
    "track": ("is a training track itself", "are training tracks themselves"),
    "exact": ("repeats a training track exactly", "repeat a training track exactly"),
    "near": ("is a near duplicate of a training track", "are near duplicates of training tracks"),
    "group": ("shares an artist with training tracks", "share an artist with training tracks"),
}


@dataclass(frozen=True)
class Leak:
    """Something that is in two parts.

    Attributes:
        kind: `track`, `exact`, `near` or `group`.
        parts: the two parts.
        tracks: for each of them the tracks that it is about: one each, or all of a group.
        group: the group's name; empty for other kinds.
    """

    kind: str
    parts: tuple[str, str]
    tracks: tuple[tuple[str, ...], tuple[str, ...]]
    group: str = ""


@dataclass(frozen=True)
class HeldOut:
    """How many tracks of a part are touched by tracks that a model learns from.

    Attributes:
        part: the part.
        learnt: the parts that are trained on.
        tracks: tracks of the part.
        by_kind: those touched by each kind of leak.
        touched: those touched by any.
    """

    part: str
    learnt: tuple[str, ...]
    tracks: int
    by_kind: Mapping[str, int]
    touched: int

    @property
    def told(self) -> str:
        """Who is touched by what, in a sentence; empty where none is.

        Example:
            >>> HeldOut("test", ("train",), 56, {"exact": 2, "group": 12}, 13).told
            '2 of 56 test tracks repeat a training track exactly (4 %), 12 share an artist with training tracks
            (21 %); 13 in all (23 %)'
        """
        found = {kind: count for kind, count in self.by_kind.items() if count}
        told: list[str] = []
        for kind, count in found.items():
            whole = "" if told else f" of {self.tracks} {self._its_tracks}"
            told.append(f"{count}{whole} {_TOUCHED[kind][count != 1]} ({self._share(count)})")
        in_all = f"; {self.touched} in all ({self._share(self.touched)})" if len(found) > 1 else ""
        return ", ".join(told) + in_all

    @property
    def _its_tracks(self) -> str:
        if self.part in PARTS:
            return f"{self.part} tracks"
        return f"tracks of fold {self.part}" if self.part.isdigit() else f"tracks of {self.part}".removesuffix(" of ")

    def _share(self, count: int) -> str:
        return f"{100 * count / self.tracks:.0f} %"


@dataclass(frozen=True)
class Conflict:
    """Tracks of one recording that are labelled differently.

    Attributes:
        tracks: their ids.
        genres: their labels, in the same order.
    """

    tracks: tuple[str, ...]
    genres: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        parts: number of tracks by part.
        items: number of items by part; more than tracks where a split was made of windows.
        leaks: every leak between every two parts.
        held_out: for each part that is not trained on, how many of its tracks are touched.
        conflicts: recordings with two labels among the split's tracks.
        grouped: tracks of the split whose group is known.
        tracks: tracks of the split.
        unmatched: names that are no track of the store, so that nothing is known of them.
    """

    parts: Mapping[str, int]
    items: Mapping[str, int]
    leaks: tuple[Leak, ...]
    held_out: tuple[HeldOut, ...]
    conflicts: tuple[Conflict, ...]
    grouped: int
    tracks: int
    unmatched: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing is in two parts."""
        return not self.leaks

    @property
    def between(self) -> dict[tuple[str, str], dict[str, int]]:
        """Number of leaks by kind between every two parts."""
        counted = Counter((leak.parts, leak.kind) for leak in self.leaks)
        return {pair: {kind: counted[pair, kind] for kind in KINDS} for pair in combinations(self.parts, 2)}

    @property
    def summary(self) -> str:
        """What was found, and what could not be checked, in a sentence."""
        unchecked = [f"part {part} could not be checked: it has no track" for part, n in self.parts.items() if not n]
        if self.unmatched:
            unchecked.append(f"{_count(len(self.unmatched), 'name')} could not be checked")
        return "; ".join([self._found, *unchecked])

    @property
    def _found(self) -> str:
        told = [each.told for each in (self._all_folds or self.held_out) if each.touched]
        if told:
            return "; ".join(told)
        if self.leaks:
            pairs = sorted({leak.parts for leak in self.leaks})
            between = ", ".join(f"{first} and {second}" for first, second in pairs)
            return f"no training track is on another side, but {_count(len(self.leaks), 'leak')} between {between}"
        return clean_sentence(self.grouped, self.tracks)

    @property
    def _all_folds(self) -> list[HeldOut]:
        """All folds as one part, each compared with the rest; none where parts are learnt from throughout."""
        if len({each.learnt for each in self.held_out}) < 2:
            return []
        by_kind: Counter[str] = Counter()
        for each in self.held_out:
            by_kind.update(each.by_kind)
        tracks, touched = sum(each.tracks for each in self.held_out), sum(each.touched for each in self.held_out)
        return [HeldOut("", (), tracks, {kind: by_kind[kind] for kind in KINDS}, touched)]

    def to_dict(self, *, whole: bool = True) -> dict[str, Any]:
        """Return everything as JSON has it.

        Args:
            whole: with every leak, conflict and unmatched name; without, their numbers only.
        """
        told: dict[str, Any] = {
            "clean": self.clean,
            "summary": self.summary,
            "tracks": self.tracks,
            "grouped": self.grouped,
            "parts": {part: {"tracks": n, "items": self.items[part]} for part, n in self.parts.items()},
            "between": [{"parts": list(pair), **counts} for pair, counts in self.between.items()],
            "held_out": [
                {"part": each.part, "learnt": list(each.learnt), "tracks": each.tracks, **each.by_kind,
                 "touched": each.touched, "share": each.touched / each.tracks, "told": each.told}
                for each in self.held_out
            ],
        }  # fmt: skip
        if not whole:
            return told | {"conflicts": len(self.conflicts), "unmatched": len(self.unmatched)}
        return told | {
            "leaks": [
                {"kind": leak.kind, "parts": list(leak.parts), "tracks": [list(ids) for ids in leak.tracks],
                 **({"group": leak.group} if leak.group else {})}
                for leak in self.leaks
            ],
            "conflicts": [{"tracks": list(each.tracks), "genres": list(each.genres)} for each in self.conflicts],
            "unmatched": list(self.unmatched),
        }  # fmt: skip


def clean_sentence(grouped: int, tracks: int) -> str:
    """Say that nothing was found, and what could not be looked for.

    Example:
        >>> clean_sentence(0, 9)
        'no track or duplicate in two parts; artists could not be checked: none is known'
    """
    if not grouped:
        return "no track or duplicate in two parts; artists could not be checked: none is known"
    if grouped < tracks:
        unknown = f"{tracks - grouped} of {tracks}"
        return f"no track, duplicate or artist in two parts; the artist of {unknown} tracks is unknown"
    return "no track, duplicate or artist in two parts"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
