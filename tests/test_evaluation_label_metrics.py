"""Figures of tracks with several genres: equal to scikit-learn's, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from genrescope.errors import DataError
from genrescope.evaluation.label_metrics import figures, interval, resampled
from genrescope.evaluation.multi_label import label_summary
from genrescope.results import LabelRow
from genrescope.training.thresholds import LEAST, best_thresholds


def made(tracks: int = 60, *, signal: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and truth of four labels, some scores equal."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((tracks, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(float)
    scores = 1 / (1 + np.exp(-(signal * (2 * truth - 1) + rng.normal(0, 1, truth.shape))))
    return scores.round(1), truth


@pytest.mark.parametrize("seed", range(3))
def test_they_are_those_of_scikit_learn(seed: int) -> None:
    scores, truth = made(seed=seed)
    taken = (scores >= 0.4).astype(float)
    found = figures(scores, truth, taken)
    assert found.average_precision[0] == pytest.approx(average_precision_score(truth, scores, average=None))
    assert found.mean_average_precision[0] == pytest.approx(average_precision_score(truth, scores))
    assert found.macro_f1[0] == pytest.approx(f1_score(truth, taken, average="macro"))
    assert found.micro_f1[0] == pytest.approx(f1_score(truth, taken, average="micro"))


def test_a_track_drawn_twice_counts_as_two() -> None:
    scores, truth = made(20)
    taken = (scores >= 0.5).astype(float)
    times = np.random.default_rng(1).integers(0, 3, (5, 20)).astype(float)
    together = figures(scores, truth, taken, times)
    for row, often in enumerate(times.astype(int)):
        alone = figures(*(np.repeat(each, often, axis=0) for each in (scores, truth, taken)))
        assert together.average_precision[row] == pytest.approx(alone.average_precision[0], nan_ok=True)
        assert together.macro_f1[row] == pytest.approx(alone.macro_f1[0])


def test_intervals_hold_the_value_and_widen_over_artists() -> None:
    scores, truth = made(30)
    scores, truth = np.repeat(scores, 4, axis=0), np.repeat(truth, 4, axis=0)  # four songs an artist, all alike
    taken = (scores >= 0.5).astype(float)
    value = figures(scores, truth, taken).mean_average_precision[0]
    by_track = interval(resampled(scores, truth, taken, np.arange(120)).mean_average_precision)
    by_artist = interval(resampled(scores, truth, taken, np.arange(120) // 4).mean_average_precision)
    assert by_artist[0] < by_track[0] < value < by_track[1] < by_artist[1]


def test_a_label_without_tracks_has_no_average_precision() -> None:
    found = figures(np.array([[0.9, 0.1]]), np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]))
    assert np.isnan(found.average_precision[0, 1])
    assert found.mean_average_precision[0] == 1.0


def test_rows_come_to_figures() -> None:
    scores, truth = made(40, signal=2.0)
    names = ("a", "b", "c", "d")
    rows = [
        LabelRow(
            id=str(n), labels=tuple(name for name, its in zip(names, truth[n], strict=True) if its), group=f"g{n % 8}",
            predicted=tuple(name for name, its in zip(names, scores[n], strict=True) if its >= 0.5),
            scores=dict(zip(names, scores[n].tolist(), strict=True)),
        )
        for n in range(40)
    ]  # fmt: skip
    found = label_summary(rows, names, dict.fromkeys(names, 0.5))
    assert found["chance"] == pytest.approx(truth.mean(axis=0)[truth.any(axis=0)].mean())
    assert found["labels"]["a"].f1 == pytest.approx(f1_score(truth[:, 0], scores[:, 0] >= 0.5))
    assert found["mean_average_precision"].value > found["chance"] + 0.2
    empty = [row.model_copy(update={"labels": ()}) for row in rows]
    with pytest.raises(DataError, match="none of the 40 tracks"):
        label_summary(empty, names, {})


# -- thresholds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_has_a_higher_f1(seed: int) -> None:
    scores, truth = made(seed=seed)
    found = best_thresholds(scores, truth)
    for label, threshold in enumerate(found):
        at_best = f1_score(truth[:, label], scores[:, label] >= threshold)
        others = [f1_score(truth[:, label], scores[:, label] >= at) for at in np.linspace(LEAST, 1, 91)]
        assert at_best >= max(others) - 1e-12


def test_a_label_that_no_track_has_keeps_one_half() -> None:
    assert best_thresholds(np.array([[0.2], [0.9]]), np.zeros((2, 1))).tolist() == [0.5]


def test_a_label_that_cannot_be_told_is_not_given_to_all() -> None:
    scores, truth = np.linspace(0.01, 0.09, 9)[:, None], np.eye(9)[:, :1]
    assert best_thresholds(scores, truth).tolist() == [LEAST]
    assert best_thresholds(np.array([[0.2], [0.3]]), np.ones((2, 1))).tolist() == [LEAST]
