"""What a model costs to use: milliseconds of one processor core."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope import modelfile
from genrescope.features import windows
from genrescope.features.front_end import make, stored
from genrescope.inference import scorer
from genrescope.store.store import StoredTrack
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.modelfile import Bundle

NOTED = "milliseconds"
"""Key of `run.json` under which a run tells its own cost, where its model is not a file of ours alone."""

SECONDS = 30
"""Length of the music that is timed."""

_REPEATS = 7


def of_run(run: Path) -> float:
    """Return what a run's model costs: as the run noted it, or else measured now.

    Raises:
        ModelFileError: there is no model file.
    """
    noted = read_run(run).get(NOTED) if (run / "run.json").exists() else None
    return float(noted) if noted is not None else milliseconds(modelfile.load(run))


def milliseconds(loaded: Bundle, *, repeats: int = _REPEATS) -> float:
    """Time a model on 30 s of decoded music: log-mel and model, on one core, the median of several.

    The processor's own time is counted, so a busy machine disturbs it little. The music is noise: no part of the work
    depends on what is heard.

    Args:
        loaded: a model on the CPU.
        repeats: how often, after once to warm up.
    """
    header = loaded.header
    rate = header.front_end.sample_rate
    wave = np.random.default_rng(0).normal(0, 0.1, SECONDS * rate).astype(np.float32)
    front_end = make(header.front_end)

    def once() -> float:
        begun = time.process_time()
        frames = stored([wave], front_end)
        whole = StoredTrack("noise", "", "", "", first_frame=0, frames=len(frames), seconds=SECONDS)
        bank = windows.FrameBank(
            frames, silence=header.front_end.silence, device=torch.device("cpu"), padding=header.padding
        )
        placed = windows.place([whole], length=header.window, hop=header.hop)
        scorer.window_scores(loaded.model, bank, placed, length=header.window)
        return 1000 * (time.process_time() - begun)

    return timed(once, repeats=repeats)


def timed(once: Callable[[], float], *, repeats: int = _REPEATS) -> float:
    """Return the median of what `once` returns on one core, after a call to warm up."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        once()
        return statistics.median(once() for _ in range(repeats))
    finally:
        torch.set_num_threads(threads)
