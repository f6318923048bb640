"""Decode: any file goes in, mono float32 at the model's rate comes out. No later step checks a waveform again.

The content decides which decoder is asked first: libsndfile where it is faster or more exact and reads everything
(chunks of samples, a single Ogg Vorbis stream, an mp3 whose header is true); FFmpeg for all else.
When both fail, one error has both reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from genrescope.audio import mpeg, ogg
from genrescope.audio.chunks import sound_chunk
from genrescope.audio.ffmpeg_reader import FFmpegReader
from genrescope.audio.reader import CHANNELS, ArrayReader, UnreadableError
from genrescope.audio.resampling import mono_wave
from genrescope.audio.soundfile_reader import SoundFileReader
from genrescope.audio.source import NOT_FOUND, name_of, opened, problem_with, to_source
from genrescope.errors import AudioError, AudioNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from genrescope.audio.reader import AudioInfo, Reader, Samples
    from genrescope.audio.resampling import Wave
    from genrescope.audio.source import File, Source

_T = TypeVar("_T")

SAMPLE_RATE = 22_050
"""Samples per second of every wave inside genrescope."""

_FILE_FAULT = "file"  # found before any decoder was asked


def decode(source: File, *, rate: int = SAMPLE_RATE, offset: float = 0.0, duration: float | None = None) -> Wave:
    """Decode a file, or an excerpt of it, to one mono wave.

    Channels are averaged, then resampled with soxr's high quality. An excerpt is cut on exact sample positions and
    equals the same slice of the whole; where the format can seek, the rest of the file is not read.

    Args:
        source: path of an audio or video file, its bytes, or an open binary file.
        rate: samples per second of the result.
        offset: where the excerpt begins, in seconds from the start.
        duration: its length in seconds, or None for all that follows; an excerpt that runs past the end is shorter.

    Returns:
        float32 of shape (samples,), in [-1, 1] but for the overshoot of lossy codecs.

    Raises:
        AudioError: the file is missing, empty, truncated, encrypted, holds non-finite samples or no audio. It
            names each decoder tried and its reason.
        AudioNotFoundError: it does not exist.
        TypeError: it is neither a path nor a file.
    """
    return _by_first_able(
        to_source(source), lambda reader: _joined(list(mono_wave(reader, rate=rate, offset=offset, duration=duration)))
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
    for opener in decoders_of(source, attempts):
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


def probe(source: File) -> AudioInfo:
    """Read length, rate, channels and codec from a file's headers, without decoding.

    Args:
        source: path of an audio or video file, its bytes, or an open binary file.

    Raises:
        AudioError: no decoder knows the file.
        AudioNotFoundError: it does not exist.
    """
    return _by_first_able(to_source(source), lambda reader: reader.info)


def from_array(samples: npt.ArrayLike, *, rate: int, to_rate: int = SAMPLE_RATE, name: str = "array") -> Wave:
    """Take samples that are decoded already through the same door.

    Args:
        samples: of shape (samples,) or, as librosa and torchaudio have it, (channels, samples). Floats in [-1, 1], or
            integers of 8, 16 or 32 bits, which are scaled by the full scale of their type.
        rate: their samples per second. There is no default: a wrong rate gives a confident wrong answer.
        to_rate: samples per second of the result.
        name: what an error calls the array.

    Returns:
        float32 of shape (samples,).

    Raises:
        AudioError: the array is empty, of another type or shape, or holds non-finite samples. A shape that may mean
            (samples, channels) is refused, too.

    Example:
        >>> import numpy as np
        >>> from_array(np.zeros((2, 44100)), rate=44100).shape
        (22050,)
    """
    try:
        array = np.asarray(samples)
        _refuse_shape(array.shape)
        reader = ArrayReader(np.atleast_2d(scaled(array)).T, rate)
        return np.concatenate(list(mono_wave(reader, rate=to_rate, offset=0.0, duration=None)))
    except UnreadableError as error:
        raise AudioError(name, [("array", str(error))]) from None


def _refuse_shape(shape: tuple[int, ...]) -> None:
    """Refuse what is neither (samples,) nor (channels, samples), and what may be either way round."""
    if len(shape) not in (1, 2) or 0 in shape:
        raise UnreadableError(f"shape {shape}; accepted are (samples,) and (channels, samples), not empty")
    if len(shape) == 1 or shape[0] == 1 or shape[0] <= CHANNELS < shape[1]:
        return
    if shape[1] <= CHANNELS < shape[0]:
        raise UnreadableError(f"shape {shape} looks like (samples, channels); give (channels, samples): samples.T")
    raise UnreadableError(
        f"shape {shape} is ambiguous; accepted are (samples,), and (channels, samples) of at most {CHANNELS} channels "
        "and more samples than that. Average the channels first"
    )


def scaled(array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return samples as float32; integers are scaled to [-1, 1] by the full scale of their type.

    Raises:
        UnreadableError: they are of another type.
    """
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype.kind not in "iu" or array.dtype.itemsize > 4:  # 64 bits: their full scale is nobody's
        raise UnreadableError(
            f"values of type {array.dtype}; accepted are floats in [-1, 1], and integers of 8, 16 or 32 bits"
        )
    limits = np.iinfo(array.dtype)
    middle = (int(limits.max) + int(limits.min) + 1) // 2  # 0 for signed, 128 for 8 bit unsigned
    return (array.astype(np.float32) - np.float32(middle)) / np.float32(int(limits.max) - middle + 1)


# -- the decoders, one after the other ---------------------------------------------------------------------------


def _by_first_able(source: Source, use: Callable[[Reader], _T]) -> _T:
    """Return what `use` makes of the file with the first decoder that can read it."""
    attempts: list[tuple[str, str]] = []
    fault = _FILE_FAULT
    for opener in decoders_of(source, attempts):
        try:
            with opener(source) as reader:
                return use(reader)
        except UnreadableError as error:
            attempts.append((opener.decoder, str(error)))
            fault = error.fault
            if error.final:
                break
    raise _failed(source, attempts, fault)


def decoders_of(source: Source, attempts: list[tuple[str, str]]) -> Iterator[type[SoundFileReader | FFmpegReader]]:
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
        if attempts[0][1] == NOT_FOUND:
            return AudioNotFoundError(name_of(source), attempts)
        fault = "empty" if attempts[0][1].startswith("empty") else "unreadable"
    return AudioError(name_of(source), attempts, fault)


def _joined(pieces: list[Wave]) -> Wave:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
