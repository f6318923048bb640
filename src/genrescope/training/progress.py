"""The progress of a training: after every step and every epoch, and its callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from genrescope.store.audio_cache import CacheProgress


@dataclass(frozen=True)
class Step:
    """The progress of a training, reported after every step.

    Attributes:
        epoch: counted from 1.
        step: steps so far, of `steps` in all.
        steps: steps in the whole training.
        loss: mean cross-entropy of the epoch so far.
        error: share of the epoch's windows so far that were taken for another genre.
        rate: the step's learning rate.
        windows_per_second: over the epoch so far.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    error: float
    rate: float
    windows_per_second: float


@dataclass(frozen=True)
class Stage:
    """Where the fitting of an SVM stands, told at the start of each stage and after each part of it.

    Attributes:
        what: is being done, in words.
        done: parts of the stage, of `total`.
        total: parts in all.
    """

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Epoch:
    """A row of `history.csv`.

    Attributes:
        epoch: counted from 1.
        step: steps so far.
        rate: learning rate of the epoch's last step.
        train_loss: mean cross-entropy of the epoch's windows, as they were met, with dropout.
        train_error: share of them that were taken for another genre.
        validation_loss: mean cross-entropy of the validation tracks' windows; None without a validation part.
        validation_error: share of the validation tracks that were taken for another genre, by the recipe's verdict.
        seconds: how long the epoch took, checkpoint excluded.
        windows_per_second: training windows per second of training.
    """

    epoch: int
    step: int
    rate: float
    train_loss: float
    train_error: float
    validation_loss: float | None
    validation_error: float | None
    seconds: float
    windows_per_second: float


def _nothing(_: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Watch:
    """Callbacks for the progress of a training.

    Attributes:
        on_step: called after every step.
        on_epoch: called after every epoch; an SVM has one.
        on_track: called after every track whose features a listener has computed.
        on_stage: called as an SVM is fitted.
    """

    on_step: Callable[[Step], None] = _nothing
    on_epoch: Callable[[Epoch], None] = _nothing
    on_track: Callable[[CacheProgress], None] = _nothing
    on_stage: Callable[[Stage], None] = _nothing


SILENT = Watch()
"""No callbacks."""
