"""From a song to the frames that are scored: decoding and front end, here or in worker processes. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from genrescope import audio, workers
from genrescope.features.frame_file import ChosenFrames, FrameFile
from genrescope.features.front_end import make, parts, stored
from genrescope.features.spec import LogMelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from genrescope.features.front_end import FrontEnd
    from genrescope.features.placement import Choice, WindowSpec
    from genrescope.features.spec import Spec

SongFrames: TypeAlias = FrameFile | ChosenFrames
"""The frames of a song, or those of them that are scored."""

_GAP_SECONDS = 1.0  # between windows: what takes no longer to decode than to seek
_SHARE = 0.8  # of a song: beyond it the whole is decoded


@dataclass(frozen=True)
class Decoded:
    """The frames of a song, and its length in samples at the front end's rate."""

    frames: SongFrames
    samples: int


@dataclass(frozen=True)
class Wanted:
    """What is wanted of songs.

    Attributes:
        spec: the front end.
        windows: where the model looks.
        choice: which of its windows are scored.
    """

    spec: Spec
    windows: WindowSpec
    choice: Choice

    def starts(self, frames: int) -> list[int]:
        """Return the first frame of each window that is scored."""
        return self.choice.starts(self.windows, self.spec, frames)

    def stretches(self, frames: int) -> list[tuple[int, int]]:
        """Return where the frames of these windows begin and end; windows near each other are one stretch."""
        gap = round(_GAP_SECONDS * self.spec.frame_rate)
        found: list[tuple[int, int]] = []
        for start in self.starts(frames):
            end = min(frames, start + self.windows.frames)
            if found and start <= found[-1][1] + gap:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
        return found


def decode_frames(source: audio.Source, wanted: Wanted, front_end: FrontEnd) -> Decoded:
    """Decode a file and compute its frames; where windows are chosen and the format seeks, no more than theirs.

    Raises:
        AudioError: the file cannot be decoded.
    """
    rate, plan = wanted.spec.sample_rate, partial(_spans, wanted)
    found = None if wanted.choice.is_all else audio.excerpts(source, rate=rate, plan=plan)
    if found is None:
        return of_wave(audio.blocks(source, rate=rate), wanted, front_end)
    count = wanted.spec.frames(found.samples)
    pieces = []
    for (first, last), (begin, wave) in zip(wanted.stretches(count), found.waves, strict=True):
        frames = stored([wave], front_end)
        skipped = first - begin // wanted.spec.hop
        pieces.append((first, frames[skipped : skipped + last - first]))
    return Decoded(ChosenFrames(count, tuple(pieces)), found.samples)


def of_wave(pieces: Iterable[audio.Wave], wanted: Wanted, front_end: FrontEnd) -> Decoded:
    """Compute the frames of a waveform that comes in pieces, and keep those that are scored."""
    counted = _Counted(pieces)
    frames = _frame_file(parts(counted, front_end), wanted.spec)
    return Decoded(frames if wanted.choice.is_all else _chosen(frames, wanted), counted.samples)


def frame_workers(wanted: Wanted, jobs: int) -> workers.Pool[audio.Source]:
    """Return workers that decode and compute frames; they need neither torch nor a model, so each starts at once.

    Returns:
        A pool; what its `streams` yield for a file is for `received`.
    """
    return workers.Pool(partial(_frame_worker, wanted), jobs, workers.Guard())


def received(sent: Iterator[Any], wanted: Wanted) -> Decoded:
    """Return what a worker of `frame_workers` sent of a file.

    Raises:
        AudioError: the file cannot be decoded.
        WorkerDied: the decoder crashed, or took too much time or memory.
    """
    if not wanted.choice.is_all:
        (decoded,) = sent
        return decoded  # type: ignore[no-any-return]
    counted = 0

    def frames() -> Iterator[Any]:
        nonlocal counted
        for part in sent:
            if isinstance(part, int):
                counted = part
            else:
                yield part

    return Decoded(_frame_file(frames(), wanted.spec), counted)


def _frame_worker(wanted: Wanted) -> Callable[[audio.Source], Iterator[Any]]:
    return partial(_sent, wanted, make(wanted.spec))


def _sent(wanted: Wanted, front_end: FrontEnd, source: audio.Source) -> Iterator[Any]:
    """Yield the chosen frames at once, or all frames as they are made, and then the number of samples."""
    if not wanted.choice.is_all:
        yield decode_frames(source, wanted, front_end)
        return
    counted = _Counted(audio.blocks(source, rate=wanted.spec.sample_rate))
    yield from parts(counted, front_end)
    yield counted.samples


class _Counted:
    """A waveform in pieces, whose samples are counted as they pass."""

    def __init__(self, pieces: Iterable[audio.Wave]) -> None:
        self.samples, self._pieces = 0, pieces

    def __iter__(self) -> Iterator[audio.Wave]:
        for piece in self._pieces:
            self.samples += len(piece)
            yield piece


def _frame_file(frames: Iterable[Any], spec: Spec) -> FrameFile:
    return FrameFile(frames, width=spec.width, dtype=spec.dtype)


def _chosen(frames: FrameFile, wanted: Wanted) -> ChosenFrames:
    pieces = tuple((first, frames[first:last]) for first, last in wanted.stretches(len(frames)))
    return ChosenFrames(len(frames), pieces)


def _spans(wanted: Wanted, samples: int) -> list[tuple[int, int]] | None:
    """Return which samples the chosen windows are made of; None where that is most of the song.

    Frames at the edges of a piece see the silence around it; so it begins and ends as many frames earlier and later.
    """
    spec = wanted.spec
    beyond = -(-spec.n_fft // (2 * spec.hop)) if isinstance(spec, LogMelSpec) else 0
    spans = [
        (max(0, first - beyond) * spec.hop, min(samples, spec.samples(last + beyond)))
        for first, last in wanted.stretches(spec.frames(samples))
    ]
    decoded = sum(end - begin for begin, end in spans) + len(spans) * _GAP_SECONDS * spec.sample_rate
    return spans if decoded < _SHARE * samples else None
