"""Calibration: the error by hand, what chance does, and where it is told."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.evaluation.calibration import calibration

tracks = st.lists(st.tuples(st.floats(0.05, 1.0), st.booleans()), min_size=1, max_size=60)


def test_the_error_by_hand() -> None:
    """Two bins: (0.6 + 0.6) against 1 of 2, and 0.95 against 1 of 1: (2 * 0.1 + 1 * 0.05) / 3."""
    found = calibration([0.6, 0.6, 0.95], [True, False, True])
    assert found.equal_width.ece == pytest.approx((2 * 0.1 + 0.05) / 3)
    assert [(b.low, b.tracks, b.accuracy) for b in found.equal_width.bins] == [
        (0.5, 2, 0.5),
        (0.9, 1, 1.0),
    ]
    assert found.confidence == pytest.approx(2.15 / 3)
    assert found.accuracy == pytest.approx(2 / 3)


def test_ends_of_bins_belong_to_the_bin_below() -> None:
    bins = calibration([0.1, 0.3, 1.0], [True] * 3).equal_width.bins
    assert [each.high for each in bins] == [0.1, 0.3, 1.0]


def test_bins_of_equal_mass_hold_equally_many() -> None:
    sure = np.random.default_rng(0).beta(8, 1, 205)
    bins = calibration(sure, [True] * 205).equal_mass.bins
    assert sorted({each.tracks for each in bins}) == [20, 21]
    assert all(low.high <= high.low for low, high in pairwise(bins))


@given(tracks)
def test_the_error_is_a_share_and_no_bin_is_lost(pairs: list[tuple[float, bool]]) -> None:
    found = calibration([sure for sure, _ in pairs], [right for _, right in pairs])
    for kind in ("equal_width", "equal_mass"):
        its = getattr(found, kind)
        assert sum(each.tracks for each in its.bins) == len(pairs)
        gaps = sum(each.tracks * abs(each.accuracy - each.confidence) for each in its.bins)
        assert its.ece == pytest.approx(gaps / len(pairs))
        assert 0 <= its.interval[0] <= its.interval[1] <= 1
        assert abs(found.accuracy - found.confidence) <= its.ece + 1e-9


def test_true_confidences_stay_in_the_range_of_chance_and_boasts_do_not() -> None:
    rng = np.random.default_rng(2)
    sure = rng.uniform(0.3, 1.0, 600)
    honest = calibration(sure, rng.random(600) < sure).equal_width
    assert honest.if_calibrated[0] <= honest.ece <= honest.if_calibrated[1]
    boast = calibration(sure, rng.random(600) < sure - 0.25).equal_width
    assert boast.ece > boast.if_calibrated[1]
    assert boast.interval[0] < 0.25 < boast.interval[1]


def test_artists_that_stand_and_fall_together_widen_the_interval() -> None:
    right = [place // 20 % 2 == 0 for place in range(200)]
    found = calibration([0.7] * 200, right, [f"artist {place // 20}" for place in range(200)]).equal_width
    assert found.interval_by_groups is not None
    width, wider = (high - low for low, high in (found.interval, found.interval_by_groups))
    assert wider > 2 * width
    assert calibration([0.7] * 200, right).equal_width.interval_by_groups is None


def test_pieces_of_the_resampling_are_as_good_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    sure = rng.uniform(0.3, 1, 300)
    right = rng.random(300) < 0.5
    whole = calibration(sure, right).equal_mass
    monkeypatch.setattr("genrescope.evaluation.calibration._AT_ONCE", 7 * 300)
    pieces = calibration(sure, right).equal_mass
    for name in ("interval", "if_calibrated"):
        assert getattr(pieces, name) == pytest.approx(getattr(whole, name), abs=0.01)
