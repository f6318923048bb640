"""Where a model looks: its windows in a track, and which of them are scored. Needs neither torch nor NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from genrescope.features.spec import Spec

FRAMES = 128
"""Frames in a window where a model has no length of its own; at `mgcc`'s rate 2.97 s."""

WINDOWS = 10
"""Windows of a song that are scored by default, at most: as many as a clip of 30 s has."""

Padding = Literal["silence", "repeat"]
Placement = Literal["grid", "spread"]
Pooling = Literal["probabilities", "logits"]
_WORDS = (("padding", get_args(Padding)), ("placement", get_args(Placement)), ("pooling", get_args(Pooling)))
_LONGEST = 1 << 28  # frames: a window of waves may be long, but not endless


@dataclass(frozen=True)
class WindowSpec:
    """Where a model looks: how long its windows are, and where they lie in a track.

    Attributes:
        frames: length of a window.
        hop: frames from one window to the next where they lie on a grid; 0 stands for a whole window.
        padding: what fills a window that its track is too short for: `silence`, or the track again (`repeat`).
        placement: `grid`, from the beginning, as many whole windows as fit; or `spread`, about as many as fill the
            track, evenly from its beginning to its end.
        pooling: what is averaged over a track's windows: `probabilities` (soft voting), or `logits`.

    Raises:
        ValueError: a number or a word is not accepted.
    """

    frames: int = FRAMES
    hop: int = 0
    padding: Padding = "silence"
    placement: Placement = "grid"
    pooling: Pooling = "probabilities"

    def __post_init__(self) -> None:
        for name, least, most in (("frames", 1, _LONGEST), ("hop", 0, _LONGEST)):
            number = getattr(self, name)
            if type(number) is not int or not least <= number <= most:
                raise ValueError(f"windows: {name} {number!r}; accepted is a whole number from {least} to {most:,}")
        for name, accepted in _WORDS:
            if getattr(self, name) not in accepted:
                raise ValueError(f"windows: {name} {getattr(self, name)!r}; accepted are {', '.join(accepted)}")

    def starts(self, frames: int) -> list[int]:
        """Return the first frame of each window of a track of so many frames."""
        return starts_of(frames, length=self.frames, hop=self.hop, spread=self.placement == "spread")


@dataclass(frozen=True)
class Choice:
    """Which of a song's windows are scored.

    Attributes:
        windows: how many at most, spread evenly over the song; None stands for all.
        excerpt: seconds in the middle of the song in which they lie; None stands for the whole song.
    """

    windows: int | None = None
    excerpt: float | None = None

    @classmethod
    def of(cls, windows: int | str, excerpt: float | None) -> Choice:
        """Return the choice that was asked for.

        Raises:
            ValueError: `windows` is neither "all" nor a whole number from 1, or `excerpt` is not above 0.
        """
        whole = isinstance(windows, int) and not isinstance(windows, bool) and windows >= 1
        if windows != "all" and not whole:
            raise ValueError(f'windows={windows!r}; accepted are a whole number from 1, and "all"')
        seconds = isinstance(excerpt, int | float) and not isinstance(excerpt, bool) and 0 < excerpt < math.inf
        if excerpt is not None and not seconds:
            raise ValueError(f"excerpt={excerpt!r}; accepted are seconds above 0, and None for the whole song")
        return cls(None if windows == "all" else int(windows), None if excerpt is None else float(excerpt))

    @property
    def is_all(self) -> bool:
        """Whether every window is scored."""
        return self == Choice()

    def starts(self, windows: WindowSpec, spec: Spec, frames: int) -> list[int]:
        """Return the first frame of each window that is scored, among those where the model looks.

        Args:
            windows: where the model looks.
            spec: what makes the frames.
            frames: the song's length.

        Example:
            >>> from genrescope.features.spec import LogMelSpec
            >>> four_minutes = LogMelSpec().frames(240 * 22_050)
            >>> [start // 128 for start in Choice(windows=4).starts(WindowSpec(), LogMelSpec(), four_minutes)]
            [10, 30, 50, 70]
            >>> [start // 128 for start in Choice(excerpt=9).starts(WindowSpec(), LogMelSpec(), four_minutes)]
            [38, 39, 40]
        """
        starts = windows.starts(frames)
        if self.excerpt is not None:
            room = round(self.excerpt * spec.frame_rate) - windows.frames
            fitting = max(1, sum(start <= room for start in starts))
            first = (len(starts) - fitting) // 2
            starts = starts[first : first + fitting]
        if self.windows is not None and self.windows < len(starts):
            # the window in the middle of each of so many equal parts
            starts = [starts[int((part + 0.5) * len(starts) / self.windows)] for part in range(self.windows)]
        return starts


def starts_of(frames: int, *, length: int, hop: int, spread: bool) -> list[int]:
    """Return the first frame of each window of a track; one that is shorter than a window has one all the same.

    Args:
        frames: the track's length.
        length: frames in a window.
        hop: frames from one window to the next; 0 places them side by side.
        spread: place about as many as fill the track, evenly from its beginning to its end, whatever `hop` is.
    """
    room = max(0, frames - length)
    if not spread:
        return list(range(0, room + 1, hop or length))
    gaps = max(1, round(frames / length)) - 1
    return [round(place * (room / gaps)) for place in range(gaps)] + [room] if gaps else [0]
