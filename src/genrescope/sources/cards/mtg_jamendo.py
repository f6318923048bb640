"""MTG-Jamendo, its genre part: 55,094 whole tracks under Creative Commons licences, tagged by their uploaders."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.files import read_text
from genrescope.sources.cards._common import facts, required
from genrescope.sources.cards.card import Archive, Card
from genrescope.sources.track import Track

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PARTS = ("train", "validation", "test")
_LISTS = "data/splits/split-0"
_AUDIO = ("", "audio", "audio-low", "raw_30s/audio", "raw_30s/audio-low")
_GENRES = (
    "60s", "70s", "80s", "90s", "acidjazz", "alternative", "alternativerock", "ambient", "atmospheric", "blues",
    "bluesrock", "bossanova", "breakbeat", "celtic", "chanson", "chillout", "choir", "classical", "classicrock",
    "club", "contemporary", "country", "dance", "darkambient", "darkwave", "deephouse", "disco", "downtempo",
    "drumnbass", "dub", "dubstep", "easylistening", "edm", "electronic", "electronica", "electropop", "ethno",
    "eurodance", "experimental", "folk", "funk", "fusion", "groove", "grunge", "hard", "hardrock", "hiphop",
    "house", "idm", "improvisation", "indie", "industrial", "instrumentalpop", "instrumentalrock", "jazz",
    "jazzfusion", "latin", "lounge", "medieval", "metal", "minimal", "newage", "newwave", "orchestral", "pop",
    "popfolk", "poprock", "postrock", "progressive", "psychedelic", "punkrock", "rap", "reggae", "rnb", "rock",
    "rocknroll", "singersongwriter", "soul", "soundtrack", "swing", "symphonic", "synthpop", "techno", "trance",
    "triphop", "world", "worldfusion",
)  # fmt: skip


def tracks(root: Path) -> list[Track]:
    """List the tracks with genre tags, each with one genre, its artist as its group, and its part in split 0.

    A track's genre is the tag among its own that the fewest tracks of the three lists of split 0 have, the first in the
    alphabet of equals: the most specific one. So a track of `electronic` and `house` is house.

    Args:
        root: a clone of the repository MTG/mtg-jamendo-dataset (its lists lie in `data/splits/split-0`) that holds the
            audio folders `00` to `99`, or has them in `audio`, `audio-low` or `raw_30s`; `.low.mp3` files do as well.

    Raises:
        DataError: a list is missing or damaged, or there is no audio folder.
    """
    lists = {part: root / _LISTS / f"autotagging_genre-{part}.tsv" for part in _PARTS}
    missing = [path.name for path in lists.values() if not path.is_file()]
    if missing:
        raise DataError(
            f"{root}: no {', '.join(missing)} in {_LISTS}. Clone github.com/MTG/mtg-jamendo-dataset, put the audio "
            "into it, and name that folder"
        )
    rows = [(part, row) for part in _PARTS for row in _rows(lists[part])]
    counts = Counter(tag for _, (*_, tags) in rows for tag in tags)
    audio = _audio_folder(root)
    low = any(audio.glob("[0-9][0-9]/*.low.mp3"))
    found = [
        Track(track, _on_disk(audio, path, low), min(tags, key=lambda tag: (counts[tag], tag)), artist, part)
        for part, (track, artist, path, tags) in rows
    ]
    return required(found, root, f"the lists in {_LISTS} are empty; clone the repository again")


def _rows(listing: Path) -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield track, artist, path and genres of each line; a line has as many columns more as the track has tags."""
    try:
        table = csv.reader(io.StringIO(read_text(listing), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(table, [])[:4] != ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH"]:
            raise ValueError("its first line does not name TRACK_ID, ARTIST_ID, ALBUM_ID, PATH")
        for cells in table:
            track, artist, _, path, _, *tags = cells
            genres = [name for kind, _, name in (tag.partition("---") for tag in tags) if kind == "genre"]
            if not genres:
                raise ValueError(f"line {table.line_num} has no genre")
            yield track, artist, path, genres
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{listing} is damaged ({error}); clone the repository again") from error


def _audio_folder(root: Path) -> Path:
    """Return the folder that holds the numbered ones."""
    numbered = [f"{number:02d}" for number in range(100)]
    for name in _AUDIO:
        if any((root / name / number).is_dir() for number in numbered):
            return root / name
    raise DataError(
        f"{root}: no audio. Expected are folders 00 to 99 in it, or in its {', '.join(_AUDIO[1:])}, with files such as "
        "14/214.mp3 or 14/214.low.mp3"
    )


def _on_disk(audio: Path, listed: str, low: bool) -> Path:
    """Return a listed file; in a folder of the lower quality the smaller one, unless the full one is there."""
    path = audio / listed
    return path.with_suffix(".low.mp3") if low and not path.exists() else path


def _archives() -> tuple[Archive, ...]:
    """Return the three lists, as the repository has them since 2024, and the hundred archives of low quality."""
    lists = "https://raw.githubusercontent.com/MTG/mtg-jamendo-dataset/1b4fa8c32e076c73b5175c1703ae805b4109309d"
    hosts = (
        "https://cdn.freesound.org/mtg-jamendo/raw_30s/audio-low",
        "https://essentia.upf.edu/documentation/datasets/mtg-jamendo/raw_30s/audio-low",
    )
    return tuple(
        Archive(
            file=f"autotagging_genre-{part}.tsv",
            urls=(f"{lists}/{_LISTS}/autotagging_genre-{part}.tsv",),
            checksum=f"sha256:{sha256}",
            bytes=size,
            into=_LISTS,
        )
        for part, sha256, size in (
            ("train", "c1cddb195ef94a07e67e227bf38e2a79389c1820950702b8c8894a2096f21e54", 3_352_194),
            ("validation", "3e203b4c573db6ec63a06c7066cf678dcf673a68ad5694c8fed22637c270dbcf", 1_149_174),
            ("test", "cf917388eebfa7d17d363c2fca037e2379ac027e31aa6dbe92e8dbf409ac5098", 1_178_477),
        )
    ) + tuple(
        Archive(
            file=name, urls=tuple(f"{host}/{name}" for host in hosts), checksum=f"sha256:{sha256}", into="audio-low"
        )
        for name, sha256 in facts("mtg_jamendo_archives.txt")
    )


CARDS = (
    Card(
        name="mtg-jamendo",
        title="MTG-Jamendo, genre part",
        citation=(
            "D. Bogdanov, M. Won, P. Tovstogan, A. Porter and X. Serra, The MTG-Jamendo dataset for automatic music "
            "tagging, Machine Learning for Music Discovery Workshop, ICML, 2019"
        ),
        terms=(
            "Audio: Creative Commons, each track under its own licence (audio_licenses.txt). Metadata: CC BY-NC-SA 4.0."
        ),
        source="github.com/MTG/mtg-jamendo-dataset",
        size="55,094 whole tracks, 3,735 hours, 156 GB of mp3 in low quality; official split 32,572, 11,043, 11,479",
        genres=_GENRES,
        known_faults=(
            "Tags are those of the uploaders, and one track has up to nine: as its only genre it is given the rarest "
            "of them (the one that the fewest tracks have), which is a choice of this package, not of the data set. "
            "Scores do not compare with published ones, which are of tagging.",
            "Genres overlap (rock, poprock, hardrock, 80s) and are very unequal: as rarest tags they have 135 to 2,724 "
            "tracks.",
            "Split 0 leaves out the tags that some of its parts lack: 55,094 of 55,215 tracks, 87 of 95 genres.",
        ),
        tracks=tracks,
        archives=_archives(),
        by_hand=(
            "Clone github.com/MTG/mtg-jamendo-dataset and run in it: python3 scripts/download/download.py "
            "--dataset raw_30s --type audio-low --unpack --remove audio-low, where audio-low is a folder made before. "
            "The script verifies what it fetches, 156 GB."
        ),
    ),
)
