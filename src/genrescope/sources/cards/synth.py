"""The synthesised data set that `genrescope synth` writes: ten invented styles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope import synth
from genrescope.errors import DataError
from genrescope.sources.cards.card import Card
from genrescope.sources.track_table import list_tracks

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.sources.track import Track


def tracks(root: Path) -> list[Track]:
    """List the tracks of a folder that `genrescope synth` wrote, each with its artist as its group.

    Raises:
        DataError: the folder has no `tracks.csv`.
    """
    listing = root / "tracks.csv"
    if not listing.is_file():
        raise DataError(f"{listing} is missing; write the data set again with: genrescope synth {root}")
    return list_tracks(listing)


CARDS = (
    Card(
        name="synth",
        title="Synthesised music in ten invented styles",
        citation="genrescope (see CITATION.cff)",
        terms="Free of rights: it is computed on your machine from a seed.",
        source="genrescope synth DIR",
        size="as many tracks as asked; ten styles, several artists each",
        genres=tuple(sorted(synth.STYLES)),
        known_faults=("It proves nothing about real music: it exists for demonstrations and tests.",),
        tracks=tracks,
        by_hand="Nothing is downloaded: genrescope synth DIR writes it.",
    ),
)
