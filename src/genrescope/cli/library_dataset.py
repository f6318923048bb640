"""The command library dataset: a tagged music library becomes a data set."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Quiet, SeveralGenres, next_step, out, report_unreadable, resumable, say, table

if TYPE_CHECKING:
    from genrescope.sources.genre_map import GenreMap
    from genrescope.sources.tagged_library import Library

_SHOWN = 20  # unmapped words in the table; --unmapped writes all


EPILOG = "Example: genrescope library dataset ~/Music --map genres.toml --out songs.csv"


def dataset(
    folder: Annotated[Path, typer.Argument(help="Folder of tagged music files.")],
    out_: Annotated[Path, typer.Option("--out", help="The table of songs, CSV: give it to other commands as DATA.")],
    map_: Annotated[
        Path | None,
        typer.Option("--map", help="Genre map, TOML: which words mean which genre; written first if it is not there."),
    ] = None,
    unmapped: Annotated[
        Path | None, typer.Option(help="Write the words that the map does not know, as lines to paste into it.")
    ] = None,
    several_genres: SeveralGenres = False,
    quiet: Quiet = False,
) -> None:
    """Make a data set of a tagged library: genres and artists from the files' tags, which are never written."""
    from genrescope.errors import DataError
    from genrescope.sources import tagged_library as libraries
    from genrescope.sources.folders import left_out

    walk = libraries.look_through(folder)
    files = walk.files
    report_unreadable(walk.unreadable)
    if walk.left_out:
        say(f"note: {left_out(walk.left_out)}", quiet=quiet)
    libraries.refuse_other_outputs(out_, unmapped, map_)
    genre_map = _map(map_, quiet=quiet)
    with resumable("Run the same command again."), progress("files", quiet=quiet) as bar:
        task = bar.add_task("reading tags", total=len(files))

        def show(done: int, failure: libraries.UnreadableFile | None) -> None:
            bar.update(task, completed=done)
            if failure is not None:
                bar.console.print(f"skipped {failure.path}: {failure.reason}", style="yellow", markup=False)

        found = libraries.scan(files, genre_map, several=several_genres, on_file=show)
    if unmapped is not None:
        libraries.write_unmapped(unmapped, found.unmapped)
    _show_unmapped(found)
    if not found.songs:
        raise DataError(libraries.nothing_found(folder, found))
    libraries.write_songs(out_, found.songs)
    _show_songs(found)
    _report(found, out_, quiet=quiet)
    next_step("check", out_, quiet=quiet)
    if found.failed or walk.unreadable:
        raise typer.Exit(1)


def _map(path: Path | None, *, quiet: bool) -> GenreMap:
    """Read the map; write it first where it is not there."""
    from genrescope.sources import genre_map

    if path is not None and not path.exists():
        genre_map.write_default(path)
        say(f"{path} written: edit it and run the same command again", quiet=quiet)
    return genre_map.load(path)


def _show_songs(found: Library) -> None:
    from genrescope.sources.labels import labels_of

    rows = table("genre", "songs", "artists", right=("songs", "artists"))
    groups: dict[str, list[str]] = defaultdict(list)
    for song in found.songs:
        for genre in labels_of(song.genre):
            groups[genre].append(song.group)
    for genre, its in sorted(groups.items()):
        rows.add_row(genre, str(len(its)), str(len(set(filter(None, its)))))
    out().print(rows)


def _show_unmapped(found: Library) -> None:
    from rich.text import Text

    if not found.unmapped:
        return
    rows = table("not in the map", "songs", right=("songs",))
    for word, count in list(found.unmapped.items())[:_SHOWN]:
        rows.add_row(Text(word), str(count))
    if len(found.unmapped) > _SHOWN:
        rows.add_row(f"... and {len(found.unmapped) - _SHOWN} more: --unmapped FILE writes all", "")
    out().print(rows)


def _report(found: Library, path: Path, *, quiet: bool) -> None:
    from genrescope.sources.tagged_library import predicted_text

    artists = {song.group for song in found.songs if song.group}
    unknown = sum(not song.group for song in found.songs)
    predicted = f", {predicted_text(found.predicted)}" if found.predicted else ""
    say(
        f"{len(found.songs)} of {found.files} files in {path}, by {len(artists)} artists ({unknown} without one). Left "
        f"out: {found.without_genre} without a genre, {found.without_match} whose genre is not in the map, "
        f"{len(found.failed)} whose tags cannot be read{predicted}",
        quiet=quiet,
    )
