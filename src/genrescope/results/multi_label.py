"""An evaluation where tracks have several genres: the other content of `evaluation.json` and `crossval.json`."""

from __future__ import annotations

from genrescope.results.evaluation import Heading
from genrescope.results.figures import Interval, Verdict
from genrescope.results.record import Count, Many, Portion, Record


class Estimate(Record):
    """A figure over all tracks, with its intervals."""

    value: Portion
    interval: Interval
    """95 % interval that resamples tracks."""
    interval_by_groups: Interval | None
    """95 % interval that resamples whole artists; null where none is known."""


class LabelFigures(Record):
    """How well a genre is found; what would divide by zero is null."""

    tracks: Count
    """Tracks that have it."""
    threshold: Portion
    """The score from which it counts."""
    average_precision: Portion | None
    """Mean precision over the ranks of the tracks that have it, of all tracks in the order of its scores."""
    average_precision_interval: Interval | None
    """95 % interval that resamples tracks."""
    precision: Portion | None
    """At the threshold, as recall and F1."""
    recall: Portion | None
    f1: Portion | None


class LabelRow(Record):
    """A track that was scored."""

    id: str
    labels: Many[str]
    """Its genres; none for a negative example."""
    group: str
    """Its artist; empty where unknown."""
    predicted: Many[str]
    """The genres whose scores reach their thresholds."""
    scores: dict[str, Portion]
    """Of each genre, by the recipe's own verdict; they need not add up to 1."""


class LabelFold(Record):
    """A fold, scored by what had not learnt it."""

    fold: str
    """Its name in the split."""
    run: str
    """Its run folder, within that of the cross-validation."""
    tracks: Count
    mean_average_precision: Portion | None
    """Null where no track of the fold has a genre."""


class LabelFolds(Record):
    """The folds of a cross-validation."""

    folds: Many[LabelFold]
    seconds: float
    """Of training, in all."""


class MultiLabelEvaluation(Heading):
    """A model that gives tracks any number of genres, scored on labelled tracks."""

    verdict: Verdict
    """What makes a track's scores."""
    mean_average_precision: Estimate
    """Mean of the genres' average precision (macro average, mAP)."""
    chance: Portion
    """The mean average precision that scores without any meaning come to: the mean share of tracks with a genre."""
    macro_f1: Estimate
    """Mean F1 of the genres that have tracks, at their thresholds."""
    micro_f1: Estimate
    """F1 of all decisions together."""
    labels: dict[str, LabelFigures]
    """Genres that have tracks, or were predicted."""
    tracks: Many[LabelRow]
    crossval: LabelFolds | None = None
    """Null where the model was not cross-validated."""
