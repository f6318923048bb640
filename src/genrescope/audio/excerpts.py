"""Excerpts of one file, decoded without the rest where its format can seek to the sample.

Faults are not reported here: on any doubt the answer is that the whole file must be decoded, which reports them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from genrescope.audio.decoding import decoders_of
from genrescope.audio.reader import UnreadableError
from genrescope.audio.resampling import mono_wave

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.audio.reader import Reader
    from genrescope.audio.resampling import Wave
    from genrescope.audio.source import Source

Spans: TypeAlias = "Sequence[tuple[int, int]]"
"""Where excerpts begin and end, in samples of the wave, in order and apart from each other."""

_TAIL_SECONDS = 0.1  # decoded at the end of a file, to see that it is there


@dataclass(frozen=True)
class Excerpts:
    """Parts of a file's wave.

    Attributes:
        samples: length of the whole wave, by the file's header.
        waves: where each part begins, in samples, and the part: float32 (samples,).
    """

    samples: int
    waves: tuple[tuple[int, Wave], ...]


def excerpts(source: Source, *, rate: int, plan: Callable[[int], Spans | None]) -> Excerpts | None:
    """Decode the parts of a file that a plan asks for.

    They equal the same slices of the whole wave, within 1e-5 where the file is resampled, and within 1e-3 where a lossy
    decoder carries something over from before. Damage that lies in none of them is not noticed, unless checksums of the
    container show it (Ogg), frame headers (mp3), or the end of the file is missing.

    Args:
        source: a path, or the bytes of a file.
        rate: samples per second of the wave.
        plan: called with the length of the whole wave in samples; returns where the parts lie, or None where the whole
            is wanted.

    Returns:
        The parts; None where the whole must be decoded: the plan says so, the format cannot seek to the sample, its
        header states no exact length, or something is wrong with the file.
    """
    opener = next(iter(decoders_of(source, [])), None)
    if opener is None:
        return None
    try:
        with opener(source) as reader:
            length = reader.info.seconds * reader.rate if reader.seeks else math.nan
            if math.isnan(length):
                return None
            samples = math.floor(length * rate / reader.rate + 0.5)  # as soxr rounds
            spans = plan(samples)
            if spans is None or not reader.is_whole():
                return None
            waves = tuple((begin, _wave(reader, begin, end, rate)) for begin, end in spans)
            there = not reader.damaged and _has_end(reader, round(length))
    except UnreadableError:
        return None
    short = any(len(wave) < end - begin for (begin, end), (_, wave) in zip(spans, waves, strict=True))
    return Excerpts(samples, waves) if there and not short else None


def _wave(reader: Reader, begin: int, end: int, rate: int) -> Wave:
    pieces = list(mono_wave(reader, rate=rate, offset=begin / rate, duration=(end - begin) / rate))
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _has_end(reader: Reader, frames: int) -> bool:
    """Whether the last moment of a file can be decoded, where nothing else has shown it."""
    if reader.end_is_known:
        return True
    count = min(frames, round(_TAIL_SECONDS * reader.rate))
    return sum(len(chunk) for chunk in reader.chunks(frames - count, count)) >= count // 2 and not reader.damaged
