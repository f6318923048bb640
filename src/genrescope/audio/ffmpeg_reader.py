"""Files read by FFmpeg, through PyAV: mp3, flac, ogg, m4a, the sound of video files, and nearly all else.

The content decides what a file is, never its name. All packets are decoded to the end, whatever a header counts; what
cannot be decoded is noted, and reported once the rest was decoded.
"""

from __future__ import annotations

import contextlib
import math
import os
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from genrescope.audio import mpeg, ogg
from genrescope.audio.chunks import SoundChunk, sound_chunk, to_the_end
from genrescope.audio.listening import Noticed
from genrescope.audio.reader import AudioInfo, UnreadableError, block_frames, cut_short, refuse_impossible
from genrescope.audio.resampling import mixed
from genrescope.audio.source import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from genrescope.audio.reader import Samples
    from genrescope.audio.source import Source

_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "mxf,nut,ogg,oma,qoa,rm,shn,tak,truehd,tta,voc,w64,wav,wtv,wv,xwma"
)
"""What a file may be. FFmpeg knows hundreds more: play lists that open other files, subtitles, pictures, raw sound."""
_STATED = ("ape", "asf", "flac", "matroska", "mov", "mpc", "tak", "tta", "wv", "dsf")
"""Whose headers state their length exactly; of others FFmpeg estimates it from the bit rate."""
_CLOCKED = ("asf", "matroska")
"""Whose packets carry times, and lie one behind the other."""
_AVI_SHARE = 0.9  # an avi counts whole packets as if all were equally long
_LEAD = {"mov": 1.0, "flac": 0.2, "ogg": 0.5}
"""Seconds that are decoded before an excerpt, of formats whose times are exact; of Ogg, this is Opus, which needs 80 ms
until it is right (RFC 7845, section 4.6)."""
_SELF_SYNCING = ("aac", "ac3", "dts", "eac3", "loas", "mp3", "mpeg", "mpegts", "truehd")
"""Whose decoders look for the next frame by themselves: tags and junk between frames are no damage."""
_OTHER_BYTES = 1500  # of an mp3's claim: the frame that holds it, and a tag
_KINDS = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
_MOST_PLANES = 7  # PyAV reads the planes of 8 channels and more past their end
_ASF_ENCRYPTION = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")  # ASF's Content Encryption Object

Form = tuple[int, int, str]


