"""What a model costs to use: milliseconds of one processor core."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

from genrescope import modelfile
from genrescope.features.front_end import make, stored
from genrescope.inference.scorer import Scorer
from genrescope.threads import limited

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.modelfile import Model

SECONDS = 30
"""Length of the music that is timed."""

_REPEATS = 7
_LONG = 2000.0  # milliseconds: a model that takes longer is timed once


def of_run(run: Path) -> float:
    """Return what a run's model costs.

    Raises:
        ModelFileError: there is no model file.
    """
    return milliseconds(modelfile.load(run))


def milliseconds(model: Model, *, repeats: int = _REPEATS) -> float:
    """Time a model on 30 s of decoded music: front end and network, on one core, the median of several.

    CPU time is measured, so other processes disturb it little. The audio is noise: the work does not depend on its
    content.

    Args:
        model: a model on the CPU.
    """
    front_end, scorer = make(model.header.front_end), Scorer.of(model)
    rate = model.header.front_end.sample_rate
    waveform = np.random.default_rng(0).normal(0, 0.1, SECONDS * rate).astype(np.float32)

    def once() -> float:
        begun = time.process_time()
        scorer.track(stored([waveform], front_end))
        return 1000 * (time.process_time() - begun)

    with limited(1):
        first = once()
        return first if first > _LONG else statistics.median(once() for _ in range(repeats))
