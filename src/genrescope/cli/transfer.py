"""The command transfer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrescope.cli.console import Device, Quiet, Seed, progress, resumable, say, show_scores
from genrescope.cli.splits import find_pairs

if TYPE_CHECKING:
    from genrescope.data.store import Store
    from genrescope.transfer.cache import Progress
    from genrescope.transfer.features import Extracted
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
    kernel: Annotated[str, typer.Option(help="Kernel of the probe: linear or rbf.")] = "linear",
    c: Annotated[
        float | None, typer.Option("--c", help="Price of a window on the wrong side; by default 0.01 linear, 10 rbf.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Where the audio is now, as DATA of prepare; by default as it was prepared.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the features; by default in the store.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split file or method; by default stratified-group where groups are known, else stratified."),
    ] = None,
    parts: Annotated[str, typer.Option(help="Parts to learn from, as train,validation.")] = "train",
    part: Annotated[str, typer.Option(help="Part to score.")] = "test",
    folds: Annotated[
        int | None, typer.Option(min=2, help="Cross-validate: a probe for each of so many folds, and their scores.")
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
    """Fit a probe to what a published network hears, and score it as all others are. Resumable."""
    from genrescope.cli.train import audited, show_folds
    from genrescope.data import splits
    from genrescope.data.store import open_store
    from genrescope.errors import DataError
    from genrescope.training.devices import choose_device
    from genrescope.transfer import probe as probes
    from genrescope.transfer import run as runs
    from genrescope.transfer.loading import load

    if folds and (parts, part) != ("train", "test"):
        raise DataError("with --folds every probe learns from all folds but one; leave out --parts and --part")
    if not resume:
        runs.refuse_begun(out)
    opened = open_store(store)
    loaded = load(network, device=choose_device(device), seconds=window, trust_remote_code=trust_remote_code)
    chosen = loaded.check_layer(layer)
    recipe = probes.recipe_of(loaded, layer=chosen, kernel=kernel, c=c)
    pairs = find_pairs(opened, quiet=quiet)
    made = splits.choose(opened.tracks, split, seed=seed, folds=folds, pairs=pairs)
    wanted = [name.strip() for name in parts.split(",")]
    if not folds:
        made.ids(part)  # before hours of hearing
    audited(opened, made, pairs, learnt=None if folds else wanted, quiet=quiet)
    again = f"Go on with: genrescope transfer {store} --network {network} --out {out} ... --resume"
    with resumable(again):
        found = _extract(opened, loaded, layer=chosen, data=data, cache=cache, quiet=quiet)
        say(f"timing {loaded.name} on one core", quiet=quiet)
        heard = runs.heard(opened, loaded, found)
        learner = probes.ProbeLearner(recipe, loaded, found.found)
        result: dict[str, Any]
        if folds:
            done = runs.cross_validate(heard, learner, made, out, pairs=pairs, seed=seed, resume=resume)
            result, report = done.result, done.report
        else:
            result, report = runs.hold_out(
                heard, learner, made, out, parts=wanted, part=part, pairs=pairs, seed=seed, resume=resume
            )
    (show_folds if folds else show_scores)(result)
    say(f"report: {report}", quiet=quiet)
    _tell_failed(found)


def _tell_failed(found: Extracted) -> None:
    """Name the tracks that could not be heard; then the command has done its work but for those."""
    for row in found.failed:
        say(f"skipped {row.path}: {row.status}", style="yellow")
    if found.failed:
        raise typer.Exit(1)


def _extract(
    store: Store, network: Network, *, layer: str, data: str | None, cache: Path | None, quiet: bool
) -> Extracted:
    """Let the network hear the tracks, with a progress bar."""
    from genrescope.transfer.features import extract

    with progress("tracks", quiet=quiet) as bar:
        task = bar.add_task("hearing", total=None, detail=network.name)

        def show(at: Progress) -> None:
            bar.update(task, completed=at.done, total=at.total)

        found = extract(store, network, layer=layer, data=data, cache=cache, on_track=show)
    say(
        f"{network.name}: {found.computed} tracks heard, {found.kept} kept, {len(found.failed)} skipped; "
        f"features in {found.folder}",
        quiet=quiet,
    )
    return found
