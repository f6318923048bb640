"""The one door for audio: any file goes in, mono float32 at the model's rate comes out.

libsndfile (through soundfile) decodes wav, au, aiff, flac, ogg, opus and mp3 fast; FFmpeg (through PyAV) takes the
rest: m4a, aac, wma, and the sound of video files. soxr resamples. After this door nobody checks a wave again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from genrescope.audio.decoders import (
    ArrayReader,
    AudioInfo,
    Reader,
    Samples,
    Source,
    UnreadableError,
    decoders,
    mixed,
    name_of,
)
from genrescope.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = [
    "SAMPLE_RATE",
    "SUFFIXES",
    "AudioInfo",
    "Samples",
    "Source",
    "Wave",
    "blocks",
    "decode",
    "files_in",
    "from_array",
    "probe",
]

SAMPLE_RATE = 22_050
"""Samples per second of every wave inside genrescope."""

SUFFIXES = frozenset(
    f".{ending}"
    for group in (
        ("wav", "wave", "au", "snd", "aif", "aiff", "aifc", "caf", "w64", "flac", "ogg", "oga", "opus", "mp3", "mp2"),
        ("m4a", "m4b", "mp4", "aac", "wma", "asf", "wv", "ape", "ac3", "amr", "3gp", "mka"),
        ("mkv", "webm", "mov", "avi"),  # their sound
    )
    for ending in group
)
"""File name endings that are taken for audio when a folder is walked."""

Wave: TypeAlias = npt.NDArray[np.float32]
_MARGIN_SECONDS = 0.1  # sound decoded on both sides of an excerpt, so that the resampler's filter sees no edge
_FILE_FAULT = "file"  # found before any decoder was asked
_EDGE_SECONDS = 0.1  # a file may fall this short of its header before it counts as truncated


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
    attempts: list[tuple[str, str]] = []
    fault = _FILE_FAULT
    for opener in decoders(source, attempts):
        try:
            with opener(source) as reader:
                pieces = list(_mono(reader, rate=rate, offset=offset, duration=duration))
            return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        except UnreadableError as error:
            attempts.append((opener.decoder, str(error)))
            fault = error.fault
            if error.final:
                break
    raise _failed(source, attempts, fault)


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
        source: as `decode`.
        rate: as `decode`.
        offset: as `decode`.
        duration: as `decode`.
        observe: called with what the file says of itself and with each block as it was decoded, (frames, channels) at
            the file's own rate, before it is mixed and resampled.

    Yields:
        float32 arrays of about a minute each; joined they equal what `decode` returns.

    Raises:
        AudioError: as `decode`. Once a block was yielded no second decoder is tried.
    """
    attempts: list[tuple[str, str]] = []
    fault = _FILE_FAULT
    for opener in decoders(source, attempts):
        begun = False
        try:
            with opener(source) as reader:
                for piece in _mono(reader, rate=rate, offset=offset, duration=duration, observe=observe):
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
    attempts: list[tuple[str, str]] = []
    fault = _FILE_FAULT
    for opener in decoders(source, attempts):
        try:
            with opener(source) as reader:
                return reader.info
        except UnreadableError as error:
            attempts.append((opener.decoder, str(error)))
            fault = error.fault
            if error.final:
                break
    raise _failed(source, attempts, fault)


