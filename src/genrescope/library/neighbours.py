"""The nearest songs of every song of a library: each pair is compared, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genrescope.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

_PAIRS = 1 << 26  # similarities that are held at a time


def neighbours(
    vectors: npt.NDArray[np.float32], count: int, *, on_step: Callable[[Progress[None]], None] = lambda _: None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return the songs nearest to each, the most similar first, itself left out.

    Args:
        vectors: standardised embeddings, float32 (songs, width), each of length 1.
        count: how many are wanted; of a small library all others are returned.
        on_step: called after each block, with songs done and songs in all.

    Returns:
        Places int64 and cosines float32, both (songs, count).
    """
    import torch

    songs = len(vectors)
    count = min(count, songs - 1)
    places, values = np.empty((songs, count), np.int64), np.empty((songs, count), np.float32)
    block = max(1, min(4096, _PAIRS // songs))
    with torch.inference_mode():
        held = torch.from_numpy(np.ascontiguousarray(vectors))
        for begin in range(0, songs, block):
            end = min(begin + block, songs)
            similar = held[begin:end] @ held.T
            similar[torch.arange(end - begin), torch.arange(begin, end)] = -2.0
            best = similar.topk(count, dim=1)
            places[begin:end], values[begin:end] = best.indices.numpy(), best.values.numpy()
            on_step(Progress(end, songs))
    return places, values
