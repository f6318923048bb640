"""The command evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Device, Jobs, Quiet, next_step, resumable, say
from genrescope.cli.grids import FormatOption, TableFormat
from genrescope.cli.scores import show_result

if TYPE_CHECKING:
    from genrescope.evaluation.written import Written
    from genrescope.results import Evaluation, MultiLabelEvaluation


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope evaluate runs/first --format latex --predictions tracks.csv")(evaluate)


def evaluate(
    model: Annotated[
        Path, typer.Argument(help="Run folder or model file; of a cross-validation what it has scored is shown.")
    ],
    part: Annotated[str, typer.Option(help="Part of the run's own split.")] = "test",
    data: Annotated[str | None, typer.Option(help="Score on this labelled audio instead: DATA or a store.")] = None,
    store: Annotated[Path | None, typer.Option(help="Where the run's store is now, if it was moved.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the results; by default the run folder for the part test, else evaluation-PART or "
            "evaluation-DATA in it."
        ),
    ] = None,
    format_: FormatOption = TableFormat.table,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="Write a CSV file with a row per track: id, truth, prediction, artist, and the score of each genre; "
            "of a cross-validation the out-of-fold predictions."
        ),
    ] = None,
    device: Device = "auto",
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Score a model: accuracy, macro F1 and genres with intervals; leave evaluation.json, figures and report.html.

    Where tracks have several genres: mean average precision and F1. Tracks and artists of --data that the model was
    trained on are found and told.
    """
    from genrescope.evaluation.evaluate import evaluate_any as score

    with resumable("Run the same command again."), progress("tracks", quiet=quiet) as bar:
        task = bar.add_task("scoring", total=None, detail="")
        done = score(
            model, part=part, data=data, store=store, out=out, device=device, jobs=jobs,
            on_track=lambda at: bar.update(task, completed=at.done, total=at.total),
            on_compared=lambda at, total: bar.update(
                task, completed=at, total=total, description="looking for training tracks"
            ),
        )  # fmt: skip
    show_result(done.result, format_, quiet=quiet)
    _say_rest(done, predictions, quiet=quiet)
    next_step("predict", model, "SONG", quiet=quiet)
    if done.failed:
        raise typer.Exit(1)


def _say_rest(done: Written[Evaluation | MultiLabelEvaluation], predictions: Path | None, *, quiet: bool) -> None:
    """Say the notes, what was checked of other audio, and where files lie; write the predictions."""
    from genrescope import results
    from genrescope.files import write_text

    for note in done.result.notes:
        say(f"note: {note}", quiet=quiet, style="yellow" if note.startswith("audit: ") else "")
    audit = done.result.audit
    if audit is not None and audit.clean and done.result.data.split is None:
        say(f"audit: {audit.summary}", quiet=quiet)
    if predictions is not None:
        write_text(predictions, results.predictions(done.result))
        say(f"predictions: {predictions}", quiet=quiet)
    say(f"report: {done.report}", quiet=quiet)
    for row in done.failed if quiet else ():  # the notes have named them
        say(f"skipped {row.path}: {row.status}", style="yellow")