def files_in(folder: Path) -> list[Path]:
    """List the audio files in a folder and below it by their endings, sorted; hidden files are left out."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    ]


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
        if rate <= 0:
            raise UnreadableError(f"rate {rate}; accepted is a positive number of samples per second")
        if array.dtype.kind in "iu":
            limits = np.iinfo(array.dtype)
            middle = (int(limits.max) + int(limits.min) + 1) // 2  # 0 for signed, 128 for 8 bit unsigned
            array = (array.astype(np.float32) - middle) / (int(limits.max) - middle + 1)
        reader = ArrayReader(np.asarray(array, dtype=np.float32).reshape(len(array), -1), rate)
        return np.concatenate(list(_mono(reader, rate=to_rate, offset=0.0, duration=None)))
    except UnreadableError as error:
        raise AudioError(name, [("array", str(error))]) from None


# -- from a reader's blocks to the wave -------------------------------------------------------------------------


def _failed(source: Source, attempts: list[tuple[str, str]], fault: str) -> AudioError:
    if fault == _FILE_FAULT:  # no decoder was asked
        fault = "empty" if attempts[0][1].startswith("empty") else "unreadable"
    return AudioError(name_of(source), attempts, fault)


def _mono(
    reader: Reader,
    *,
    rate: int,
    offset: float,
    duration: float | None,
    observe: Callable[[AudioInfo, Samples], None] | None = None,
) -> Iterator[Wave]:
    """Yield the excerpt's wave in pieces: mixed to mono, resampled, cut to the sample.

    `down` source frames last exactly as long as `up` samples of the result. Reading begins on a multiple of `down`,
    so the excerpt's samples fall on the same instants as those of the whole file.
    """
    if offset < 0 or (duration is not None and duration <= 0):
        raise UnreadableError(
            f"offset {offset} s, duration {duration} s; accepted are 0 or more, and more than 0", final=True
        )
    divisor = math.gcd(reader.rate, rate)
    up, down = rate // divisor, reader.rate // divisor
    first = round(offset * rate)
    wanted = None if duration is None else max(1, round(duration * rate))
    margin = 0 if up == down else math.ceil(_MARGIN_SECONDS * divisor)
    unit = max(0, first // up - margin)
    count = None if wanted is None else math.ceil((first + wanted) / up + margin) * down - unit * down

    read, given, skip = 0, 0, first - unit * up
    chunks = _until_damage(reader.chunks(unit * down, count), reader.rate)
    for piece in _resampled(chunks if observe is None else _observed(chunks, reader.info, observe), reader.rate, rate):
        read += len(piece)
        cut = piece[skip:] if skip else piece
        skip = max(0, skip - len(piece))
        if wanted is not None:
            cut = cut[: wanted - given]
        given += len(cut)
        if len(cut):
            yield cut
    if given == 0:
        past = f"nothing at {offset:g} s" if offset and read == 0 else "no samples"
        raise UnreadableError(f"empty: {past}", final=True, fault="empty")
    promised = reader.promised() if unit == 0 and count is None else None
    if promised is not None and read / rate < promised / reader.rate - _EDGE_SECONDS:
        raise UnreadableError(
            f"truncated: the header promises {promised / reader.rate:.2f} s, {read / rate:.2f} s could be read",
            final=True,
            fault="truncated",
        )


def _until_damage(chunks: Iterator[Samples], rate: int) -> Iterator[Samples]:
    """Yield the chunks; when a decoder gives up in the middle, say where."""
    read = 0
    try:
        for chunk in chunks:
            read += len(chunk)
            yield chunk
    except UnreadableError as error:
        if not read:
            raise
        told = f"damaged or cut short after {read / rate:.2f} s: {error}"
        raise UnreadableError(told, final=error.final, fault="truncated") from error


def _observed(
    chunks: Iterator[Samples], info: AudioInfo, observe: Callable[[AudioInfo, Samples], None]
) -> Iterator[Samples]:
    for chunk in chunks:
        observe(info, chunk)
        yield chunk


def _resampled(chunks: Iterator[npt.NDArray[np.float32]], source: int, target: int) -> Iterator[Wave]:
    import soxr

    stream = None if source == target else soxr.ResampleStream(source, target, 1, dtype="float32", quality="HQ")
    position = 0
    for chunk in chunks:
        mono = mixed(chunk)
        # A sum is finite unless a sample is not (or a thousand samples near 1e38 overflow): one cheap pass.
        if not np.isfinite(mono.sum()) and not np.isfinite(mono).all():
            at = (position + int(np.argmin(np.isfinite(mono)))) / source
            told = f"non-finite samples (NaN or infinity), the first at {at:.3f} s"
            raise UnreadableError(told, final=True, fault="non-finite")
        position += len(mono)
        yield mono if stream is None else stream.resample_chunk(mono)
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
