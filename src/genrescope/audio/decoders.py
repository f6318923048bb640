"""The decoders behind `audio`: libsndfile first, FFmpeg second, each with the same face.

What each gets wrong is put right here, so that a block, an excerpt and a whole file are the same sound.
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

if TYPE_CHECKING:
    from collections.abc import Iterator

Source: TypeAlias = str | os.PathLike[str] | bytes
Samples: TypeAlias = npt.NDArray[np.float32]

BLOCK_SECONDS = 60.0
"""Length of a block: of 44.1 kHz stereo it is 21 MB, so an hour of music never stands in memory at once."""

_NO_LENGTH = 0x7FFF_F000  # writers that cannot go back leave this or all ones in the header for the length
_MP3_LEAD = 16 * 1152  # frames decoded before an excerpt of an mp3: its bit reservoir reaches back up to nine packets
_OGG_TAIL_SECONDS = 10.0  # libsndfile's seek goes astray in the last page of an Ogg file
_ASF_ENCRYPTION = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")  # ASF's Content Encryption Object


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


class UnreadableError(Exception):
    """One decoder's reason; `final` when no other decoder should be asked; `fault` as `AudioError` has it."""

    def __init__(self, reason: str, *, final: bool = False, fault: str = "unreadable") -> None:
        super().__init__(reason)
        self.final = final
        self.fault = fault


class Reader(Protocol):
    """A file that one decoder has opened."""

    rate: int
    info: AudioInfo

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Yield (frames, channels) from frame `start` on, `count` frames or all."""
        ...

    def promised(self) -> int | None:
        """Return the number of frames that the headers state exactly, or None where they do not."""
        ...


def decoders(source: Source, attempts: list[tuple[str, str]]) -> Iterator[type[SoundFileReader | FFmpegReader]]:
    """Yield the decoders in the order to try them, or none, with the reason in `attempts`."""
    problem = _problem(source)
    if problem is not None:
        attempts.append(("file", problem))
        return
    yield SoundFileReader
    yield FFmpegReader


def name_of(source: Source) -> str:
    """Return what an error calls the source."""
    return f"{len(source)} bytes in memory" if isinstance(source, bytes) else str(source)


def mixed(chunk: Samples) -> Samples:
    """Average the channels; a product with a vector runs ten times faster than numpy's mean over a short axis."""
    channels = chunk.shape[1]
    if channels == 1:
        return chunk[:, 0]
    if channels == 2:
        return (chunk[:, 0] + chunk[:, 1]) * np.float32(0.5)
    average: Samples = chunk @ np.full(channels, 1 / channels, dtype=np.float32)
    return average


class ArrayReader:
    """Samples in memory, with a reader's face."""

    def __init__(self, samples: Samples, rate: int) -> None:
        self._samples, self.rate = samples, rate
        self.info = AudioInfo(len(samples) / rate, rate, samples.shape[1], "array")

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Yield the samples."""
        yield self._samples[start : None if count is None else start + count]

    def promised(self) -> int | None:
        """Promise nothing."""
        return None


class SoundFileReader:
    """A file opened by libsndfile."""

    decoder = "libsndfile"

    def __init__(self, source: Source) -> None:
        import soundfile

        class Forward(soundfile.SoundFile):  # type: ignore[misc]
            """Read straight on: soundfile seeks after each read of a seekable file, which garbles an mp3."""

            def seekable(self) -> bool:
                return False

        self._error = soundfile.LibsndfileError
        self._source = source
        try:
            self._file = Forward(_openable(source))
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            # A TypeError asks for the rate of headerless sound (a name that ends in .raw).
            raise UnreadableError(_sndfile_reason(error)) from error
        self._format: str = self._file.format
        if self._format == "MP3" and not _has_length(source):
            self._file.close()
            raise UnreadableError("an mp3 without a Xing header does not tell its length")
        self.rate: int = self._file.samplerate
        frames: int = self._file.frames
        seconds = frames / self.rate if frames < 1 << 48 else math.nan  # a streamed flac says the largest number
        self.info = AudioInfo(seconds, self.rate, self._file.channels, f"{self._format} {self._file.subtype}")

    def __enter__(self) -> SoundFileReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Yield blocks of (frames, channels)."""
        block = int(BLOCK_SECONDS * self.rate)
        if start and start >= self._file.frames:
            return
        begin = self._entry(start)
        drop, left = start - begin, self._file.frames - start if count is None else count
        try:
            if begin:
                self._file.seek(begin)
            while left > 0:
                chunk = self._file.read(min(block, drop + left), dtype="float32", always_2d=True)
                if not len(chunk):
                    return
                kept = chunk[drop:]
                drop = max(0, drop - len(chunk))
                left -= len(kept)
                if len(kept):
                    yield kept
        except self._error as error:
            raise UnreadableError(_sndfile_reason(error)) from error

    def _entry(self, start: int) -> int:
        """Return where decoding must begin so that the frames from `start` on are right."""
        if self._format == "MP3":
            return max(0, start - _MP3_LEAD)
        if self._format == "OGG":
            frames: int = self._file.frames
            return max(0, min(start, frames - int(_OGG_TAIL_SECONDS * self.rate)))
        return start

    def promised(self) -> int | None:
        """Return the number of frames that the header states."""
        # libsndfile corrects the length of a cut wav, aiff or au file in silence, but notes it in its log.
        frames: int = self._file.frames
        for line in self._file.extra_info.splitlines():
            words = line.replace("(should be", ":").rstrip(")").split(":")
            if len(words) == 3 and words[0].strip() in {"data", "SSND", "Data Size"}:
                stated, held = (int(word) for word in words[1:])
                if held > 0 and stated < _NO_LENGTH:
                    return frames * stated // held
        return frames if frames < 1 << 48 else None


