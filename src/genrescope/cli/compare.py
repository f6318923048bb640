"""The command that holds runs against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Quiet, next_step, out, resumable, say
from genrescope.cli.grids import FormatOption, TableFormat, print_grid, show_grid

if TYPE_CHECKING:
    from genrescope.results import Comparison


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope compare runs/mgcc@first runs/scratch@vote --format latex")(compare)


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders that were evaluated, or cross-validations; RUN@first, RUN@vote.")
    ],
    folder: Annotated[Path, typer.Option("--out", help="Folder of the results.")] = Path("compare"),
    level: Annotated[
        str,
        typer.Option(
            help="A track's genre by vote (soft voting), by its first window, or by each recipe's own verdict."
        ),
    ] = "verdict",
    part: Annotated[
        str | None, typer.Option(help="Part that the runs were scored on; by default test, or else validation.")
    ] = None,
    compute: Annotated[
        bool, typer.Option("--compute", help="Time every model on one core, and draw accuracy against that.")
    ] = False,
    format_: FormatOption = TableFormat.table,
    by_genre: Annotated[
        bool, typer.Option("--by-genre", help="With --format: a row for each genre and system.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Compare runs on the same tracks, track by track; the first is the reference. Seeds of one recipe count as one."""
    from genrescope.evaluation.compare import compare as hold_against
    from genrescope.reports import tables

    with resumable("Run the same command again."):
        done = hold_against(
            runs, folder, level=level, part=part, compute=compute,
            on_measured=lambda name: say(f"timing {name}", quiet=quiet),
        )  # fmt: skip
    if format_ is TableFormat.table:
        _show(done.result)
    else:
        print_grid(tables.compared_by_genre(done.result) if by_genre else tables.compared(done.result), format_)
        say(f"{_title(done.result)}\n{_chance(done.result)}", quiet=quiet)
    for note in done.result.notes:
        say(f"note: {note}", quiet=quiet)
    say(f"report: {done.page}", quiet=quiet)
    best = max(done.result.entries, key=lambda entry: entry.accuracy.mean)
    next_step("robustness", best.runs[0], quiet=quiet)


def _show(result: Comparison) -> None:
    """Print accuracies, differences and genres to stdout, as tables for the terminal."""
    from genrescope.reports import tables

    console = out()
    console.print(_title(result), markup=False)
    show_grid(tables.systems(result))
    console.print(_chance(result), markup=False)
    show_grid(tables.differences(result))
    console.print("p: McNemar's exact test of won against lost; it takes tracks as independent.", markup=False)
    show_grid(tables.recalls(result))
    console.print(
        f"recall by genre; best: the system with the highest. * differs from {result.reference}, p below 0.05 (Holm, "
        "over all genres and systems)",
        markup=False,
    )


def _title(result: Comparison) -> str:
    artists = f" of {result.groups} artists" if result.groups else ""
    return f"{result.tracks} tracks{artists}: {', '.join(result.data)}"


def _chance(result: Comparison) -> str:
    from genrescope.reports.tables import chance_told

    return chance_told(result.chance)
