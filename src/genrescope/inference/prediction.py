"""A prediction: what a model made of a song."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from genrescope.inference.segments import Segment


@dataclass(frozen=True)
class WindowScores:
    """What the model made of one window.

    Attributes:
        start: where it begins, in seconds.
        end: where it ends, in seconds.
        genre: the label with the highest score.
        scores: by label, in [0, 1]; they add up to 1 where labels exclude each other.
        silent: whether nothing in it is louder than -60 dB of full scale; such windows are left out of soft voting.
    """

    start: float
    end: float
    genre: str
    scores: dict[str, float]
    silent: bool = False


@dataclass(frozen=True)
class Prediction:
    """What the model made of a song.

    Attributes:
        path: its file; None where bytes or samples were given.
        name: the path as text, or what stands for the song.
        genre: the label with the highest score.
        confidence: its score, the mean over all windows that are not silent.
        scores: by label, the highest first, in [0, 1]; they add up to 1 where labels exclude each other.
        windows: the same for every window.
        seconds: length of the song.
        warning: why the prediction should be doubted, or None.
        labels: those whose scores reach the model's thresholds, the highest first; none where it has no thresholds.
        unknown: whether the song is probably none of the model's genres; `genre` is the nearest of them.
        tags: what is no genre, by kind (mood, era, instrument, voice): scores in [0, 1], the highest first.
        embedding: float32 (width,), the mean over its windows; None where it was not asked for. It is no part of
            `to_dict`.
    """

    path: Path | None
    name: str
    genre: str
    confidence: float
    scores: dict[str, float]
    windows: tuple[WindowScores, ...] = field(repr=False)
    seconds: float
    warning: str | None = None
    unknown: bool = False
    labels: tuple[str, ...] = ()
    tags: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)
    embedding: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def silent_windows(self) -> int:
        """How many windows are silent."""
        return sum(window.silent for window in self.windows)

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the `count` labels with the highest scores, each with its score."""
        return list(self.scores.items())[:count]

    def segments(self, *, shortest: float = 10.0) -> tuple[Segment, ...]:
        """Return where the genre changes: segments in order, without gaps, from 0 to the end of the song.

        Windows of one genre are joined, and changes that are too short or too slight are smoothed away, as
        `inference.segments.find` says. Use it on predictions of all windows (`windows="all"`): with ten windows spread
        over a song, a segment's edges are as coarse as the distances between them. A song of one segment has the genre
        and the confidence of the prediction.

        Args:
            shortest: shortest segment in seconds; the whole song may be shorter.

        Raises:
            ValueError: `shortest` is negative.
        """
        import numpy as np

        from genrescope.inference import segments

        labels = list(self.scores)
        found = segments.find(
            np.array([[window.scores[label] for label in labels] for window in self.windows]),
            [(window.start, window.end) for window in self.windows], [window.silent for window in self.windows],
            labels=labels, seconds=self.seconds, shortest=shortest,
        )  # fmt: skip
        if len(found) == 1:
            return (replace(found[0], genre=self.genre, confidence=self.confidence),)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON-like values, scores rounded to six places."""
        return {
            "path": str(self.path) if self.path is not None else None,
            "name": self.name,
            "genre": self.genre,
            "confidence": round(self.confidence, 6),
            "unknown": self.unknown,
            "labels": list(self.labels),
            "warning": self.warning,
            "seconds": round(self.seconds, 3),
            "silent_windows": self.silent_windows,
            "scores": rounded(self.scores),
            "tags": {kind: rounded(scores) for kind, scores in self.tags.items()},
            "windows": [
                {
                    "start": round(window.start, 3),
                    "end": round(window.end, 3),
                    "genre": window.genre,
                    "silent": window.silent,
                    "scores": rounded(window.scores),
                }
                for window in self.windows
            ],
        }

    def to_json(self) -> str:
        """Return the prediction as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class Failure:
    """A song that could not be classified.

    Attributes:
        path: its file; None where bytes or samples were given.
        name: the path as text, or what stands for the song.
        reason: each decoder tried, and why it failed.
    """

    path: Path | None
    name: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as JSON-like values."""
        return {"path": str(self.path) if self.path is not None else None, "name": self.name, "reason": self.reason}


def rounded(scores: dict[str, float]) -> dict[str, float]:
    """Return scores as they are written, rounded to six places."""
    return {label: round(score, 6) for label, score in scores.items()}
