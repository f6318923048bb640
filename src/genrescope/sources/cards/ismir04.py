"""ISMIR04: the genre contest of the conference ISMIR 2004, music of the label Magnatune in six classes."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.files import read_text
from genrescope.sources.cards._common import required
from genrescope.sources.cards.card import Card
from genrescope.sources.track import Track
from genrescope.tags.artists import artist_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PARTS = {"training": "train", "development": "validation", "evaluation": "test"}
_GENRES = ("classical", "electronic", "jazz_blues", "metal_punk", "rock_pop", "world")


def tracks(root: Path) -> list[Track]:
    """List the tracks of the three parts of the contest, with artists as groups.

    Training is the part `train`, development `validation`, evaluation `test`.

    Args:
        root: the folder that holds `audio` and `metadata`, or the one around it.

    Raises:
        DataError: a list of tracks is missing or damaged.
    """
    base = root / "ismir04_genre" if (root / "ismir04_genre").is_dir() else root
    lists = {name: base / "metadata" / name / "tracklist.csv" for name in _PARTS}
    missing = [str(path.relative_to(base)) for path in lists.values() if not path.is_file()]
    if missing:
        raise DataError(
            f"{base}: no {', '.join(missing)}. Unpack the data set of zenodo.org/records/1302992, and name the folder "
            "that holds audio and metadata"
        )
    found = [track for name in _PARTS for track in _part(base, name, lists[name])]
    return required(found, root, "the lists in metadata are empty; unpack the data set again")


def _part(base: Path, name: str, listing: Path) -> Iterator[Track]:
    audio = base / "audio" / name
    for genre, artist, listed in _rows(listing):
        track_id = f"{name}/{listed.removesuffix('.mp3')}"
        yield Track(track_id, _on_disk(audio, listed), genre, artist_key(artist.replace("_", " ")), _PARTS[name])


def _rows(listing: Path) -> Iterator[tuple[str, str, str]]:
    """Yield genre, artist and path from a list: class, artist, album, track, track number, file path; no header."""
    try:
        table = csv.reader(io.StringIO(read_text(listing), newline=""))
        for cells in table:
            if cells and cells[0].strip().casefold() != "class":
                genre, artist, listed = cells[0].strip(), cells[1].strip(), cells[5].strip().replace("\\", "/")
                if genre not in _GENRES or not listed:
                    raise ValueError(f"line {table.line_num}: {','.join(cells)[:80]}")
                yield genre, artist, listed.removeprefix("./")
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise DataError(f"{listing} is damaged ({error}); unpack the data set again") from error


def _on_disk(audio: Path, listed: str) -> Path:
    """Return a listed file as it is called on disk: some unpackers write `_` for an apostrophe.

    A file that is not there under any such name keeps its listed one, and preparing reports it.
    """
    path = audio / listed
    if path.exists():
        return path
    renamed = audio / re.sub("['\u2019\u00b4`]", "_", listed)
    return renamed if renamed.exists() else path


CARDS = (
    Card(
        name="ismir04",
        title="ISMIR04 genre: the genre contest of ISMIR 2004",
        citation=(
            "P. Cano, E. Gomez, F. Gouyon, P. Herrera, M. Koppenberger, B. Ong, X. Serra, S. Streich and N. Wack, "
            "ISMIR 2004 audio description contest, report MTG-TR-2006-02, Universitat Pompeu Fabra, 2006"
        ),
        terms="CC BY-NC-SA 1.0; the music is Magnatune's.",
        source="zenodo.org/records/1302992",
        size="2,187 whole tracks in mp3, 729 each for training, development and evaluation; 6 classes",
        genres=_GENRES,
        known_faults=(
            "The parts share artists, and even albums: the official split is not artist-filtered, and results on it "
            "look better than they are.",
            "The artists of the development part are anonymised (artist_14), so no split can keep them apart from the "
            "same artists in the other parts: for a split by group, leave that part out.",
            "Classes are very unequal: of 729 training tracks 320 are classical and 26 jazz_blues.",
        ),
        tracks=tracks,
        by_hand=(
            "Download the data set from zenodo.org/records/1302992 in a browser and unpack it, so that "
            "metadata/training/tracklist.csv and audio/training are there."
        ),
    ),
)
