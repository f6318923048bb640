"""Files read by FFmpeg, through PyAV: m4a, aac, wma, the sound of video files, and what libsndfile cannot read.

What FFmpeg gets wrong is put right here, so that a block, an excerpt and a whole file are the same sound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope.audio import reader
from genrescope.audio.reader import AudioInfo, UnreadableError
from genrescope.audio.resampling import mixed
from genrescope.audio.source import openable, read_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.audio.reader import Samples
    from genrescope.audio.source import Source

_ASF_ENCRYPTION = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")  # ASF's Content Encryption Object


class FFmpegReader:
    """A file opened by FFmpeg's libraries."""

    decoder = "FFmpeg"

    def __init__(self, source: Source) -> None:
        import av

        self._error = av.error.FFmpegError
        # "file:" keeps a colon in a name from being taken for a protocol.
        opened = openable(source)
        opened = f"file:{opened}" if isinstance(opened, str) else opened
        try:
            self._container = av.open(opened, mode="r", metadata_errors="ignore")
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise UnreadableError(_reason(error)) from error
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
        if tag in ("enca", "drms") or (self._format == "asf" and _ASF_ENCRYPTION in read_part(source, 0, 1 << 20)):
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
                if size >= reader.BLOCK_SECONDS * self.rate:
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
            raise UnreadableError(_reason(error)) from error

    def promised(self) -> int | None:
        """Return the number of frames that the header states."""
        # Only the mov family states its length exactly; others estimate it from the bit rate.
        if not self._format.startswith("mov") or math.isnan(self.info.seconds):
            return None
        return round(self.info.seconds * self.rate)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error).rstrip(".")
