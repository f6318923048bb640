"""Work in processes and in a thread: in order, whatever one of them does."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


def _doubler() -> Callable[[int], tuple[int, int]]:
    def work(item: int) -> tuple[int, int]:
        if item == 13:
            os._exit(1)  # as a decoder's crash does
        return 2 * item, os.getpid()

    return work


def _crashed(item: int) -> tuple[int, int]:
    return -item, 0


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_order(jobs: int) -> None:
    done = list(workers.results(range(7), _doubler, jobs=jobs, crashed=_crashed))
    assert [doubled for doubled, _ in done] == [0, 2, 4, 6, 8, 10, 12]
    own = {pid == os.getpid() for _, pid in done}
    assert own == {jobs == 1}


def test_a_crash_costs_one_item() -> None:
    done = list(workers.results([12, 13, 14, 15], _doubler, jobs=2, crashed=_crashed))
    assert [doubled for doubled, _ in done] == [24, -13, 28, 30]


def test_nothing_to_do_starts_no_process() -> None:
    assert list(workers.results([], _doubler, jobs=2, crashed=_crashed)) == []


# -- the thread that stays ahead --------------------------------------------------------------------------------


@given(items=st.lists(st.integers() | st.none(), max_size=20), depth=st.integers(1, 5))
def test_ahead_gives_the_same_items_in_order(items: list[int | None], depth: int) -> None:
    assert list(workers.ahead(items, depth=depth)) == items


def test_an_exception_arrives_in_its_place() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    items = workers.ahead(failing())
    assert (next(items), next(items)) == (1, 2)
    with pytest.raises(ValueError, match="the third"):
        next(items)


def test_a_consumer_that_leaves_ends_the_thread() -> None:
    made = []

    def endless() -> Iterator[int]:
        while True:
            made.append(1)
            yield len(made)

    before = threading.active_count()
    items = cast("Generator[int]", workers.ahead(endless(), depth=2))
    assert next(items) == 1
    items.close()
    assert threading.active_count() == before
    assert len(made) <= 5


def test_ahead_makes_items_before_they_are_asked_for() -> None:
    made: list[int] = []

    def noted() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    items = cast("Generator[int]", workers.ahead(noted(), depth=3))
    next(items)
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 4 <= len(made) <= 6
    items.close()
