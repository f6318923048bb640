"""The tracks of a result as a table: one row per track with its truth, its prediction and its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.files import csv_line
from genrescope.results.multi_label import MultiLabelEvaluation
from genrescope.sources.labels import NEGATIVE, joined

if TYPE_CHECKING:
    from genrescope.results.evaluation import Evaluation

_COLUMNS = ("id", "truth", "prediction", "artist")


def predictions(result: Evaluation | MultiLabelEvaluation) -> str:
    """Return CSV with a row per track: id, truth, prediction, artist, and `score_<genre>` for each genre.

    The rows of a cross-validation are out-of-fold: each track was scored by the model that had not learnt it. Scores
    are probabilities, 0 to 1, and the artist is empty where it is unknown. Several genres are separated by `; `.
    """
    if isinstance(result, MultiLabelEvaluation):
        return _of_labels(result)
    lines = [csv_line([*_COLUMNS, *(f"score_{label}" for label in result.labels)])]
    for row in result.tracks:
        scores = [row.scores[label] for label in result.labels]
        lines.append(csv_line([row.id, row.genre, row.predicted, row.group, *scores]))
    return "".join(lines)


def _of_labels(result: MultiLabelEvaluation) -> str:
    labels = list(result.tracks[0].scores)
    lines = [csv_line([*_COLUMNS, *(f"score_{label}" for label in labels)])]
    for row in result.tracks:
        scores = [row.scores[label] for label in labels]
        truth, predicted = (joined(names) for names in (row.labels or [NEGATIVE], row.predicted))
        lines.append(csv_line([row.id, truth, predicted, row.group, *scores]))
    return "".join(lines)
