"""The commands library list, library export and library albums."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Quiet, next_step, out, resumable, say, table
from genrescope.cli.library_options import LibraryOption, StoredModelOption, library_again, open_library
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genrescope.library.albums import Album, Pooled
    from genrescope.library.rows import Entry, StoredModel

LIST_EPILOG = "Example: genrescope library list --genre rock --min-confidence 0.8 --format csv"
EXPORT_EPILOG = "Example: genrescope library export everything.parquet"
ALBUMS_EPILOG = "Example: genrescope library albums --out albums.csv"
_LIMIT = 100


class ListFormat(StrEnum):
    """How songs are listed."""

    table = "table"
    csv = "csv"
    jsonl = "jsonl"


def list_(
    genre: Annotated[str | None, typer.Option(help="Only songs of this genre, as corrected or predicted.")] = None,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Only predictions as confident as this.")] = 0.0,
    doubtful: Annotated[bool, typer.Option("--doubtful", help="Only predictions that deserve a second look.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="Only songs whose files are gone.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only files that could not be used.")] = False,
    by_album: Annotated[bool, typer.Option("--by-album", help="Show the album's mean beside each song.")] = False,
    by_artist: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Show scores drawn to the artist's mean, with this weight, beside each song."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Rows of the table; 0 shows all.")] = _LIMIT,
    format_: Annotated[ListFormat, typer.Option("--format", help="table, csv or jsonl.")] = ListFormat.table,
    model: StoredModelOption = None,
    library: LibraryOption = None,
    quiet: Quiet = False,
) -> None:
    """List the songs of a library with their genres."""
    from genrescope.library import listing

    if by_album and by_artist is not None:
        raise DataError("--by-album and --by-artist: give one of them")
    with open_library(library) as opened:
        stored = opened.model(model)
        if genre is not None:
            listing.check_genre(opened, stored, genre)
        entries = opened.entries(stored)
        wanted = listing.Wanted(genre, min_confidence, doubtful, missing, failed).of(entries, stored)
    means = _means(entries, by_album=by_album, by_artist=by_artist)
    if format_ is not ListFormat.table:
        sys.stdout.writelines(
            listing.lines(wanted, stored, format_.value, means=means, name="album" if by_album else "artist")
        )
        return
    _show(wanted[: limit or None], stored, means, "album's genre" if by_album else "with the artist's mean")
    _say_how_many(wanted, entries, limit, quiet=quiet)
    next_step("library", "export", "library.csv", *library_again(library), quiet=quiet)


def _means(entries: Sequence[Entry], *, by_album: bool, by_artist: float | None) -> Mapping[int, Pooled] | None:
    """Return what is shown beside each song: its album's mean, its scores with its artist's, or nothing."""
    from genrescope.library import albums

    here = [entry for entry in entries if not entry.song.missing]
    if by_album:
        return albums.by_album(here)
    return None if by_artist is None else albums.by_artist(here, weight=by_artist)


def _show(entries: Sequence[Entry], model: StoredModel, means: Mapping[int, Pooled] | None, title: str) -> None:
    from rich.text import Text

    from genrescope.library.doubt import doubts

    titles = [title] if means is not None else []
    rows = table("song", "genre", "confidence", *titles, "correction", "", right=("confidence",))
    for entry in entries:
        found = entry.prediction
        notes = list(doubts(found, model)) if found else ["not classified yet"]
        note = "; ".join(notes) if entry.song.status == "ok" else entry.song.status
        cells = [
            str(entry.song.path),
            found.genre if found else "",
            f"{found.confidence:.2f}" if found else "",
            *([_pooled(means.get(entry.song.id))] if means is not None else []),
            ", ".join(entry.correction),
            note,
        ]
        rows.add_row(*map(Text, cells))
    if rows.row_count:
        out().print(rows)


def _pooled(mean: Pooled | None) -> str:
    return f"{mean.genre} {mean.confidence:.2f} ({mean.songs} songs)" if mean else ""


def _say_how_many(shown: Sequence[Entry], entries: Sequence[Entry], limit: int, *, quiet: bool) -> None:
    missing = sum(entry.song.missing for entry in entries)
    more = f", the first {limit} shown (--limit 0 shows all)" if limit and len(shown) > limit else ""
    gone = f", {missing} of them without a file (--missing)" if missing else ""
    say(f"{len(shown)} songs{more}; {len(entries)} in the library{gone}", quiet=quiet)


def export(
    path: Annotated[Path, typer.Argument(metavar="OUT", help="A file that ends in .csv, .jsonl or .parquet.")],
    model: StoredModelOption = None,
    library: LibraryOption = None,
    quiet: Quiet = False,
) -> None:
    """Write everything that a library knows: tags, scores, corrections, and but for CSV windows and embeddings."""
    from genrescope.library.export import export as write

    with open_library(library) as opened, resumable("Run the same command again."):
        stored = opened.model(model)
        with progress("songs", quiet=quiet) as bar:
            [total] = opened.rows("SELECT count(*) FROM songs")
            task = bar.add_task("writing", total=total[0])
            count = write(opened, stored, path, on_song=lambda done: bar.update(task, completed=done))
    say(f"{count} songs with the predictions of {stored.name} ({stored.fingerprint}) in {path}", quiet=quiet)
    next_step("library", "playlists", "playlists", *library_again(library), quiet=quiet)


def albums(
    out_: Annotated[
        Path | None, typer.Option("--out", help="Write a row for each song: its own genre, its album's.")
    ] = None,
    model: StoredModelOption = None,
    library: LibraryOption = None,
    quiet: Quiet = False,
) -> None:
    """Albums by the mean of their songs' scores; compilations are left out. Each song keeps its own genre."""
    from rich.text import Text

    from genrescope.library import albums as finding

    with open_library(library) as opened:
        entries = [entry for entry in opened.entries(opened.model(model)) if not entry.song.missing]
    found = finding.albums(entries)
    rows = table(
        "album", "artist", "songs", "genre", "confidence", "songs by themselves", right=("songs", "confidence")
    )
    for album in found:
        mean = album.pooled
        facts = (str(mean.songs), mean.genre, f"{mean.confidence:.2f}", _own_genres(album))
        rows.add_row(*map(Text, (album.title, album.artist, *facts)))
    if found:
        out().print(rows)
    songs = sum(album.pooled.songs for album in found)
    agreeing = sum(album.agreeing for album in found)
    say(
        f"{len(found)} albums with {songs} songs, of which {agreeing} have their album's genre by themselves; "
        f"{len(entries) - songs} songs belong to no album",
        quiet=quiet,
    )
    if out_ is not None:
        finding.write(found, out_)
        say(f"written to {out_}", quiet=quiet)
    next_step("library", "list", "--by-album", *library_again(library), quiet=quiet)


def _own_genres(album: Album) -> str:
    from collections import Counter

    counted = Counter(entry.prediction.genre for entry in album.entries if entry.prediction)
    return ", ".join(f"{genre} {count}" for genre, count in counted.most_common())
