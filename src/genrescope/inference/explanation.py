"""An explanation of a song: where hiding a part changes the scores, on a grid of time and frequency."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from genrescope.features.front_end import Frames
    from genrescope.features.spec import Spec

BANDS, MOST_SPANS = 8, 40
SPAN_SECONDS = 0.75
PART_SECONDS = MOST_SPANS * SPAN_SECONDS
"""The longest part of a song whose spans of time last no longer than `SPAN_SECONDS`: 30 s."""


@dataclass(frozen=True)
class Grid:
    """Patches of time and frequency.

    Attributes:
        frames: first frame of each span of time, and the end of the last.
        features: first feature of each band, and the end of the last.
    """

    frames: tuple[int, ...]
    features: tuple[int, ...]

    @classmethod
    def over(cls, frames: int, spec: Spec) -> Grid:
        """Return patches of about 0.75 s, or 40 spans in a longer song, by an eighth of the mel bands."""
        spans = int(np.clip(round(spec.seconds(frames) / SPAN_SECONDS), 1, min(MOST_SPANS, frames)))
        bands = min(BANDS, spec.width)
        return cls(_edges(frames, spans), _edges(spec.width, bands))

    @property
    def shape(self) -> tuple[int, int]:
        """How many bands and spans there are."""
        return len(self.features) - 1, len(self.frames) - 1


@dataclass(frozen=True)
class Explanation:
    """Where the evidence for the genres of a song lies.

    Attributes:
        name: the song.
        scores: by label, the highest first.
        drops: by label, float32 (bands, spans): how much its score falls when a patch is hidden; negative where it
            rises.
        times: (spans + 1,), seconds of the song where spans begin, and the end of the last.
        hertz: (bands + 1,), frequencies where bands begin, and the end of the last; of a waveform 0 and half its rate.
        spectrogram: (frames, features), what the model takes.
        centres: (features,), frequency in the middle of every feature, in Hz; of a waveform empty.
    """

    name: str
    scores: dict[str, float]
    drops: dict[str, npt.NDArray[np.float32]] = field(repr=False)
    times: npt.NDArray[np.float64] = field(repr=False)
    hertz: npt.NDArray[np.float64] = field(repr=False)
    spectrogram: Frames = field(repr=False)
    centres: npt.NDArray[np.float64] = field(repr=False)

    def evidence(self, label: str) -> dict[str, Any]:
        """Return the evidence for a label as plain values, as `POST /v1/explain` answers it.

        Returns:
            `genre`; `start` and `end` in seconds; `times` (spans + 1) and `bands` (bands + 1), the edges in seconds
            and Hz; and `evidence`, a list for each band with the drop of the score for each span.

        Raises:
            ValueError: the model has no such label.
        """
        refuse_label(label, self.drops)
        return {
            "genre": label, "start": float(self.times[0]), "end": float(self.times[-1]), "times": self.times.tolist(),
            "bands": self.hertz.tolist(), "evidence": self.drops[label].tolist(),
        }  # fmt: skip

    @property
    def genre(self) -> str:
        """The label with the highest score."""
        return next(iter(self.scores))

    def strongest(self, label: str, count: int = 3) -> list[tuple[float, float, float, float, float]]:
        """Return the patches whose hiding costs a label most: start, end, lowest and highest frequency, and drop."""
        drops = self.drops[label]
        order = np.argsort(-drops, axis=None, kind="stable")[:count]
        places = zip(*np.unravel_index(order, drops.shape), strict=True)
        return [
            (
                float(self.times[t]), float(self.times[t + 1]), float(self.hertz[b]), float(self.hertz[b + 1]),
                float(drops[b, t]),
            )
            for b, t in places
        ]  # fmt: skip


def refuse_label(label: str | None, labels: Iterable[str]) -> None:
    """Refuse a genre that a model does not know; None stands for the most likely one.

    Raises:
        ValueError: it is none of the labels.
    """
    if label is not None and label not in (known := sorted(labels)):
        raise ValueError(f'genre "{label}"; accepted are {", ".join(known)}')


def _edges(length: int, parts: int) -> tuple[int, ...]:
    return tuple(round(length * part / parts) for part in range(parts + 1))
