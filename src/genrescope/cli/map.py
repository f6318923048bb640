"""The command map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Quiet, next_step, resumable, say, typed_again
from genrescope.cli.library_options import LibraryOption, StoredModelOption, library_again, open_library
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from genrescope.progress import Progress

_LARGE = 50_000_000  # bytes from which a browser needs patience
_PAGES = (".html", ".htm")


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("map", epilog="Example: genrescope map --out map.html")(map_)


def map_(
    out: Annotated[Path, typer.Option(help="The page; songs are played from where they lie.")] = Path("map.html"),
    under: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Only songs below this folder.")] = None,
    model: StoredModelOption = None,
    library: LibraryOption = None,
    quiet: Quiet = False,
) -> None:
    """Draw a library as a map, one HTML page: songs that sound alike lie near each other. Up to 100,000 songs."""
    from genrescope.files import absolute
    from genrescope.library.map_page import write_map
    from genrescope.library.map_songs import make_map

    if out.suffix.lower() not in _PAGES:
        raise DataError(f"--out {out}: accepted are names that end in {' or '.join(_PAGES)}")
    with open_library(library) as opened, resumable(typed_again()), progress("", quiet=quiet) as bar:
        found = make_map(
            opened, opened.model(model), under=None if under is None else absolute(under), on_step=_shown(bar)
        )
        write_map(found, out)
    size = out.stat().st_size
    if found.left_out:
        say(f"note: {found.left_out} songs have no prediction or no embedding, and are left out", quiet=quiet)
    if size > _LARGE:
        say(
            "note: a large page, which a browser may need some seconds to open; --under FOLDER makes one of a part",
            quiet=quiet,
        )
    say(f"{len(found.entries):,} songs in {out} ({size / 1e6:.1f} MB); open it in a browser", quiet=quiet)
    next_step("correct", "SONG", "GENRE", *library_again(library), quiet=quiet)


def _shown(bar: Bar) -> Callable[[str, Progress[None]], None]:
    """Return what shows each work as a bar of its own."""
    tasks: dict[str, TaskID] = {}

    def show(work: str, progress: Progress[None]) -> None:
        if work not in tasks:
            tasks[work] = bar.add_task(work, total=progress.total)
        bar.update(tasks[work], completed=progress.done)

    return show
