"""What a slow machine leaves out, and what counts as a change."""

from __future__ import annotations

from live_support import Clock

from genrescope.inference.confirmed import Confirmed
from genrescope.inference.pace import Pace


def test_a_change_must_be_seen_in_two_windows_that_share_no_sound() -> None:
    genre = Confirmed("rock")
    assert [genre.see("jazz", start=at, end=at + 3.0) for at in (0.0, 1.0, 2.9)] == ["rock"] * 3
    assert genre.see("jazz", start=3.0, end=6.0) == "jazz"
    assert genre.see("rock", start=4.0, end=7.0) == "jazz"
    assert genre.see("jazz", start=5.0, end=8.0) == "jazz"  # the doubt is over
    assert genre.see("rock", start=7.0, end=10.0) == "jazz"
    assert genre.see("pop", start=10.0, end=13.0) == "jazz"
    assert genre.see("rock", start=13.0, end=16.0) == "jazz"


def test_a_slow_machine_leaves_out_windows_between_first_and_then_the_oldest() -> None:
    clock = Clock()
    pace = Pace(clock)
    counts = [True, False, False] * 3
    assert pace.choose(range(9), counts) == list(range(9))  # nothing is known yet
    with pace.measuring(9):
        clock.now += 9  # a second each
    assert pace.choose(range(9), counts) == [3, 6]  # of those that predict scores the newest
    with pace.measuring(2):
        clock.now += 2
    assert pace.choose(range(9), counts) == [6]  # one always
    with pace.measuring(1):
        clock.now += 0.1  # it has become faster
    clock.now += 60  # time that is not used is kept for two seconds of scoring, and no more
    assert pace.choose(range(9), counts) == [3, 6]
