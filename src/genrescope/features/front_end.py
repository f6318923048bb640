"""What every front end does, and the one way from a file to the frames that a store and a network take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from genrescope import audio
from genrescope.features.spec import KaldiSpec, LogMelSpec, Spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from genrescope.features.filterbank import Floats, Waves

    Frames = npt.NDArray[Any]  # float16 or float32 of shape (frames, width)


class FrontEnd(Protocol):
    """From waveforms to frames of features."""

    @property
    def spec(self) -> Spec:
        """The numbers."""

    def forward(self, waves: Waves, /) -> Waves:
        """Return float32 of shape (batch, frames, width) from waveforms of shape (batch, samples)."""

    def stream(self, pieces: Iterable[Floats]) -> Iterator[Floats]:
        """Yield float32 of shape (frames, width) of one waveform that comes in pieces of any size."""


def make(spec: Spec) -> FrontEnd:
    """Return the front end of these numbers.

    Example:
        >>> make(LogMelSpec()).spec.width
        128
    """
    if isinstance(spec, LogMelSpec):
        from genrescope.features.logmel import LogMel

        return LogMel(spec)
    if isinstance(spec, KaldiSpec):
        from genrescope.features.kaldi import Kaldi

        return Kaldi(spec)
    from genrescope.features.wave import Wave

    return Wave(spec)


def frames_of(source: audio.Source, front_end: FrontEnd) -> tuple[Frames, int]:
    """Decode a file and return its frames as a store holds them, and the number of samples they came from.

    Training and evaluation read music through this function; prediction by the same steps, a part at a time.

    Raises:
        AudioError: the file cannot be decoded.
    """
    samples = 0

    def counted() -> Iterator[audio.Wave]:
        nonlocal samples
        for piece in audio.blocks(source, rate=front_end.spec.sample_rate):
            samples += len(piece)
            yield piece

    frames = stored(counted(), front_end)
    return frames, samples


def stored(pieces: Iterable[Floats], front_end: FrontEnd) -> Frames:
    """Return the frames of one waveform as a store holds them: of shape (frames, width), in `spec.dtype`.

    Args:
        pieces: the waveform at the front end's rate, in pieces of any size.
    """
    spec = front_end.spec
    return np.concatenate([np.empty((0, spec.width), spec.dtype), *parts(pieces, front_end)])


def parts(pieces: Iterable[Floats], front_end: FrontEnd) -> Iterator[Frames]:
    """Yield what `stored` returns, a part at a time, in memory that does not grow with the waveform."""
    for part in front_end.stream(pieces):
        yield part.astype(front_end.spec.dtype, copy=False)