class FFmpegReader:
    """A file opened by FFmpeg's libraries."""

    decoder = "FFmpeg"

    def __init__(self, source: Source) -> None:
        import av

        self._error = av.error.FFmpegError
        # "file:" keeps a colon in a name from being taken for a protocol.
        opened = _openable(source)
        opened = f"file:{opened}" if isinstance(opened, str) else opened
        try:
            self._container = av.open(opened, mode="r", metadata_errors="ignore")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise UnreadableError(_ffmpeg_reason(error)) from error
        try:
            self._begin(source)
        except UnreadableError:
            self._container.close()
            raise

    def _begin(self, source: Source) -> None:
        if not self._container.streams.audio:
            raise UnreadableError("no audio stream")
        self._stream = self._container.streams.audio[0]
        self._format = self._container.format.name
        context: Any = self._stream.codec_context  # None for a codec that FFmpeg does not know
        tag = getattr(context, "codec_tag", "")
        if tag in ("enca", "drms") or (self._format == "asf" and _ASF_ENCRYPTION in _read(source, 0, 1 << 20)):
            raise UnreadableError("encrypted (copy protection); use an unprotected copy", final=True)
        if context is None or not context.sample_rate:
            raise UnreadableError("no decoder for its codec")
        self.rate: int = context.sample_rate
        if self._stream.duration is not None and self._stream.time_base is not None:
            seconds = float(self._stream.duration * self._stream.time_base)
        else:
            seconds = self._container.duration / 1e6 if self._container.duration else math.nan
        self.info = AudioInfo(seconds, self.rate, context.channels, f"{self._format} {context.name}")

    def __enter__(self) -> FFmpegReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Gather FFmpeg's small frames into blocks of (frames, channels), from `start` to `start + count`."""
        end = math.inf if count is None else start + count
        held: list[Samples] = []
        size = 0
        try:
            for position, samples in self._frames(start):
                piece = samples[max(0, start - position) : max(0, int(min(end - position, len(samples))))]
                if len(piece):
                    held.append(piece)
                    size += len(piece)
                if size >= BLOCK_SECONDS * self.rate:
                    yield np.concatenate(held)
                    held, size = [], 0
                if position + len(samples) >= end:
                    break
        except UnreadableError:
            if held:  # how far it came tells a file that was cut short from one that is no music at all
                yield np.concatenate(held)
            raise
        if held:
            yield np.concatenate(held)

    def _frames(self, start: int) -> Iterator[tuple[int, Samples]]:
        """Yield each decoded frame's first sample and its sound as (samples, channels).

        The number of channels may change in the middle: frames that have another than the file's are mixed. Only the
        mov family has timestamps that are exact to the sample; all others are decoded from the start.
        """
        import av

        try:
            seek = start > 0 and self._format.startswith("mov")
            if seek:
                self._container.seek(max(0, int((start / self.rate - 1.0) * 1e6)))
            planar = av.AudioResampler(format="fltp", rate=self.rate)
            base = self._stream.start_time or 0
            channels = max(1, self.info.channels)
            position = 0
            for frame in self._container.decode(self._stream):
                if seek and frame.pts is not None and frame.time_base is not None:
                    position = round((frame.pts - base) * float(frame.time_base) * self.rate)
                    seek = False
                for part in planar.resample(frame):
                    samples = part.to_ndarray().T.astype(np.float32, copy=False)
                    if samples.shape[1] != channels:
                        samples = np.repeat(mixed(samples)[:, None], channels, axis=1)
                    yield position, samples
                    position += len(samples)
        except (self._error, ValueError) as error:
            raise UnreadableError(_ffmpeg_reason(error)) from error

    def promised(self) -> int | None:
        """Return the number of frames that the header states."""
        # Only the mov family states its length exactly; others estimate it from the bit rate.
        if not self._format.startswith("mov") or math.isnan(self.info.seconds):
            return None
        return round(self.info.seconds * self.rate)


def _problem(source: Source) -> str | None:
    """Say what is wrong with a source before any decoder is asked."""
    if isinstance(source, bytes):
        return None if source else "empty: 0 bytes"
    path = Path(source)
    try:
        if not path.exists():
            return "no such file"
        if path.is_dir():
            return "a folder, not a file"
        return None if path.stat().st_size else "empty: the file has 0 bytes"
    except OSError as error:  # a name that is too long, say
        return error.strerror or str(error)


def _openable(source: Source) -> Any:
    """Return what both decoders can open: a name that is text, or a file object."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    name = os.fspath(source)
    try:
        name.encode()
    except UnicodeEncodeError:  # a name in an old encoding, on a system where names are bytes
        return io.BytesIO(Path(source).read_bytes())
    return name


def _has_length(source: Source) -> bool:
    """Whether an mp3 tells its length in its first frame: "Xing" or "Info", after any ID3 tag."""
    tag = _read(source, 0, 10)
    offset = 0
    if tag[:3] == b"ID3" and len(tag) == 10:  # its size is written in four bytes of seven bits
        offset = 10 + (tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9])
    first = _read(source, offset, 4096)
    return b"Xing" in first or b"Info" in first


def _read(source: Source, offset: int, size: int) -> bytes:
    if isinstance(source, bytes):
        return source[offset : offset + size]
    with Path(source).open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _sndfile_reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or error).strip()
    return text.rstrip(".") or "cannot be decoded (damaged or cut short)"


def _ffmpeg_reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error).rstrip(".")
