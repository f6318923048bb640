"""The learning rate is a pure function of the step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.training import recipe
from genrescope.training.schedule import rate_at, triangular2

RATES = {"base_rate": st.floats(1e-7, 1e-2), "max_rate": st.floats(1e-2, 10), "half_cycle": st.floats(0.5, 1000)}


def test_three_cycles_worked_out_by_hand() -> None:
    # base 1, peak 9, half-cycle 4: peaks 9, 5 and 3 at steps 4, 12 and 20, the base between them
    by_hand = {
        0: 1.0, 1: 3.0, 2: 5.0, 3: 7.0, 4: 9.0, 5: 7.0, 6: 5.0, 7: 3.0,
        8: 1.0, 9: 2.0, 10: 3.0, 11: 4.0, 12: 5.0, 13: 4.0, 14: 3.0, 15: 2.0,
        16: 1.0, 17: 1.5, 18: 2.0, 19: 2.5, 20: 3.0, 21: 2.5, 22: 2.0, 23: 1.5, 24: 1.0,
    }  # fmt: skip
    for step, rate in by_hand.items():
        assert triangular2(step, base_rate=1, max_rate=9, half_cycle=4) == pytest.approx(rate, abs=1e-12)


def test_the_published_schedule_worked_out_by_hand() -> None:
    schedule = recipe.load("mgcc").schedule
    per_epoch = 25  # 800 windows in steps of 32
    assert rate_at(0, schedule, steps_per_epoch=per_epoch, epochs=30) == pytest.approx(1e-5)
    assert rate_at(125, schedule, steps_per_epoch=per_epoch, epochs=30) == pytest.approx(1e-5 + 0.5 * (1e-3 - 1e-5))
    assert rate_at(250, schedule, steps_per_epoch=per_epoch, epochs=30) == pytest.approx(1e-3)
    assert rate_at(500, schedule, steps_per_epoch=per_epoch, epochs=30) == pytest.approx(1e-5)
    assert rate_at(624, schedule, steps_per_epoch=per_epoch, epochs=30) == pytest.approx(1e-5 + 0.495e-3 * 124 / 250)
    assert rate_at(750, schedule, steps_per_epoch=per_epoch, epochs=30) == pytest.approx(1e-5 + 0.495e-3)


@given(step=st.floats(0, 1e5), **RATES)
def test_the_rate_stays_between_base_and_peak(
    step: float, base_rate: float, max_rate: float, half_cycle: float
) -> None:
    rate = triangular2(step, base_rate=base_rate, max_rate=max_rate, half_cycle=half_cycle)
    assert base_rate * (1 - 1e-9) <= rate <= max_rate * (1 + 1e-9)


@given(cycle=st.integers(0, 20), **RATES)
def test_each_peak_stands_half_as_high_as_the_one_before(
    cycle: int, base_rate: float, max_rate: float, half_cycle: float
) -> None:
    step = (2 * cycle + 1) * half_cycle
    rate = triangular2(step, base_rate=base_rate, max_rate=max_rate, half_cycle=half_cycle)
    assert rate - base_rate == pytest.approx((max_rate - base_rate) / 2**cycle, rel=1e-6, abs=1e-9)
    low = triangular2(2 * cycle * half_cycle, base_rate=base_rate, max_rate=max_rate, half_cycle=half_cycle)
    assert low == pytest.approx(base_rate, rel=1e-6, abs=1e-9)


@given(step=st.floats(0, 1e4), **RATES)
def test_the_rate_never_jumps(step: float, base_rate: float, max_rate: float, half_cycle: float) -> None:
    there = triangular2(step, base_rate=base_rate, max_rate=max_rate, half_cycle=half_cycle)
    near = triangular2(step + 1e-4 * half_cycle, base_rate=base_rate, max_rate=max_rate, half_cycle=half_cycle)
    assert abs(near - there) <= 1.01e-4 * (max_rate - base_rate) + 1e-9


@given(place=st.floats(0, 1.999), cycle=st.integers(0, 10), **RATES)
def test_every_cycle_has_the_shape_of_the_first(
    place: float, cycle: int, base_rate: float, max_rate: float, half_cycle: float
) -> None:
    first = triangular2(place * half_cycle, base_rate=base_rate, max_rate=max_rate, half_cycle=half_cycle)
    later = triangular2((place + 2 * cycle) * half_cycle, base_rate=base_rate, max_rate=max_rate, half_cycle=half_cycle)
    assert later - base_rate == pytest.approx((first - base_rate) / 2**cycle, rel=1e-4, abs=1e-6 * max_rate)


@pytest.mark.parametrize(("step", "half_cycle"), [(-1.0, 4.0), (0.0, 0.0), (0.0, -1.0)])
def test_impossible_arguments_are_refused(step: float, half_cycle: float) -> None:
    with pytest.raises(ValueError, match="accepted are"):
        triangular2(step, base_rate=1, max_rate=9, half_cycle=half_cycle)


def test_a_constant_schedule_is_the_highest_rate() -> None:
    schedule = recipe.load("mgcc", {"schedule.name": "constant"}).schedule
    assert {rate_at(step, schedule, steps_per_epoch=7, epochs=200) for step in range(0, 999, 50)} == {1e-3}
