"""A folder of playlists as a data set: each playlist is a genre, and a song in two of them has both."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from genrescope import audio, playlists
from genrescope.errors import AudioError, DataError
from genrescope.sources.folders import same_file
from genrescope.sources.labels import NEGATIVE, joined
from genrescope.sources.listing import Listing
from genrescope.sources.track import Track
from genrescope.tags import read as tags

if TYPE_CHECKING:
    from pathlib import Path


def list_playlists(root: Path) -> Listing:
    """List the songs of the playlists in a folder: genres by the playlists' names, artists by the songs' tags.

    The playlist `not-mine` holds negative examples. A song's id is its path as seen from the folder, so that it stays
    the same when playlists change.

    Raises:
        DataError: there is no playlist, one cannot be read, or a song is in `not-mine` and in another one.
    """
    found = Listing(root)
    paths: dict[str, Path] = {}
    genres: dict[str, list[str]] = defaultdict(list)
    missing: dict[Path, str] = {}
    for playlist in _playlists(root):
        songs = playlists.read(playlist)
        if not songs:
            found.notes.append(f"{playlist.name} names no files, so there is no genre {playlist.stem}")
        for song in songs:
            if not playlists.is_there(song):
                missing.setdefault(song, f"{playlist.name} names it, and there is no such file")
                continue
            paths.setdefault(same_file(song), song)
            genres[same_file(song)].append(playlist.stem)
    found.tracks = [_track(root, paths[key], names) for key, names in genres.items()]
    found.unreadable = list(missing.items())
    return found


def _playlists(root: Path) -> list[Path]:
    found = sorted(path for path in root.iterdir() if path.suffix.lower() in playlists.SUFFIXES and path.is_file())
    if not found:
        raise DataError(
            f"{root}: no playlists found. Expected is a file for each genre, such as jazz.m3u8 (endings: "
            f"{' '.join(playlists.SUFFIXES)}); {NEGATIVE}.m3u8 is for songs of none of them"
        )
    return found


def _track(root: Path, song: Path, genres: list[str]) -> Track:
    try:
        genre = joined(genres)
    except DataError as error:
        raise DataError(f"{song} is in the playlists {', '.join(genres)}: {error}") from error
    return Track(_id(root, song), song, genre, _group(song))


def _id(root: Path, song: Path) -> str:
    try:
        return os.path.relpath(song, root).replace(os.sep, "/")
    except ValueError:  # another drive of Windows
        return song.absolute().as_posix()


def _group(song: Path) -> str:
    """Return the song's artist; empty where its tags cannot be read, since that is for the decoder to say."""
    try:
        return "" if audio.irregular(song) else tags.read(song).group
    except AudioError:
        return ""
