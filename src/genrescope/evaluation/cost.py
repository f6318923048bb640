"""What a model costs: the time that its network needs for a clip."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope import bundle
from genrescope.data import windows
from genrescope.data.store import StoredTrack
from genrescope.training import scoring

if TYPE_CHECKING:
    from genrescope.bundle import Bundle

CLIP = 30.0
"""Seconds of a clip."""
_TRIES = 3


def seconds_per_clip(model: Bundle | str | Path) -> float:
    """Measure how long a model's network takes for a clip of 30 s on one core; decoding and log-mel are not counted.

    The fastest of a few tries counts: a busy machine only ever adds.

    Args:
        model: a model that is loaded on a CPU, a model file or a run folder.
    """
    loaded = bundle.load(model) if isinstance(model, str | Path) else model
    header = loaded.header
    frames = header.front_end.frames(round(CLIP * header.front_end.sample_rate))
    noise = np.random.default_rng(0).normal(-4.0, 2.0, (frames, header.front_end.n_mels)).astype(np.float16)
    clip = StoredTrack("clip", "clip", header.labels[0], "", 0, frames, CLIP)
    placed = windows.place([clip], length=header.window, hop=header.hop)
    bank = windows.FrameBank(
        noise, silence=header.front_end.silence, device=torch.device("cpu"), padding=header.padding
    )
    before, taken = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for _ in range(_TRIES):
            began = time.perf_counter()
            scoring.window_scores(loaded.model, bank, placed, length=header.window)
            taken.append(time.perf_counter() - began)
    finally:
        torch.set_num_threads(before)
    return min(taken)
