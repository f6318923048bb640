"""The command transfer."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrescope.cli.console import Device, Quiet, Seed, progress, resumable, say, show_scores
from genrescope.cli.splits import find_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genrescope.evaluation.crossval import Fold
    from genrescope.results import Evaluation
    from genrescope.store.store import Store
    from genrescope.training.recipe_transfer import TransferRecipe
    from genrescope.transfer.cache import Gathered, Progress
    from genrescope.transfer.learner import Learner
    from genrescope.transfer.network import Network


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    example = "genrescope transfer store --network MIT/ast-finetuned-audioset-10-10-0.4593 --folds 5 --out runs/ast"
    app.command(epilog=f"Example: {example}")(transfer)


def transfer(
    store: Annotated[Path, typer.Argument(help="Folder of the store, which knows the files.")],
    network: Annotated[str, typer.Option(help="Folder of a network, or its name on huggingface.co.")],
    out: Annotated[Path, typer.Option(help="The run folder, or with --folds the folder of the runs.")],
    layer: Annotated[
        int | None, typer.Option(min=0, help="Hidden layer to take; by default the mean of all of them.")
    ] = None,
    window: Annotated[
        float | None, typer.Option(help="Seconds that the network hears at once; by default its own.")
    ] = None,
    kernel: Annotated[str | None, typer.Option(help="Kernel of the probe: linear or rbf; by default linear.")] = None,
    c: Annotated[
        float | None, typer.Option("--c", help="Price of a window on the wrong side; by default 0.01 linear, 10 rbf.")
    ] = None,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Train the network itself, with a linear head, instead of a probe.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Fine-tuning: times that a window of each track is shown; by default 10.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Fine-tuning: highest learning rate; by default 3e-5.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Fine-tuning: windows in a step; by default 8.")] = None,
    freeze: Annotated[
        int | None, typer.Option(help="Fine-tuning: how many of the lowest layers stay as they are; by default none.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Where the audio is now, as DATA of prepare; by default as it was prepared.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of features and waves; by default in the store.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split file or method; by default stratified-group where groups are known, else stratified."),
    ] = None,
    parts: Annotated[str, typer.Option(help="Parts to learn from, as train,validation.")] = "train",
    part: Annotated[str, typer.Option(help="Part to score.")] = "test",
    folds: Annotated[
        int | None, typer.Option(min=2, help="Cross-validate: a run for each of so many folds, and their scores.")
    ] = None,
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="Run Python code that comes with the network, where it needs any."),
    ] = False,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, if there is one.")] = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Fit a probe to what a published network hears, or fine-tune it; score it as all others are. Resumable."""
    from genrescope import splits
    from genrescope.cli.train import audited, show_folds
    from genrescope.devices import choose_device
    from genrescope.errors import DataError
    from genrescope.results import CrossValidation
    from genrescope.store.store import open_store
    from genrescope.transfer import run as runs
    from genrescope.transfer.loading import load

    if folds and (parts, part) != ("train", "test"):
        raise DataError("with --folds every run learns from all folds but one; leave out --parts and --part")
    of_probe, of_tuning = {"kernel": kernel, "c": c}, {"epochs": epochs, "rate": rate, "batch": batch, "freeze": freeze}
    _refuse_mixed(of_probe, of_tuning, fine_tune=fine_tune)
    if not resume:
        runs.refuse_begun(out)
    opened = open_store(store)
    loaded = load(network, device=choose_device(device), seconds=window, trust_remote_code=trust_remote_code)
    recipe = _recipe(loaded, loaded.check_layer(layer), of_tuning if fine_tune else of_probe, fine_tune=fine_tune)
    pairs = find_pairs(opened, quiet=quiet)
    made = splits.choose(opened.tracks, split, seed=seed, folds=folds, pairs=pairs)
    wanted = [name.strip() for name in parts.split(",")]
    if not folds:
        made.ids(part)  # before hours of hearing
    audited(opened, made, pairs, learnt=None if folds else wanted, quiet=quiet)
    told = " --fine-tune" if fine_tune else ""
    again = f"Go on with: genrescope transfer {store} --network {network}{told} --out {out} ... --resume"
    with resumable(again):
        found = _gathered(opened, loaded, recipe, data=data, cache=cache, quiet=quiet)
        say(f"timing {loaded.name} on one core", quiet=quiet)
        heard = runs.heard(opened, loaded, found)
        result: Evaluation
        with _learning(loaded, recipe, found, quiet=quiet) as (learner, on_fold):
            if folds:
                done = runs.cross_validate(
                    heard, learner, made, out, pairs=pairs, seed=seed, resume=resume, on_fold=on_fold
                )
                result, report = done.result, done.report
            else:
                result, report = runs.hold_out(
                    heard, learner, made, out, parts=wanted, part=part, pairs=pairs, seed=seed, resume=resume
                )
    if isinstance(result, CrossValidation):
        show_folds(result)
    else:
        show_scores(result)
    say(f"report: {report}", quiet=quiet)
    _tell_failed(found)


