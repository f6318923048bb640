"""What DATA names: the tracks of a folder, a table, a tagged library or a public data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.errors import DataError, nearest
from genrescope.sources import cards, genre_map, tagged_library
from genrescope.sources.artists import artist_key
from genrescope.sources.track import Track
from genrescope.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def read_data(data: str) -> tuple[Path, list[Track]]:
    """List the tracks of DATA, sorted by id.

    Args:
        data: a folder of genre folders; a CSV or TSV file with the columns `path`, `genre` and, if wanted, `group`;
            `card:folder`, as `gtzan:/music/gtzan`; or `library:folder`, a folder of tagged music.

    Returns:
        The folder that paths are relative to, and the tracks.

    Raises:
        DataError: there is no such thing, or no audio in it.
    """
    name, colon, folder = data.partition(":")
    if colon and name in cards.names():
        if not folder:
            raise DataError(f"{data} names no folder; give the data set's, as {name}:/music/{name}")
        root = _existing_folder(Path(folder))
        tracks = cards.card(name).tracks(root)
    elif name == "library" and folder:
        root = Path(folder)
        tracks = library_tracks(root)
    elif Path(data).is_dir():
        root = Path(data)
        tracks = folder_tracks(root)
    elif Path(data).is_file():
        root = Path(data).parent
        tracks = list_tracks(Path(data))
    elif colon and len(name) > 1 and "/" not in name:  # one letter is a drive of Windows
        raise DataError(f'no data set card called "{name}"; {nearest(name, cards.names())}')
    else:
        raise DataError(
            f"{data}: no such folder or file. DATA is a folder of genre folders, a CSV or TSV file with the columns "
            "path and genre, card:folder (as gtzan:/music/gtzan), or library:folder (tagged music)"
        )
    if not tracks:
        raise DataError(
            f"{data}: no audio found. Expected is a folder for each genre with files in it that end in one of: "
            + " ".join(sorted(audio.SUFFIXES))
        )
    return root, sorted(tracks, key=lambda track: track.id)


def folder_tracks(root: Path) -> list[Track]:
    """List the audio files under a folder of genre folders; the id is the path inside it.

    Raises:
        DataError: audio lies in the folder itself, outside of any genre.
    """
    root = _existing_folder(root)
    tracks, loose = [], []
    for path in audio.files_in(root):
        inside = path.relative_to(root)
        if len(inside.parts) == 1:
            loose.append(path.name)
        else:
            tracks.append(Track(inside.as_posix(), path, inside.parts[0]))
    if loose and not tracks:
        raise DataError(
            f"{root}: {len(loose)} audio files ({loose[0]}, ...) but no genre folders. Put the files of each genre "
            "into a folder of its name, or give a CSV file with the columns path and genre"
        )
    return tracks


def library_tracks(root: Path) -> list[Track]:
    """List the songs of a folder of tagged music whose genre the default genre map knows.

    Others are left out; the command `genrescope library` tells which, and takes a map of one's own.

    Raises:
        DataError: there is no such folder, no audio in it, or no song with a known genre.
    """
    found = tagged_library.scan(tagged_library.audio_files(root), genre_map.load())
    if not found.songs:
        raise DataError(tagged_library.nothing_found(root, found))
    return [Track(song.path.relative_to(root).as_posix(), song.path, song.genre, song.group) for song in found.songs]


def list_tracks(path: Path) -> list[Track]:
    """Read a CSV or TSV file with the columns `path`, `genre` and, if wanted, `group` and `part`.

    Paths are relative to the file. The id is the path as written. Without a column `group` a column `artist` gives the
    groups, its spellings made one as `artist_key` does it.

    Raises:
        DataError: a column or a value is missing, or a path stands twice.
    """
    tracks = []
    for track_id, row in read_rows(path).items():
        group = row["group"].strip() if "group" in row else artist_key(row.get("artist", ""))
        part = row.get("part", "").strip()
        tracks.append(Track(track_id, path.parent / row["path"].strip(), row["genre"].strip(), group, part))
    return tracks


def read_rows(path: Path, *, also: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Read the rows of a table of tracks by the tracks' ids.

    Args:
        path: a CSV or TSV file with the columns `path` and `genre`.
        also: further columns that it must have.

    Raises:
        DataError: a column or a value is missing, or a path stands twice.
    """
    tracks: dict[str, dict[str, str]] = {}
    for number, row in enumerate(_read_listing(path, ("path", "genre", *also)), start=2):
        name, genre = row["path"].strip(), row["genre"].strip()
        if not name or not genre:
            raise DataError(f"{path}, line {number}: path and genre must not be empty")
        track_id = name.replace("\\", "/")
        if track_id in tracks:
            raise DataError(f"{path}, line {number}: {name} stands there twice; each track has one genre")
        tracks[track_id] = row
    return tracks


def _read_listing(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """Read a table in UTF-8, in which only the names of files that are there may hold other bytes."""
    rows = read_table(path, required=required)
    for number, row in enumerate(rows, start=2):
        for name, text in row.items():
            if not _is_text(text) and not (name == "path" and (path.parent / text.strip()).exists()):
                raise DataError(f"{path}, line {number}: the {name} is not UTF-8; save the table in UTF-8")
    return rows


def _is_text(text: str) -> bool:
    """Whether text was UTF-8 when it was read."""
    return not any("\udc80" <= character <= "\udcff" for character in text)


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
        raise DataError(f"{root}: no such folder")
    return root
