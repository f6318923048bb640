"""What DATA names: the tracks of a folder, a table, playlists, a tagged library or a public data set."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.errors import DataError, DataNotFoundError, nearest
from genrescope.sources import cards, corrections, genre_map, genre_names, labels, tagged_library
from genrescope.sources.folders import left_out, list_folder
from genrescope.sources.library_database import is_database, list_database
from genrescope.sources.listing import Listing
from genrescope.sources.playlist_folder import list_playlists
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


def list_data(
    data: str, *, normalise_genres: bool = False, several_genres: bool = False, corrected: Path | None = None
) -> Listing:
    """List the tracks of DATA, sorted by id, and what is to be said of them.

    Args:
        data: a folder of genre folders; a CSV or TSV file with the columns `path`, `genre` and, if wanted, `group`;
            `card:folder`, as `gtzan:/music/gtzan`; `playlists:folder`, whose playlists are the genres;
            `library:folder`, a folder of tagged music; or a `library.db`.
        normalise_genres: join genres whose names differ in case, blanks or Unicode form only.
        several_genres: keep all genres that tags name; else a tagged song has the first.
        corrected: a CSV or TSV file with the columns `path` and `genre`, whose genres stand in place of those in DATA.

    Raises:
        DataError: there is no such thing, no audio in it, or the name of a genre is no text.
    """
    found = _listed(data, several_genres=several_genres)
    if corrected is not None:
        corrections.apply(found, corrected)
    faults = {track.id: audio.irregular(track.path) for track in found.tracks}
    found.unreadable += [(track.path, fault) for track in found.tracks if (fault := faults[track.id]) is not None]
    found.tracks = sorted((track for track in found.tracks if faults[track.id] is None), key=lambda track: track.id)
    if not found.tracks:
        why = "".join(f" {path}: {reason}." for path, reason in found.unreadable[:3])
        raise DataError(
            f"{data}: no audio found.{why} Expected is a folder for each genre with files in it that end in one of: "
            + " ".join(sorted(audio.SUFFIXES))
        )
    found.tracks = [dataclasses.replace(track, genre=_normal(track)) for track in found.tracks]
    genres = sorted({label for track in found.tracks for label in track.labels})
    genre_names.refuse_bytes(genres)
    found.notes += [*genre_names.told(genres, made_one=normalise_genres), *_label_notes(found.tracks)]
    if normalise_genres:
        found.tracks = genre_names.normalised(found.tracks)
    return found


def _normal(track: Track) -> str:
    try:
        return labels.normal(track.genre)
    except DataError as error:
        raise DataError(f"{track.path}: {error}") from error


def _label_notes(tracks: Sequence[Track]) -> list[str]:
    """Say how many tracks have several genres, and how many are negative examples."""
    several, none = sum(len(track.labels) > 1 for track in tracks), sum(not track.labels for track in tracks)
    found = []
    if several:
        found.append(f"{several} of {len(tracks)} tracks have several genres: training fits a score for each genre")
    if none:
        found.append(f"{none} of {len(tracks)} tracks are {labels.NEGATIVE}: examples of none of the genres")
    return found


def _listed(data: str, *, several_genres: bool) -> Listing:
    name, colon, folder = data.partition(":")
    if colon and name in cards.names():
        if not folder:
            raise DataError(f"{data} names no folder; give the data set's, as {name}:/music/{name}")
        root = _existing_folder(Path(folder))
        return Listing(root, cards.card(name).tracks(root))
    if name == "library" and folder:
        return list_library(Path(folder), several_genres=several_genres)
    if name == "playlists" and folder:
        return list_playlists(_existing_folder(Path(folder)))
    if Path(data).is_dir():
        return list_folder(Path(data))
    if is_database(Path(data)):
        return list_database(Path(data), several_genres=several_genres)
    if Path(data).is_file():
        return list_table(Path(data))
    if colon and len(name) > 1 and "/" not in name:  # one letter is a drive of Windows
        raise DataError(f'no data set card called "{name}"; {nearest(name, cards.names())}')
    raise DataNotFoundError(
        f"{data}: no such folder or file. DATA is a folder of genre folders, a CSV or TSV file with the columns "
        "path and genre, card:folder (as gtzan:/music/gtzan), library:folder (tagged music), playlists:folder, or a "
        "library.db"
    )


def table_of(data: str) -> Path | None:
    """Return the CSV or TSV file that DATA is; None where it is something else."""
    path = Path(data)
    return path if path.is_file() and not is_database(path) else None


def list_library(root: Path, *, several_genres: bool = False) -> Listing:
    """List the songs of a folder of tagged music whose genre the default genre map knows.

    Others are left out; the command `genrescope library dataset` tells which, and takes a map of one's own.

    Args:
        root: the folder.
        several_genres: whether a song has all genres that its tags name; else it has the first.

    Raises:
        DataError: there is no such folder, no audio in it, or no song with a known genre.
    """
    walk = tagged_library.look_through(root)
    found = tagged_library.scan(walk.files, genre_map.load(), several=several_genres)
    if not found.songs:
        raise DataError(tagged_library.nothing_found(root, found))
    tracks = [Track(song.path.relative_to(root).as_posix(), song.path, song.genre, song.group) for song in found.songs]
    unreadable = [*walk.unreadable, *((failure.path, failure.reason) for failure in found.failed)]
    notes = [left_out(walk.left_out)] if walk.left_out else []
    if found.predicted:
        notes.append(f"{tagged_library.predicted_text(found.predicted)} left out: a model's, not yours")
    return Listing(root, tracks, notes, unreadable)


def select_genres(tracks: Sequence[Track], genres: Sequence[str] | None) -> list[Track]:
    """Keep the tracks of some genres; None keeps all. Of a track's several genres those are kept that were named.

    Raises:
        DataError: a genre has no tracks; the nearest that has is named.
    """
    if genres is None:
        return list(tracks)
    if not genres:
        raise DataError("no genres were named; accepted is a list such as blues,jazz")
    known = sorted({label for track in tracks for label in track.labels or (track.genre,)})
    for genre in genres:
        if genre not in known:
            raise DataError(f'no tracks of genre "{genre}"; {nearest(genre, known)}')
    kept = {track.id: [label for label in track.labels or (track.genre,) if label in genres] for track in tracks}
    return [dataclasses.replace(track, genre=labels.joined(kept[track.id])) for track in tracks if kept[track.id]]


def _existing_folder(root: Path) -> Path:
    if not root.is_dir():
        raise DataNotFoundError(f"{root}: no such folder")
    return root
