"""A `library.db` as a data set: genres that a person has corrected, else those of the tags, by a genre map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genrescope.errors import AudioError, DataError
from genrescope.sources import genre_map
from genrescope.sources.labels import joined
from genrescope.sources.listing import Listing
from genrescope.sources.tagged_library import predicted_text
from genrescope.sources.track import Track
from genrescope.tags import read as tags
from genrescope.tags.artists import main_artist

if TYPE_CHECKING:
    from genrescope.library.rows import Song

_MAGIC = b"SQLite format 3\0"


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def list_database(path: Path, *, several_genres: bool = False) -> Listing:
    """List the songs of a library whose genre is known; what a model predicted is never taken for one.

    A song's correction counts first, in the words of the person who made it; else its tags do, by the default genre
    map, unless `genrescope tag` wrote them. A song's id is its absolute path without what stands before the first
    folder.

    Args:
        path: the file `library.db`.
        several_genres: whether a song has all genres that its tags name; else it has the first.

    Raises:
        DataError: it is no library, or has no song with a known genre.
    """
    from genrescope.library.database import Library

    with Library(path) as library:
        songs, corrected = library.songs("missing = 0"), library.corrections()
    words = genre_map.load()
    found, by_hand, predicted = Listing(Path(path.absolute().anchor)), 0, 0
    for song in songs:
        own = corrected.get(song.sound_id, ())
        genre = _joined(song, own) if own else _tagged(song, words, several_genres=several_genres)
        if genre and not own and _is_predicted(song.path):
            predicted += 1
        elif genre:
            by_hand += bool(own)
            group = main_artist(song.artist, song.album_artist, compilation=song.compilation)
            found.tracks.append(Track(song.path.relative_to(song.path.anchor).as_posix(), song.path, genre, group))
    if not found.tracks:
        raise DataError(
            f"{path}: none of its {len(songs)} songs has a correction, or a genre in its tags that the map knows"
            + (f" ({predicted_text(predicted)})" if predicted else "")
            + ". Set some right with: genrescope correct SONG GENRE"
        )
    without = len(songs) - len(found.tracks) - predicted
    found.notes.append(
        f"{len(found.tracks)} songs of {path}: the labels of {by_hand} were corrected by hand, those of "
        f"{len(found.tracks) - by_hand} come from tags; {without} without a known genre left out"
        + (f", and {predicted_text(predicted)}" if predicted else "")
    )
    return found


def _joined(song: Song, genres: tuple[str, ...]) -> str:
    try:
        return joined(genres)
    except DataError as error:
        raise DataError(f"the correction of {song.path}: {error}") from error


def _tagged(song: Song, words: genre_map.GenreMap, *, several_genres: bool) -> str:
    return joined(words.find_all(song.genres)) if several_genres else words.find(song.genres).genre


def _is_predicted(path: Path) -> bool:
    """Whether a model wrote a file's genre; not where its tags cannot be read, since that is for the decoder to say."""
    try:
        return tags.read(path).predicted
    except AudioError:
        return False
