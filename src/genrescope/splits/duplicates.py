"""Recordings that are there more than once, in whatever shape.

Exact duplicates have the same digest of their sound. Near duplicates share landmarks: an inverted index over the keys
of all tracks' landmarks names the pairs that are worth a look, so that the cost grows nearly linearly with the number
of tracks; the two of each such pair are then laid over each other, and the landmarks that both have are counted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from genrescope.errors import OutputError
from genrescope.files import read_text, write_json
from genrescope.splits.landmarks import BANDS, KEYS_PER_LANDMARK, Ints, Landmarks, align, keys, landmarks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.store.store import Store, StoredTrack

ENTRIES = 1 << 23
"""Keys that are held in memory at once; more are searched in several passes."""
_REPEATS = 4  # occurrences of a key in one track that are used: a loop would repeat it without end
_CROWD = 64  # a key that more places share tells nothing
_DRIFT = 16  # frames: hits whose offsets are as near as that speak for the same alignment, at whatever speed
_ENOUGH_HITS = 8  # copies have tens; of those planted one in a thousand has fewer than eleven
_KEPT_HITS = 256  # of each pair: plenty to find the alignment
_ENOUGH_SHARED, _ENOUGH_OVERLAP, _ENOUGH_SHARE = 12, 1.5, 0.6
"""What makes a near duplicate: landmarks and seconds in common, and their share. Copies share 0.65 and more; different
recordings 0.2 and less, but up to 0.6 where one sequencer plays both: same tempo, same sounds, same pattern."""
FILE_NAME = "duplicates.json"
FORMAT = 1


@dataclass(frozen=True)
class Pair:
    """Two tracks of one recording.

    Attributes:
        first: a track's id.
        second: the other's, after the first in the alphabet.
        kind: `exact`, the same samples whatever the container; or `near`, the same recording re-encoded, louder or
            softer, trimmed, shifted in time, or at a slightly different speed.
        offset: where in the second the first begins, in seconds; negative where it was cut off.
        speed: the second's speed as a multiple of the first's.
        overlap: seconds that both hold.
        share: share of the landmarks of the overlap that both have, in [0, 1].
    """

    first: str
    second: str
    kind: str
    offset: float = 0.0
    speed: float = 1.0
    overlap: float = 0.0
    share: float = 1.0


@dataclass(frozen=True)
class TrackLandmarks:
    """A track as it is compared with others.

    Attributes:
        id: the track's id.
        digest: equal for equal sound.
        marks: its landmarks.
    """

    id: str
    digest: str
    marks: Landmarks


def find(tracks: Sequence[TrackLandmarks], *, frames_per_second: float) -> list[Pair]:
    """Find all exact and near duplicates, sorted by their ids.

    Tracks without any landmark, silent ones above all, are no one's duplicates.
    """
    alike: dict[str, list[TrackLandmarks]] = defaultdict(list)
    for track in sorted(tracks, key=lambda track: track.id):
        if len(track.marks):
            alike[track.digest].append(track)
    groups = list(alike.values())
    pairs = [
        Pair(a.id, b.id, "exact", overlap=_seconds(a, frames_per_second)) for g in groups for a, b in combinations(g, 2)
    ]
    for hits in candidates([group[0].marks for group in groups]):
        first, second = groups[hits.first], groups[hits.second]
        laid = align(first[0].marks, second[0].marks, hits.frames)
        overlap = laid.overlap / frames_per_second
        if laid.shared >= _ENOUGH_SHARED and laid.share >= _ENOUGH_SHARE and overlap >= _ENOUGH_OVERLAP:
            told = {"offset": laid.offset / frames_per_second, "speed": 1 / laid.stretch}
            pairs += [_pair(a.id, b.id, **told, overlap=overlap, share=laid.share) for a in first for b in second]
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def in_store(store: Store, *, on_track: Callable[[int, int], None] = lambda *_: None) -> list[Pair]:
    """Find the duplicates among the tracks of a store, from its log-mels; found once, then read from the store.

    Args:
        store: what to search. Tracks whose log-mels are equal bit for bit count as exact duplicates.
        on_track: called with the tracks done and the tracks in all.
    """
    path = store.path / FILE_NAME
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # absent, damaged or older: search again
        noted = json.loads(read_text(path))
        if noted["format"] == FORMAT and noted["fingerprint"] == store.fingerprint:
            return [Pair(**pair) for pair in noted["pairs"]]
    pairs = find(marked(store, store.tracks, on_track=on_track), frames_per_second=store.spec.frame_rate)
    with contextlib.suppress(OutputError):  # a store on a read-only disk is searched anew each time
        told = [dataclasses.asdict(pair) for pair in pairs]
        write_json(path, {"format": FORMAT, "fingerprint": store.fingerprint, "pairs": told}, shared=True)
    return pairs


def marked(
    store: Store, tracks: Sequence[StoredTrack], *, on_track: Callable[[int, int], None] = lambda *_: None
) -> list[TrackLandmarks]:
    """Return tracks of a store as `find` compares them, from their log-mels.

    Args:
        store: where the log-mels are.
        tracks: whichever of its tracks; their ids are kept.
        on_track: called with the tracks done and the tracks in all.
    """
    found = []
    for number, track in enumerate(tracks, start=1):
        frames = store.frames[track.first_frame : track.first_frame + track.frames]
        digest = hashlib.blake2b(frames.tobytes(), digest_size=16).hexdigest()
        found.append(TrackLandmarks(track.id, digest, landmarks(frames)))
        on_track(number, len(tracks))
    return found


def _pair(first: str, second: str, *, offset: float, speed: float, overlap: float, share: float) -> Pair:
    """Return a near pair in alphabetical order; turned round, the first's time is told in the second's."""
    if first > second:
        first, second, offset, speed = second, first, -offset * speed, 1 / speed
    return Pair(first, second, "near", round(offset, 2), round(speed, 4), round(overlap, 2), round(share, 3))


def _seconds(track: TrackLandmarks, frames_per_second: float) -> float:
    return round(float(track.marks[-1] // BANDS) / frames_per_second, 2)


# -- the inverted index -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hits:
    """Keys that two tracks share.

    Attributes:
        first: position of one track.
        second: position of the other, greater.
        frames: int64 (hits, 2), where each key begins in either.
    """

    first: int
    second: int
    frames: Ints


def candidates(tracks: Sequence[Landmarks], *, entries: int = ENTRIES) -> list[Hits]:
    """Return the pairs of tracks that share several keys at about the same distance in time."""
    starts = np.cumsum([0, *map(len, tracks)])
    frame = np.concatenate([marks // BANDS for marks in tracks]) if tracks else np.zeros(0, np.int32)
    passes = max(1, -(-int(starts[-1]) * KEYS_PER_LANDMARK // entries))
    parts = [_hits(_packed(tracks, starts, number, passes), starts, frame) for number in range(passes)]
    pair, frames = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.lexsort((frames[:, 1], frames[:, 0], pair))  # the same however many passes there were
    pair, frames = pair[order], frames[order]
    edges = np.flatnonzero(np.diff(pair, prepend=-1, append=-1))
    found = []
    for at in np.flatnonzero(np.diff(edges) >= _ENOUGH_HITS):
        begin, end = edges[at], edges[at + 1]
        first, second = divmod(int(pair[begin]), len(starts))
        step = max(1, (end - begin) // _KEPT_HITS)
        hits = Hits(first, second, frames[begin:end:step].astype(np.int64))
        if _agree(hits):
            found.append(hits)
    return found


def _packed(tracks: Sequence[Landmarks], starts: Ints, number: int, passes: int) -> npt.NDArray[np.uint64]:
    """Return the keys of a pass, sorted, each with the number of its landmark in its lower half."""
    parts = []
    for start, marks in zip(starts, tracks, strict=False):
        key, at = keys(marks)
        if passes > 1:
            chosen = key // 2 % passes == number
            key, at = key[chosen], at[chosen]
        parts.append(key.astype(np.uint64) << np.uint64(32) | (at + start).astype(np.uint64))
    packed = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
    packed.sort()
    return packed


def _hits(
    packed: npt.NDArray[np.uint64], starts: Ints, frame: npt.NDArray[np.int32]
) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Return every two places in different tracks that share a key of this pass.

    Returns:
        int64 (hits,), the number of the pair of tracks; int32 (hits, 2), the frames where the key begins in either.
    """
    key, place, track = _telling(packed, starts)
    pairs, frames = [np.zeros(0, np.int64)], [np.zeros((0, 2), np.int32)]
    here = np.arange(len(key))
    for ahead in range(1, _CROWD):
        here = here[here + ahead < len(key)]
        here = here[key[here] == key[here + ahead]]
        if not len(here):
            break
        other = here[track[here] != track[here + ahead]]
        pairs.append(track[other] * len(starts) + track[other + ahead])
        frames.append(np.stack([frame[place[other]], frame[place[other + ahead]]], axis=1))
    return np.concatenate(pairs), np.concatenate(frames)


