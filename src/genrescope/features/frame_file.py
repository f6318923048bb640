"""The frames of one song of any length: in a file, or only those that are scored."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

_IN_MEMORY = 1 << 24  # bytes: 25 minutes of log-mel; longer tracks go to a nameless file on disk


class FrameFile:
    """Frames of a track that are read in slices, as an array is: `frames[10:20]` is of shape (10, width).

    Args:
        parts: the frames, a part of shape (frames, width) at a time, all of one type.
        width: features in a frame.
        dtype: their type.
    """

    def __init__(self, parts: Iterable[npt.NDArray[Any]], *, width: int, dtype: str) -> None:
        self._width, self._dtype, self._frames = width, np.dtype(dtype), 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - it goes with this object
        for part in parts:
            self._file.write(np.ascontiguousarray(part, dtype=self._dtype).data)
            self._frames += len(part)

    def __del__(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, wanted: slice) -> npt.NDArray[Any]:
        first, last, step = wanted.indices(self._frames)
        if step != 1:
            raise ValueError(f"every {step}th frame; accepted are frames that follow each other")
        size = self._width * self._dtype.itemsize
        self._file.seek(first * size)
        content = bytearray(self._file.read(max(0, last - first) * size))
        return np.frombuffer(content, self._dtype).reshape(-1, self._width)


@dataclass(frozen=True)
class ChosenFrames:
    """Some of a song's frames, at their places: `frames[10:20]` is of shape (10, width), where these are held.

    Attributes:
        count: frames of the whole song.
        pieces: where each piece begins, and its frames, (frames, width); in order.
    """

    count: int
    pieces: tuple[tuple[int, npt.NDArray[Any]], ...]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, wanted: slice) -> npt.NDArray[Any]:
        first, last, step = wanted.indices(self.count)
        for begin, frames in self.pieces:
            if step == 1 and begin <= first and last <= begin + len(frames):
                return frames[first - begin : last - begin]
        raise ValueError(
            f"frames {first} to {last}; held are " + ", ".join(f"{b} to {b + len(f)}" for b, f in self.pieces)
        )
