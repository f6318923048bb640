"""Training one recipe over several seeds: `train --seeds`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from genrescope.cli.console import out, resumable, say, table
from genrescope.cli.splits import find_pairs
from genrescope.cli.study import finish, showing
from genrescope.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.research.study import Studied
    from genrescope.research.study_file import Experiment


def refuse_mixed(seeds: str | None, *, seed: int, part: str | None, folds: int | None) -> None:
    """Refuse options of `train` that say the same thing twice, or nothing.

    Raises:
        DataError: there are such.
    """
    if seeds is not None and seed:
        raise DataError("--seed and --seeds: give one of the two")
    if part is not None and (seeds is None or folds is not None):
        raise DataError("--part is scored with --seeds and without --folds; score a run with: genrescope evaluate")


def experiment_of(
    store: Path,
    recipe: str,
    changes: dict[str, Any],
    seeds: str,
    *,
    split: str | None,
    folds: int | None,
    parts: tuple[str, ...],
    part: str | None,
) -> Experiment:
    """Return the experiment that options of `train` describe.

    Raises:
        DataError: the seeds are no numbers.
    """
    from genrescope.research.study_file import Experiment

    if not re.fullmatch(r"\d+(\s*,\s*\d+)*", seeds.strip()):
        raise DataError(f'--seeds "{seeds}"; accepted are whole numbers, as 0,1,2')
    scored = {} if folds is not None else {"score": part or "test"}
    numbers = list(dict.fromkeys(map(int, seeds.split(","))))
    return Experiment.model_validate(
        {"store": str(store), "recipe": recipe, "set": changes, "split": split, "folds": folds, "parts": list(parts),
         "seeds": numbers, **scored}
    )  # fmt: skip


def train_seeds(experiment: Experiment, folder: Path, *, resume: bool, device: str, again: str, quiet: bool) -> None:
    """Run an experiment once for each of its seeds; show the scores, their mean and their range."""
    from genrescope.research.seeds import study_seeds

    with resumable(again), showing(quiet=quiet) as (on_progress, on_end):
        done = study_seeds(
            experiment, folder, resume=resume, device=device, find_pairs=lambda store: find_pairs(store, quiet=quiet),
            on_progress=on_progress, on_end=on_end,
        )  # fmt: skip
    for each in done.result["experiments"]:
        for note in each["notes"]:
            say(f"note: {note}", quiet=quiet)
        _show(done)
        say(f"page: {done.page}", quiet=quiet)
    finish(done, quiet=quiet)


def _show(done: Studied) -> None:
    """Print a row for each seed, and what they give together, to stdout."""
    from genrescope.pages.render import interval, percent
    from genrescope.results import read_result

    (its,) = done.result["experiments"]
    rows = table("seed", "right", "of", "accuracy", "95 % interval", "run", right=("right", "of", "accuracy"))
    for seed, run in zip(its["seeds"], its["runs"], strict=True):
        share = read_result(done.out / run).headline
        rows.add_row(
            str(seed), str(share.correct), str(share.total), percent(share.value), interval(share.interval),
            str(done.out / run),
        )  # fmt: skip
    scores, console = its["accuracy"][its["verdict"]], out()
    part = f"{its['part']} of " if its["part"] else ""
    console.print(f"{its['recipe']}: {part}{its['split']} of {its['data']['name']}", markup=False)
    console.print(rows)
    spread = interval((scores["lowest"], scores["highest"]))
    console.print(f"mean over {len(its['seeds'])} seeds {percent(scores['mean'])}, range {spread}", markup=False)
