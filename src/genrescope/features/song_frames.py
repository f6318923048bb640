"""From a song to the frames that are scored: decoding and front end, here or in worker processes. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from genrescope import audio, workers
from genrescope.errors import AudioError
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


def decode_frames(source: audio.Source, wanted: Wanted, front_end: FrontEnd, *, longest: float = math.inf) -> Decoded:
    """Decode a file and compute its frames; where windows are chosen and the format seeks, no more than theirs.

    Args:
        source: the file.
        wanted: which frames.
        front_end: what makes them.
        longest: seconds of sound that it may have.

    Raises:
        AudioError: the file cannot be decoded, or is longer.
    """
    rate, plan = wanted.spec.sample_rate, partial(_spans, wanted)
    found = None if wanted.choice.is_all else audio.excerpts(source, rate=rate, plan=plan)
    if found is None:
        return of_wave(_limited(audio.blocks(source, rate=rate), source, wanted.spec, longest), wanted, front_end)
    if found.samples > longest * rate:
        raise _too_long(source, longest)
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


@dataclass(frozen=True)
class Order:
    """A file for a worker of `order_workers`, of which frames are wanted; what it sends is for `received`.

    Attributes:
        source: the file.
        wanted: which of its frames.
        longest: seconds of sound that it may have.
    """

    source: audio.Source
    wanted: Wanted
    longest: float

    def sent(self, front_end: FrontEnd) -> Iterator[Any]:
        """Yield what a worker sends."""
        return _sent(self.wanted, front_end, self.source, self.longest)


@dataclass(frozen=True)
class Cut:
    """A file for a worker of `order_workers`, of which a part of the waveform is wanted; it is all that it sends.

    Attributes:
        source: the file.
        offset: where the part begins, in seconds.
        duration: its length in seconds.
    """

    source: audio.Source
    offset: float
    duration: float

    def sent(self, front_end: FrontEnd) -> Iterator[Any]:
        """Yield what a worker sends."""
        rate = front_end.spec.sample_rate
        yield audio.decode(self.source, rate=rate, offset=self.offset, duration=self.duration)


def order_workers(spec: Spec, jobs: int, guard: workers.Guard) -> workers.Pool[Order | Cut]:
    """Return workers as those of `frame_workers`, where every file comes with what is wanted of it."""
    return workers.Pool(partial(_order_worker, spec), jobs, guard)


def received(sent: Iterator[Any], wanted: Wanted, *, observe: Callable[[int], None] = lambda _: None) -> Decoded:
    """Return what a worker of `frame_workers` sent of a file.

    Args:
        sent: what it sent.
        wanted: which frames it was asked for.
        observe: called with the number of frames that came, after each part. What it raises ends the work.

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
        came = 0
        for part in sent:
            if isinstance(part, int):
                counted = part
                continue
            came += len(part)
            observe(came)
            yield part

    return Decoded(_frame_file(frames(), wanted.spec), counted)


def _frame_worker(wanted: Wanted) -> Callable[[audio.Source], Iterator[Any]]:
    return partial(_sent, wanted, make(wanted.spec))


def _order_worker(spec: Spec) -> Callable[[Order | Cut], Iterator[Any]]:
    front_end = make(spec)
    return lambda order: order.sent(front_end)


def _sent(wanted: Wanted, front_end: FrontEnd, source: audio.Source, longest: float = math.inf) -> Iterator[Any]:
    """Yield the chosen frames at once, or all frames as they are made, and then the number of samples."""
    if not wanted.choice.is_all:
        yield decode_frames(source, wanted, front_end, longest=longest)
        return
    counted = _Counted(_limited(audio.blocks(source, rate=wanted.spec.sample_rate), source, wanted.spec, longest))
    yield from parts(counted, front_end)
    yield counted.samples


def _limited(pieces: Iterable[audio.Wave], source: audio.Source, spec: Spec, longest: float) -> Iterator[audio.Wave]:
    """Yield a waveform in pieces, and refuse the rest once it is longer than so many seconds."""
    samples = 0
    for piece in pieces:
        samples += len(piece)
        if samples > longest * spec.sample_rate:
            raise _too_long(source, longest)
        yield piece


def _too_long(source: audio.Source, longest: float) -> AudioError:
    told = f"longer than {longest:,.0f} s of sound, the most that is accepted; give a part of it"
    return AudioError(audio.name_of(source), [("file", told)])


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
