"""The command tune."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import (
    Device,
    Quiet,
    Seed,
    next_step,
    out,
    resumable,
    say,
    table,
    template,
    typed_again,
    unused,
)
from genrescope.cli.recipes import Recipe, located
from genrescope.cli.splits import find_pairs

if TYPE_CHECKING:
    from genrescope.research.trials import Tried
    from genrescope.research.tuned import Tuned
    from genrescope.shared_work import Standing

_SHOWN = 5


def add_to(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(epilog="Example: genrescope tune store --recipe mgcc --space space.toml --trials 30 --out tuned")(tune)


def tune(
    store: Annotated[Path, typer.Argument(help="Folder of the store.")],
    recipe: Recipe,
    space: Annotated[Path, typer.Option(help="TOML file of keys and their ranges.")],
    out: Annotated[Path, typer.Option(help="Folder of the results.")],
    trials: Annotated[int, typer.Option(min=1, help="How many in all, those of earlier calls included.")],
    folds: Annotated[int, typer.Option(min=2, help="Folds that each trial is scored on.")] = 3,
    minutes: Annotated[float | None, typer.Option(min=0, help="Begin no trial after so many.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split, as train takes it, whose part test is left alone; else all tracks are used."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the recipe for all trials, as training.epochs=5.")
    ] = None,
    seed: Seed = 0,
    template: Annotated[bool, template("tune_template.toml")] = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Search for better values of a recipe's keys, scored on held-out artists, never on a test part. Resumable."""
    from genrescope import splits
    from genrescope.research.tune import tune as search_for
    from genrescope.research.tune_space import read_space
    from genrescope.research.tuned import BEST, Search
    from genrescope.store.store import open_store
    from genrescope.training import recipe as recipes

    ranges, chosen = read_space(space), located(recipe, quiet=quiet)
    changes = dict(map(recipes.parse_change, set_ or []))
    opened = open_store(store)
    pairs = find_pairs(opened, quiet=quiet)
    made = splits.choose(opened.tracks, split, seed=seed, pairs=pairs) if split is not None else None
    if made is None:
        say("note: without --split all tracks are used to choose, and none is left for a test", quiet=quiet)
    search = Search(opened, chosen, ranges, changes, made, folds, pairs, seed, device)
    with resumable(typed_again()), progress("trials", quiet=quiet) as bar:
        task = bar.add_task("tuning", total=trials)

        def on_fold(number: int, score: float) -> None:
            bar.update(task, detail=f"trial {number}: {100 * score:.1f} % so far")

        def on_trial(tried: Tried) -> None:
            if not quiet:
                bar.console.print(_line(tried), markup=False)

        def on_progress(at: Standing) -> None:
            bar.update(task, completed=at.done, description="tuning" + (f", {at.here} here" if at.shared else ""))

        done = search_for(
            search, out, trials=trials, minutes=minutes, on_fold=on_fold, on_trial=on_trial, on_progress=on_progress
        )
    _show(done, quiet=quiet)
    named = ("--split", split) if split is not None else ()
    best, run = done.out / BEST, unused(out.parent / "run")
    next_step("train", store, "--recipe", best, *named, "--out", run, quiet=quiet)


def _show(done: Tuned, *, quiet: bool) -> None:
    from genrescope.errors import TrainingError
    from genrescope.pages.render import percent
    from genrescope.research.tuned import BEST, PICTURE

    if done.best is None:
        reasons = dict.fromkeys(each.reason for each in done.trials if each.reason)
        raise TrainingError(
            f"no trial of {len(done.trials)} was completed; {'; '.join(reasons) or 'give it more time'}"
        )
    complete = sorted((each for each in done.trials if each.score is not None), key=lambda each: -(each.score or 0.0))
    rows = table("trial", "right", *done.best.values, right=("trial", "right"))
    for each in complete[:_SHOWN]:
        rows.add_row(str(each.number), percent(each.score), *map(_value, each.values.values()))
    out().print(rows)
    counts = {state: sum(each.state == state for each in done.trials) for state in ("pruned", "failed")}
    told = "".join(f", {count} {state}" for state, count in counts.items() if count)
    say(f"trials: {len(done.trials)}{told}; recipe: {done.out / BEST}; picture: {done.out / PICTURE}", quiet=quiet)
    say("note: the best of many looks better than it is; score it on tracks that the search has not seen", quiet=quiet)


def _line(tried: Tried) -> str:
    values = ", ".join(f"{key} = {_value(value)}" for key, value in tried.values.items())
    how = f"{100 * tried.score:.1f} %" if tried.score is not None else tried.state
    return f"trial {tried.number}: {how}  {values}{f'  {tried.reason}' if tried.reason else ''}"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
