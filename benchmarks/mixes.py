"""Mixes of labelled clips: passages of one genre each, joined without a pause, and where the genre changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genrescope import audio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from genrescope.sources.track import Track

LONGEST = 4  # clips in a passage


@dataclass(frozen=True)
class Passage:
    """Clips of one genre, one behind the other.

    Attributes:
        genre: theirs.
        start: where the passage begins in the mix, in seconds.
        end: where it ends.
    """

    genre: str
    start: float
    end: float


def order(tracks: Sequence[Track], *, seed: int) -> list[list[Track]]:
    """Return tracks in passages of one genre of 1 to `LONGEST` clips, of which neighbours differ.

    Every track is there once, but for what is left over of one genre at the end.
    """
    random = np.random.default_rng(seed)
    left: dict[str, list[Track]] = {}
    for place in random.permutation(len(tracks)):
        left.setdefault(tracks[place].genre, []).append(tracks[place])
    passages: list[list[Track]] = []
    while left:
        before = passages[-1][0].genre if passages else ""
        names = [name for name in sorted(left) if name != before]
        if not names:  # one genre is left over
            break
        sizes = np.array([len(left[name]) for name in names])
        name = names[int(random.choice(len(names), p=sizes / sizes.sum()))]
        count = int(random.integers(1, LONGEST + 1))
        passages.append(left[name][:count])
        left[name] = left[name][count:]
        left = {each: tracks for each, tracks in left.items() if tracks}
    return passages


def lasting(tracks: Sequence[Track], seconds: float, *, clip: float = 30.0, seed: int) -> list[list[Track]]:
    """Return passages that last so long in all; tracks are there again, in another order, where they do not suffice."""
    passages: list[list[Track]] = []
    while sum(map(len, passages)) * clip < seconds:
        more = order(tracks, seed=seed)
        passages += more[1:] if passages and passages[-1][0].genre == more[0][0].genre else more
        seed += 1
    kept = 0
    while sum(map(len, passages[:kept])) * clip < seconds:
        kept += 1
    return passages[:kept]


def joined(passages: Sequence[Sequence[Track]], found: list[Passage]) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the clips of a mix as waves, and note the passages in `found`."""
    samples = 0
    for tracks in passages:
        begun = samples
        for track in tracks:
            wave = audio.decode(track.path)
            samples += len(wave)
            yield wave
        found.append(Passage(tracks[0].genre, begun / audio.SAMPLE_RATE, samples / audio.SAMPLE_RATE))


def write(path: Path, passages: Sequence[Sequence[Track]]) -> list[Passage]:
    """Write a mix as a wav file, and return its passages."""
    import soundfile

    found: list[Passage] = []
    with soundfile.SoundFile(path, "w", audio.SAMPLE_RATE, 1, subtype="PCM_16") as file:
        for wave in joined(passages, found):
            file.write(wave)
    return found
