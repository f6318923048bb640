"""The learning rate is a pure function of the step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.training import recipe
from genrescope.training.schedule import one_cycle, rate_at, triangular2

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


# -- one cycle ----------------------------------------------------------------------------------------------------

CYCLE = {
    "base_rate": st.floats(1e-7, 1e-2), "max_rate": st.floats(1e-2, 10), "steps": st.integers(1, 5000),
    "warm_up": st.floats(0, 1),
}  # fmt: skip


def test_one_cycle_worked_out_by_hand() -> None:
    # up in 4 of 12 steps: 1 + 8 sin^2(pi/2 step/4); down in 8: 1 + 8 cos^2(pi/2 (step - 4)/8)
    by_hand = {0: 1.0, 1: 2.171573, 2: 5.0, 3: 7.828427, 4: 9.0, 6: 7.828427, 8: 5.0, 10: 2.171573, 12: 1.0}
    for step, rate in by_hand.items():
        found = one_cycle(step, base_rate=1, max_rate=9, steps=12, warm_up=1 / 3)
        assert found == pytest.approx(rate, abs=1e-6)


@given(**CYCLE)
def test_one_cycle_ends_low_and_has_its_peak_where_the_warm_up_ends(
    base_rate: float, max_rate: float, steps: int, warm_up: float
) -> None:
    def rate(step: float) -> float:
        return one_cycle(step, base_rate=base_rate, max_rate=max_rate, steps=steps, warm_up=warm_up)

    assert rate(warm_up * steps) == pytest.approx(max_rate)
    if warm_up < 0.99:
        assert rate(steps) == pytest.approx(base_rate, rel=1e-6)
    if warm_up > 0.01:
        assert rate(0) == pytest.approx(base_rate, rel=1e-6)
    else:
        assert rate(0) == pytest.approx(max_rate, rel=1e-6) or warm_up > 0


@given(places=st.tuples(st.floats(0, 1), st.floats(0, 1)), **CYCLE)
def test_one_cycle_only_climbs_before_its_peak_and_only_falls_after_it(
    places: tuple[float, float], base_rate: float, max_rate: float, steps: int, warm_up: float
) -> None:
    early, late = sorted(place * steps for place in places)
    one, other = (
        one_cycle(step, base_rate=base_rate, max_rate=max_rate, steps=steps, warm_up=warm_up) for step in (early, late)
    )
    for rate in (one, other):
        assert base_rate * (1 - 1e-9) <= rate <= max_rate * (1 + 1e-9)
    if late <= warm_up * steps:
        assert one <= other * (1 + 1e-9)
    if early >= warm_up * steps:
        assert one >= other * (1 - 1e-9)


@given(at=st.floats(0, 0.9999), warm_up=st.floats(0.05, 0.95))
def test_one_cycle_never_jumps(at: float, warm_up: float) -> None:
    there, near = (one_cycle(1000 * x, base_rate=0, max_rate=1, steps=1000, warm_up=warm_up) for x in (at, at + 1e-4))
    steepest = math.pi / 2 / min(warm_up, 1 - warm_up)
    assert abs(near - there) <= 1.01e-4 * steepest


@given(step=st.integers(0, 700))
def test_cosine_annealing_only_falls(step: int) -> None:
    schedule = recipe.load("mgcc", {"schedule.name": "cosine", "schedule.warm_up": 0.9}).schedule
    rate = rate_at(step, schedule, steps_per_epoch=7, epochs=100)
    assert rate == pytest.approx(1e-5 + 0.99e-3 * (1 + math.cos(math.pi * step / 700)) / 2)


def test_a_recipe_s_one_cycle_spans_the_whole_training() -> None:
    schedule = recipe.load("mgcc", {"schedule.name": "one-cycle", "schedule.warm_up": 0.3}).schedule
    rates = [rate_at(step, schedule, steps_per_epoch=20, epochs=10) for step in range(200)]
    assert rates.index(max(rates)) == 60
    assert max(rates) == pytest.approx(1e-3)
    assert rates[0] == pytest.approx(1e-5)
    assert rates[-1] < 1.1e-5
