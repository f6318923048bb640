"""A tagged music library as a data set: every song's genre and artist, as its tags have them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.errors import AudioError, DataError, DataNotFoundError
from genrescope.files import absolute, csv_line, read_text, write_text
from genrescope.sources.genre_map import genre_key
from genrescope.sources.labels import joined
from genrescope.tags import read as tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from genrescope.sources.genre_map import GenreMap

COLUMNS = ("path", "genre", "group", "artist", "title", "album", "genre_tag")
"""The columns of the file that `write_songs` writes."""
_UNMAPPED_HEAD = "# Words that the genre map does not know. Paste what belongs to a genre into its list.\n"


@dataclass(frozen=True)
class Song:
    """A song whose genre is known.

    Attributes:
        path: its file.
        genre: its genre, one of the map's; several as `labels.joined` writes them.
        group: its main artist in the spelling that makes a group; empty where unknown.
        artist: its artist as the tag has it.
        title: its title as the tag has it.
        album: its album as the tag has it.
        genre_tag: its genre as the tag has it; several values are parted by `; `.
    """

    path: Path
    genre: str
    group: str
    artist: str
    title: str
    album: str
    genre_tag: str


@dataclass(frozen=True)
class UnreadableFile:
    """A file whose tags could not be read.

    Attributes:
        path: the file.
        reason: each reader tried, and why it failed.
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class Library:
    """What a folder of tagged music holds.

    Attributes:
        files: the number of audio files in it.
        songs: those whose genre is known, sorted by path.
        without_genre: the number of songs whose tags say nothing about their genre.
        without_match: the number of songs whose tags say something, but nothing that the map knows.
        predicted: the number of songs whose genre `genrescope tag` wrote: a model's, so none to train on.
        unmapped: the words of those, with the number of songs that have them; the most frequent first.
        failed: the files whose tags could not be read.
    """

    files: int
    songs: tuple[Song, ...]
    without_genre: int
    without_match: int
    predicted: int
    unmapped: Mapping[str, int]
    failed: tuple[UnreadableFile, ...]


def look_through(folder: Path) -> audio.Walk:
    """Look for the audio files in a folder and below it.

    Raises:
        DataError: there is no such folder, or no audio in it.
    """
    if not folder.is_dir():
        raise DataNotFoundError(f"{folder}: no such folder")
    found = audio.walk(folder)
    if not found.files:
        raise DataError(
            f"{folder}: no audio found in this folder or below it. Accepted are files that end in one of: "
            + " ".join(sorted(audio.SUFFIXES))
        )
    return found


def scan(
    files: Sequence[Path],
    genre_map: GenreMap,
    *,
    several: bool = False,
    on_file: Callable[[int, UnreadableFile | None], None] = lambda *_: None,
) -> Library:
    """Read the tags of files and look their genres up; a file whose tags cannot be read stops nothing.

    Args:
        files: what to read.
        genre_map: which words mean which genre.
        several: whether a song has all genres that its tags name; else it has the first.
        on_file: called after every file with the number done, and the failure if it was one.
    """
    songs: list[Song] = []
    failed: list[UnreadableFile] = []
    spelled: dict[str, str] = {}
    unmapped: Counter[str] = Counter()
    without_genre = without_match = predicted = 0
    for number, path in enumerate(files, start=1):
        found = _looked_up(path, genre_map, several=several)
        if isinstance(found, Song):
            songs.append(found)
        elif isinstance(found, UnreadableFile):
            failed.append(found)
        elif found is None:
            predicted += 1
        else:
            without_match += bool(found)
            without_genre += not found
            unmapped.update({spelled.setdefault(genre_key(word), word) for word in found})
        on_file(number, found if isinstance(found, UnreadableFile) else None)
    ordered = dict(sorted(unmapped.items(), key=lambda item: (-item[1], item[0])))
    return Library(len(files), tuple(songs), without_genre, without_match, predicted, ordered, tuple(failed))


