"""Commands on models: train, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Device, Jobs, Quiet, Seed, progress, resumable, say, show_scores

if TYPE_CHECKING:
    from genrescope.data.splits import Split
    from genrescope.data.store import Store
    from genrescope.training.loop import Step
    from genrescope.training.recipe import Recipe
    from genrescope.training.run import Epoch


def add_to(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(epilog="Example: genrescope train store --recipe mgcc --split random --out runs/mgcc-0")(train)
    app.command(epilog="Example: genrescope evaluate runs/mgcc-0 --part test")(evaluate)


def train(
    store: Annotated[Path, typer.Argument(help="Folder of the store.")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="The run folder.")],
    split: Annotated[
        str | None, typer.Option(help="Split file or method; by default group where groups are known, else stratified.")
    ] = None,
    parts: Annotated[str, typer.Option(help="Parts to learn from, as train,validation.")] = "train",
    seed: Seed = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the recipe, as training.epochs=50.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, if there is one.")] = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Train a model: a recipe and a store in, a run folder out. Resumable."""
    from genrescope.data.store import open_store
    from genrescope.training import recipe as recipes

    chosen = recipes.load(recipe, dict(map(recipes.parse_change, set_ or [])))
    opened = open_store(store)
    made = choose_split(opened, split, seed=seed)
    for note in made.notes:
        say(f"note: {note}", quiet=quiet)
    with resumable(f"Go on with: genrescope train {store} --recipe {recipe} --out {out} ... --resume"):
        run_training(
            opened, chosen, made, out,
            parts=[part.strip() for part in parts.split(",")], seed=seed, device=device, resume=resume, quiet=quiet,
        )  # fmt: skip
    print(out)


def evaluate(
    model: Annotated[Path, typer.Argument(help="Run folder or model file.")],
    part: Annotated[str, typer.Option(help="Part of the run's own split.")] = "test",
    data: Annotated[str | None, typer.Option(help="Score on this labelled audio instead: DATA or a store.")] = None,
    store: Annotated[Path | None, typer.Option(help="Where the run's store is now, if it was moved.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; by default the run folder.")] = None,
    device: Device = "auto",
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Score a model with intervals; leave evaluation.json, figures and report.html."""
    from genrescope.evaluation.evaluate import evaluate as score

    with resumable("Run the same command again."), progress("tracks", quiet=quiet) as bar:
        task = bar.add_task("scoring", total=None, detail="")
        done = score(
            model, part=part, data=data, store=store, out=out, device=device, jobs=jobs,
            on_track=lambda at: bar.update(task, completed=at.done, total=at.total),
        )  # fmt: skip
    show_scores(done.result)
    for note in done.result["notes"]:
        say(f"note: {note}", quiet=quiet)
    say(f"report: {done.report}", quiet=quiet)
    for row in done.failed if quiet else ():  # the notes have named them
        say(f"skipped {row.path}: {row.status}", style="yellow")
    if done.failed:
        raise typer.Exit(1)


def choose_split(store: Store, split: str | None, *, seed: int) -> Split:
    """Return the split that a file or a method's name stands for.

    Raises:
        DataError: it is neither, or does not suit the store.
    """
    from genrescope.data import splits

    if split is None:
        split = "group" if store.has_groups else "stratified"
    if Path(split).is_file():
        return splits.read(Path(split))
    return splits.make(store.tracks, split, seed=seed)


def run_training(
    store: Store,
    recipe: Recipe,
    split: Split,
    out: Path,
    *,
    parts: list[str],
    seed: int,
    device: str,
    resume: bool,
    quiet: bool,
) -> None:
    """Train with a progress bar and a line per epoch."""
    from genrescope.training import loop

    with progress("steps", quiet=quiet) as bar:
        task = bar.add_task("training", total=None, detail="")

        def on_step(at: Step) -> None:
            detail = (
                f"epoch {at.epoch}  loss {at.loss:.3f}  error {100 * at.error:.1f} %  "
                f"rate {at.rate:.1e}  {at.windows_per_second:.0f} windows/s"
            )
            bar.update(task, completed=at.step, total=at.steps, detail=detail)

        def on_epoch(row: Epoch) -> None:
            if not quiet:
                bar.console.print(_line(row, recipe.training.epochs), markup=False)

        loop.train(
            store, recipe, split, out,
            parts=parts, seed=seed, device=device, resume=resume, on_step=on_step, on_epoch=on_epoch,
        )  # fmt: skip
    say(f"trained: {out / 'model.safetensors'}", quiet=quiet)


def _line(row: Epoch, epochs: int) -> str:
    told = f"epoch {row.epoch:3d}/{epochs}  loss {row.train_loss:.3f}  error {100 * row.train_error:5.1f} %"
    if row.validation_loss is not None and row.validation_error is not None:
        told += f"  validation loss {row.validation_loss:.3f}  error {100 * row.validation_error:5.1f} %"
    return told + f"  {row.windows_per_second:.0f} windows/s  {row.seconds:.1f} s"
