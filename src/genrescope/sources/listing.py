"""What a source of tracks lists: the tracks, and what a reader of its results should know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.sources.track import Track


@dataclass
class Listing:
    """The tracks that DATA names.

    Attributes:
        root: the folder that paths are relative to.
        tracks: the tracks.
        notes: what was recognised, left out or looks wrong, a sentence each.
        unreadable: folders and files that could not be looked into, each with the reason.
    """

    root: Path
    tracks: list[Track] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def some(names: list[str], most: int = 3) -> str:
    """Name a few of many.

    Example:
        >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"])
        ('a, b', 'a, b, c and 2 more')
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