def predicted_text(songs: int) -> str:
    """Say how many songs were left out since a model wrote their genres."""
    return f"{songs} whose genre `genrescope tag` wrote"


def nothing_found(folder: Path, found: Library) -> str:
    """Say in an error why a folder gives no data set."""
    predicted = f", {predicted_text(found.predicted)}" if found.predicted else ""
    return (
        f"{folder}: none of its {found.files} files has a genre that the map knows: {found.without_genre} have none in "
        f"their tags, {found.without_match} one that the map does not know, {len(found.failed)} no tags that can be "
        f"read{predicted}. Add the words to a map with: "
        "genrescope library dataset FOLDER --map genres.toml --out songs.csv"
    )


def write_songs(path: Path, songs: Sequence[Song]) -> None:
    """Write a table of songs that can be given as DATA, whole or not at all; an older one is replaced.

    Paths inside the table's folder are relative to it, others absolute.

    Raises:
        DataError: `path` is a file of something else.
        OutputError: it cannot be written.
    """
    refuse_other_outputs(path)
    folder = absolute(path).parent
    lines = [csv_line([_written(song.path, folder), *(getattr(song, name) for name in COLUMNS[1:])]) for song in songs]
    write_text(path, csv_line(COLUMNS) + "".join(lines))


def write_unmapped(path: Path, unmapped: Mapping[str, int]) -> None:
    """Write unmapped words, a line each that can be pasted into a list of the genre map.

    Raises:
        DataError: `path` is a file of something else.
        OutputError: it cannot be written.
    """
    _refuse_foreign(path, _UNMAPPED_HEAD)
    lines = [f"  {_quoted(word)},  # {count} {'song' if count == 1 else 'songs'}\n" for word, count in unmapped.items()]
    write_text(path, _UNMAPPED_HEAD + "".join(lines))


def refuse_other_outputs(out: Path, unmapped: Path | None = None, genre_map: Path | None = None) -> None:
    """Tell before a long run that its results could not be written where they are to go.

    Raises:
        DataError: two names are one file's, or a file is there that this program would not have written.
    """
    named = [path for path in (out, unmapped, genre_map) if path is not None]
    if len(set(map(absolute, named))) < len(named):
        raise DataError(f"{out}: the table of songs, the unmapped words and the map need names of their own")
    for path in named:
        if path.suffix.lower() in audio.SUFFIXES:
            raise DataError(f"{path} is the name of an audio file, and music is never written to; choose another name")
    _refuse_foreign(out, csv_line(COLUMNS))
    if unmapped is not None:
        _refuse_foreign(unmapped, _UNMAPPED_HEAD)


def _refuse_foreign(path: Path, head: str) -> None:
    try:
        begins = read_text(path)[: len(head)] if path.exists() else head
    except OSError as error:
        raise DataError(f"{path} is there and cannot be read ({error.strerror}); choose another name") from error
    if begins != head:
        raise DataError(f"{path} is there already and holds something else; choose another name, or remove it")


def _looked_up(path: Path, genre_map: GenreMap, *, several: bool) -> Song | tuple[str, ...] | UnreadableFile | None:
    """Return a song, or the words that the map does not know; None where a model wrote the genre."""
    try:
        its = tags.read(path)
    except AudioError as error:
        return UnreadableFile(path, error.reason)
    if its.predicted:
        return None
    found = genre_map.find(its.genres)
    if not found.genre:
        return found.unmapped
    genre = joined(genre_map.find_all(its.genres)) if several else found.genre
    return Song(path, genre, its.group, its.artist, its.title, its.album, "; ".join(its.genres))


def _written(path: Path, folder: Path) -> str:
    """Return a file's path as a table in `folder` has it; the dot keeps a blank at its beginning from being cut."""
    whole = absolute(path)
    name = (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()
    return name if name == name.strip() else f"./{name}"


def _quoted(word: str) -> str:
    import tomli_w

    return tomli_w.dumps({"w": word}).removeprefix("w = ").strip()
