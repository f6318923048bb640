"""Studies: many experiments, each over several seeds, into one table.

```
DIR/study.toml            the file that lists them, as it was
DIR/<name>/seed-0 ...     a run folder, or a cross-validation, for each experiment and seed
DIR/study.json            what came out; and study.md, study.html, figures/
```
"""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genrescope import workers
from genrescope.devices import choose_device
from genrescope.errors import DataError
from genrescope.evaluation.crossval import cross_validate
from genrescope.evaluation.evaluate import evaluate
from genrescope.files import read_text, refuse_foreign, write_json, write_text
from genrescope.research import collect, experiments, side_by_side, tables
from genrescope.results import CROSSVAL_NAME, EVALUATION_NAME, read_evaluation
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
        share: runs that have ended now and the shares done of those in progress, of those that were to do.
        running: names of the runs in progress.
        seconds_left: until all are done, as far as can be told; None before anything is known.
    """

    done: int
    total: int
    share: float
    running: tuple[str, ...]
    seconds_left: float | None


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
    """
    path, out, device = Path(path), Path(out), choose_device(device)
    refuse_foreign(out, (TOML_NAME,), what="the study")
    runs = experiments.read(path, out, find_pairs=find_pairs)
    refuse_changed(runs)
    write_text(out / TOML_NAME, read_text(path))
    threads = max(1, workers.cores() // jobs) if jobs > 1 else torch.get_num_threads()
    watch = _Watch(runs, min(jobs, len(runs)), on_progress, on_end)
    side_by_side.run(
        watch.todo, _Work(device), jobs=jobs, threads=threads,
        on_begin=watch.begin, on_fraction=watch.tell, on_end=watch.end,
    )  # fmt: skip
    return _results(path, out, runs, watch.failed, {"jobs": jobs, "threads": threads, "device": device})


def is_done(run: Run) -> bool:
    """Whether a run has ended and its part has been scored."""
    if run.folds:
        return (run.path / CROSSVAL_NAME).exists()
    path = run.path / EVALUATION_NAME
    return path.exists() and read_evaluation(path).data.part == run.score


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


def perform(run: Run, *, device: str, tell: Callable[[float], None]) -> None:
    """Train and score one run, or go on with it.

    Args:
        run: what to do.
        device: where.
        tell: called with the share that is done.
    """
    store = open_store(run.store)
    about = {"name": run.name, "share": run.share, "by": run.by, "identity": run.identity}
    write_json(run.path / collect.NOTE, about)
    if run.folds:
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
    evaluate(run.path, part=run.score, store=run.store, device=device)


@dataclass(frozen=True)
class _Work:
    """`perform` as `side_by_side` calls it, in another process if need be."""

    device: str

    def __call__(self, run: Run, tell: Callable[[float], None]) -> None:
        perform(run, device=self.device, tell=tell)


@dataclass
class _Watch:
    """What is known of the runs while they go on."""

    runs: Sequence[Run]
    jobs: int
    on_progress: Callable[[StudyProgress], None]
    on_end: Callable[[Ended], None]
    failed: list[Ended] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.todo = [run for run in self.runs if not is_done(run)]
        self.estimate = Estimate(self.jobs, [(run.name, run.recipe.name) for run in self.todo])
        for run in self.runs:
            if run not in self.todo:
                self.estimate.learn((run.name, run.recipe.name), collect.read(run.path).result_seconds)
        self.began: dict[Path, float] = {}
        self.share: dict[Path, float] = {}
        self.ended = 0
        self._tell()

    def begin(self, run: Run) -> None:
        self.began[run.path] = time.monotonic()
        self.share[run.path] = 0.0
        self.estimate.waiting.remove((run.name, run.recipe.name))
        self._tell()

    def tell(self, run: Run, share: float) -> None:
        self.share[run.path] = share
        self._tell()

    def end(self, run: Run, reason: str | None) -> None:
        ended = Ended(run, time.monotonic() - self.began.pop(run.path), reason)
        del self.share[run.path]
        self.ended += 1
        if reason is None:
            self.estimate.learn((run.name, run.recipe.name), ended.seconds)
        else:
            self.failed.append(ended)
        self._tell()
        self.on_end(ended)

    def _tell(self) -> None:
        now = time.monotonic()
        kinds = {run.path: (run.name, run.recipe.name) for run in self.todo if run.path in self.began}
        going = [(kinds[path], now - self.began[path], self.share[path]) for path in self.began]
        self.on_progress(
            StudyProgress(
                done=len(self.runs) - len(self.todo) + self.ended,
                total=len(self.runs),
                share=self.ended + sum(self.share.values()),
                running=tuple(f"{run.name}, seed {run.seed}" for run in self.todo if run.path in self.began),
                seconds_left=self.estimate.left(going),
            )
        )


@dataclass
class Estimate:
    """How long the rest takes: what is known of the same experiment, else of the same recipe, else of all.

    Attributes:
        jobs: how many run at once.
        waiting: experiment and recipe of each run that has not begun.
    """

    jobs: int
    waiting: list[tuple[str, str]]

    def __post_init__(self) -> None:
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def learn(self, kind: tuple[str, str], seconds: float) -> None:
        """Note how long a run took."""
        for key in (f"experiment {kind[0]}", f"recipe {kind[1]}", "all"):
            self._seconds[key].append(seconds)

    def left(self, going: Sequence[tuple[tuple[str, str], float, float]]) -> float | None:
        """Return the seconds left, or None where nothing is known.

        Args:
            going: of each run in progress its experiment and recipe, its seconds so far, and the share that is done.
        """
        whole = [(kind, seconds / share if share > 0 else None, seconds) for kind, seconds, share in going]
        known = [total for _, total, _ in whole if total is not None]
        rest = []
        for kind, total, seconds in whole:
            total = total if total is not None else self._expected(kind, known)  # noqa: PLW2901 - its best guess
            if total is None:
                return None
            rest.append(max(0.0, total - seconds))
        for kind in self.waiting:
            expected = self._expected(kind, known)
            if expected is None:
                return None
            rest.append(expected)
        return max([sum(rest) / self.jobs, *rest[: len(going)]], default=0.0)

    def _expected(self, kind: tuple[str, str], known: Sequence[float]) -> float | None:
        for key in (f"experiment {kind[0]}", f"recipe {kind[1]}", "all"):
            if self._seconds[key]:
                return statistics.fmean(self._seconds[key])
        return statistics.fmean(known) if known else None


def _results(path: Path, out: Path, runs: Sequence[Run], failed: Sequence[Ended], machine: dict[str, Any]) -> Studied:
    """Write table, page and figures of what is there."""
    from genrescope.research import study_page

    done: dict[str, list[collect.Scored]] = defaultdict(list)
    broken = {each.run.path for each in failed}
    for run in runs:
        if run.path not in broken:
            done[run.name].append(collect.read(run.path))
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
