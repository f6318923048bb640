"""What DATA names: the tracks of a folder, a table, a tagged library or a public data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.errors import DataError, DataNotFoundError, nearest
from genrescope.sources import cards, genre_map, genre_names, tagged_library
from genrescope.sources.folders import left_out, list_folder
from genrescope.sources.listing import Listing
from genrescope.sources.track import Track
from genrescope.sources.track_table import list_table

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_data(data: str) -> tuple[Path, list[Track]]:
    """List the tracks of DATA, sorted by id, as `list_data` without its remarks.

    Returns:
        The folder that paths are relative to, and the tracks.

    Raises:
        DataError: as `list_data`.
    """
    found = list_data(data)
    return found.root, found.tracks


def list_data(data: str, *, normalise_genres: bool = False) -> Listing:
    """List the tracks of DATA, sorted by id, and what is to be said of them.

    Args:
        data: a folder of genre folders; a CSV or TSV file with the columns `path`, `genre` and, if wanted, `group`;
            `card:folder`, as `gtzan:/music/gtzan`; or `library:folder`, a folder of tagged music.
        normalise_genres: join genres whose names differ in case, blanks or Unicode form only.

    Raises:
        DataError: there is no such thing, no audio in it, or the name of a genre is no text.
    """
    found = _listed(data)
    faults = {track.id: audio.irregular(track.path) for track in found.tracks}
    found.unreadable += [(track.path, fault) for track in found.tracks if (fault := faults[track.id]) is not None]
    found.tracks = sorted((track for track in found.tracks if faults[track.id] is None), key=lambda track: track.id)
    if not found.tracks:
        why = "".join(f" {path}: {reason}." for path, reason in found.unreadable[:3])
        raise DataError(
            f"{data}: no audio found.{why} Expected is a folder for each genre with files in it that end in one of: "
            + " ".join(sorted(audio.SUFFIXES))
        )
    genres = sorted({track.genre for track in found.tracks})
    genre_names.refuse_bytes(genres)
    found.notes += genre_names.told(genres, joined=normalise_genres)
    if normalise_genres:
        found.tracks = genre_names.normalised(found.tracks)
    return found


def _listed(data: str) -> Listing:
    name, colon, folder = data.partition(":")
    if colon and name in cards.names():
        if not folder:
            raise DataError(f"{data} names no folder; give the data set's, as {name}:/music/{name}")
        root = _existing_folder(Path(folder))
        return Listing(root, cards.card(name).tracks(root))
    if name == "library" and folder:
        return list_library(Path(folder))
    if Path(data).is_dir():
        return list_folder(Path(data))
    if Path(data).is_file():
        return list_table(Path(data))
    if colon and len(name) > 1 and "/" not in name:  # one letter is a drive of Windows
        raise DataError(f'no data set card called "{name}"; {nearest(name, cards.names())}')
    raise DataNotFoundError(
        f"{data}: no such folder or file. DATA is a folder of genre folders, a CSV or TSV file with the columns "
        "path and genre, card:folder (as gtzan:/music/gtzan), or library:folder (tagged music)"
    )


def list_library(root: Path) -> Listing:
    """List the songs of a folder of tagged music whose genre the default genre map knows.

    Others are left out; the command `genrescope library` tells which, and takes a map of one's own.

    Raises:
        DataError: there is no such folder, no audio in it, or no song with a known genre.
    """
    walk = tagged_library.look_through(root)
    found = tagged_library.scan(walk.files, genre_map.load())
    if not found.songs:
        raise DataError(tagged_library.nothing_found(root, found))
    tracks = [Track(song.path.relative_to(root).as_posix(), song.path, song.genre, song.group) for song in found.songs]
    unreadable = [*walk.unreadable, *((failure.path, failure.reason) for failure in found.failed)]
    return Listing(root, tracks, [left_out(walk.left_out)] if walk.left_out else [], unreadable)


def select_genres(tracks: Sequence[Track], genres: Sequence[str] | None) -> list[Track]:
    """Keep the tracks of some genres; None keeps all.

    Raises:
        DataError: a genre has no tracks; the nearest that has is named.
    """
    if genres is None:
        return list(tracks)
    if not genres:
        raise DataError("no genres were named; accepted is a list such as blues,jazz")
    known = sorted({track.genre for track in tracks})
    for genre in genres:
        if genre not in known:
            raise DataError(f'no tracks of genre "{genre}"; {nearest(genre, known)}')
    return [track for track in tracks if track.genre in genres]


def _existing_folder(root: Path) -> Path:
    if not root.is_dir():
        raise DataNotFoundError(f"{root}: no such folder")
    return root
