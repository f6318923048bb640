"""The one door for audio: any file goes in, mono float32 at the model's rate comes out.

libsndfile (through soundfile) decodes wav, au, aiff, flac, ogg, opus and mp3 fast; FFmpeg (through PyAV) takes the
rest: m4a, aac, wma, and the sound of video files. soxr resamples. After this door nobody checks a wave again.
"""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from genrescope.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
Source: TypeAlias = str | os.PathLike[str] | bytes

_BLOCK_SECONDS = 60.0  # a block of 44.1 kHz stereo is 21 MB: an hour of music never stands in memory at once
_MARGIN_SECONDS = 0.1  # sound decoded on both sides of an excerpt, so that the resampler's filter sees no edge
_EDGE_SECONDS = 0.1  # a file may fall this short of its header before it counts as truncated
_DRM_MARKS = (b"drms", b"enca", b"sinf", bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"))


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of its sound, read without decoding it.

    Attributes:
        seconds: length; NaN where the container does not tell.
        sample_rate: samples per second and channel.
        channels: number of channels.
        codec: container and coding in the decoder's words, for example `"WAV PCM_16"` or `"mov,mp4 aac"`.
    """

    seconds: float
    sample_rate: int
    channels: int
    codec: str


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
    for opener in _readers(source, attempts):
        try:
            with opener(source) as reader:
                pieces = list(_mono(reader, rate=rate, offset=offset, duration=duration))
            return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        except _UnreadableError as error:
            attempts.append((opener.decoder, str(error)))
            if error.final:
                break
    raise AudioError(_name(source), attempts)


def blocks(
    source: Source, *, rate: int = SAMPLE_RATE, offset: float = 0.0, duration: float | None = None
) -> Iterator[Wave]:
    """Decode like `decode`, a block at a time, so that memory does not grow with the length of the file.

    Yields:
        float32 arrays of about a minute each; joined they equal what `decode` returns.

    Raises:
        AudioError: as `decode`. Once a block was yielded no second decoder is tried.
    """
    attempts: list[tuple[str, str]] = []
    for opener in _readers(source, attempts):
        begun = False
        try:
            with opener(source) as reader:
                for piece in _mono(reader, rate=rate, offset=offset, duration=duration):
                    begun = True
                    yield piece
            return
        except _UnreadableError as error:
            attempts.append((opener.decoder, str(error)))
            if error.final or begun:
                break
    raise AudioError(_name(source), attempts)


def probe(source: Source) -> AudioInfo:
    """Read length, rate, channels and codec from a file's headers, without decoding.

    Raises:
        AudioError: no decoder knows the file.
    """
    attempts: list[tuple[str, str]] = []
    for opener in _readers(source, attempts):
        try:
            with opener(source) as reader:
                return reader.info
        except _UnreadableError as error:
            attempts.append((opener.decoder, str(error)))
            if error.final:
                break
    raise AudioError(_name(source), attempts)


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
    array = np.asarray(samples)
    try:
        if array.ndim not in (1, 2) or array.size == 0:
            raise _UnreadableError(f"shape {array.shape}; accepted are (samples,) and (samples, channels), not empty")
        if array.ndim == 2 and array.shape[1] > array.shape[0]:
            raise _UnreadableError(f"shape {array.shape} looks like (channels, samples); transpose it")
        if rate <= 0:
            raise _UnreadableError(f"rate {rate}; accepted is a positive number of samples per second")
        if array.dtype.kind in "iu":
            limits = np.iinfo(array.dtype)
            middle = (int(limits.max) + int(limits.min) + 1) // 2  # 0 for signed, 128 for 8 bit unsigned
            array = (array.astype(np.float32) - middle) / (int(limits.max) - middle + 1)
        reader = _Array(np.asarray(array, dtype=np.float32).reshape(len(array), -1), rate)
        return np.concatenate(list(_mono(reader, rate=to_rate, offset=0.0, duration=None)))
    except _UnreadableError as error:
        raise AudioError(name, [("array", str(error))]) from None


# -- from a reader's blocks to the wave -------------------------------------------------------------------------


class _UnreadableError(Exception):
    """One decoder's reason; `final` when no other decoder should be asked."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class _Reader(Protocol):
    """A file that one decoder has opened."""

    rate: int
    info: AudioInfo

    def chunks(self, start: int, count: int | None) -> Iterator[npt.NDArray[np.float32]]:
        """Yield (frames, channels) from frame `start` on, `count` frames or all."""
        ...

    def promised(self) -> int | None:
        """Return the number of frames that the headers state exactly, or None where they do not."""
        ...


def _mono(reader: _Reader, *, rate: int, offset: float, duration: float | None) -> Iterator[Wave]:
    """Yield the excerpt's wave in pieces: mixed to mono, resampled, cut to the sample.

    `down` source frames last exactly as long as `up` samples of the result. Reading begins on a multiple of `down`,
    so the excerpt's samples fall on the same instants as those of the whole file.
    """
    if offset < 0 or (duration is not None and duration <= 0):
        raise _UnreadableError(
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
    for piece in _resampled(reader.chunks(unit * down, count), reader.rate, rate):
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
        raise _UnreadableError(f"empty: {past}", final=True)
    promised = reader.promised() if unit == 0 and count is None else None
    if promised is not None and read / rate < promised / reader.rate - _EDGE_SECONDS:
        raise _UnreadableError(
            f"truncated: the header promises {promised / reader.rate:.2f} s, {read / rate:.2f} s could be read",
            final=True,
        )


def _resampled(chunks: Iterator[npt.NDArray[np.float32]], source: int, target: int) -> Iterator[Wave]:
    import soxr

    stream = None if source == target else soxr.ResampleStream(source, target, 1, dtype="float32", quality="HQ")
    position = 0
    for chunk in chunks:
        mono = _mixed(chunk)
        # A sum is finite unless a sample is not (or a thousand samples near 1e38 overflow): one cheap pass.
        if not np.isfinite(mono.sum()) and not np.isfinite(mono).all():
            at = (position + int(np.argmin(np.isfinite(mono)))) / source
            raise _UnreadableError(f"non-finite samples (NaN or infinity), the first at {at:.3f} s", final=True)
        position += len(mono)
        yield mono if stream is None else stream.resample_chunk(mono)
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _mixed(chunk: npt.NDArray[np.float32]) -> Wave:
    """Average the channels; a product with a vector runs ten times faster than numpy's mean over a short axis."""
    channels = chunk.shape[1]
    if channels == 1:
        return chunk[:, 0]
    if channels == 2:
        return (chunk[:, 0] + chunk[:, 1]) * np.float32(0.5)
    mixed: Wave = chunk @ np.full(channels, 1 / channels, dtype=np.float32)
    return mixed


class _Array:
    """Samples in memory, with a reader's face."""

    def __init__(self, samples: npt.NDArray[np.float32], rate: int) -> None:
        self._samples, self.rate = samples, rate
        self.info = AudioInfo(len(samples) / rate, rate, samples.shape[1], "array")

    def chunks(self, start: int, count: int | None) -> Iterator[npt.NDArray[np.float32]]:
        yield self._samples[start : None if count is None else start + count]

    def promised(self) -> int | None:
        return None


# -- the decoders -----------------------------------------------------------------------------------------------


def _readers(source: Source, attempts: list[tuple[str, str]]) -> Iterator[type[_SoundFile | _FFmpeg]]:
    """Yield the decoders in the order to try them, or none, with the reason in `attempts`."""
    if isinstance(source, bytes):
        problem = None if source else "empty: 0 bytes"
    else:
        path = Path(source)
        if not path.exists():
            problem = "no such file"
        elif path.is_dir():
            problem = "a folder, not a file"
        else:
            problem = None if path.stat().st_size else "empty: the file has 0 bytes"
    if problem is not None:
        attempts.append(("file", problem))
        return
    yield _SoundFile
    yield _FFmpeg


class _SoundFile:
    """A file opened by libsndfile."""

    decoder = "libsndfile"

    def __init__(self, source: Source) -> None:
        import soundfile

        self._error = soundfile.LibsndfileError
        self._source = source
        try:
            self._file = soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else str(source))
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            # A TypeError asks for the rate of headerless sound (a name that ends in .raw).
            raise _UnreadableError(_sndfile_reason(error)) from error
        self.rate: int = self._file.samplerate
        self.info = AudioInfo(
            self._file.frames / self.rate,
            self.rate,
            self._file.channels,
            f"{self._file.format} {self._file.subtype}",
        )

    def __enter__(self) -> _SoundFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def chunks(self, start: int, count: int | None) -> Iterator[npt.NDArray[np.float32]]:
        block = int(_BLOCK_SECONDS * self.rate)
        try:
            if start:
                if start >= self._file.frames:
                    return
                self._file.seek(start)
            left = self._file.frames if count is None else count
            while left > 0:
                chunk = self._file.read(min(block, left), dtype="float32", always_2d=True)
                if not len(chunk):
                    return
                left -= len(chunk)
                yield chunk
        except self._error as error:
            raise _UnreadableError(_sndfile_reason(error)) from error

    def promised(self) -> int | None:
        # libsndfile corrects the length of a cut wav, aiff or au file in silence, but notes it in its log.
        for line in self._file.extra_info.splitlines():
            words = line.replace("(should be", ":").rstrip(")").split(":")
            if len(words) == 3 and words[0].strip() in {"data", "SSND", "Data Size"}:
                stated, held = (int(word) for word in words[1:])
                if stated < 0x7FFF_FFFF and held > 0:  # writers that cannot go back leave all ones: no promise
                    return int(self._file.frames * stated / held)
        if self._file.format == "MP3" and not any(mark in _head(self._source) for mark in (b"Xing", b"Info")):
            return None  # without that header the length of an mp3 is a guess from its first frames
        frames: int = self._file.frames
        return frames


class _FFmpeg:
    """A file opened by FFmpeg's libraries."""

    decoder = "FFmpeg"

    def __init__(self, source: Source) -> None:
        import av

        self._error = av.error.FFmpegError
        try:
            self._container = av.open(
                io.BytesIO(source) if isinstance(source, bytes) else str(source), mode="r", metadata_errors="ignore"
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise _UnreadableError(_ffmpeg_reason(error)) from error
        streams = self._container.streams.audio
        self._format = self._container.format.name
        if not streams:
            self._container.close()
            raise _UnreadableError("no audio stream")
        self._stream = streams[0]
        context: Any = self._stream.codec_context  # None for a codec that FFmpeg does not know
        if self._format.startswith(("mov", "asf")) and any(mark in _ends(source) for mark in _DRM_MARKS):
            self._container.close()
            raise _UnreadableError("encrypted (copy protection); use an unprotected copy", final=True)
        if context is None or not context.sample_rate:
            self._container.close()
            raise _UnreadableError("no decoder for its codec")
        self.rate: int = context.sample_rate
        if self._stream.duration is not None and self._stream.time_base is not None:
            seconds = float(self._stream.duration * self._stream.time_base)
        else:
            seconds = self._container.duration / 1e6 if self._container.duration else math.nan
        self.info = AudioInfo(seconds, self.rate, context.channels, f"{self._format} {context.name}")

    def __enter__(self) -> _FFmpeg:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def chunks(self, start: int, count: int | None) -> Iterator[npt.NDArray[np.float32]]:
        """Gather FFmpeg's small frames into blocks, from `start` to `start + count`."""
        end = math.inf if count is None else start + count
        held: list[npt.NDArray[np.float32]] = []
        size = 0
        for position, samples in self._frames(start):
            piece = samples[max(0, start - position) : max(0, int(min(end - position, len(samples))))]
            if len(piece):
                held.append(piece)
                size += len(piece)
            if size >= _BLOCK_SECONDS * self.rate:
                yield np.concatenate(held)
                held, size = [], 0
            if position + len(samples) >= end:
                break
        if held:
            yield np.concatenate(held)

    def _frames(self, start: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """Yield each decoded frame's first sample and its (samples, channels)."""
        import av

        try:
            if start:
                self._container.seek(max(0, int((start / self.rate - 1.0) * 1e6)))
            planar = av.AudioResampler(format="fltp", rate=self.rate)
            base = self._stream.start_time or 0
            position = 0
            for frame in self._container.decode(self._stream):
                if start and frame.pts is not None and frame.time_base is not None and position == 0:
                    position = round((frame.pts - base) * float(frame.time_base) * self.rate)
                for part in planar.resample(frame):
                    samples = part.to_ndarray().T.astype(np.float32, copy=False)
                    yield position, samples
                    position += len(samples)
        except (self._error, ValueError) as error:
            raise _UnreadableError(_ffmpeg_reason(error)) from error

    def promised(self) -> int | None:
        # Only the mov family states its length exactly; others estimate it from the bit rate.
        if not self._format.startswith("mov") or math.isnan(self.info.seconds):
            return None
        return round(self.info.seconds * self.rate)


def _sndfile_reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or error).strip()
    return text.rstrip(".") or "cannot be decoded (damaged or cut short)"


def _ffmpeg_reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error).rstrip(".")


def _head(source: Source, size: int = 1 << 18) -> bytes:
    if isinstance(source, bytes):
        return source[:size]
    with Path(source).open("rb") as file:
        return file.read(size)


def _ends(source: Source, size: int = 1 << 20) -> bytes:
    """Return the first and the last megabyte: where containers keep their headers."""
    if isinstance(source, bytes):
        return source[:size] + source[-size:]
    with Path(source).open("rb") as file:
        head = file.read(size)
        file.seek(max(0, os.fstat(file.fileno()).st_size - size))
        return head + file.read()


def _name(source: Source) -> str:
    return f"{len(source)} bytes in memory" if isinstance(source, bytes) else str(source)
