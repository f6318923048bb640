"""A file's log-mels under each condition, made by worker processes: the input of a robustness test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genrescope import audio, files
from genrescope.errors import reason_of
from genrescope.evaluation.conditions import CONDITIONS
from genrescope.features.front_end import make, stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.features.front_end import FrontEnd
    from genrescope.features.spec import Spec
    from genrescope.store.store import Frames


@dataclass(frozen=True)
class Work:
    """A file to decode, and what is to be made of its sound."""

    id: str
    file: Path
    sha256: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class ChangedSound:
    """A track's log-mels, one condition after the other; `frames` is None where it failed."""

    id: str
    frames: Frames | None
    lengths: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    reason: str = ""


def worker(spec: Spec) -> Callable[[Work], ChangedSound]:
    """Return what makes the sounds of a file; it is called once in each worker."""
    transform = make(spec)
    return lambda work: _compute(work, transform)


def _compute(work: Work, transform: FrontEnd) -> ChangedSound:
    rate = transform.spec.sample_rate
    try:
        if files.sha256(work.file) != work.sha256:
            return ChangedSound(work.id, None, reason="the file has changed since the store was made")
        wave = audio.decode(work.file, rate=rate)
        parts = []
        for name in work.names:
            changed = CONDITIONS[name].change(wave, rate)
            parts.append(stored([changed], transform))
    except Exception as error:  # one bad file never stops a run, whatever a codec throws
        return ChangedSound(work.id, None, reason=reason_of(error))
    return ChangedSound(work.id, np.concatenate(parts), tuple(map(len, parts)), work.names)


def crashed(work: Work, reason: str) -> ChangedSound:
    """Return what becomes of a file whose decoder took the worker with it."""
    return ChangedSound(work.id, None, reason=reason)
