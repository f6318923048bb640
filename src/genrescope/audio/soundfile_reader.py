"""Files read by libsndfile, through soundfile: wav, au, aiff, flac, ogg, opus and mp3, fast.

What libsndfile gets wrong is put right here, so that a block, an excerpt and a whole file are the same sound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from genrescope.audio import reader
from genrescope.audio.reader import AudioInfo, UnreadableError
from genrescope.audio.source import openable, read_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.audio.reader import Samples
    from genrescope.audio.source import Source

_NO_LENGTH = 0x7FFF_F000  # writers that cannot go back leave this or all ones in the header for the length
_MP3_LEAD = 16 * 1152  # frames decoded before an excerpt of an mp3: its bit reservoir reaches back up to nine packets
_OGG_TAIL_SECONDS = 10.0  # libsndfile's seek goes astray in the last page of an Ogg file


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
            self._file = Forward(openable(source))
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            # A TypeError asks for the rate of headerless sound (a name that ends in .raw).
            raise UnreadableError(_reason(error)) from error
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
        block = int(reader.BLOCK_SECONDS * self.rate)
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
            raise UnreadableError(_reason(error)) from error

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


def _has_length(source: Source) -> bool:
    """Whether an mp3 tells its length in its first frame: "Xing" or "Info", after any ID3 tag."""
    tag = read_part(source, 0, 10)
    offset = 0
    if tag[:3] == b"ID3" and len(tag) == 10:  # its size is written in four bytes of seven bits
        offset = 10 + (tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9])
    first = read_part(source, offset, 4096)
    return b"Xing" in first or b"Info" in first


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or error).strip()
    return text.rstrip(".") or "cannot be decoded (damaged or cut short)"
