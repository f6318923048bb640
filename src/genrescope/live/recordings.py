"""A file as if it were played now, and raw samples from a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from genrescope import audio
from genrescope.audio.resampling import resampled
from genrescope.live.raw import RawFormat
from genrescope.live.source import PIECE, finite, paced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from genrescope.audio import Samples
    from genrescope.inference.chunks import Chunk

_SLACK = 1.02  # a pipe is read a little faster than it plays: the clock of who writes may be ahead of ours


@dataclass(frozen=True)
class FileSource:
    """A file, decoded as `predict` decodes it, at the speed at which it plays."""

    path: Path
    speed: float = 1.0

    ends = True

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    def chunks(self, rate: int) -> Iterator[Chunk]:
        """Yield its sound.

        Raises:
            AudioError: it cannot be decoded.
        """
        return paced(audio.blocks(audio.to_source(self.path), rate=rate), rate, self.speed)


@dataclass(frozen=True)
class PipeSource:
    """Raw samples from a pipe, channels interleaved; read no faster than they play.

    Attributes:
        stream: the pipe.
        rate: samples per second of a channel.
        channels: how many.
        format: a name of `raw.FORMATS`.
        speed: seconds of sound in a second, at most.
    """

    stream: BinaryIO
    rate: int = 44_100
    channels: int = 2
    format: str = "s16le"
    speed: float = 1.0

    name, ends = "stdin", False

    def chunks(self, rate: int) -> Iterator[Chunk]:
        """Yield the sound; a sample that is not finite counts as silence."""
        return paced(resampled(self._blocks(), self.rate, rate), rate, self.speed * _SLACK)

    def _blocks(self) -> Iterator[Samples]:
        raw = RawFormat(self.rate, self.channels, self.format)
        while held := self.stream.read(raw.frame * max(1, round(PIECE * self.rate))):
            samples = raw.samples(held)  # the writer may have ended within a sample
            if len(samples):
                yield finite(samples)
