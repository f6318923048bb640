"""A robustness test: the content of `robustness.json`."""

from __future__ import annotations

from genrescope.results.facts import DataFacts, ModelFacts
from genrescope.results.figures import Difference, Share, Verdict
from genrescope.results.record import FORMAT, Format, Many, Portion, Record


class ConditionFigures(Record):
    """All tracks under one change of the sound."""

    name: str
    description: str
    """What was done, in one sentence."""
    accuracy: Share
    confidence: Portion
    """Mean confidence in what each track was taken for."""
    against_unchanged: Difference | None
    """Null for the unchanged sound itself."""


class RobustnessRow(Record):
    """A track under every condition."""

    id: str
    genre: str
    """Its label."""
    group: str
    """Its artist; empty where unknown."""
    predicted: dict[str, str]
    """By condition, the genre that it was taken for."""
    confidence: dict[str, Portion]
    """By condition, the probability of that genre."""

    def right(self, condition: str) -> bool:
        """Return whether it was taken for its genre under a condition."""
        return self.predicted[condition] == self.genre


class RobustnessResult(Record):
    """The same held-out tracks, changed and scored again."""

    format: Format = FORMAT
    """Version of the file's form."""
    model: ModelFacts
    """Of a cross-validation, the first model that was needed."""
    data: DataFacts
    verdict: Verdict
    conditions: Many[ConditionFigures]
    """The unchanged sound comes first."""
    notes: Many[str]
    """What a reader should know, a sentence each."""
    failed: dict[str, str]
    """Tracks that could not be used, with the reason."""
    tracks: Many[RobustnessRow]
