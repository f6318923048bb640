"""A track: a song as its data set names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.sources.labels import labels_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Track:
    """A song as its data set names it.

    Attributes:
        id: unique within the data set; the same on every machine.
        path: its audio file.
        genre: its label; several, or none of those to be learnt, as `labels` writes them.
        group: what must stay in one part of a split (its artist or recording); empty where unknown.
        part: its part in the data set's own official split; empty where there is none.
    """

    id: str
    path: Path
    genre: str
    group: str = ""
    part: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Its genres; none for a negative example."""
        return labels_of(self.genre)
