"""Decode: any file goes in, mono float32 at the model's rate comes out. After this door nobody checks a wave again.

The content decides which decoder is asked first: libsndfile where it is faster or more exact and hears all there is,
which is in chunks of samples, in a single Ogg Vorbis stream, and in an mp3 whose header is true; FFmpeg for all else.
When both fail, one error has both reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from genrescope.audio import mpeg, ogg
from genrescope.audio.chunks import sound_chunk
from genrescope.audio.ffmpeg_reader import FFmpegReader
from genrescope.audio.reader import ArrayReader, UnreadableError
from genrescope.audio.resampling import mono_wave
from genrescope.audio.soundfile_reader import SoundFileReader
from genrescope.audio.source import name_of, opened, problem_with
from genrescope.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from genrescope.audio.reader import AudioInfo, Reader, Samples
    from genrescope.audio.resampling import Wave
    from genrescope.audio.source import Source

_T = TypeVar("_T")

SAMPLE_RATE = 22_050
"""Samples per second of every wave inside genrescope."""

_FILE_FAULT = "file"  # found before any decoder was asked


def decode(source: Source, *, rate: int = SAMPLE_RATE, offset: float = 0.0, duration: float | None = None) -> Wave:
    """Decode a file, or an excerpt of it, to one mono wave.

    Channels are averaged, then resampled with soxr's high quality. An excerpt is cut on exact sample positions and
    equals the same slice of the whole; where the format can seek, the rest of the file is not read.

    Args:
        source: path of an audio or video file, or the bytes of one.
        rate: samples per second of the result.
        offset: where the excerpt begins, in seconds from the start.
        duration: its length in seconds, or None for all that follows; an excerpt that runs past the end is shorter.

    Returns:
        float32 of shape (samples,), in [-1, 1] but for the overshoot of lossy codecs.

    Raises:
        AudioError: the file is missing, empty, truncated, encrypted, holds non-finite samples or no audio. It
            names each decoder tried and its reason.
    """
    return _by_first_able(
        source, lambda reader: _joined(list(mono_wave(reader, rate=rate, offset=offset, duration=duration)))
    )


def blocks(
    source: Source,
    *,
    rate: int = SAMPLE_RATE,
    offset: float = 0.0,
    duration: float | None = None,
    observe: Callable[[AudioInfo, Samples], None] | None = None,
) -> Iterator[Wave]:
    """Decode like `decode`, a block at a time, so that memory does not grow with the length of the file.

    Args:
        observe: called with what the file says of itself and with each block as it was decoded, (frames, channels) at
            the file's own rate, before it is mixed and resampled.

    Yields:
        float32 arrays of about a minute each; joined they equal what `decode` returns.

    Raises:
        AudioError: as `decode`. Once a block was yielded no second decoder is tried.
    """
    attempts: list[tuple[str, str]] = []
    fault = _FILE_FAULT
    for opener in _decoders(source, attempts):
        begun = False
        try:
            with opener(source) as reader:
                for piece in mono_wave(reader, rate=rate, offset=offset, duration=duration, observe=observe):
                    begun = True
                    yield piece
            return
        except UnreadableError as error:
            attempts.append((opener.decoder, str(error)))
            fault = error.fault
            if error.final or begun:
                break
    raise _failed(source, attempts, fault)


def probe(source: Source) -> AudioInfo:
    """Read length, rate, channels and codec from a file's headers, without decoding.

    Raises:
        AudioError: no decoder knows the file.
    """
    return _by_first_able(source, lambda reader: reader.info)


def from_array(samples: npt.ArrayLike, *, rate: int, to_rate: int = SAMPLE_RATE, name: str = "array") -> Wave:
    """Take samples that are decoded already through the same door.

    Args:
        samples: float of shape (samples,) or (samples, channels) in [-1, 1], or integers of full scale.
        rate: their samples per second. There is no default: a wrong rate gives a confident wrong answer.
        to_rate: samples per second of the result.
        name: what an error calls the array.

    Returns:
        float32 of shape (samples,).

    Raises:
        AudioError: the array is empty, has a wrong shape, or holds non-finite samples.

    Example:
        >>> import numpy as np
        >>> from_array(np.zeros((44100, 2)), rate=44100).shape
        (22050,)
    """
    try:
        array = np.asarray(samples)
        if array.dtype.kind not in "iuf":
            raise UnreadableError(f"values of type {array.dtype}; accepted are floats and integers")
        if array.ndim not in (1, 2) or array.size == 0:
            raise UnreadableError(f"shape {array.shape}; accepted are (samples,) and (samples, channels), not empty")
        if array.ndim == 2 and array.shape[1] > array.shape[0]:
            raise UnreadableError(f"shape {array.shape} looks like (channels, samples); transpose it")
        if array.dtype.kind in "iu":
            limits = np.iinfo(array.dtype)
            middle = (int(limits.max) + int(limits.min) + 1) // 2  # 0 for signed, 128 for 8 bit unsigned
            array = (array.astype(np.float32) - middle) / (int(limits.max) - middle + 1)
        reader = ArrayReader(np.asarray(array, dtype=np.float32).reshape(len(array), -1), rate)
        return np.concatenate(list(mono_wave(reader, rate=to_rate, offset=0.0, duration=None)))
    except UnreadableError as error:
        raise AudioError(name, [("array", str(error))]) from None


# -- the decoders, one after the other ---------------------------------------------------------------------------


def _by_first_able(source: Source, use: Callable[[Reader], _T]) -> _T:
    """Return what `use` makes of the file with the first decoder that can read it."""
    attempts: list[tuple[str, str]] = []
    fault = _FILE_FAULT
    for opener in _decoders(source, attempts):
        try:
            with opener(source) as reader:
                return use(reader)
        except UnreadableError as error:
            attempts.append((opener.decoder, str(error)))
            fault = error.fault
            if error.final:
                break
    raise _failed(source, attempts, fault)


def _decoders(source: Source, attempts: list[tuple[str, str]]) -> Iterator[type[SoundFileReader | FFmpegReader]]:
    """Yield the decoders in the order to try them, or none, with the reason in `attempts`."""
    problem = problem_with(source)
    if problem is not None:
        attempts.append(("file", problem))
        return
    with opened(source) as file:
        known = sound_chunk(file) is not None or ogg.is_plain_vorbis(file) or mpeg.is_as_claimed(file)
    yield from (SoundFileReader, FFmpegReader) if known else (FFmpegReader, SoundFileReader)


def _failed(source: Source, attempts: list[tuple[str, str]], fault: str) -> AudioError:
    if fault == _FILE_FAULT:  # no decoder was asked
        fault = "empty" if attempts[0][1].startswith("empty") else "unreadable"
    return AudioError(name_of(source), attempts, fault)


def _joined(pieces: list[Wave]) -> Wave:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
