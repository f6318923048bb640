"""The command that scores a model on changed sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Device, Jobs, Quiet, next_step, out, resumable, say, table

if TYPE_CHECKING:
    from genrescope.results import RobustnessResult


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope robustness runs/scratch-0 --conditions mp3-64,noise-10")(robustness)


def robustness(
    run: Annotated[Path, typer.Argument(help="Run folder, or folder of a cross-validation.")],
    part: Annotated[str, typer.Option(help="Part of a run's own split.")] = "test",
    conditions: Annotated[
        str | None, typer.Option(help="Only these, as mp3-64,noise-10; by default all sixteen.")
    ] = None,
    tracks: Annotated[int | None, typer.Option(min=1, help="Only so many tracks, spread evenly.")] = None,
    data: Annotated[str | None, typer.Option(help="Where the audio is now, as DATA, if it was moved.")] = None,
    store: Annotated[Path | None, typer.Option(help="Where the run's store is now, if it was moved.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the results; by default RUN/robustness.")
    ] = None,
    device: Device = "auto",
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Score held-out tracks again after mp3, noise, filters, other pitch and tempo, and cuts. Resumable."""
    from genrescope.evaluation.held_out import Selection
    from genrescope.evaluation.robustness import robustness as score

    selection = Selection(part, tracks, data, store)
    with resumable("Run the same command again to go on."), progress("tracks", quiet=quiet) as bar:
        task = bar.add_task("scoring", total=None)
        done = score(
            run, selection, conditions=conditions, out=folder, device=device, jobs=jobs,
            on_track=lambda at: bar.update(task, completed=at.done, total=at.total),
        )  # fmt: skip
    _show(done.result)
    for note in done.result.notes:
        say(f"note: {note}", quiet=quiet)
    for track, reason in done.result.failed.items():
        say(f"skipped {track}: {reason}", style="yellow")
    say(f"report: {done.report}", quiet=quiet)
    next_step("predict", run, "SONG", quiet=quiet)
    if done.result.failed:
        raise typer.Exit(1)


def _show(result: RobustnessResult) -> None:
    from genrescope.pages.render import percent, points, points_interval

    pairs = [condition.against_unchanged for condition in result.conditions]
    by_groups = ["whole artists"] if any(pair and pair.interval_by_groups for pair in pairs) else []
    rows = table(
        "condition", "accuracy", "points", "95 % interval, tracks", *by_groups, "won", "lost", "confidence",
        right=("accuracy", "points", "won", "lost", "confidence"),
    )  # fmt: skip
    for condition, pair in zip(result.conditions, pairs, strict=True):
        rows.add_row(
            condition.name,
            percent(condition.accuracy.value),
            points(pair.difference) if pair else "-",
            points_interval(pair.interval if pair else None),
            *([points_interval(pair.interval_by_groups if pair else None)] if by_groups else []),
            str(pair.won) if pair else "-",
            str(pair.lost) if pair else "-",
            percent(condition.confidence),
        )
    console = out()
    console.print(
        f"{result.model.recipe['name']}: {result.data.tracks} held-out tracks of {result.data.name}", markup=False
    )
    console.print(rows)
