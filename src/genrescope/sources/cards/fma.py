"""FMA, the Free Music Archive: 106,574 tracks under licences of their own, in four sizes."""

from __future__ import annotations

import contextlib
import csv
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.sources.cards._common import required
from genrescope.sources.cards.card import Archive, Card
from genrescope.sources.track import Track

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_SOUND = (
    1486, 5574, 65753, 80391, 98558, 98559, 98560, 98571, 99134, 105247, 108925, 126981, 127336, 133297, 143992,
)  # fmt: skip
"""Clips without any sound, in every size but the full: they were cut beyond the end of their songs."""

SHORT = (98565, 98566, 98567, 98568, 98569, 108924)
"""Clips much shorter than 30 s, for the same reason."""

_SIZES = ("small", "medium", "large", "full")
_PARTS = {"training": "train", "validation": "validation", "test": "test"}
_COLUMNS = {
    "split": ("set", "split"), "subset": ("set", "subset"), "genre": ("track", "genre_top"), "artist": ("artist", "id"),
}  # fmt: skip
_LONGEST_FIELD = 1 << 24  # a biography may be longer than the csv module allows by default

_SMALL = ("Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental", "International", "Pop", "Rock")
_GENRES = (
    "Blues", "Classical", "Country", "Easy Listening", "Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental",
    "International", "Jazz", "Old-Time / Historic", "Pop", "Rock", "Soul-RnB", "Spoken",
)  # fmt: skip


def tracks(root: Path, size: str) -> list[Track]:
    """List the tracks of one size of FMA that have a top genre, with artists as groups and parts of the official split.

    Args:
        root: the folder that holds `fma_metadata` and, beside it, `fma_small`, `fma_medium`, `fma_large` or `fma_full`;
            or one of these. A smaller size is found in the folder of a larger one, whose clips are the same files; full
            tracks are in `fma_full` only.
        size: `small`, `medium`, `large` or `full`.

    Raises:
        DataError: the metadata or the audio is missing, or damaged.
    """
    base = next((base for base in (root, root.parent) if (base / "fma_metadata").is_dir()), None)
    listing = (base or root) / "fma_metadata" / "tracks.csv"
    if base is None or not listing.is_file():
        raise DataError(
            f"{root}: no {listing.relative_to(base or root)}. FMA's labels come in an archive of their own: unpack "
            f"fma_metadata.zip beside fma_{size}, and name the folder that holds both"
        )
    audio = _audio_folder(base, size)
    wanted = _SIZES[: _SIZES.index(size) + 1]
    found = [
        Track(row["id"], audio / row["id"][:3] / f"{row['id']}.mp3", row["genre"], row["artist"], row["part"])
        for row in _rows(listing)
        if row["subset"] in wanted and row["genre"]
    ]
    return required(found, root, f"{listing} lists no track of the size {size}; unpack fma_metadata.zip again")


def _audio_folder(base: Path, size: str) -> Path:
    """Return the folder with the audio of a size: its own, or that of a larger size with the same clips."""
    clips = _SIZES[:-1]
    names = ["fma_full"] if size == "full" else [f"fma_{name}" for name in clips[clips.index(size) :]]
    found = next((base / name for name in names if (base / name).is_dir()), None)
    if found is None:
        raise DataError(
            f"{base}: no folder {' or '.join(names)}; unpack fma_{size}.zip beside fma_metadata, so that "
            f"fma_{size}/000/000002.mp3 is there"
        )
    return found


def _rows(listing: Path) -> Iterator[dict[str, str]]:
    """Yield id, subset, genre, artist and part of each line of `tracks.csv`, whose header has two lines."""
    try:
        with _long_fields(), listing.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = list(zip(next(reader, []), next(reader, []), strict=False))
            missing = [".".join(pair) for pair in _COLUMNS.values() if pair not in header]
            if missing:
                raise DataError(f"{listing} has no column {', '.join(missing)}; unpack fma_metadata.zip again")
            places = {name: header.index(pair) for name, pair in _COLUMNS.items()}
            for cells in reader:
                if cells and cells[0] != "track_id":  # the third line names the first column
                    row = {name: cells[place].strip() for name, place in places.items()}
                    yield {"id": f"{int(cells[0]):06d}", "part": _PARTS.get(row.pop("split"), ""), **row}
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise DataError(f"{listing} is damaged ({error}); unpack fma_metadata.zip again") from error


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _archive(name: str, sha1: str) -> Archive:
    return Archive(file=name, urls=(f"https://os.unil.cloud.switch.ch/fma/{name}",), checksum=f"sha1:{sha1}")


