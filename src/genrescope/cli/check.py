"""The command check."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope import locks
from genrescope.cli.bars import progress
from genrescope.cli.console import (
    Jobs,
    ListingReport,
    NormaliseGenres,
    Quiet,
    next_step,
    out,
    resumable,
    say,
    table,
    unused,
)

if TYPE_CHECKING:
    from genrescope.check.checked import Checked
    from genrescope.check.listen import FileMeasurements
    from genrescope.progress import Progress

_LISTED = 12
_STYLES = {"error": "red", "warning": "yellow", "note": "dim"}


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope check gtzan:/music/gtzan --out check-gtzan")(check)


def check(
    data: Annotated[str, typer.Argument(help="Folder of genre folders, CSV or TSV file, or card:folder.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder of the results.")] = Path("check"),
    genres: Annotated[str | None, typer.Option(help="Keep only these, as blues,jazz.")] = None,
    normalise_genres: NormaliseGenres = False,
    json_: Annotated[bool, typer.Option("--json", help="Print check.json instead of the table.")] = False,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Find what is wrong with a data set: damaged files, duplicates, wrong labels, band-limited sound. Resumable.

    Exit code 1 when there are errors: files that cannot be trained on, or one recording under two genres.
    """
    from genrescope.check.check import check as look

    wanted = [genre.strip() for genre in genres.split(",") if genre.strip()] if genres is not None else None
    with (
        locks.folder(folder, by="check"),
        resumable("Run the same command again to go on."),
        progress("files", quiet=quiet) as bar,
    ):
        task = bar.add_task("measuring", total=None)
        seconds = 0.0

        def show(at: Progress[FileMeasurements]) -> None:
            nonlocal seconds
            seconds += at.item.seconds if at.item else 0.0
            bar.update(task, completed=at.done, total=at.total, detail=f"{seconds / 60:.0f} min of music")
            if at.done == at.total:
                bar.update(task, description="comparing")

        listed = ListingReport(quiet=quiet)
        done = look(
            data, folder, genres=wanted, normalise_genres=normalise_genres, jobs=jobs, on_listing=listed, on_track=show
        )
    if json_:
        json.dump(done.to_dict(), sys.stdout, indent=2)
        print()
    else:
        _show(done)
    counts = {severity: done.count(severity) for severity in _STYLES}
    told = ", ".join(f"{count} {severity}{'s' if count != 1 else ''}" for severity, count in counts.items())
    say(
        f"{len(done.tracks)} tracks, {done.computed} read, {done.seconds:.1f} s: {told}. Look at {done.page}",
        quiet=quiet,
    )
    chosen = [*(("--genres", genres) if genres else ()), *(("--normalise-genres",) if normalise_genres else ())]
    next_step("prepare", data, *chosen, "--out", unused(Path("store")), quiet=quiet)
    if done.count("error") or listed.unreadable:
        raise typer.Exit(1)


def _show(done: Checked) -> None:
    from rich.text import Text

    from genrescope.check.faults import KINDS

    rows = table("severity", "kind", "track", "reason")
    for kind, its in KINDS.items():
        found = [finding for finding in done.findings if finding.kind == kind]
        for finding in found[:_LISTED]:
            named = " = ".join(finding.tracks) or "genre"
            rows.add_row(Text(its.severity, style=_STYLES[its.severity]), kind, Text(named), Text(finding.reason))
        if len(found) > _LISTED:
            rows.add_row("", kind, f"and {len(found) - _LISTED} more", "in check.json")
    if rows.row_count:
        out().print(rows)
    else:
        out().print("nothing found: every file can be used as it is, and no recording is there twice")
