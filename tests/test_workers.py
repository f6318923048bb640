"""Work in processes and in a thread: in order, whatever one of them does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
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


def _crashed(item: int, reason: str) -> tuple[int, int]:
    assert reason == workers.CRASHED
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


def test_a_guarded_item_has_a_process_even_where_it_is_the_only_one() -> None:
    guard = workers.Guard()
    assert list(workers.results([13], _doubler, jobs=1, crashed=_crashed, guard=guard)) == [(-13, 0)]
    ((_, pid),) = workers.results([1], _doubler, jobs=0, crashed=_crashed, guard=guard)
    assert pid == os.getpid()


class _SlowToPickle:
    def __call__(self) -> Callable[[int], tuple[int, int]]:
        return _doubler()

    def __reduce__(self) -> tuple[type[_SlowToPickle], tuple[()]]:
        time.sleep(0.1)
        return _SlowToPickle, ()


def test_starts_at_the_same_time_leave_the_process_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    main = sys.modules["__main__"]
    pools = [workers.Pool(_SlowToPickle(), 1, workers.Guard()) for _ in range(3)]
    threads = [threading.Thread(target=pool.give, args=(1,)) for pool in pools]
    for thread in threads:
        thread.start()
        time.sleep(0.03)
    for thread, pool in zip(threads, pools, strict=True):
        thread.join()
        pool.close()
    assert sys.modules["__main__"] is main
    assert not {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"} & set(os.environ)


def _hungry() -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == 1:
            while True:
                time.sleep(0.1)
        if item == 2:
            os.write(2, b"chatter")
            return len(bytearray(1 << 33))
        return item

    return work


def test_an_item_has_a_limit_of_time_and_one_of_memory(capfd: pytest.CaptureFixture[str]) -> None:
    guard = workers.Guard(seconds=3, memory=1 << 28)
    told: list[str] = []

    def crashed(item: int, reason: str) -> int:
        told.append(reason)
        return -item

    assert list(workers.results([0, 1, 3, 4], _hungry, jobs=2, crashed=crashed, guard=guard)) == [0, -1, 3, 4]
    assert told == ["it took longer than 3 s; the file is probably damaged"]
    with pytest.raises(MemoryError):
        list(workers.results([2], _hungry, jobs=1, crashed=crashed, guard=guard))
    assert capfd.readouterr().err == ""


def _counting() -> Callable[[int], Iterator[int]]:
    def work(item: int) -> Iterator[int]:
        for number in range(item):
            if number == 7:
                os._exit(1)
            yield number

    return work


def test_parts_come_as_they_are_made_and_a_death_is_one_items() -> None:
    with workers.Pool[int](_counting, 2, workers.Guard()) as pool:
        found: dict[int, list[int | str]] = {}
        for item, parts in pool.streams(iter([3, 0, 9, 2])):
            found[item] = []
            try:
                found[item].extend(parts)
            except workers.WorkerDied as death:
                found[item].append(str(death))
    assert found == {3: [0, 1, 2], 0: [], 9: [*range(7), workers.CRASHED], 2: [0, 1]}


def test_parts_that_nobody_wants_do_not_reach_the_next_item() -> None:
    with workers.Pool[int](_counting, 1, workers.Guard()) as pool:
        firsts = [next(parts, None) for _, parts in pool.streams([5, 6, 2])]
    assert firsts == [0, 0, 0]


PROGRAM = """
import genrescope.workers as workers
from test_workers import _counting
with workers.Pool(_counting, 2, workers.Guard()) as pool:
    print([list(parts) for _, parts in pool.streams([1, 2])])
"""


def test_a_program_without_a_guard_around_its_work_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py"], capture_output=True, text=True, check=False, timeout=60,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("[[0], [0, 1]]\n", 0), done.stderr


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


def test_a_closed_pool_lets_no_worker_begin() -> None:
    with workers.Pool[int](_counting, 1) as pool:
        assert [len(list(parts)) for _, parts in pool.streams([2])] == [2]
    with pytest.raises(RuntimeError, match="closed"):
        pool.give(2)
