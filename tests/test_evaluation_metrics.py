"""Counts, shares and intervals, against published and hand-computed values and against laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from genrescope.evaluation.metrics import (
    confused_pairs,
    confusion,
    macro_f1,
    macro_f1_interval,
    per_genre,
    resampled_interval,
    share,
    wilson,
)
from genrescope.results import GenreFigures, Share

Counted = tuple[int, int]

counted = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def width(bounds: tuple[float, float]) -> float:
    return bounds[1] - bounds[0]


# -- Wilson's interval --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        (138, 200, 0.623, 0.750),  # 69.00 % of 200 clips, the published system's score
        (81, 263, 0.2553, 0.3662),  # R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0000),
    ],
)
def test_wilson_gives_the_published_values(correct: int, total: int, low: float, high: float) -> None:
    digits = 3 if total == 200 else 4
    assert [round(bound, digits) for bound in wilson(correct, total)] == [low, high]


def test_wilson_of_one_case_is_z_squared_over_one_plus_z_squared() -> None:
    assert wilson(0, 1) == pytest.approx((0.0, 3.841459 / 4.841459), abs=1e-6)
    assert wilson(1, 1) == pytest.approx((1 / 4.841459, 1.0), abs=1e-6)


@given(counted)
def test_wilson_holds_the_share_and_stays_within_0_and_1(case: Counted) -> None:
    correct, total = case
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    assert low < high


@given(counted, st.integers(2, 20))
def test_wilson_narrows_as_cases_are_added(case: Counted, times: int) -> None:
    correct, total = case
    assert width(wilson(correct * times, total * times)) < width(wilson(correct, total))


@given(counted)
def test_wilson_treats_right_and_wrong_alike(case: Counted) -> None:
    correct, total = case
    low, high = wilson(correct, total)
    assert wilson(total - correct, total) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(counted)
def test_wilson_climbs_with_every_case_that_is_right(case: Counted) -> None:
    correct, total = case
    assume(correct < total)
    assert wilson(correct, total)[0] < wilson(correct + 1, total)[0]
    assert wilson(correct, total)[1] < wilson(correct + 1, total)[1] + 1e-12


@pytest.mark.parametrize(("correct", "total"), [(0, 0), (-1, 10), (11, 10), (0, -5)])
def test_wilson_refuses_counts_that_cannot_be(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="accepted is"):
        wilson(correct, total)


def test_a_share_carries_its_counts() -> None:
    assert share(3, 4) == Share(correct=3, total=4, value=0.75, interval=wilson(3, 4))


# -- clusters -----------------------------------------------------------------------------------------------------


@given(st.integers(5, 60), st.integers(3, 10), st.data())
def test_windows_that_stand_and_fall_together_get_a_wider_interval(tracks: int, each: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(2, tracks - 2))
    correct = [each] * right + [0] * (tracks - right)
    resampled = resampled_interval(correct, [each] * tracks)
    assert width(resampled) > width(wilson(right * each, tracks * each))
    assert 0 <= resampled[0] <= right / tracks <= resampled[1] <= 1


def test_single_windows_get_an_interval_like_wilsons() -> None:
    resampled = resampled_interval([1] * 140 + [0] * 60, [1] * 200)
    assert resampled == pytest.approx(wilson(140, 200), abs=0.01)


def test_resampling_is_the_same_every_time_and_knows_lengths() -> None:
    correct, total = [10, 0, 1, 5], [10, 2, 1, 5]
    assert resampled_interval(correct, total) == resampled_interval(correct, total)
    assert resampled_interval([4, 9], [4, 9]) == (1.0, 1.0)
    assert resampled_interval([0], [3]) == (0.0, 0.0)


# -- the confusion matrix and what follows from it ----------------------------------------------------------------

verdicts = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)
LABELS = ("blues", "disco", "jazz", "rock")


@given(verdicts)
def test_the_confusion_matrix_counts_every_track_once(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = [t for t, _ in pairs], [p for _, p in pairs]
    counts = confusion(truth, predicted, 4)
    assert counts.sum() == len(pairs)
    assert counts.sum(axis=1).tolist() == [truth.count(genre) for genre in range(4)]
    assert counts.sum(axis=0).tolist() == [predicted.count(genre) for genre in range(4)]
    assert counts.trace() == sum(t == p for t, p in pairs)


def test_no_tracks_are_no_counts() -> None:
    assert confusion([], [], 3).tolist() == [[0, 0, 0]] * 3


def test_figures_of_a_genre_by_hand() -> None:
    #                      predicted: blues disco jazz rock
    counts = np.array([[3, 1, 0, 0], [1, 1, 0, 2], [0, 0, 0, 0], [0, 2, 0, 6]])
    found = per_genre(counts, LABELS)
    assert found["blues"].tracks == 4
    assert found["blues"].precision == 3 / 4
    assert found["blues"].recall == 3 / 4
    assert found["blues"].f1 == 3 / 4
    assert found["disco"].precision == 1 / 4
    assert found["disco"].recall == 1 / 4
    assert found["rock"].precision == 6 / 8
    assert found["rock"].recall_interval == wilson(6, 8)
    assert found["jazz"] == GenreFigures(tracks=0, precision=None, recall=None, recall_interval=None, f1=None)


def test_a_figure_that_would_divide_by_zero_is_none() -> None:
    found = per_genre(np.array([[0, 2], [0, 0]]), ("a", "b"))
    assert found["a"].precision is None
    assert (found["a"].recall, found["a"].f1) == (0.0, 0.0)
    assert found["b"].recall is None
    assert (found["b"].precision, found["b"].f1) == (0.0, 0.0)


@given(verdicts)
def test_figures_agree_with_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    reference = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    truth, predicted = [t for t, _ in pairs], [p for _, p in pairs]
    counts = confusion(truth, predicted, 4)
    assert (counts == reference.confusion_matrix(truth, predicted, labels=range(4))).all()
    precision, recall, f1, tracks = reference.precision_recall_fscore_support(
        truth, predicted, labels=range(4), zero_division=0
    )
    for position, found in enumerate(per_genre(counts, LABELS).values()):
        assert found.tracks == tracks[position]
        assert (found.precision or 0) == pytest.approx(precision[position])
        assert (found.recall or 0) == pytest.approx(recall[position])
        assert (found.f1 or 0) == pytest.approx(f1[position])


@given(verdicts)
def test_confused_pairs_are_the_cells_off_the_diagonal_the_largest_first(pairs: list[tuple[int, int]]) -> None:
    counts = confusion([t % 3 for t, _ in pairs], [p % 3 for _, p in pairs], 3)
    found = confused_pairs(counts, LABELS)
    assert sum(pair.count for pair in found) == counts.sum() - counts.trace()
    assert [pair.count for pair in found] == sorted((pair.count for pair in found), reverse=True)
    for pair in found:
        row, column = LABELS.index(pair.truth), LABELS.index(pair.predicted)
        assert row != column
        assert pair.share == pytest.approx(counts[row, column] / counts[row].sum())
    assert len(confused_pairs(np.ones((5, 5), np.int64), "abcde")) == 10


# -- macro F1 -----------------------------------------------------------------------------------------------------

labelled = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(labelled)
def test_macro_f1_is_that_of_scikit_learn_over_the_genres_that_have_tracks(pairs: list[Counted]) -> None:
    from sklearn.metrics import f1_score

    truth, predicted = zip(*pairs, strict=True)
    wanted = f1_score(truth, predicted, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert macro_f1(truth, predicted, 4) == pytest.approx(wanted)


def test_the_interval_of_macro_f1_narrows_with_tracks_and_widens_with_artists() -> None:
    random = np.random.default_rng(1)
    truth = np.repeat([0, 1, 2], 40)
    predicted = np.where(random.random(120) < 0.7, truth, (truth + 1) % 3)
    few = macro_f1_interval(truth.tolist(), predicted.tolist(), 3)
    many = macro_f1_interval(np.tile(truth, 9).tolist(), np.tile(predicted, 9).tolist(), 3)
    assert few[0] < macro_f1(truth.tolist(), predicted.tolist(), 3) < few[1]
    assert width(few) == pytest.approx(3 * width(many), rel=0.15)
    copies = [str(place % 120) for place in range(1080)]
    again = macro_f1_interval(np.tile(truth, 9).tolist(), np.tile(predicted, 9).tolist(), 3, copies)
    assert again == pytest.approx(few, abs=0.02), "nine equal tracks by one artist tell no more than one"


def test_the_interval_of_macro_f1_is_right_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)

    def drawn(tracks: int) -> tuple[list[int], list[int]]:
        truth = random.integers(0, 3, tracks)
        wrong = random.random(tracks) > np.array([0.9, 0.7, 0.5])[truth]
        return truth.tolist(), ((truth + wrong) % 3).tolist()

    true = macro_f1(*drawn(200_000), 3)
    inside = [low <= true <= high for low, high in (macro_f1_interval(*drawn(150), 3) for _ in range(200))]
    assert 0.89 <= np.mean(inside) <= 0.99
