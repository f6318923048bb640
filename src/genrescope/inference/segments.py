"""Where the genre changes within a song: windows of one genre become segments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

SHORTEST = 10.0
"""Seconds of a segment, where nothing else is asked for."""

_MARGIN = 0.2  # by how much the mean score of a passage of the shortest length must exceed that of its surroundings


@dataclass(frozen=True)
class Segment:
    """A stretch of a song with one genre.

    Attributes:
        start: where it begins, in seconds.
        end: where it ends, in seconds.
        genre: the label with the highest score.
        confidence: its score, in [0, 1]: the mean over the segment's windows that are not silent.
    """

    start: float
    end: float
    genre: str
    confidence: float


def find(
    scores: npt.NDArray[np.float64],
    times: Sequence[tuple[float, float]],
    silent: Sequence[bool],
    *,
    labels: Sequence[str],
    seconds: float,
    shortest: float = SHORTEST,
) -> tuple[Segment, ...]:
    """Divide a song where its genre changes.

    Each window gets a genre, so that the sum of the windows' scores for their genres is the highest possible. A
    change of genre costs something, and no segment has fewer windows than fit into `shortest` seconds. So a passage
    becomes a segment of its own if it is long enough and its genre scores 0.2 higher there, on average, than that of
    its surroundings; a longer passage needs less. Shorter changes are smoothed away. Silent windows belong to what is
    around them.

    Args:
        scores: (windows, labels), in [0, 1].
        times: start and end of each window in seconds, in order.
        silent: whether each window is silent.
        labels: names of the columns.
        seconds: length of the song.
        shortest: shortest segment in seconds; the last one, and a whole song, may be shorter.

    Returns:
        The segments in order, without gaps, from 0 to the song's end; none where there are no windows.

    Raises:
        ValueError: `shortest` is negative.

    Example:
        >>> rock, jazz = [0.9, 0.1], [0.2, 0.8]
        >>> windows = np.array([rock] * 5 + [jazz] + [rock] * 3 + [jazz] * 6)  # the lone window is smoothed away
        >>> times = [(3.0 * place, 3.0 * place + 3) for place in range(len(windows))]
        >>> for part in find(windows, times, [False] * 15, labels=["rock", "jazz"], seconds=45):
        ...     print(part.start, part.end, part.genre, round(part.confidence, 2))
        0.0 27.0 rock 0.82
        27.0 45.0 jazz 0.8
    """
    if not shortest >= 0:
        raise ValueError(f"shortest={shortest}; accepted is a number of seconds, 0 or more")
    if not len(scores):
        return ()
    middles = np.array([(start + end) / 2 for start, end in times])
    step = float(np.median(np.diff(middles))) if len(middles) > 1 else math.inf
    counted = scores * ~np.asarray(silent, dtype=bool)[:, None]
    path = _path(counted if counted.any() else scores, max(1, math.ceil(shortest / step - 1e-6)))
    starts = [0, *(place for place in range(1, len(path)) if path[place] != path[place - 1])]
    edges = [0.0, *((middles[place - 1] + middles[place]) / 2 for place in starts[1:]), seconds]
    return tuple(
        Segment(
            float(edges[number]), float(edges[number + 1]), labels[path[first]],
            _confidence(scores[first:last, path[first]], silent[first:last]),
        )
        for number, (first, last) in enumerate(zip(starts, [*starts[1:], len(path)], strict=True))
    )  # fmt: skip


def _confidence(scores: npt.NDArray[np.float64], silent: Sequence[bool]) -> float:
    sounding = scores[~np.asarray(silent, dtype=bool)]
    return float((sounding if len(sounding) else scores).mean())


def _path(scores: npt.NDArray[np.float64], shortest: int) -> npt.NDArray[np.int64]:
    """Return the label of each window: the highest sum of scores, less the cost of each change.

    `best[n, k]` is the highest sum for the first n windows, of which the last `shortest` or more have label k. They
    end the segment that the window before was in, or are a new segment: dynamic programming in linear time.
    """
    count, labels = scores.shape
    shortest = min(shortest, count)
    cost = _MARGIN * shortest / 2  # a passage between two others has two changes
    sums = np.concatenate([np.zeros((1, labels)), np.cumsum(scores, axis=0)])
    best = np.full((count + 1, labels), -np.inf)
    begun = np.zeros((count + 1, labels), dtype=np.int64)  # where the segment begins that ends there
    best[shortest] = sums[shortest]
    for end in range(shortest + 1, count + 1):
        first = end - shortest
        fresh = best[first].max() - cost + sums[end] - sums[first]
        longer = best[end - 1] + scores[end - 1]
        best[end] = np.maximum(fresh, longer)
        begun[end] = np.where(fresh > longer, first, begun[end - 1])
    path, end = np.zeros(count, dtype=np.int64), count
    while end > 0:
        label = int(best[end].argmax())
        path[begun[end, label] : end] = label
        end = int(begun[end, label])
    return path
