"""An evaluation and a cross-validation: the content of `evaluation.json` and `crossval.json`."""

from __future__ import annotations

from genrescope.results.facts import AuditFacts, DataFacts, ModelFacts
from genrescope.results.figures import (
    Accuracies,
    Calibration,
    Chance,
    ConfusedPair,
    GenreFigures,
    Interval,
    Share,
    TrackRow,
    TrackShare,
    Verdict,
)
from genrescope.results.record import FORMAT, Count, Format, Many, Portion, Record


class Summary(Record):
    """What was counted of tracks that were scored."""

    verdict: Verdict
    """The recipe's own, of which genres, confusion matrix and the tracks' scores are made."""
    accuracy: Accuracies
    macro_f1: Portion
    """Mean F1 of the genres that have tracks."""
    macro_f1_interval: Interval | None = None
    """95 % interval that resamples tracks; null where it was not made."""
    macro_f1_interval_by_groups: Interval | None = None
    """95 % interval that resamples whole artists; null where it was not made."""
    genres: dict[str, GenreFigures]
    labels: Many[str]
    """The model's genres, in the order of rows and columns below."""
    confusion: Many[Many[Count]]
    """Tracks by truth (rows) and prediction (columns)."""
    confused: Many[ConfusedPair]
    """The most frequent confusions, the most frequent first."""
    calibration: Calibration
    tracks: Many[TrackRow]

    @property
    def headline(self) -> TrackShare:
        """The accuracy by the recipe's own verdict."""
        return self.accuracy.first if self.verdict == "first" else self.accuracy.vote

    @property
    def chance(self) -> Chance:
        """The accuracy of giving every track the most frequent genre."""
        return Chance.of({genre: its.tracks for genre, its in self.genres.items()})


class Heading(Record):
    """What stands above the figures of an evaluation."""

    format: Format = FORMAT
    """Version of the file's form."""
    model: ModelFacts
    data: DataFacts
    notes: Many[str]
    """What a reader should know, a sentence each."""
    audit: AuditFacts | None
    """Null where the split was not audited, or training tracks themselves were scored."""


class NegativeFigures(Record):
    """Negative examples, and tracks that have a genre."""

    caught: Share
    """Of tracks that have none of the genres, those that are called unknown."""
    lost: Share
    """Of tracks that have one, those that are called unknown."""


class Evaluation(Summary, Heading):
    """A model scored on labelled tracks."""

    negatives: NegativeFigures | None = None
    """Null where no negative examples were among what was scored, or the model calls nothing unknown."""


class FoldResult(Record):
    """A fold, scored by what had not learnt it."""

    fold: str
    """Its name in the split."""
    run: str
    """Its run folder, within that of the cross-validation."""
    accuracy: Share
    """By the recipe's own verdict."""


class Folds(Record):
    """The folds of a cross-validation."""

    folds: Many[FoldResult]
    mean: Portion
    """Mean of the folds' accuracies."""
    deviation: float
    """Their standard deviation."""
    seconds: float
    """Of training, in all."""


class CrossValidation(Evaluation):
    """All tracks together, each scored by what had not learnt its fold."""

    crossval: Folds
