"""The command that holds runs against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Quiet, next_step, out, resumable, say, table

if TYPE_CHECKING:
    from rich.console import Console

    from genrescope.results import Comparison


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope compare runs/mgcc@first runs/scratch@vote --out compare")(compare)


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders that were evaluated, or cross-validations; RUN@first, RUN@vote.")
    ],
    folder: Annotated[Path, typer.Option("--out", help="Folder of the results.")] = Path("compare"),
    level: Annotated[
        str, typer.Option(help="What makes a track's genre: vote, first, or each recipe's own verdict.")
    ] = "verdict",
    compute: Annotated[
        bool, typer.Option("--compute", help="Time every model on one core, and draw accuracy against that.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Compare runs on the same tracks, track by track; the first is the reference. Seeds of one recipe count as one."""
    from genrescope.evaluation.compare import compare as hold_against

    with resumable("Run the same command again."):
        done = hold_against(
            runs, folder, level=level, compute=compute, on_measured=lambda name: say(f"timing {name}", quiet=quiet)
        )
    console = out()
    _show_accuracies(done.result, console)
    _show_differences(done.result, console)
    for note in done.result.notes:
        say(f"note: {note}", quiet=quiet)
    say(f"report: {done.page}", quiet=quiet)
    best = max(done.result.entries, key=lambda entry: entry.accuracy.mean)
    next_step("robustness", best.runs[0], quiet=quiet)


def _show_accuracies(result: Comparison, console: Console) -> None:
    from genrescope.pages.render import interval, percent

    timed = result.entries[0].milliseconds is not None
    extra = ["ms for 30 s"] if timed else []
    right = ("accuracy", "deviation", "parameters", *extra)
    rows = table(
        "system", "counted by", "seeds", "accuracy", "95 % interval", "lowest to highest", "deviation", "parameters",
        *extra, right=right,
    )  # fmt: skip
    for entry in result.entries:
        its = entry.accuracy
        rows.add_row(
            entry.name,
            entry.level,
            ", ".join(map(str, entry.seeds)),
            percent(its.mean),
            interval(its.interval),
            interval([its.lowest, its.highest]) if len(its.by_run) > 1 else "-",
            percent(its.deviation),
            f"{entry.parameters:,}",
            *([str(entry.milliseconds)] if timed else []),
        )
    artists = f" of {result.groups} artists" if result.groups else ""
    console.print(f"{result.tracks} tracks{artists}: {', '.join(result.data)}", markup=False)
    console.print(rows)


def _show_differences(result: Comparison, console: Console) -> None:
    from genrescope.reports.comparison_page import p_value, points, points_interval

    by_groups = ["whole artists"] if result.groups else []
    rows = table(
        f"against {result.reference}", "points", "95 % interval, tracks", *by_groups, "won", "lost", "p", "p, Holm",
        right=("points", "won", "lost", "p", "p, Holm"),
    )  # fmt: skip
    for pair in result.against_reference:
        rows.add_row(
            pair.name,
            points(pair.difference),
            points_interval(pair.interval),
            *([points_interval(pair.interval_by_groups)] if by_groups else []),
            str(pair.won),
            str(pair.lost),
            p_value(pair.p),
            p_value(pair.p_holm),
        )
    console.print(rows)
    console.print("p: McNemar's exact test of won against lost; it takes tracks as independent.", markup=False)
