"""Windows: the inputs of a model, cut from the frames of a store in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from genrescope.features.placement import FRAMES, Padding, WindowSpec, starts_of
from genrescope.workers import ahead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Which = Literal["first", "all"]

Frames: TypeAlias = npt.NDArray[np.floating[Any]]
"""The frames of one or many tracks: shape (frames, features); float16 where they are log-mels."""


class Extent(Protocol):
    """Where a track's frames lie in an array; a track of a store is one."""

    @property
    def first_frame(self) -> int:
        """Where it begins."""

    @property
    def frames(self) -> int:
        """How many frames it has."""


@dataclass(frozen=True)
class Span:
    """The simplest extent."""

    first_frame: int
    frames: int


@dataclass(frozen=True)
class Windows:
    """Where windows lie in an array of frames.

    Attributes:
        starts: int64 (windows,), first frame of each.
        ends: int64 (windows,), end of the track that each belongs to.
        tracks: int64 (windows,), position of that track in the list they were placed for.
    """

    starts: Tensor
    ends: Tensor
    tracks: Tensor

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, chosen: Tensor) -> Windows:
        """Return the windows at the positions in `chosen`, in that order."""
        return Windows(self.starts[chosen], self.ends[chosen], self.tracks[chosen])

    def split(self, size: int) -> Iterator[Windows]:
        """Yield the windows in order, `size` at a time; the last batch may be smaller."""
        for chosen in chunks(torch.arange(len(self)), size):
            yield self.take(chosen)


def place(
    tracks: Sequence[Extent], which: Which = "all", *, length: int = FRAMES, hop: int = 0, spread: bool = False
) -> Windows:
    """Place windows side by side, overlapping, or spread evenly in every track.

    Args:
        tracks: where each track lies.
        which: `first`, one window a track, at its beginning; or `all`, as many whole ones as fit.
        length: frames in a window.
        hop: frames from one window to the next; 0 places them side by side.
        spread: place about as many as fill the track, evenly from its beginning to its end, whatever `hop` is.

    Returns:
        The windows, track after track. A track that is shorter than a window gets one all the same.

    Example:
        >>> song = Span(first_frame=0, frames=1292)
        >>> len(place([song])), len(place([song], "first"))
        (10, 1)
    """
    starts, ends, owners = [], [], []
    for position, track in enumerate(tracks):
        inside = starts_of(track.frames, length=length, hop=hop, spread=spread)
        count = 1 if which == "first" else len(inside)
        starts += [track.first_frame + start for start in inside[:count]]
        ends += [track.first_frame + track.frames] * count
        owners += [position] * count
    return Windows(torch.tensor(starts), torch.tensor(ends), torch.tensor(owners))


def place_all(windows: WindowSpec, tracks: Sequence[Extent], which: Which = "all") -> Windows:
    """Place windows in every track as a model has them."""
    spread = windows.placement == "spread"
    return place(tracks, which, length=windows.frames, hop=windows.hop, spread=spread)


def draw(tracks: Sequence[Extent], chosen: Tensor, *, length: int, generator: torch.Generator) -> Windows:
    """Place a window at random in each of the chosen tracks.

    Args:
        chosen: int64 (windows,), positions in `tracks`; a track may stand there several times.
        length: frames in a window; a track that is shorter gets its window at its beginning.
        generator: source of the randomness.

    Returns:
        The windows, in the order of `chosen`.
    """
    first = torch.tensor([track.first_frame for track in tracks])[chosen]
    frames = torch.tensor([track.frames for track in tracks])[chosen]
    room = (frames - length).clamp(min=0) + 1
    shift = (torch.rand(len(chosen), generator=generator, dtype=torch.float64) * room).long()
    return Windows(first + shift, first + frames, chosen)


def chunks(values: Tensor, size: int) -> tuple[Tensor, ...]:
    """Return a list of positions in pieces of `size`; the last may be smaller."""
    return tuple(values[start : start + size] for start in range(0, len(values), size))


class FrameBank:
    """An array of frames, kept where the model is if it fits there.

    On a CPU the memory map itself is the tensor and the system's page cache decides what is in memory. On an
    accelerator with room the whole array is copied once, and a batch is a gather there; without room, batches are
    gathered on the CPU by a thread that stays ahead.

    Args:
        frames: float16 of shape (frames, n_mels).
        silence: value of a band in silence.
        device: where the model is.
        padding: what fills a window that its track is too short for: `silence`, or the track again and again.
    """

    def __init__(self, frames: Frames, *, silence: float, device: torch.device, padding: Padding = "silence") -> None:
        self._frames = torch.from_numpy(frames)
        self._silence = silence
        self._padding = padding
        self._device = device
        if device.type != "cpu" and _fits(self._frames, device):
            self._frames = self._frames.to(device)

    def cut(self, windows: Windows, *, length: int = FRAMES) -> Tensor:
        """Return float32 of shape (windows, 1, n_mels, length), on the model's device."""
        home = self._frames.device
        rows = windows.starts[:, None] + torch.arange(length)
        inside = rows < windows.ends[:, None]
        short = not bool(inside.all())
        if short and self._padding == "repeat":  # such a window begins where its track does
            lasts = (windows.ends - windows.starts)[:, None]
            rows, short = windows.starts[:, None] + torch.arange(length) % lasts, False
        rows = rows.clamp_(max=len(self._frames) - 1).to(home)
        images = self._frames[rows].float()
        if short:
            images.masked_fill_(~inside.to(home)[:, :, None], self._silence)
        return images.to(self._device).transpose(1, 2).unsqueeze(1)

    def batches(self, batches: Iterable[Windows], *, length: int = FRAMES) -> Iterator[tuple[Windows, Tensor]]:
        """Yield each batch of windows with its images."""
        cut = ((windows, self.cut(windows, length=length)) for windows in batches)
        return cut if self._frames.device == self._device else ahead(cut)


def _fits(frames: Tensor, device: torch.device) -> bool:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return frames.nbytes < free // 2
    return frames.nbytes < 2 << 30
