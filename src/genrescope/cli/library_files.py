"""The commands library playlists and library clips."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Quiet, Seed, next_step, out, resumable, say, table
from genrescope.cli.library_options import LibraryOption, StoredModelOption, library_again, open_library
from genrescope.errors import AudioError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.library.database import Library
    from genrescope.library.rows import Entry, StoredModel

PLAYLISTS_EPILOG = "Example: genrescope library playlists ~/Music/playlists --by cluster"
CLIPS_EPILOG = "Example: genrescope library clips --doubtful review --count 2"


class By(StrEnum):
    """What makes a playlist."""

    genre = "genre"
    cluster = "cluster"


class ClipFormat(StrEnum):
    """How clips are written."""

    flac = "flac"
    wav = "wav"


def playlists(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder for the playlists only.")],
    by: Annotated[By, typer.Option(help="genre, or cluster: songs that sound alike, by their embeddings.")] = By.genre,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Leave out less confident predictions.")] = 0.0,
    clusters: Annotated[int | None, typer.Option(min=2, help="Number of clusters; by default by the songs.")] = None,
    seed: Seed = 0,
    model: StoredModelOption = None,
    library: LibraryOption = None,
    quiet: Quiet = False,
) -> None:
    """Write M3U8 playlists, one for each genre or cluster. Playlists of an earlier run are replaced."""
    from rich.text import Text

    from genrescope.library import playlists as writing

    with open_library(library) as opened:
        stored = opened.model(model)
        entries = [each for each in opened.entries(stored) if not each.song.missing]
        if by is By.genre:
            lists = writing.by_genre(entries, min_confidence=min_confidence)
        else:
            trusted = [each for each in entries if each.prediction and each.prediction.confidence >= min_confidence]
            lists = _clustered(opened, stored, trusted, count=clusters, seed=seed)
    if not lists:
        raise DataError("no song is left for a playlist; classify more songs, or lower --min-confidence")
    written = writing.write_all(folder, lists)
    rows = table("playlist", "songs", right=("songs",))
    for path, songs in zip(written, lists.values(), strict=True):
        rows.add_row(Text(path.name), str(len(songs)))
    out().print(rows)
    counted = {each.song.id for songs in lists.values() for each in songs}
    say(f"{len(written)} playlists in {folder}; {len(entries) - len(counted)} songs are in none", quiet=quiet)
    next_step("similar", "SONG", "--playlist", "similar.m3u8", *library_again(library), quiet=quiet)


def _clustered(
    library: Library, model: StoredModel, entries: Sequence[Entry], *, count: int | None, seed: int
) -> dict[str, list[Entry]]:
    """Return the songs of each cluster under its name."""
    from genrescope.library.clusters import clusters, suggested
    from genrescope.library.similar import Space

    space = Space.of(library, model)
    known = {each.song.id: each for each in entries}
    places = [place for place, song in enumerate(space.songs) if int(song) in known]
    chosen = [known[int(space.songs[place])] for place in places]
    if not chosen:
        return {}
    found = clusters(chosen, space.vectors[places], count or suggested(len(chosen)), seed=seed)
    return {f"{number:02d} {each.name}": list(each.entries) for number, each in enumerate(found, 1)}


def clips(
    arguments: Annotated[
        list[Path], typer.Argument(metavar="[SONG...] DIR", help="Songs of the library, and the folder for the clips.")
    ],
    doubtful: Annotated[
        bool, typer.Option("--doubtful", help="Take the songs whose predictions deserve a second look.")
    ] = False,
    songs: Annotated[int, typer.Option(min=1, help="With --doubtful, at most so many songs.")] = 20,
    count: Annotated[int, typer.Option(min=1, help="Clips of each kind, clear and doubtful, for each song.")] = 1,
    seconds: Annotated[float, typer.Option(min=1, max=120, help="Length of a clip.")] = 10.0,
    format_: Annotated[ClipFormat, typer.Option("--format", help="flac or wav.")] = ClipFormat.flac,
    model: StoredModelOption = None,
    library: LibraryOption = None,
    quiet: Quiet = False,
) -> None:
    """Cut the segments with the clearest and the most doubtful scores, for review. Songs are never written."""
    from genrescope.library import clips as cutting

    *given, folder = arguments
    with open_library(library) as opened:
        entries = _to_review(opened, opened.model(model), given, doubtful=doubtful, most=songs)
    if folder.is_file():
        raise DataError(f"{folder} is a file; the last argument names the folder for the clips")
    failed, written = 0, 0
    with resumable("Run the same command again."), progress("songs", quiet=quiet) as bar:
        for entry in bar.track(entries, description="cutting"):
            try:
                for clip in cutting.choose(entry, count=count, seconds=seconds):
                    print(cutting.cut(entry, clip, folder, kind=format_.value))
                    written += 1
            except AudioError as error:
                failed += 1
                bar.console.print(f"skipped {error}", style="yellow", markup=False)
    say(f"{written} clips of {len(entries) - failed} songs in {folder}", quiet=quiet)
    if failed == len(entries):
        raise typer.Exit(2)
    next_step("correct", "SONG", "GENRE", *library_again(library), quiet=quiet)
    if failed:
        raise typer.Exit(1)


def _to_review(
    library: Library, model: StoredModel, given: Sequence[Path], *, doubtful: bool, most: int
) -> list[Entry]:
    """Return the songs to cut clips of: those that were named, or the most doubtful ones."""
    from genrescope.library.listing import Wanted
    from genrescope.library.lookup import find_song

    if bool(given) == doubtful:
        raise DataError("give songs and a folder, as library clips song.mp3 review, or --doubtful and a folder")
    if doubtful:
        chosen = [each.song.id for each in Wanted(doubtful=True).of(library.entries(model), model)[:most]]
    else:
        found = {path: find_song(library, path) for path in given}
        if strange := next((path for path, song in found.items() if song is None), None):
            raise DataError(f"{strange} is not in {library.path}; add it with: genrescope library scan {strange}")
        chosen = [song.id for song in found.values() if song is not None]
    entries = {each.song.id: each for each in library.entries(model, windows=True, songs=chosen)}
    if without := next((entry for entry in entries.values() if entry.prediction is None), None):
        raise DataError(f"{without.song.path} has no prediction by {model.name}: {without.song.status}")
    if not entries:
        raise DataError("no prediction of this library is doubtful, so there is nothing to cut")
    return [entries[number] for number in chosen]