def _refuse_mixed(of_probe: dict[str, Any], of_tuning: dict[str, Any], *, fine_tune: bool) -> None:
    """Refuse an option of the probe for a fine-tuning, and the reverse.

    Raises:
        DataError: there is one.
    """
    from genrescope.errors import DataError

    for name, value in (of_probe if fine_tune else of_tuning).items():
        if value is None:
            continue
        if fine_tune:
            raise DataError(f"--{name} is of the probe, which --fine-tune does not fit; leave out one of the two")
        raise DataError(f"--{name} is of fine-tuning; give --fine-tune too, or leave it out")


def _recipe(network: Network, layer: str, options: dict[str, Any], *, fine_tune: bool) -> TransferRecipe:
    """Return the recipe of a fine-tuning or of a probe; an option that is None takes its default."""
    from genrescope.transfer import probe, tuning

    given = {name: value for name, value in options.items() if value is not None}
    if fine_tune:
        return tuning.recipe_of(network, layer=layer, **given)
    return probe.recipe_of(network, layer=layer, **{"kernel": "linear"} | given)


def _tell_failed(found: Gathered[Any]) -> None:
    """Name the tracks that could not be heard; then the command has done its work but for those."""
    for row in found.failed:
        say(f"skipped {row.path}: {row.status}", style="yellow")
    if found.failed:
        raise typer.Exit(1)


def _gathered(
    store: Store, network: Network, recipe: TransferRecipe, *, data: str | None, cache: Path | None, quiet: bool
) -> Gathered[Any]:
    """Let the network hear the tracks, or decode them for it to learn from, with a progress bar."""
    from genrescope.training.recipe_transfer import TuningRecipe
    from genrescope.transfer import features, waves

    tuning = isinstance(recipe, TuningRecipe)
    doing, did = ("decoding", "decoded") if tuning else ("hearing", "heard")
    found: Gathered[Any]
    with progress("tracks", quiet=quiet) as bar:
        task = bar.add_task(doing, total=None, detail=network.name)

        def show(at: Progress) -> None:
            bar.update(task, completed=at.done, total=at.total)

        if tuning:
            found = waves.keep(store, network.rate, data=data, cache=cache, on_track=show)
        else:
            layer = recipe.network.layer
            found = features.extract(store, network, layer=layer, data=data, cache=cache, on_track=show)
    say(
        f"{network.name}: {found.computed} tracks {did}, {found.kept} kept, {len(found.failed)} skipped; "
        f"{'waves' if tuning else 'features'} in {found.folder}",
        quiet=quiet,
    )
    return found


@contextlib.contextmanager
def _learning(
    network: Network, recipe: TransferRecipe, found: Gathered[Any], *, quiet: bool
) -> Iterator[tuple[Learner, Callable[[Fold], None]]]:
    """Yield what learns by the recipe, with a progress bar where it takes long, and what shows that a fold begins."""
    from genrescope.cli.train import begin_fold, showing
    from genrescope.training.recipe_transfer import ProbeRecipe, TuningRecipe
    from genrescope.transfer.probe import ProbeLearner
    from genrescope.transfer.tuning import TuningLearner

    if isinstance(recipe, ProbeRecipe):
        yield ProbeLearner(recipe, network, found.found), lambda _: None
        return
    assert isinstance(recipe, TuningRecipe)
    with showing(recipe.training.epochs, quiet=quiet) as (bar, on_step, on_epoch):
        bar.add_task("fine-tuning", total=None, detail="")

        def on_scored(done: int, total: int) -> None:
            bar.update(bar.task_ids[-1], completed=done, total=total, detail="windows scored")

        yield (
            TuningLearner(recipe, network, found.found, on_step, on_epoch, on_scored),
            lambda fold: begin_fold(bar, fold, quiet=quiet),
        )