_METADATA = _archive("fma_metadata.zip", "f0df49ffe5f2a6008d7dc83c6915b31835dfe733")
_LABELS = (
    "Labels are coarse: a track's genre is the one root under which all its genres lie, in a tree of 161 (genre_top)."
)
_BROKEN = (
    f"{len(NO_SOUND)} clips have no sound and {len(SHORT)} are much shorter than 30 s: they were cut at the wrong "
    "place, for the archive's lengths were wrong (github.com/mdeff/fma, issues 4 and 8). "
    "Preparing names and skips the former."
)
_BROKEN_SMALL = (
    "6 clips are broken: 099134, 108925 and 133297 have no sound, 098565, 098567 and 098569 are much shorter than 30 s "
    "(github.com/mdeff/fma, issues 8 and 44). Preparing names and skips the former."
)
_UNLABELLED = "Tracks whose genres lie under several roots, or that have none, have no genre_top and are left out."


def _card(
    size: str, *, title: str, words: str, genres: tuple[str, ...], known_faults: tuple[str, ...], sha1: str
) -> Card:
    return Card(
        name=f"fma-{size}",
        title=title,
        citation=(
            "M. Defferrard, K. Benzi, P. Vandergheynst and X. Bresson, FMA: a dataset for music analysis, "
            "Proc. ISMIR, 2017"
        ),
        terms=(
            "Meant for research. Metadata: CC BY 4.0. Audio: Creative Commons, each track under the licence that its "
            "artist chose."
        ),
        source="github.com/mdeff/fma",
        size=words,
        genres=genres,
        known_faults=known_faults,
        tracks=lambda root: tracks(root, size),
        archives=(_METADATA, _archive(f"fma_{size}.zip", sha1)),
        by_hand=(
            f"Download fma_metadata.zip and fma_{size}.zip as github.com/mdeff/fma tells, and unpack both in one "
            "folder; they need an unpacker that knows bzip2 inside zip, such as 7-Zip."
        ),
    )


CARDS = (
    _card(
        "small",
        title="FMA small: 8,000 clips of the Free Music Archive",
        words="8,000 clips of 30 s, 8 genres of 1,000 each, 7.2 GiB of mp3; official split 6,400, 800, 800",
        genres=_SMALL,
        known_faults=(_BROKEN_SMALL, _LABELS),
        sha1="ade154f733639d52e35e32f5593efe5be76c6d70",
    ),
    _card(
        "medium",
        title="FMA medium: 25,000 clips of the Free Music Archive",
        words="25,000 clips of 30 s, 16 genres of 21 to 7,103, 22 GiB of mp3; official split 19,922, 2,505, 2,573",
        genres=_GENRES,
        known_faults=(_BROKEN, _LABELS, "Genres are very unequal: 7,103 clips are Rock and 21 Easy Listening."),
        sha1="c67b69ea232021025fca9231fc1c7c1a063ab50b",
    ),
    _card(
        "large",
        title="FMA large: 106,574 clips of the Free Music Archive, of which those with a top genre",
        words="106,574 clips of 30 s, not all with a top genre, 16 genres, 93 GiB of mp3",
        genres=_GENRES,
        known_faults=(_BROKEN, _LABELS, _UNLABELLED),
        sha1="497109f4dd721066b5ce5e5f250ec604dc78939e",
    ),
    _card(
        "full",
        title="FMA full: 106,574 whole tracks of the Free Music Archive, of which those with a top genre",
        words="106,574 whole tracks, 343 days, not all with a top genre, 16 genres, 879 GiB of mp3",
        genres=_GENRES,
        known_faults=(
            _LABELS,
            _UNLABELLED,
            "Lengths in the metadata are wrong for some tracks, as was reported to mdeff/fma.",
        ),
        sha1="0f0ace23fbe9ba30ecb7e95f763e435ea802b8ab",
    ),
)