def _telling(packed: npt.NDArray[np.uint64], starts: Ints) -> tuple[npt.NDArray[np.uint32], Ints, Ints]:
    """Return key, landmark and track of what tells something: not a loop's repetitions, nor what one or all have."""
    key = (packed >> np.uint64(32)).astype(np.uint32)
    place = (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)
    track = np.searchsorted(starts, place, side="right") - 1
    kept = _rank((key[1:] == key[:-1]) & (track[1:] == track[:-1])) < _REPEATS if len(key) else np.zeros(0, bool)
    key, place, track = key[kept], place[kept], track[kept]
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    kept = (counts[inverse] > 1) & (counts[inverse] <= _CROWD)
    return key[kept], place[kept], track[kept]


def _rank(same: npt.NDArray[np.bool_]) -> Ints:
    """Number the members of each run; `same` tells of each but the first whether it is as the one before."""
    begins = np.flatnonzero(np.concatenate([[True], ~same]))
    position = np.arange(len(same) + 1)
    return position - begins[np.searchsorted(begins, position, side="right") - 1]


def _agree(hits: Hits) -> bool:
    """Whether enough hits speak for the same alignment, give or take the drift of another speed."""
    if len(hits.frames) < _ENOUGH_HITS:
        return False
    offsets = np.sort(hits.frames[:, 1] - hits.frames[:, 0])
    return bool((offsets[_ENOUGH_HITS - 1 :] - offsets[: 1 - _ENOUGH_HITS] <= _DRIFT).any())
