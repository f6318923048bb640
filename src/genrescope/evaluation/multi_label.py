"""Scoring models on tracks of several genres: from windows to rows, and from rows to figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope import results
from genrescope.errors import DataError
from genrescope.evaluation import label_metrics as metrics
from genrescope.evaluation.paired import clusters
from genrescope.inference.scorer import verdicts
from genrescope.results import (
    EVALUATION_NAME,
    Estimate,
    LabelFigures,
    LabelFold,
    LabelRow,
    MultiLabelEvaluation,
)
from genrescope.training.thresholds import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from genrescope.evaluation.label_metrics import Figures, Floats
    from genrescope.evaluation.sound import Scored
    from genrescope.evaluation.subjects import Subject
    from genrescope.modelfile import Header
    from genrescope.results import ModelFacts, Verdict


def label_rows(header: Header, scored: Scored) -> list[LabelRow]:
    """Return a row per track that was scored.

    Args:
        header: the model's.
        scored: what it made of the tracks.
    """
    found = verdicts(
        scored.scores, scored.placed, verdict=header.verdict, count=len(scored.tracks),
        pooling=header.windows.pooling, exclusive=False,
    ).tolist()  # fmt: skip
    rows = []
    for track, values in zip(scored.tracks, found, strict=True):
        scores = dict(zip(header.labels, values, strict=True))
        rows.append(
            LabelRow(
                id=track.id,
                labels=tuple(label for label in track.labels if label in scores),
                group=track.group,
                predicted=tuple(
                    label for label, score in scores.items() if score >= header.thresholds.get(label, UNKNOWN)
                ),
                scores={label: round(score, 6) for label, score in scores.items()},
            )
        )
    return rows


def label_summary(
    rows: Sequence[LabelRow],
    labels: Sequence[str],
    thresholds: Mapping[str, float],
    *,
    group_of: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the figures of `MultiLabelEvaluation`.

    What was decided at the thresholds is in the rows: folds have thresholds of their own.

    Args:
        rows: the tracks.
        labels: the model's.
        thresholds: by label, what is told of them.
        group_of: the groups that intervals over whole artists resample, by track; None takes those of the rows.

    Raises:
        DataError: no track has a label.
    """
    scores, targets, taken = _arrays(rows, labels)
    if not targets.any():
        raise DataError(f"none of the {len(rows)} tracks has a genre that the model knows; there is nothing to score")
    groups = [row.group if group_of is None else group_of[row.id] for row in rows]
    whole = metrics.figures(scores, targets, taken)
    by_track = metrics.resampled(scores, targets, taken, np.arange(len(rows)))
    by_group = metrics.resampled(scores, targets, taken, clusters(groups)) if any(groups) else None
    return {
        **{
            name: Estimate(
                value=float(getattr(whole, name)[0]),
                interval=metrics.interval(getattr(by_track, name)),
                interval_by_groups=None if by_group is None else metrics.interval(getattr(by_group, name)),
            )
            for name in ("mean_average_precision", "macro_f1", "micro_f1")
        },
        "chance": float(targets.mean(axis=0)[targets.any(axis=0)].mean()),
        "labels": {
            label: _of_label(whole, by_track, place, thresholds.get(label, UNKNOWN))
            for place, label in enumerate(labels)
            if whole.counts[0, 1:, place].any()
        },
        "tracks": tuple(rows),
    }


def of_fold(name: str, run: str, rows: Sequence[LabelRow], labels: Sequence[str]) -> LabelFold:
    """Return what a fold comes to."""
    found = float(metrics.figures(*_arrays(rows, labels)).mean_average_precision[0])
    return LabelFold(fold=name, run=run, tracks=len(rows), mean_average_precision=None if np.isnan(found) else found)


def publish(
    subject: Subject, model: ModelFacts, rows: Sequence[LabelRow], header: Header, folder: Path
) -> tuple[MultiLabelEvaluation, Path]:
    """Write `evaluation.json`, figure and report; return the content of the first, and the last.

    Args:
        subject: what was scored.
        model: what made the model.
        rows: what `label_rows` returned.
        header: the model's.
        folder: where it goes.

    Raises:
        DataError: no track has a genre that the model knows.
    """
    from genrescope.reports import label_page

    counted = label_summary(rows, header.labels, header.thresholds)
    result = MultiLabelEvaluation(
        model=model, data=subject.data, notes=subject.notes, audit=subject.audit, verdict=verdict_of(header), **counted
    )
    results.write(result, folder / EVALUATION_NAME)
    return result, label_page.write(result, folder)


def verdict_of(header: Header) -> Verdict:
    """Return what decides a track's genre by a model's recipe."""
    return "first" if header.verdict == "first" else "vote"


def _arrays(rows: Sequence[LabelRow], labels: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    """Return scores, truth and decisions, each (tracks, labels)."""
    scores = np.array([[row.scores[label] for label in labels] for row in rows])
    targets = np.array([[float(label in row.labels) for label in labels] for row in rows])
    taken = np.array([[float(label in row.predicted) for label in labels] for row in rows])
    return scores, targets, taken


def _of_label(whole: Figures, by_track: Figures, place: int, threshold: float) -> LabelFigures:
    right, actual, given = whole.counts[0, :, place].tolist()
    known = bool(actual)
    return LabelFigures(
        tracks=int(actual),
        threshold=threshold,
        average_precision=float(whole.average_precision[0, place]) if known else None,
        average_precision_interval=metrics.interval(by_track.average_precision[:, place]) if known else None,
        precision=right / given if given else None,
        recall=right / actual if known else None,
        f1=2 * right / (actual + given),
    )
