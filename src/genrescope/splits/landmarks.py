"""Landmarks: the spectral peaks that a recording keeps when it is re-encoded, cut, or made louder.

A landmark is a point of the log-mel that is the highest in its neighbourhood in time and frequency, and stands out.
Codecs, gain and noise move the levels around it but rarely the point itself. The idea is A. Wang's (An
industrial-strength audio search algorithm, ISMIR 2003); on mel bands instead of FFT bins a change of speed by 1 %
stays within a band.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genrescope.store.store import Frames

Ints: TypeAlias = npt.NDArray[np.int64]
Landmarks: TypeAlias = npt.NDArray[np.int32]
"""Shape (landmarks,), sorted: frame * BANDS + band."""

BANDS = 128
_REACH_FRAMES, _REACH_BANDS = 5, 6  # a landmark is the highest within 0.12 s and 6 bands: about 26 a second of music
_PROMINENCE = 1.0  # above the neighbourhood's mean, in the log-mel's natural logarithm: a flat one has no highest point
_BLOCK = 1 << 13  # frames that are searched at once: the memory for an hour of music is that for three minutes

_FAN = 5  # each landmark is tied to the pairs of the next five ones
_NEAREST, _FARTHEST = 2, 43  # frames to those: 46 ms to 1 s
_SAMPLED = 2  # one key in two is used: which, its own digits decide, so copies agree on it
KEYS_PER_LANDMARK = 5
"""At most so many keys begin at a landmark, on average."""

_SPEEDS = np.arange(-0.0215, 0.0216, 0.0005) + 1  # two copies whose speeds differ by up to 1 % either way
_NEAR = 2.0  # frames: hits whose offsets are as near as that agree


def landmarks(frames: Frames) -> Landmarks:
    """Find the landmarks of a log-mel.

    Args:
        frames: float16 (frames, mels), of at most 128 mels.

    Returns:
        int32 (landmarks,), sorted by frame, then band.
    """
    return landmarks_of([frames])


def landmarks_of(parts: Iterable[Frames]) -> Landmarks:
    """Find the landmarks of a log-mel that comes in parts of any size, in memory that does not grow with it."""
    found = []
    held: Frames = np.zeros((0, 0), np.float16)
    begin, before = 0, 0  # `before`: frames that are held ahead of those to be searched
    for part in itertools.chain(parts, [None]):
        if part is not None:
            held = np.concatenate([held, part]) if held.size else part
        ahead = _REACH_FRAMES if part is not None else 1 - _BLOCK
        while len(held) >= before + _BLOCK + ahead:
            at = np.stack(_peaks(held[: before + _BLOCK + _REACH_FRAMES]))
            at = at[:, (at[0] >= before) & (at[0] < before + _BLOCK)]
            found.append((begin - before + at[0]) * BANDS + at[1])
            begin += _BLOCK
            kept = min(begin, _REACH_FRAMES + 1)
            held, before = held[before + _BLOCK - kept :], kept
    return np.concatenate(found).astype(np.int32) if found else np.zeros(0, np.int32)


def _peaks(frames: Frames) -> tuple[Ints, Ints]:
    """Return frame and band of every point that is the highest around and stands out."""
    import torch
    import torch.nn.functional as F

    time = (2 * _REACH_FRAMES + 1, 1), 1, (_REACH_FRAMES, 0)
    bands = (1, 2 * _REACH_BANDS + 1), 1, (0, _REACH_BANDS)
    levels = torch.from_numpy(np.ascontiguousarray(frames)).float()[None, None]
    highest = F.max_pool2d(F.max_pool2d(levels, *bands), *time)
    mean = F.avg_pool2d(F.avg_pool2d(levels, *bands, count_include_pad=False), *time, count_include_pad=False)
    found = (levels == highest) & (levels > mean + _PROMINENCE)
    found[..., 1:, :] &= ~found[..., :-1, :].clone()  # a steady tone is one event, where it begins
    frame, band = np.nonzero(found[0, 0].numpy())
    return frame, band


def keys(marks: Landmarks) -> tuple[npt.NDArray[np.uint32], Ints]:
    """Return the keys of all triplets of neighbouring landmarks that are used, and the landmark each begins at.

    A key stands for three bands and the two distances in time between them; where in the recording it lies makes no
    difference, so two copies share most of their keys. A triplet is far more telling than the customary pair: few
    different recordings share one by chance, which keeps the search near linear in the number of tracks.

    Returns:
        uint32 (keys,), and int64 (keys,), positions in `marks`.
    """
    frame, band = np.divmod(marks.astype(np.int64), BANDS)
    first = np.searchsorted(frame, frame + _NEAREST)
    found, begins = [], []
    for near in range(_FAN):
        for far in range(near + 1, _FAN):
            at = np.flatnonzero(first + far < len(marks))
            b, c = first[at] + near, first[at] + far
            inside = frame[c] - frame[at] < _FARTHEST
            at, b, c = at[inside], b[inside], c[inside]
            key = (band[at] * BANDS + band[b]) * BANDS + band[c]
            key = (key * 64 + frame[b] - frame[at]) * 64 + frame[c] - frame[at]
            found.append(key)
            begins.append(at)
    # Fibonacci hashing spreads the 33 bits of a key evenly; its upper half is kept.
    hashed = np.concatenate(found).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)
    position = np.concatenate(begins)
    used = hashed % _SAMPLED == 0
    return (hashed[used]).astype(np.uint32), position[used]


# -- alignment --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alignment:
    """How a second track lies over a first one.

    Attributes:
        stretch: how many frames of the second last as long as one of the first.
        offset: the second's frame at which the first begins, or would.
        overlap: frames of the second that both hold.
        shared: landmarks of the first that the second has too.
        share: `shared` of the fewer landmarks that either has in the overlap, in [0, 1]. Of the fewer, because a codec
            takes away treble and a cut takes away ends, but neither adds anything.
    """

    stretch: float
    offset: float
    overlap: int
    shared: int
    share: float


def align(first: Landmarks, second: Landmarks, hits: Ints) -> Alignment:
    """Lay two tracks over each other as most of their shared keys say, and count the landmarks that both have.

    Args:
        first: landmarks of a track.
        second: landmarks of the other.
        hits: (hits, 2), frames in either where a shared key begins.
    """
    stretch, offset = _fitted(hits)
    frame, band = np.divmod(first.astype(np.int64), BANDS)
    picture, other = _widened(second), second // BANDS
    best = Alignment(stretch, offset, 0, 0, 0.0)
    for shift in (0.0, -1.0, 1.0):  # of equally good ones the fitted offset
        placed = np.round(stretch * frame + offset + shift).astype(np.int64)
        inside = (placed >= 0) & (placed < len(picture))
        here = placed[inside]
        shared = int(picture[here, band[inside]].sum())
        if shared > best.shared:
            low, high = int(here[0]), int(here[-1])
            fewer = max(1, min(len(here), int(((other >= low) & (other <= high)).sum())))
            best = Alignment(stretch, offset + shift, high - low, shared, min(1.0, shared / fewer))
    return best


def _fitted(hits: Ints) -> tuple[float, float]:
    """Return the stretch and the offset that most hits agree on; of equals, the ones that change least."""
    offsets = np.sort(hits[:, 1] - _SPEEDS[:, None] * hits[:, 0], axis=1)
    votes, at = np.empty(len(_SPEEDS)), np.empty(len(_SPEEDS))
    for number, row in enumerate(offsets):
        agreeing = np.searchsorted(row, row + _NEAR, side="right") - np.arange(len(row))
        top = int(agreeing.argmax())
        votes[number], at[number] = agreeing[top], row[top : top + agreeing[top]].mean()
    best = int((votes - np.abs(_SPEEDS - 1)).argmax())
    return float(_SPEEDS[best]), float(at[best])


def _widened(marks: Landmarks) -> npt.NDArray[np.bool_]:
    """Return a picture of the landmarks, (frames, bands), each widened by a frame and a band either way."""
    frame, band = np.divmod(marks, BANDS)
    picture = np.zeros((int(frame[-1]) + 3, BANDS + 2), dtype=bool)
    for later in range(3):
        for higher in range(3):
            picture[frame + later, band + higher] = True
    return picture[1:, 1:-1]