class FFmpegReader:
    """A file opened by FFmpeg's libraries."""

    decoder = "FFmpeg"

    def __init__(self, source: Source) -> None:
        import av

        self._errors = (av.error.FFmpegError, ValueError)
        self._file = opened(source)
        try:
            self._chunk = sound_chunk(self._file)
            self._container = av.open(_Nameless(self._file, self._chunk), mode="r", metadata_errors="ignore",
                                      options={"format_whitelist": _FORMATS})  # fmt: skip
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._file.close()
            raise UnreadableError(_reason(error)) from error
        try:
            self._begin()
        except UnreadableError:
            self.__exit__()
            raise

    def _begin(self) -> None:
        if not self._container.streams.audio:
            raise UnreadableError("no audio stream")
        self._stream = self._container.streams.audio[0]
        self._format = self._container.format.name.split(",")[0]
        context: Any = self._stream.codec_context  # None for a codec that FFmpeg does not know
        if self._is_encrypted(context):
            raise UnreadableError("encrypted (copy protection); use an unprotected copy", final=True)
        if context is None or not context.sample_rate:
            raise UnreadableError("no decoder for its codec")
        self.rate: int = context.sample_rate
        refuse_impossible(self.rate, context.channels)
        if context.name == "flac":
            context.options = {"err_detect": "crccheck+explode"}
        name = f"{self._container.format.name} {context.codec.canonical_name}"
        self.info = AudioInfo(self._seconds(), self.rate, context.channels, name)
        exact = self._format in _LEAD and (self._format != "ogg" or name.endswith("opus"))
        self.seeks = exact and not math.isnan(self.info.seconds)
        self.damaged, self.end_is_known = False, self._format == "ogg"

    def _is_encrypted(self, context: Any) -> bool:
        if self._format == "asf":
            place = self._file.seek(0, os.SEEK_CUR)  # FFmpeg reads on from here
            self._file.seek(0)
            head = self._file.read(1 << 20)
            self._file.seek(place)
            return _ASF_ENCRYPTION in head
        try:
            return context is not None and context.codec_tag in ("enca", "drms")
        except UnicodeDecodeError:  # a tag of four bytes that are no letters
            return False

    def _seconds(self) -> float:
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return self._container.duration / 1e6 if self._container.duration else math.nan

    def _stated(self) -> float:
        """Return the length that the header states of this stream; of a whole file the pictures may be longer."""
        parts = self._stream.metadata.get("DURATION", "").split(":")  # a tag of Matroska's, as 00:03:20.500000000
        if len(parts) == 3 and all(part.strip().replace(".", "", 1).isdigit() for part in parts):
            return sum(float(part) * unit for part, unit in zip(parts, (3600, 60, 1), strict=True))
        if self._format in ("asf", "matroska") and self._container.streams.video:
            return math.nan
        return self._seconds()

    def __enter__(self) -> FFmpegReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
        self._file.close()

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Gather FFmpeg's small frames into blocks of (frames, channels), from `start` to `start + count`.

        Where rate or channels change in mid-stream, the sound goes on at the file's own rate, in as many channels.
        """
        end = math.inf if count is None else start + count
        longest = block_frames(self.rate, self.info.channels)
        size = longest if count is None else min(longest, max(count, self.rate))
        noticed, position = Noticed(), -1
        for form, frames in groupby(self._frames(start, noticed), key=form_of):
            for block in self._at_own_rate(form, blocks_of(form, frames, size)):
                position = self._sought if position < 0 else position
                piece = block[max(0, start - position) : max(0, int(min(end - position, len(block))))]
                position += len(block)
                if len(piece):
                    yield piece
                if position >= end:
                    return
        fault = self._fault(noticed) if start == 0 and count is None else None
        if fault is not None:
            raise fault

    def is_whole(self) -> bool:
        """Whether the file is whole, by the pages of an Ogg file and the size of a file of chunks."""
        if self._format == "ogg":
            return ogg.is_whole(self._file)
        return self._chunk is None or self._chunk.share == 1

    def packets(self) -> Iterator[bytes]:
        """Yield what the stream is, then its coded packets; nothing is decoded, and damage ends it."""
        yield f"{self.info.codec} {self.rate} {self.info.channels}".encode()
        with contextlib.suppress(*self._errors):
            for packet in self._container.demux(self._stream):
                yield bytes(packet)

    def _frames(self, start: int, noticed: Noticed) -> Iterator[Any]:
        """Yield the decoded frames; note what could not be decoded. Only formats with exact times are sought in."""
        self._sought = 0
        seek = start > 0 and self.seeks
        base, tick = self._stream.start_time or 0, float(self._stream.time_base or 1)
        try:
            if seek:
                begin = max(0.0, start / self.rate - _LEAD[self._format])
                self._container.seek(int(begin / tick) + base, stream=self._stream)
            for packet in self._container.demux(self._stream):
                position, size = packet.pos, packet.size
                try:
                    frames = packet.decode()
                except self._errors as error:
                    noticed.failed(_reason(error))
                    self.damaged = True
                    continue
                for frame in frames:
                    at = None if frame.pts is None else (frame.pts - base) * tick
                    if seek and at is not None:
                        self._sought, seek = round(at * self.rate), False
                    seconds = frame.samples / frame.sample_rate
                    noticed.heard(position, size, at, seconds, clocked=self._format in _CLOCKED)
                    yield frame
        except self._errors as error:
            noticed.failed(_reason(error))
            self.damaged = True

    def _at_own_rate(self, form: Form, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yield blocks at the file's rate, in the file's number of channels."""
        rate, channels, _ = form
        refuse_impossible(rate, channels)
        if channels != self.info.channels:
            blocks = (np.repeat(mixed(block)[:, None], self.info.channels, axis=1) for block in blocks)
        if rate == self.rate:
            yield from blocks
            return
        import soxr

        stream = soxr.ResampleStream(rate, self.rate, self.info.channels, dtype="float32", quality="HQ")
        for block in blocks:
            yield stream.resample_chunk(np.ascontiguousarray(block))
        yield stream.resample_chunk(np.zeros((0, self.info.channels), np.float32), last=True)

    def _fault(self, noticed: Noticed) -> UnreadableError | None:
        """Return what is wrong with the file, once it was decoded to its end."""
        if noticed.packets == 0 and noticed.broken:
            return UnreadableError(noticed.reason)
        if self._format in _SELF_SYNCING:
            return self._junk(noticed)
        found = ogg.damage(self._file, noticed.seconds) if self._format == "ogg" else None
        if found is not None:
            return found
        stated = self._stated() if self._format in _STATED else math.nan
        if self._format == "avi" and self._seconds() * _AVI_SHARE > noticed.seconds:
            stated = self._seconds()
        if self._chunk is not None and self._chunk.share < 1:
            stated = noticed.seconds / self._chunk.share if self._chunk.share else math.nan
        return noticed.fault(stated, counted=self._format == "flac")

    def _junk(self, noticed: Noticed) -> UnreadableError | None:
        """Return what is wrong with a file whose frames may stand between anything."""
        if noticed.scattered():
            return UnreadableError(f"less than half of it is {self.info.codec.split()[-1]}: no music, or badly damaged")
        stated = mpeg.claim(self._file) if self._format == "mp3" else None
        # A count is believed where bytes are missing too: files are joined and cut without a thought for it.
        if stated is None or noticed.bytes >= 0.98 * stated[1] - _OTHER_BYTES:
            return None
        return cut_short(stated[0], noticed.seconds)


