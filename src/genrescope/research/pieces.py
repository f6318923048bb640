"""The pieces of a study that processes share: each run; of a cross-validation each fold, and their scores together."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from genrescope import workers
from genrescope.errors import DataError, GenrescopeError
from genrescope.evaluation.crossval import cross_validate, fit_fold
from genrescope.evaluation.evaluate import evaluate
from genrescope.evaluation.folds import Fold, folds_of
from genrescope.files import LOCK_NAME, read_text, write_json
from genrescope.research import collect
from genrescope.results import CROSSVAL_NAME, result_file
from genrescope.shared_work import LOOK, LeftBehindError, SharedWork, Task
from genrescope.store.store import open_store
from genrescope.training import ranks
from genrescope.training.progress import Watch
from genrescope.training.run_folder import read_run
from genrescope.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from genrescope.research.experiments import Run
    from genrescope.worker import Worker

SHARES = "claims"
"""The folder in a study's or a search's in which processes note who works on what."""


@dataclass(frozen=True)
class Piece:
    """What one process does at a time.

    Attributes:
        run: the run that it is of.
        fold: the fold to fit; None for a whole run, or for the scores of all folds.
    """

    run: Run
    fold: Fold | None = None

    @property
    def key(self) -> str:
        """Its name among the pieces of a study."""
        run = f"{self.run.path.parent.name}.{self.run.path.name}"
        return run if self.fold is None else f"{run}.{self.fold.path.name}"

    @property
    def is_fit(self) -> bool:
        """Whether something is trained; not so where the folds of a run are only scored."""
        return self.fold is not None or not self.run.experiment.folds

    @property
    def task(self) -> Task:
        """The same for processes that share the work."""
        run = Piece(self.run)
        if self.fold is not None:
            return Task(self.key, partial(_is_trained, self.fold.path), part_of=run.key)
        return Task(self.key, partial(is_done, self.run), after=tuple(each.key for each in pieces_of(self.run)[:-1]))

    def leave_no_lock(self) -> None:
        """Remove the locks of a process that died at this piece on another machine."""
        for lock in (self.run.path if self.fold is None else self.fold.path).rglob(LOCK_NAME):
            with contextlib.suppress(OSError):
                lock.unlink()


@dataclass(frozen=True)
class Attempt:
    """How a piece ended, after how long; the reason is None where it did not fail."""

    seconds: float
    reason: str | None


def pieces_of(run: Run) -> list[Piece]:
    """Return the pieces of a run; the last one leaves its result."""
    folds = folds_of(run.split, run.path) if run.experiment.folds else []
    return [*(Piece(run, fold) for fold in folds), Piece(run)]


def is_done(run: Run) -> bool:
    """Whether a run has ended and its part has been scored."""
    if run.experiment.folds:
        return (run.path / CROSSVAL_NAME).exists()
    return result_file(run.path, run.experiment.score) is not None


def attempts(
    shared: SharedWork,
    pieces: Mapping[str, Piece],
    make: Callable[[], Callable[[Piece], Attempt]],
    *,
    jobs: int,
    wait: Callable[[], None],
) -> Generator[tuple[str, Attempt | None], None, None]:
    """Work on pieces that no other process works on, until all have ended.

    Args:
        shared: who works on what. The caller ends each of its tasks.
        pieces: by key.
        make: makes what works on a piece, in each process.
        jobs: processes; with 1 this one works.
        wait: called often while others work.

    Yields:
        The key of a task and how its piece ended; of a task without a piece, None: it is for the caller.
    """
    if jobs == 1:
        work = make()
        for task in shared.each(wait=wait):
            yield task, work(pieces[task]) if task in pieces else None
        return
    working: dict[Worker, str] = {}
    with workers.Pool(make, jobs) as pool:
        while working or not shared.over:
            shared.check()
            while len(working) < jobs and (key := shared.take()) is not None:
                if key in pieces:
                    working[pool.give(pieces[key])] = key
                else:
                    yield key, None
            wait()
            if not working:
                time.sleep(LOOK)
            for worker in pool.wait(working, at_most=LOOK) if working else ():
                yield working.pop(worker), _answer(pool, worker)


def _answer(pool: workers.Pool[Piece], worker: Worker) -> Attempt:
    try:
        (attempt,) = worker.parts()
    except workers.WorkerDied:
        return Attempt(0.0, "its process died; there may be too little memory")
    pool.take_back(worker)
    assert isinstance(attempt, Attempt)
    return attempt


def in_process(device: str, threads: int) -> Callable[[Piece], Attempt]:
    """Return what a process does that has others beside it."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads)
    return partial(attempt, device, lambda *_: None)


def attempt(device: str, tell: Callable[[Piece, float], None], piece: Piece) -> Attempt:
    """Perform a piece; why it failed is told, not raised: one run's failure must not stop the others.

    Raises:
        LeftBehindError: `tell` found that another process does it by now.
    """
    began = time.monotonic()
    reason: str | None = None
    try:
        tell(piece, 0.0)
        with ranks.alone():
            _perform(device, piece, partial(tell, piece))
    except LeftBehindError:
        raise
    except GenrescopeError as error:
        reason = str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    return Attempt(time.monotonic() - began, reason)


def _perform(device: str, piece: Piece, tell: Callable[[float], None]) -> None:
    """Train and score, or go on with it; `tell` is called with the share that is done."""
    run, store = piece.run, open_store(piece.run.store)
    watch = Watch(on_step=lambda at: tell(at.step / at.steps))
    _leave_note(run)
    if not run.experiment.folds:
        train(run.job(store, run.thin(run.split, store), device), watch=watch)
        evaluate(run.path, part=run.experiment.score, store=run.store, device=device)
        return
    job, thin = run.job(store, run.split, device), partial(run.thin, store=store)
    if piece.fold is not None:
        fit_fold(job.on_device(), piece.fold, thin=thin, watch=watch)
    else:
        cross_validate(job, thin=thin)


def _leave_note(run: Run) -> None:
    """Write down which experiment a run is of."""
    about = {"name": run.name, "share": run.share, "by": run.experiment.by, "identity": run.identity}
    path = run.path / collect.NOTE
    if not path.exists() or json.loads(read_text(path)) != about:
        write_json(path, about, shared=True)


def _is_trained(path: Path) -> bool:
    try:
        return bool(read_run(path)["status"] == "finished")
    except DataError:
        return False


def by_key(runs: Sequence[Run]) -> dict[str, Piece]:
    """Return the pieces of all runs by their keys, run by run."""
    return {piece.key: piece for run in runs for piece in pieces_of(run)}
