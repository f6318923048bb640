"""The command correct."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Quiet, next_step, resumable, say, typed_again
from genrescope.cli.library_options import LibraryOption, library_again, library_path
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.library.corrections import Correction
    from genrescope.library.database import Library


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog='Example: genrescope correct song.mp3 "dub techno"')(correct)


def correct(
    song: Annotated[Path | None, typer.Argument(help="A song of the library, or any audio file.")] = None,
    genres: Annotated[list[str] | None, typer.Argument(metavar="GENRE...", help="Its genres.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="A table with columns path and genre (several as a;b), instead.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the correction of SONG back.")] = False,
    library: LibraryOption = None,
    quiet: Quiet = False,
) -> None:
    """Say what a song's genres are. Corrections survive moves, retagging and new scans; files are never written."""
    from genrescope.library import corrections
    from genrescope.library.database import Library

    wanted = _wanted(song, genres or [], csv, remove=remove)
    with Library(library_path(library), create=True) as opened:
        _ask_about_near_misses(opened, wanted)
        with resumable(typed_again()), progress("songs", quiet=quiet) as bar:
            task = bar.add_task("correcting", total=len(wanted))

            def show(_: Path, reason: str) -> None:
                bar.advance(task)
                if reason:
                    bar.console.print(f"skipped {reason}", style="yellow", markup=False)

            changed, failed = corrections.correct_many(opened, wanted, on_song=show)
        total = len(opened.corrections())
    done = len(wanted) - failed
    say(f"{changed} corrections changed, {done - changed} stood there already; {total} in the library", quiet=quiet)
    if failed == len(wanted):
        raise typer.Exit(2)
    next_step("library", "list", *library_again(library), quiet=quiet)
    if failed:
        raise typer.Exit(1)


def _wanted(song: Path | None, genres: Sequence[str], csv: Path | None, *, remove: bool) -> list[Correction]:
    """Return the corrections of the command line.

    Raises:
        DataError: it is neither a song with genres, nor a table, nor a song whose correction goes.
    """
    from genrescope.library.corrections import Correction, cleaned, read_corrections

    if csv is not None and song is None and not remove:
        found = read_corrections(csv)
        if not found:
            raise DataError(f"{csv} has no rows; needed are a path and a genre in each")
        return found
    given = cleaned(genres)
    if csv is not None or song is None or bool(given) == remove:
        raise DataError("give SONG GENRE..., or --csv FILE, or SONG --remove")
    return [Correction(song, given)]


def _ask_about_near_misses(library: Library, wanted: Sequence[Correction]) -> None:
    """Ask, on stderr, whether a genre that is nearly a known one was meant to be it; it is stored as it was given."""
    from genrescope.library.corrections import known_genres, near_miss

    known = known_genres(library)
    for genre in dict.fromkeys(genre for each in wanted for genre in each.genres):
        if meant := near_miss(genre, known):
            say(f'note: "{genre}" is stored as given; did you mean "{meant}"?', style="yellow")
