"""Studies: many experiments, each over several seeds, into one table.

```
DIR/study.toml            the file that lists them, as it was
DIR/<name>/seed-0 ...     a run folder, or a cross-validation, for each experiment and seed
DIR/study.json            what came out; and study.md, study.html, figures/
```
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genrescope import splits, workers
from genrescope.devices import choose_device
from genrescope.errors import DataError, GenrescopeError
from genrescope.evaluation.crossval import cross_validate
from genrescope.evaluation.evaluate import evaluate
from genrescope.extras import require
from genrescope.files import read_text, refuse_foreign, write_json, write_text
from genrescope.research import collect, experiments, tables
from genrescope.results import CROSSVAL_NAME, result_file
from genrescope.splits import duplicates
from genrescope.store.store import open_store
from genrescope.training.progress import Watch
from genrescope.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.research.experiments import Run
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store

FILE_NAME = "study.json"
TOML_NAME = "study.toml"
_FORMAT = 1


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Attributes:
        done: runs that have ended, now or before.
        total: all runs.
        share: runs that have ended now, and the share done of the one in progress.
        run: the one in progress; None where there are several, or none yet.
    """

    done: int
    total: int
    share: float
    run: Run | None


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    Attributes:
        run: which.
        seconds: how long it took.
        reason: why it failed; None where it did not.
    """

    run: Run
    seconds: float
    reason: str | None


@dataclass(frozen=True)
class Studied:
    """What `study` did.

    Attributes:
        result: the content of `study.json`.
        table: the content of `study.md`.
        out: the folder it was written to.
        page: the page to look at; None where every run failed.
        failed: the runs that failed.
    """

    result: dict[str, Any]
    table: str
    out: Path
    page: Path | None
    failed: tuple[Ended, ...]


def study(
    path: str | Path,
    out: str | Path,
    *,
    jobs: int = 1,
    device: str = "auto",
    find_pairs: Callable[[Store], Sequence[Pair]] = duplicates.in_store,
    on_progress: Callable[[StudyProgress], None] = lambda _: None,
    on_end: Callable[[Ended], None] = lambda _: None,
) -> Studied:
    """Run all experiments of a file that have not been run yet, and put all results into one table.

    The whole file is checked before anything runs. A run that fails is noted and stops no other one.

    Args:
        path: the TOML file; `experiments` tells its form.
        out: folder of the runs and the results.
        jobs: experiments at once, each in a process with its share of the cores. Results depend on it only as far as
            they depend on the number of threads, which each run notes.
        device: `auto`, `cpu`, `cuda` or `mps`.
        find_pairs: finds the duplicates in a store.
        on_progress: called often.
        on_end: called after each run.

    Returns:
        The table, and where it was written.

    Raises:
        DataError: the file is faulty, an experiment was changed under its old name, or `out` holds something else.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "a study")
    path, out, device = Path(path), Path(out), choose_device(device)
    refuse_foreign(out, (TOML_NAME,), what="the study")
    runs = experiments.read(path, out, find_pairs=find_pairs)
    refuse_changed(runs)
    write_text(out / TOML_NAME, read_text(path))
    todo, ended = [run for run in runs if not is_done(run)], list[Ended]()
    several = min(jobs, len(todo)) > 1
    threads = max(1, workers.cores() // jobs) if several else torch.get_num_threads()

    def tell(run: Run | None = None, share: float = 0.0) -> None:
        done = len(runs) - len(todo) + len(ended)
        on_progress(StudyProgress(done, len(runs), len(ended) + share, run))

    tell()
    make = partial(_worker, device, threads) if several else lambda: partial(_attempt, device, tell)
    with contextlib.closing(workers.results(todo, make, jobs=jobs, crashed=_crashed)) as endings:
        for each in endings:
            ended.append(each)
            tell()
            on_end(each)
    failed = [each for each in ended if each.reason is not None]
    return _results(path, out, runs, failed, {"jobs": jobs, "threads": threads, "device": device})


def is_done(run: Run) -> bool:
    """Whether a run has ended and its part has been scored."""
    if run.experiment.folds:
        return (run.path / CROSSVAL_NAME).exists()
    return result_file(run.path, run.experiment.score) is not None


def refuse_changed(runs: Sequence[Run]) -> None:
    """Refuse an experiment whose folder holds another one.

    Raises:
        DataError: there is such a folder; all are named.
    """
    changed = []
    for run in runs:
        path = run.path / collect.NOTE
        if path.exists() and json.loads(read_text(path))["identity"] != run.identity:
            changed.append(str(run.path))
    if changed:
        raise DataError(
            f"{', '.join(changed)}: the experiment has another recipe, split, share, seed or data than when it was "
            "run; give it another name, or choose another --out"
        )


def perform(device: str, run: Run, tell: Callable[[float], None]) -> None:
    """Train and score one run, or go on with it; `tell` is called with the share that is done."""
    store = open_store(run.store)
    about = {"name": run.name, "share": run.share, "by": run.experiment.by, "identity": run.identity}
    write_json(run.path / collect.NOTE, about)
    if run.experiment.folds:
        fold = 0

        def on_fold(at: Any) -> None:
            nonlocal fold
            fold = at.number - 1
            tell(fold / at.folds)

        watch = Watch(on_step=lambda at: tell((fold + at.step / at.steps) / len(run.split.counts)))
        thin = partial(run.thin, store=store)
        cross_validate(run.job(store, run.split, device), thin=thin, on_fold=on_fold, watch=watch)
        return
    watch = Watch(on_step=lambda at: tell(at.step / at.steps))
    train(run.job(store, run.thin(run.split, store), device), watch=watch)
    evaluate(run.path, part=run.experiment.score, store=run.store, device=device)


def next_arguments(done: Studied) -> tuple[str, ...]:
    """Return the command after a study: score the best experiment's first run on its part test, or predict with it."""
    best = max(done.result["experiments"], key=lambda each: each["accuracy"][each["verdict"]]["mean"])
    run = done.out / best["runs"][0]
    held_out = best["folds"] is None and best["part"] != "test" and "test" in splits.read(run / "split.csv").counts
    return ("evaluate", str(run)) if held_out else ("predict", str(run), "SONG")


def _attempt(device: str, tell: Callable[[Run, float], None], run: Run) -> Ended:
    """Perform a run; why it failed is told, not raised: one run's failure must not stop the others."""
    began, reason = time.monotonic(), None
    try:
        perform(device, run, partial(tell, run))
    except GenrescopeError as error:
        reason = str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    return Ended(run, time.monotonic() - began, reason)


def _worker(device: str, threads: int) -> Callable[[Run], Ended]:
    """Return what a process does that has others beside it."""
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
    return partial(_attempt, device, lambda *_: None)


def _crashed(run: Run, _: str) -> Ended:
    return Ended(run, 0.0, "its process died; there may be too little memory")


def _results(path: Path, out: Path, runs: Sequence[Run], failed: Sequence[Ended], machine: dict[str, Any]) -> Studied:
    from genrescope.research import study_page

    done: dict[str, list[collect.Scored]] = defaultdict(list)
    broken = {each.run.path for each in failed}
    for run in runs:
        if run.path not in broken:
            done[run.name].append(collect.read(run.path, run.experiment.score))
    rows = [collect.row(name, scored).to_dict(out) for name, scored in done.items()]
    result = {
        "format": _FORMAT,
        "file": path.name,
        **machine,
        "experiments": rows,
        "failed": [
            {"name": each.run.name, "seed": each.run.seed, "run": str(each.run.path.relative_to(out)),
             "reason": each.reason}
            for each in failed
        ],
    }  # fmt: skip
    table = tables.markdown(rows)
    write_json(out / FILE_NAME, result)
    write_text(out / "study.md", table + "\n")
    page = study_page.write(result, out) if rows else None
    return Studied(result, table, out, page, tuple(failed))
