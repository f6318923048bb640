"""Work in processes: in order, whatever one of them does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from genrescope import workers

if TYPE_CHECKING:
    from collections.abc import Callable


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
