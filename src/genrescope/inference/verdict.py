"""What a model makes of sound that has not ended: verdicts, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from genrescope.inference.prediction import rounded


@dataclass(frozen=True)
class Average:
    """What the windows of a stretch make together, as `Classifier.predict` averages those of a song.

    Attributes:
        genre: the label with the highest score.
        confidence: its score, in [0, 1]: the mean over all windows that are not silent.
        scores: by label, the highest first.
        unknown: whether the stretch is probably none of the model's genres.
        labels: those whose scores reach the model's thresholds; none where it has no thresholds.
        windows: how many windows it is the mean of.
        start: where the stretch begins, in seconds from the beginning of the stream.
    """

    genre: str
    confidence: float
    scores: dict[str, float] = field(repr=False)
    unknown: bool
    labels: tuple[str, ...]
    windows: int
    start: float

    def to_dict(self, *, scores: bool = True) -> dict[str, Any]:
        """Return it as JSON-like values, scores rounded to six places, or without them."""
        short: dict[str, Any] = {
            "genre": self.genre,
            "confidence": round(self.confidence, 6),
            "unknown": self.unknown,
            "labels": list(self.labels),
            "windows": self.windows,
            "start": round(self.start, 3),
        }
        return short | {"scores": rounded(self.scores)} if scores else short


@dataclass(frozen=True)
class Verdict:
    """What is playing at a moment of a stream.

    Attributes:
        time: end of the newest window, in seconds from the beginning of the stream.
        age: seconds since the newest sound in it was received.
        genre: the genre that is playing; None before the first window with sound. It changes once another genre has
            had the highest score in two windows that share no sound.
        confidence: its score, smoothed over the last windows, in [0, 1].
        scores: by label, smoothed over the last windows, the highest first; empty before the first window with sound,
            in silence and in speech.
        level: of the newest second, in dB of full scale (root mean square), -100 at least.
        silent: whether nothing in the newest second is louder than -60 dB of full scale.
        unknown: whether what is playing is probably none of the model's genres, in two windows that share no sound.
        song: the average since the last silence or speech, or since the genre changed; None before the first window
            with music.
        whole: the average since the beginning of the stream; None before the first window. At the end of a file it is
            what `predict` says of it with `windows="all"`.
        skipped: windows that were not scored so far, since the machine was too slow for the stream.
        lost: seconds of sound that never came so far, since the stream was interrupted.
        last: whether the stream has ended.
        speech: whether somebody speaks, without music, since 6 seconds or so; None where that is not known: in the
            first 6 seconds, after silence, and where the model's sample rate is below 14 kHz.
    """

    time: float
    age: float
    genre: str | None
    confidence: float
    scores: dict[str, float] = field(repr=False)
    level: float
    silent: bool
    unknown: bool
    song: Average | None
    whole: Average | None
    skipped: int = 0
    lost: float = 0.0
    last: bool = False
    speech: bool | None = None

    @property
    def heading(self) -> str:
        """What is playing, in a word or two: the genre, `silence`, `speech`, `unknown`, or `...` before any sound.

        Example:
            >>> Verdict(2.0, 0.1, "jazz", 0.8, {"jazz": 0.8}, -70.0, True, False, None, None).heading
            'silence'
        """
        if self.silent:
            return "silence"
        if self.speech:
            return "speech"
        return "unknown" if self.unknown else self.genre or "..."

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON-like values, scores rounded to six places; the last has those of averages, too."""
        return {
            "time": round(self.time, 3),
            "age": round(self.age, 3),
            "genre": self.genre,
            "confidence": round(self.confidence, 6),
            "silent": self.silent,
            "speech": self.speech,
            "unknown": self.unknown,
            "level": round(self.level, 1),
            "scores": rounded(self.scores),
            "song": None if self.song is None else self.song.to_dict(scores=self.last),
            "whole": None if self.whole is None else self.whole.to_dict(scores=self.last),
            "skipped": self.skipped,
            "lost": round(self.lost, 3),
            "last": self.last,
        }
