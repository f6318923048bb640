"""Figures: shares, accuracies, genres, calibration, differences, and the rows of tracks they are counted from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Strict

from genrescope.results.record import Count, Many, Portion, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Interval: TypeAlias = Annotated[tuple[float, float], Strict(False)]
"""The lower and upper bound of a 95 % interval."""

Verdict: TypeAlias = Literal["first", "vote"]
"""What makes a track's genre: its first window alone, or the vote of all."""

Level: TypeAlias = Literal["first", "window", "vote"]
"""What is counted: tracks by their first window, windows, or tracks by the vote of their windows."""


class Share(Record):
    """A share with its counts and its interval."""

    correct: Count
    total: Count
    value: Portion
    """`correct / total`."""
    interval: Interval
    """Wilson's 95 % interval."""


class TrackShare(Share):
    """A share of tracks."""

    interval_by_groups: Interval | None = None
    """95 % interval that resamples whole artists; null where it was not made."""


class WindowShare(Share):
    """A share of windows."""

    interval_by_tracks: Interval
    """95 % interval that resamples whole tracks, whose windows stand and fall together."""


class Accuracies(Record):
    """The three accuracies of an evaluation."""

    first: TrackShare
    """Of tracks, by their first window."""
    window: WindowShare
    """Of windows."""
    vote: TrackShare
    """Of tracks, by the vote of their windows."""

    def at(self, level: Level) -> TrackShare | WindowShare:
        """Return the accuracy at a level."""
        if level == "window":
            return self.window
        return self.first if level == "first" else self.vote

    def items(self) -> Iterator[tuple[Level, TrackShare | WindowShare]]:
        """Yield each level with its accuracy."""
        yield from (("first", self.first), ("window", self.window), ("vote", self.vote))


class TrackRow(Record):
    """A track that was scored."""

    id: str
    genre: str
    """Its label."""
    group: str
    """Its artist; empty where unknown."""
    predicted: str
    """The genre that it was taken for, by the recipe's own verdict."""
    scores: dict[str, Portion]
    """Probability of each genre, by the recipe's own verdict."""
    first: str
    """The genre by its first window alone."""
    vote: str
    """The genre by the vote of its windows."""
    windows: Count
    windows_right: Count
    """Windows that were taken for the track's genre."""

    @property
    def right(self) -> bool:
        """Whether it was taken for its genre."""
        return self.predicted == self.genre

    @property
    def confidence(self) -> float:
        """Probability of the genre that it was taken for."""
        return self.scores[self.predicted]

    def right_by(self, verdict: Verdict) -> bool:
        """Return whether a verdict, `first` or `vote`, gives its genre."""
        return (self.first if verdict == "first" else self.vote) == self.genre


class GenreFigures(Record):
    """How well a genre is found; what would divide by zero is null."""

    tracks: Count
    precision: Portion | None
    recall: Portion | None
    recall_interval: Interval | None
    f1: Portion | None


class Chance(Record):
    """The chance level: the accuracy of giving every track the genre that most of the scored tracks have."""

    genre: str
    """The first of those that have most tracks."""
    tracks: Count
    """Tracks of that genre."""
    value: Portion
    """Their share of all tracks that were scored."""

    @classmethod
    def of(cls, tracks: Mapping[str, int]) -> Chance:
        """Count it from the number of tracks of each genre.

        Example:
            >>> Chance.of({"blues": 3, "jazz": 1}).value
            0.75
        """
        genre = max(sorted(tracks), key=lambda each: tracks[each])
        return cls(genre=genre, tracks=tracks[genre], value=tracks[genre] / sum(tracks.values()))


class ConfusedPair(Record):
    """Tracks of one genre that were taken for another."""

    truth: str
    predicted: str
    count: Count
    share: Portion
    """Of the true genre's tracks."""


class Bin(Record):
    """Tracks of like confidence."""

    low: Portion
    high: Portion
    tracks: Count
    confidence: Portion
    """Mean confidence."""
    accuracy: Portion
    interval: Interval
    """Of the accuracy, by Wilson's method."""


class CalibrationError(Record):
    """The expected calibration error over bins of one kind."""

    ece: Portion
    interval: Interval
    """Over tracks."""
    interval_by_groups: Interval | None
    """Over whole artists; null where none is known."""
    if_calibrated: Interval
    """The range of 95 % of the error were each confidence exactly true."""
    bins: Many[Bin]
    """Those that hold tracks."""


class Calibration(Record):
    """Confidence beside how often it was right."""

    tracks: Count
    confidence: Portion
    """Mean confidence."""
    accuracy: Portion
    equal_width: CalibrationError
    """Over ten bins of equal width."""
    equal_mass: CalibrationError
    """Over ten bins of equally many tracks."""


class Difference(Record):
    """A system held against a reference on the same tracks."""

    difference: float
    """Accuracy of the system less that of the reference."""
    interval: Interval
    """95 % interval that resamples tracks."""
    interval_by_groups: Interval | None
    """95 % interval that resamples whole artists; null where none is known."""
    won: Count
    """Tracks that the system gets right more often than the reference."""
    lost: Count
    """Tracks that the system gets right less often than the reference."""
    p: Portion
    """McNemar's exact test of `won` against `lost`."""
    interval_newcombe: Interval | None
    """Newcombe's interval for paired shares; null where a track may be partly right."""
