"""A stream on the internet, through PyAV: Icecast and other endless files, and HLS."""

from __future__ import annotations

import contextlib
import errno
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from genrescope.audio.ffmpeg_reader import blocks_of, form_of
from genrescope.audio.resampling import resampled
from genrescope.errors import AudioError
from genrescope.inference.chunks import Chunk
from genrescope.live.source import PIECE, finite

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROTOCOLS = "http,https,httpproxy,tcp,tls,crypto"
"""What a play list may lead to: no files of this machine."""
_OPEN, _READ = 15.0, 20.0  # seconds without an answer, or without data, after which a stream is given up
_TOLERANCE = 1.0  # seconds by which the length that a recording states may be wrong


@dataclass(frozen=True)
class UrlSource:
    """A stream on the internet. That it ends is an error, unless it states a length and has come so far."""

    url: str

    speed, ends = 1.0, False

    @property
    def name(self) -> str:
        """Its address."""
        return self.url

    def chunks(self, rate: int) -> Iterator[Chunk]:
        """Yield the sound of one connection.

        Raises:
            AudioError: there is no such stream, it has no sound, or it has dropped.
        """
        import av

        samples = 0
        try:
            with av.open(
                self.url, timeout=(_OPEN, _READ), metadata_errors="ignore", options={"protocol_whitelist": _PROTOCOLS}
            ) as container:
                if not container.streams.audio:
                    raise AudioError(self.url, [("FFmpeg", "no audio stream")])
                for wave in _waves(container, rate):
                    samples += len(wave)
                    yield Chunk(wave)
                length = container.duration
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise AudioError(self.url, [("FFmpeg", _reason(error))]) from error
        if not length or samples / rate < length / 1e6 - _TOLERANCE:
            raise AudioError(self.url, [("FFmpeg", "the stream ended")])


def _waves(container: Any, rate: int) -> Iterator[Any]:
    """Yield the sound of a container as mono waves at a rate; the stream may change its own."""
    for form, frames in groupby(_frames(container), key=form_of):
        blocks = blocks_of(form, frames, max(1, round(PIECE * form[0])))
        yield from resampled(map(finite, blocks), form[0], rate)


def _frames(container: Any) -> Iterator[Any]:
    """Yield decoded frames; packets that are damaged are left out."""
    import av

    for packet in container.demux(container.streams.audio[0]):
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()


def _reason(error: Exception) -> str:
    if type(error).__name__ == "ExitError":
        return "no answer in time"
    if getattr(error, "errno", None) == errno.EIO:  # so FFmpeg says that the other side has closed the connection
        return "the stream ended"
    return str(getattr(error, "strerror", "") or error).rstrip(".")
