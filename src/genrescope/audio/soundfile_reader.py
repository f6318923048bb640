"""Files read by libsndfile, through soundfile: wav, aiff, au, caf, w64 and the like, fast, and what FFmpeg cannot read.

It is given an open file and never a name: by some endings it would take any file for raw sound.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, BinaryIO

from genrescope.audio import ogg
from genrescope.audio.chunks import SoundChunk, sound_chunk, to_the_end
from genrescope.audio.reader import AudioInfo, UnreadableError, block_frames, cut_short, refuse_impossible
from genrescope.audio.source import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.audio.reader import Samples
    from genrescope.audio.source import Source

_OGG_TAIL_SECONDS = 10.0  # libsndfile's seek goes astray in the last page of an Ogg file
_MP3_LEAD = 16 * 1152  # frames decoded before an excerpt of an mp3: its bit reservoir reaches back up to nine packets


class SoundFileReader:
    """A file opened by libsndfile."""

    decoder = "libsndfile"
    damaged = False  # what cannot be decoded is raised

    def __init__(self, source: Source) -> None:
        import soundfile

        class Forward(soundfile.SoundFile):  # type: ignore[misc]
            """Read straight on: soundfile seeks after each read of a seekable file, which garbles an mp3."""

            def seekable(self) -> bool:
                return False

        self._error = soundfile.LibsndfileError
        self._held = opened(source)
        try:
            self._chunk = sound_chunk(self._held)
            self._file = Forward(_openable(self._held, self._chunk), closefd=False)
            refuse_impossible(self._file.samplerate, self._file.channels)
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            self._held.close()
            raise UnreadableError(_reason(error)) from error
        except UnreadableError:
            self.__exit__()
            raise
        self._format: str = self._file.format
        self.rate: int = self._file.samplerate
        frames: int = self._file.frames
        seconds = frames / self.rate if frames < 1 << 48 else math.nan  # a streamed flac says the largest number
        self.seeks = frames > 0
        self.end_is_known = self._format in ("OGG", "MP3") or self._chunk is not None
        self.info = AudioInfo(seconds, self.rate, self._file.channels, f"{self._format} {self._file.subtype}")

    def __enter__(self) -> SoundFileReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._held.close()

    def chunks(self, start: int, count: int | None) -> Iterator[Samples]:
        """Yield blocks of (frames, channels)."""
        if start and start >= self._file.frames:
            return
        begin = self._entry(start)
        drop, left, read = start - begin, math.inf if count is None else count, 0
        block = block_frames(self.rate, self.info.channels)
        try:
            if begin:
                self._file.seek(begin)
            while left > 0:
                chunk = self._file.read(int(min(block, drop + left)), dtype="float32", always_2d=True)
                if not len(chunk):
                    break
                kept = chunk[drop:]
                drop = max(0, drop - len(chunk))
                left -= len(kept)
                read += len(kept)
                if len(kept):
                    yield kept
        except self._error as error:
            raise UnreadableError(_reason(error)) from error
        fault = self._shortage(read) if start == 0 and count is None else None
        if fault is not None:
            raise fault

    def is_whole(self) -> bool:
        """Whether the file is whole, by the pages of an Ogg file and the size of other files."""
        if self._format == "OGG":
            return ogg.is_whole(self._held)
        return self._chunk is None or self._chunk.share == 1  # an mp3 was looked through when its decoder was chosen

    def _entry(self, start: int) -> int:
        """Return where decoding must begin so that the frames from `start` on are right."""
        if self._format == "MP3":
            return max(0, start - _MP3_LEAD)
        if self._format == "OGG":
            frames: int = self._file.frames
            return max(0, min(start, frames - int(_OGG_TAIL_SECONDS * self.rate)))
        return start

    def _shortage(self, read: int) -> UnreadableError | None:
        """Return the fault of a file that is cut or damaged: libsndfile takes what is left for the whole."""
        if self._format == "OGG":
            return ogg.damage(self._held, read / self.rate)
        if self._chunk is not None:
            stated = read / self._chunk.share if self._chunk.share else 0.0
        else:
            stated = 0.0 if self._format == "MP3" or self._file.frames >= 1 << 48 else self._file.frames
        return cut_short(stated / self.rate, read / self.rate)


def _openable(held: BinaryIO, chunk: SoundChunk | None) -> Any:
    """Return what libsndfile can open: the file itself, or one whose header tells its true length."""
    if chunk is not None and chunk.stated is None:
        return to_the_end(held, chunk)
    try:
        number = held.fileno()
    except OSError:  # bytes in memory
        return held
    os.lseek(number, 0, os.SEEK_SET)
    return number


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or error).strip()
    return text.rstrip(".") or "cannot be decoded (damaged or cut short)"
