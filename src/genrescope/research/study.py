"""Studies: many experiments, each over several seeds, into one table.

```
DIR/study.toml            the file that lists them, as it was
DIR/<name>/seed-0 ...     a run folder, or a cross-validation, for each experiment and seed
DIR/study.json            what came out; and study.md, study.html, figures/
DIR/claims/               while it runs: which process works on what
```

Several processes with the same command share the work, also on several machines that see one folder.
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
from genrescope.errors import DataError
from genrescope.extras import require
from genrescope.files import fingerprint, read_text, refuse_foreign, write_json, write_text
from genrescope.research import collect, experiments, tables
from genrescope.research.pieces import SHARES, Piece, attempt, attempts, by_key, in_process, is_done, pieces_of
from genrescope.shared_work import SharedWork, Standing, Task, warn_of_threads
from genrescope.splits import duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.research.experiments import Run
    from genrescope.research.pieces import Attempt
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store

FILE_NAME = "study.json"
TOML_NAME = "study.toml"
TABLE_NAME = "study.md"
PAGE_NAME = "study.html"
_LOOK = 2.0  # seconds between two looks at what the other processes have done
_FORMAT = 1


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Attributes:
        standing: how many fits have ended, now or before; a cross-validation has one for each fold.
        share: fits that have ended in this process, and the share done of the one in progress.
        run: the run in progress; None where there are several, or none yet.
        waiting: whether all that is left is being done by other processes.
    """

    standing: Standing
    share: float
    run: Run | None
    waiting: bool = False


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    Attributes:
        run: which.
        seconds: how long this process worked at it.
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

    The whole file is checked before anything runs. A run that fails is noted and stops no other one. Other processes
    may do the same in the same folder: each takes what no other one works on, and what one was at that died is taken by
    another. All of them return when everything has ended.

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
        LeftBehindError: this process stood still for minutes, and another one has taken over its work.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "a study")
    path, out, device = Path(path), Path(out), choose_device(device)
    refuse_foreign(out, (TOML_NAME, SHARES), what="the study")
    runs = experiments.read(path, out, find_pairs=find_pairs)
    refuse_changed(runs)
    several = min(jobs, len([run for run in runs for _ in pieces_of(run) if not is_done(run)])) > 1
    threads = max(1, workers.cores() // jobs) if several else torch.get_num_threads()
    machine = {"jobs": jobs, "threads": threads, "device": device}
    study_ = _Study(path, out, runs, machine, on_progress=on_progress, on_end=on_end)
    with study_.shared:
        _leave_file(path, out)
        warn_of_threads(study_.shared.members, threads * (jobs if several else 1))
        return study_.run(jobs if several else 1)


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


def next_arguments(done: Studied) -> tuple[str, ...]:
    """Return the command after a study: score the best experiment's first run on its part test, or predict with it."""
    best = max(done.result["experiments"], key=lambda each: each["accuracy"][each["verdict"]]["mean"])
    run = done.out / best["runs"][0]
    held_out = best["folds"] is None and best["part"] != "test" and "test" in splits.read(run / "split.csv").counts
    return ("evaluate", str(run)) if held_out else ("predict", str(run), "SONG")


def _leave_file(path: Path, out: Path) -> None:
    """Leave the study's file in its folder; several processes may do so at once."""
    text = read_text(path)
    if not (out / TOML_NAME).exists() or read_text(out / TOML_NAME) != text:
        write_text(out / TOML_NAME, text, shared=True)


class _Study:
    """A study in this process, and what it has done so far."""

    def __init__(
        self,
        path: Path,
        out: Path,
        runs: Sequence[Run],
        machine: dict[str, Any],
        *,
        on_progress: Callable[[StudyProgress], None],
        on_end: Callable[[Ended], None],
    ) -> None:
        self.path, self.out, self.runs, self.machine = path, out, runs, machine
        self.pieces = by_key(runs)
        self.fits = [key for key, piece in self.pieces.items() if piece.is_fit]
        self.report = f"report-{fingerprint(list(self.pieces))}"
        tasks = [piece.task for piece in self.pieces.values()]
        report = Task(self.report, lambda: False, after=tuple(self.pieces))
        self.shared = SharedWork(out / SHARES, [*tasks, report], threads=machine["threads"] * machine["jobs"])
        self._on_progress, self._on_end = on_progress, on_end
        self._seconds: defaultdict[Path, float] = defaultdict(float)
        self._fitted = 0
        self._standing: tuple[float, Standing] | None = None

    def run(self, jobs: int) -> Studied:
        """Do what no other process does, until all is done and reported."""
        device, threads, studied = self.machine["device"], self.machine["threads"], None
        self._tell()
        make = partial(in_process, device, threads) if jobs > 1 else lambda: partial(attempt, device, self._step)
        waiting = partial(self._tell, waiting=True)
        with contextlib.closing(attempts(self.shared, self.pieces, make, jobs=jobs, wait=waiting)) as ended:
            for key, its in ended:
                if its is None:
                    studied = self._results()
                    self.shared.finish(key, noted=True)
                else:
                    self._end(self.pieces[key], its)
        return studied or self._read()

    def _step(self, piece: Piece, share: float) -> None:
        self.shared.check()
        self._tell(piece.run, share)

    def _end(self, piece: Piece, its: Attempt) -> None:
        """Note how a piece ended; tell of its run where that has ended by it."""
        self.shared.finish(piece.key, failed=its.reason)
        self._seconds[piece.run.path] += its.seconds
        self._fitted += piece.is_fit
        self._standing = None
        self._tell()
        if piece.fold is None or its.reason is not None:
            self._on_end(Ended(piece.run, self._seconds[piece.run.path], its.reason))

    def _tell(self, run: Run | None = None, share: float = 0.0, *, waiting: bool = False) -> None:
        if self._standing is None or time.monotonic() - self._standing[0] > _LOOK:
            self._standing = time.monotonic(), self.shared.standing(self.fits)
        self._on_progress(StudyProgress(self._standing[1], self._fitted + share, run, waiting))

    def _failed(self) -> tuple[Ended, ...]:
        reasons = [(run, self.shared.failure(Piece(run).key)) for run in self.runs]
        return tuple(Ended(run, self._seconds[run.path], reason) for run, reason in reasons if reason is not None)

    def _results(self) -> Studied:
        return _results(self.path, self.out, self.runs, self._failed(), self.machine)

    def _read(self) -> Studied:
        """Return what another process has put together."""
        result = json.loads(read_text(self.out / FILE_NAME))
        page = self.out / PAGE_NAME if result["experiments"] else None
        return Studied(result, read_text(self.out / TABLE_NAME).removesuffix("\n"), self.out, page, self._failed())


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
    write_text(out / TABLE_NAME, table + "\n")
    page = study_page.write(result, out) if rows else None
    return Studied(result, table, out, page, tuple(failed))