class _Nameless:
    """A file as FFmpeg may see it: no name whose ending it would believe, and a header that tells its true length."""

    def __init__(self, file: BinaryIO, chunk: SoundChunk | None) -> None:
        seen = to_the_end(file, chunk) if chunk is not None and chunk.stated is None else file
        seen.seek(0)
        self.read, self.seek, self.tell = seen.read, seen.seek, seen.tell


def form_of(frame: Any) -> Form:
    """Return rate, channels and format of a frame."""
    return frame.sample_rate, frame.layout.nb_channels, frame.format.name


def blocks_of(form: Form, frames: Iterable[Any], size: int) -> Iterator[Samples]:
    """Gather frames of one form into blocks of about `size` samples; each is valid until the next."""
    import av

    _, channels, name = form
    if name.endswith("p") and channels > _MOST_PLANES:
        repack = av.AudioResampler(format=name.removesuffix("p")).resample
        frames = (packed for frame in frames for packed in repack(frame))
    gathered, room = av.AudioFifo(), _Room()
    for frame in frames:
        frame.pts = None  # the queue would refuse frames whose times do not follow each other
        gathered.write(frame)
        if gathered.samples >= size:
            yield room.floats(gathered.read(), channels)
    if gathered.samples:
        yield room.floats(gathered.read(), channels)


class _Room:
    """Memory that every block is written into: fresh memory for each would cost more time than what is done in it."""

    def __init__(self) -> None:
        self._values = np.empty(0, np.float32)

    def floats(self, frame: Any, channels: int) -> Samples:
        """Return what a frame holds as (samples, channels) in [-1, 1]."""
        planes = [np.frombuffer(plane, _KINDS[frame.format.name.removesuffix("p")]) for plane in frame.planes]
        width = frame.samples * channels // len(planes)  # a plane may be longer than that
        if len(self._values) < width * len(planes):
            self._values = np.empty(width * len(planes), np.float32)
        rows = self._values[: width * len(planes)].reshape(len(planes), width)
        for plane, row in zip(planes, rows, strict=True):
            _scale(plane[:width], row)
        return rows.T if len(planes) == channels else rows.reshape(-1, channels)


def _scale(values: npt.NDArray[Any], out: npt.NDArray[np.float32]) -> None:
    """Write values of any kind as floats in [-1, 1]."""
    if values.dtype.kind == "u":
        np.subtract(values, np.float32(128), out=out)
        out *= np.float32(1 / 128)
    elif values.dtype.kind == "i":
        np.multiply(values, np.float32(2.0 ** (1 - 8 * values.dtype.itemsize)), out=out, casting="same_kind")
    else:
        np.copyto(out, values, casting="same_kind")


def _reason(error: Exception) -> str:
    told = str(getattr(error, "strerror", "") or error).rstrip(".")
    return "its content is no audio or video that is known" if told == "Invalid argument" else told
