"""Recordings that are there more than once, in whatever shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from genrescope.data.store import Store


@dataclass(frozen=True)
class Pair:
    """Two tracks of one recording.

    Attributes:
        first: a track's id.
        second: the other's, after the first in the alphabet.
        kind: `exact`, the same samples whatever the container; or `near`, the same recording re-encoded, louder or
            softer, trimmed, shifted in time, or at a slightly different speed.
        offset: seconds by which the second starts later in the recording than the first.
        speed: the second's speed as a multiple of the first's.
        overlap: seconds that both hold.
        share: share of the spectral peaks of the overlap that both have, in [0, 1].
    """

    first: str
    second: str
    kind: str
    offset: float = 0.0
    speed: float = 1.0
    overlap: float = 0.0
    share: float = 1.0


def in_store(store: Store, *, on_track: Callable[[int, int], None] = lambda *_: None) -> list[Pair]:
    """Find the duplicates among the tracks of a store, from its log-mels; found once, then read from the store.

    Args:
        store: what to search.
        on_track: called with the tracks done and the tracks in all.
    """
    raise NotImplementedError
