"""Learning before labels: pretrain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Device, Jobs, Quiet, Seed, progress, resumable, say

if TYPE_CHECKING:
    from genrescope.training.pretrain import PretrainEpoch, PretrainStep


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope pretrain --recipe pretrain-synth --out runs/heard")(pretrain)


def pretrain(
    recipe: Annotated[str, typer.Option(help="pretrain-synth, pretrain-contrastive, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="The run folder.")],
    store: Annotated[
        Path | None, typer.Argument(help="Folder of the store, for pretrain-contrastive; its genres are not looked at.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split file or method; by default all tracks of the store are learnt from.")
    ] = None,
    parts: Annotated[str, typer.Option(help="Parts of the split to learn from, as train,validation.")] = "train",
    seed: Seed = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the recipe, as training.epochs=50.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, if there is one.")] = False,
    device: Device = "auto",
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Teach a network to hear before it learns genres; train --init-from begins from it. Resumable."""
    from genrescope import splits
    from genrescope.errors import DataError
    from genrescope.store.store import open_store
    from genrescope.training import pretrain as training
    from genrescope.training import recipe as recipes

    chosen = recipes.load(recipe, dict(map(recipes.parse_change, set_ or [])))
    opened = open_store(store) if store is not None else None
    if split is not None and opened is None:
        raise DataError("--split deals the tracks of a store; name the store, or leave it out")
    made = splits.choose(opened.tracks, split, seed=seed) if opened is not None and split is not None else None
    for note in made.notes if made is not None else ():
        say(f"note: {note}", quiet=quiet)
    told = f"{store} " if store is not None else ""
    again = f"Go on with: genrescope pretrain {told}--recipe {recipe} --out {out} ... --resume"
    with resumable(again), progress("steps", quiet=quiet) as bar:
        task = bar.add_task("pre-training", total=None, detail="")

        def on_step(at: PretrainStep) -> None:
            detail = f"epoch {at.epoch}  loss {at.loss:.3f}  rate {at.rate:.1e}  {at.windows_per_second:.0f} windows/s"
            bar.update(task, completed=at.step, total=at.steps, detail=detail)

        def on_epoch(row: PretrainEpoch) -> None:
            if not quiet:
                bar.console.print(_line(row, chosen.training.epochs), markup=False)

        training.pretrain(
            chosen, out, store=opened, split=made, parts=[part.strip() for part in parts.split(",")], seed=seed,
            device=device, jobs=jobs, resume=resume, on_step=on_step, on_epoch=on_epoch,
        )  # fmt: skip
    say(f"pre-trained: {out}; begin from it with: genrescope train STORE --recipe ... --init-from {out}", quiet=quiet)
    print(out)


def _line(row: PretrainEpoch, epochs: int) -> str:
    scores = "  ".join(f"{name} {100 * value:.0f} %" for name, value in row.scores.items())
    speed = f"{row.windows_per_second:.0f} windows/s  {row.seconds:.1f} s"
    return f"epoch {row.epoch:3d}/{epochs}  loss {row.loss:.3f}  {scores}  {speed}"
