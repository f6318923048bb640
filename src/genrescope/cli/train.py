"""The command train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Device, Quiet, Seed, next_step, resumable, say, typed_again
from genrescope.cli.recipes import Recipe, located
from genrescope.cli.scores import show_result
from genrescope.cli.seeds import experiment_of, refuse_mixed, train_seeds
from genrescope.cli.splits import find_pairs
from genrescope.cli.training_bar import begin_fold, showing

if TYPE_CHECKING:
    from genrescope.training.job import Job


SplitChoice = Annotated[
    str | None,
    typer.Option(
        help="Method, split file, or a split made elsewhere, as `split audit` reads it; by default stratified-group "
        "where groups are known, else stratified."
    ),
]
Parts = Annotated[str, typer.Option(help="Parts to learn from, as train,validation.")]
Folds = Annotated[
    int | None, typer.Option(min=2, help="Cross-validate: a run for each of so many folds, and their scores.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, if there is one.")]


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope train store --out runs/first")(train)


def train(
    store: Annotated[Path, typer.Argument(help="Folder of the store.")],
    out: Annotated[Path, typer.Option(help="The run folder, or with --folds or --seeds the folder of the runs.")],
    recipe: Recipe = "listener",
    split: SplitChoice = None,
    parts: Parts = "train",
    folds: Folds = None,
    seed: Seed = 0,
    seeds: Annotated[
        str | None, typer.Option(help="Train and score once for each seed, as 0,1,2; a split's method deals anew.")
    ] = None,
    part: Annotated[str | None, typer.Option(help="With --seeds: part to score, by default test.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the recipe, as training.epochs=50.")
    ] = None,
    resume: Resume = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train a model: a recipe and a store in, a run folder out; the split is audited first. Resumable."""
    from genrescope import splits
    from genrescope.errors import DataError
    from genrescope.store import listening
    from genrescope.store.store import open_store
    from genrescope.training import recipe as recipes
    from genrescope.training.job import Job

    refuse_mixed(seeds, seed=seed, part=part, folds=folds)
    quiet, first = _of_ranks(folds=folds, seeds=seeds, quiet=quiet)
    changes = dict(map(recipes.parse_change, set_ or []))
    chosen = recipes.load_any(located(recipe, quiet=quiet), changes)
    for tagger in getattr(chosen, "taggers", ()):
        listening.fetch(tagger, on_step=lambda step: say(step, quiet=quiet))
    if folds and parts != "train":
        raise DataError("with --folds every run learns from all folds but one; leave out --parts")
    opened, learnt = open_store(store, verify=True), tuple(name.strip() for name in parts.split(","))
    again = typed_again("--resume")
    if seeds is not None:
        experiment = experiment_of(store, recipe, changes, seeds, split=split, folds=folds, parts=learnt, part=part)
        train_seeds(experiment, out, resume=resume, device=device, again=again, quiet=quiet)
        return
    pairs = tuple(find_pairs(opened, quiet=quiet))
    made = splits.choose(opened.tracks, split, seed=seed, folds=folds, pairs=pairs)
    job = Job(opened, chosen, made, out, parts=learnt, seed=seed, device=device, resume=resume, pairs=pairs)
    announce(job, folds=folds is not None, quiet=quiet)
    with resumable(again):
        if folds:
            run_folds(job, quiet=quiet)
        else:
            run_training(job, quiet=quiet)
            if first:
                print(out)
                _next_step(job, quiet=quiet)


def _of_ranks(*, folds: int | None, seeds: str | None, quiet: bool) -> tuple[bool, bool]:
    """Return whether this process is quiet, and whether it is the first of those that train together.

    Raises:
        DataError: there are several, and they cannot share the work.
    """
    from genrescope.errors import DataError
    from genrescope.training.ranks import Ranks

    ranks = Ranks.here()
    if ranks.several and (folds or seeds):
        raise DataError(
            f"{ranks.world} processes were started; they train one run together, without --folds and --seeds. Several "
            "runs at a time: genrescope study --jobs"
        )
    return quiet or not ranks.first, ranks.first


def announce(job: Job, *, folds: bool, quiet: bool) -> None:
    """Say the notes of a job's split, and what its audit finds.

    Raises:
        DataError: a part to learn from is not there.
    """
    from genrescope.splits.audit import audit

    if not folds:
        job.material()
    for note in job.split.notes:
        say(f"note: {note}", quiet=quiet)
    if job.multi_label:
        say("note: tracks have several genres, so a score is fitted for each genre", quiet=quiet)
    learnt = None if folds else job.parts
    found = audit(job.store.tracks, job.split.by_part, job.duplicates(), learnt=learnt)
    say(f"audit: {found.summary}", quiet=quiet, style="" if found.clean else "yellow")


def _next_step(job: Job, *, quiet: bool) -> None:
    """Say how to score what was held out, the part test before others; where nothing was, how to predict."""
    held_out = [part for part in job.split.counts if part not in job.parts]
    part = next(iter(sorted(held_out, key=lambda part: part != "test")), None)
    if part is None:
        next_step("predict", job.out, "SONG", quiet=quiet)
    else:
        next_step("evaluate", job.out, *(() if part == "test" else ("--part", part)), quiet=quiet)


def run_training(job: Job, *, quiet: bool) -> None:
    """Train with a progress bar and a line per epoch."""
    from genrescope.training.train import train as run

    with showing(job.epochs, quiet=quiet) as (bar, watch):
        bar.add_task("training", total=None)
        run(job, watch=watch)
    say(f"trained: {job.out / 'model.safetensors'}", quiet=quiet)


def run_folds(job: Job, *, quiet: bool) -> None:
    """Cross-validate with a progress bar and a line per epoch; show the folds' scores."""
    from genrescope.evaluation.crossval import cross_validate_any as cross_validate

    with showing(job.epochs, quiet=quiet) as (bar, watch):
        done = cross_validate(job, watch=watch, on_fold=lambda fold: begin_fold(bar, fold, quiet=quiet))
    show_result(done.result)
    say(f"report: {done.report}", quiet=quiet)
    say(f"predictions for each track: genrescope evaluate {job.out} --predictions out-of-fold.csv", quiet=quiet)
    next_step("predict", job.out, "SONG", quiet=quiet)
