"""How a training goes, on a terminal: a bar for the whole of it, and a line for every epoch or fit."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from genrescope.cli.bars import bar_of
from genrescope.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress

    from genrescope.evaluation.folds import Fold
    from genrescope.store.audio_cache import CacheProgress
    from genrescope.training.progress import Epoch, Stage, Step, Watch


@contextlib.contextmanager
def showing(epochs: int | None, *, quiet: bool) -> Iterator[tuple[Progress, Watch]]:
    """Yield a progress bar, and what shows a training on its last task.

    Args:
        epochs: how many there are; None for what is fitted at once, such as an SVM.
        quiet: show nothing.
    """
    from genrescope.training.progress import Watch

    with bar_of(quiet=quiet) as bar:

        def on_step(at: Step) -> None:
            detail = f"epoch {at.epoch}/{epochs}  error {100 * at.error:.1f} %  loss {at.loss:.3f}"
            detail += f"  rate {at.rate:.1e}  {at.windows_per_second:.0f} windows/s"
            bar.update(bar.task_ids[-1], completed=at.step, total=at.steps, detail=detail)

        def on_epoch(row: Epoch) -> None:
            if not quiet:
                bar.console.print(_line(row, epochs), markup=False)

        def on_track(at: CacheProgress) -> None:
            left = at.total - at.done
            if at.item is None and left:  # the start; a bar shows the rest on a terminal, and only there
                say(f"tagging {left} tracks with pre-trained networks; the store keeps it", quiet=quiet)
            detail = f"tagging: {at.done} of {at.total} tracks"
            bar.update(bar.task_ids[-1], completed=at.done, total=at.total, detail=detail)

        yield bar, Watch(on_step, on_epoch, on_track, lambda at: _show_stage(bar, at))


def _show_stage(bar: Progress, at: Stage) -> None:
    """Show a stage of a fit; each is timed by itself."""
    if not at.done:
        bar.reset(bar.task_ids[-1])
    detail = f"{at.what}, {at.done + 1} of {at.total}"
    bar.update(bar.task_ids[-1], completed=at.done, total=at.total, detail=detail)


def begin_fold(bar: Progress, fold: Fold, *, quiet: bool) -> None:
    """Begin a task for a fold, and say which it is."""
    for task in bar.task_ids:
        bar.remove_task(task)
    bar.add_task(f"fold {fold.number} of {fold.folds}", total=None)
    if not quiet:
        bar.console.print(f"fold {fold.number} of {fold.folds}: {fold.path}", markup=False)


def _line(row: Epoch, epochs: int | None) -> str:
    """Return a line for an epoch, or for what was fitted."""
    begins = f"fitted in {row.seconds:.1f} s" if epochs is None else f"epoch {row.epoch:3d}/{epochs}"
    told = f"{begins}  loss {row.train_loss:.3f}  error {100 * row.train_error:5.1f} %"
    if row.validation_loss is not None and row.validation_error is not None:
        told += f"  validation {row.validation_loss:.3f}  error {100 * row.validation_error:5.1f} %"
    return told if epochs is None else f"{told}  {row.seconds:.1f} s"
