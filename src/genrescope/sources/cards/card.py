"""The headings that every card fills in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.sources.track import Track


@dataclass(frozen=True)
class Official:
    """A split that others have published.

    Attributes:
        name: what it is called on the command line.
        title: one line on what it is.
        citation: the work to cite.
        parts: part by track id, read when needed.
        track_id: a track's id in this split, from any id or path that contains it; None if it contains none.
    """

    name: str
    title: str
    citation: str
    parts: Callable[[], dict[str, str]]
    track_id: Callable[[str], str | None]


@dataclass(frozen=True)
class Archive:
    """A file to download for a data set.

    Attributes:
        file: the name it is saved under.
        urls: where it can be had, tried in turn.
        checksum: as `algorithm:digits`.
        bytes: its size; None where unknown.
        into: the folder inside the data set's that it is unpacked into; empty for the data set's own.
    """

    file: str
    urls: tuple[str, ...]
    checksum: str
    bytes: int | None = None
    into: str = ""


@dataclass(frozen=True)
class Repeat:
    """Tracks that repeat each other, or may, as others have found.

    Attributes:
        kind: how much alike they are; the card's `known_repeats` tells its kinds.
        tracks: their ids.
    """

    kind: str
    tracks: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """A public data set.

    Attributes:
        name: what it is called on the command line.
        title: its name in full.
        citation: the work to cite.
        terms: on what terms it may be used.
        source: where to get it.
        size: tracks, lengths and bytes, in words.
        genres: its labels, in alphabetical order.
        known_faults: what has been found wrong with it, and by whom.
        tracks: lists the tracks of an unpacked copy.
        splits: its official splits.
        archives: what `genrescope datasets download` fetches, verifies and unpacks; empty where that is not possible.
        by_hand: what to do when no download works, a sentence or two.
    """

    name: str
    title: str
    citation: str
    terms: str
    source: str
    size: str
    genres: tuple[str, ...]
    known_faults: tuple[str, ...]
    tracks: Callable[[Path], list[Track]]
    splits: tuple[Official, ...] = field(default=())
    archives: tuple[Archive, ...] = field(default=())
    by_hand: str = ""
