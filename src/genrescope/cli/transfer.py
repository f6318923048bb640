"""The command transfer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Device, Quiet, Seed, next_step, resumable, say, typed_again
from genrescope.cli.scores import show_result
from genrescope.cli.splits import find_pairs
from genrescope.cli.train import Folds, Parts, Resume, SplitChoice, announce
from genrescope.cli.training_bar import begin_fold, showing

if TYPE_CHECKING:
    from genrescope.evaluation.transfer import Transfer
    from genrescope.evaluation.written import Written
    from genrescope.models.published import Body
    from genrescope.results import Evaluation
    from genrescope.store.audio_cache import CacheProgress
    from genrescope.training.job import Job
    from genrescope.training.recipe_transfer import ProbeRecipe, TuningRecipe


_Layer = Annotated[int | None, typer.Option(min=0, help="Hidden layer to take; by default the mean of all of them.")]
_Window = Annotated[float | None, typer.Option(help="Length of a window in seconds; by default the network's own.")]
_FineTune = Annotated[
    bool, typer.Option("--fine-tune", help="Train the network itself, with a linear head, instead of a probe.")
]
_Epochs = Annotated[
    int | None, typer.Option(min=1, help="Fine-tuning: times that a window of each track is shown; by default 10.")
]
_Freeze = Annotated[
    int | None, typer.Option(help="Fine-tuning: how many of the lowest layers are frozen; by default none.")
]
_Data = Annotated[
    str | None, typer.Option(help="Where the audio is now, as DATA of prepare; by default as it was prepared.")
]


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    example = "genrescope transfer store --network MIT/ast-finetuned-audioset-10-10-0.4593 --folds 5 --out runs/ast"
    app.command(epilog=f"Example: {example}")(transfer)


def transfer(
    store: Annotated[Path, typer.Argument(help="Folder of the store, which knows the files.")],
    network: Annotated[str, typer.Option(help="Folder of a network, or its name on huggingface.co.")],
    out: Annotated[Path, typer.Option(help="The run folder, or with --folds the folder of the runs.")],
    layer: _Layer = None,
    window: _Window = None,
    kernel: Annotated[str | None, typer.Option(help="Kernel of the probe: linear or rbf; by default linear.")] = None,
    c: Annotated[float | None, typer.Option("--c", help="C of the SVM; by default 0.01 linear, 10 rbf.")] = None,
    fine_tune: _FineTune = False,
    epochs: _Epochs = None,
    rate: Annotated[float | None, typer.Option(help="Fine-tuning: highest learning rate; by default 3e-5.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Fine-tuning: windows in a step; by default 8.")] = None,
    freeze: _Freeze = None,
    data: _Data = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of embeddings and waves; by default in the store.")] = None,
    split: SplitChoice = None,
    parts: Parts = "train",
    part: Annotated[str, typer.Option(help="Part to score.")] = "test",
    folds: Folds = None,
    seed: Seed = 0,
    resume: Resume = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Fit a probe (an SVM) to the embeddings of a pre-trained network, or fine-tune it, and score it. Resumable."""
    from genrescope import splits
    from genrescope.errors import DataError
    from genrescope.evaluation import transfer as transfers
    from genrescope.models.published_loading import load
    from genrescope.store.store import open_store
    from genrescope.training.job import Job

    if folds and (parts, part) != ("train", "test"):
        raise DataError("with --folds every run learns from all folds but one; leave out --parts and --part")
    of_probe, of_tuning = {"kernel": kernel, "c": c}, {"epochs": epochs, "rate": rate, "batch": batch, "freeze": freeze}
    _refuse_mixed(of_probe, of_tuning, fine_tune=fine_tune)
    if not resume:
        transfers.refuse_begun(out)
    opened = open_store(store)
    body = load(network, seconds=window)
    recipe = _recipe(body, body.spec.check_layer(layer), of_tuning if fine_tune else of_probe, fine_tune=fine_tune)
    pairs = tuple(find_pairs(opened, quiet=quiet))
    made = splits.choose(opened.tracks, split, seed=seed, folds=folds, pairs=pairs)
    job = Job(
        opened, recipe, made, out, parts=tuple(name.strip() for name in parts.split(",")), seed=seed, device=device,
        resume=resume, pairs=pairs,
    ).on_device()  # fmt: skip
    if not folds:
        made.ids(part)  # before hours of decoding
    announce(job, folds=folds is not None, quiet=quiet)
    with resumable(typed_again("--resume")):
        found = _gathered(job, body.to(job.device), data=data, cache=cache, quiet=quiet)
        done = _run(job, found, part=None if folds else part, quiet=quiet)
    _show(done, found, quiet=quiet)
    if found.gathered.failed:
        raise typer.Exit(1)


def _refuse_mixed(of_probe: dict[str, Any], of_tuning: dict[str, Any], *, fine_tune: bool) -> None:
    """Refuse an option of the probe for a fine-tuning, and the reverse."""
    from genrescope.errors import DataError

    for name, value in (of_probe if fine_tune else of_tuning).items():
        if value is None:
            continue
        if fine_tune:
            raise DataError(f"--{name} is of the probe, which --fine-tune does not fit; leave out one of the two")
        raise DataError(f"--{name} is of fine-tuning; give --fine-tune too, or leave it out")


def _recipe(body: Body, layer: str, options: dict[str, Any], *, fine_tune: bool) -> ProbeRecipe | TuningRecipe:
    """Return the recipe of a fine-tuning or of a probe; an option that is None takes its default."""
    from genrescope.training import fine_tuning, probe

    given = {name: value for name, value in options.items() if value is not None}
    if fine_tune:
        return fine_tuning.recipe_of(body, layer=layer, **given)
    return probe.recipe_of(body.spec, layer=layer, **given)


def _gathered(job: Job, body: Body, *, data: str | None, cache: Path | None, quiet: bool) -> Transfer:
    """Compute embeddings of the tracks, or decode them for fine-tuning, with a progress bar."""
    from genrescope.evaluation import transfer as transfers

    recipe = cast("ProbeRecipe | TuningRecipe", job.recipe)
    tuning = hasattr(recipe, "tuning")
    doing, kind = ("decoding", "waves") if tuning else ("embedding", "embeddings")
    with progress("tracks", quiet=quiet) as bar:
        task = bar.add_task(doing, total=None, detail=body.spec.name)

        def show(at: CacheProgress) -> None:
            bar.update(task, completed=at.done, total=at.total)

        found = transfers.gather(job.store, body, recipe, data=data, cache=cache, on_track=show)
    counts = found.gathered
    say(
        f"{body.spec.name}: {kind} of {counts.computed} tracks computed, {counts.kept} kept, {len(counts.failed)} "
        f"skipped; in {counts.folder}",
        quiet=quiet,
    )
    return found


def _run(job: Job, found: Transfer, *, part: str | None, quiet: bool) -> Written[Evaluation]:
    """Learn and score, with a progress bar where it takes long."""
    from genrescope.evaluation import transfer as transfers

    with showing(job.epochs, quiet=quiet) as (bar, watch):
        bar.add_task("training", total=None)
        return transfers.score(
            job, found, part=part, watch=watch, on_fold=lambda fold: begin_fold(bar, fold, quiet=quiet)
        )


def _show(done: Written[Evaluation], found: Transfer, *, quiet: bool) -> None:
    """Print the scores, name the tracks that could not be used, and say what to do next."""
    show_result(done.result)
    say(f"report: {done.report}", quiet=quiet)
    for row in found.gathered.failed:
        say(f"skipped {row.path}: {row.status}", style="yellow")
    next_step("predict", done.out, "SONG", quiet=quiet)
