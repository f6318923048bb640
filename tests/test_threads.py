"""Threads of the processor: one for a song, the caller's number untouched, and no hang in a process that was forked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import torch
from cli_support import environment, genrescope, here, world
from conftest import RATE, sweep

from genrescope import load
from genrescope.inference.scorer import Scorer
from genrescope.threads import limited

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli_support import World

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the number of threads that each song is scored with."""
    found: list[int] = []
    track = Scorer.track

    def spied(self: Scorer, frames: Any, **options: Any) -> Any:
        found.append(torch.get_num_threads())
        return track(self, frames, **options)

    monkeypatch.setattr(Scorer, "track", spied)
    return found


def in_new_thread() -> int:
    """Return the number that a thread finds that begins now."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.usefixtures("two_threads")
def test_one_song_takes_one_thread_unless_told(made: World, used: list[int]) -> None:
    song = sweep()
    load(made.run, device="cpu").predict(song, sample_rate=RATE)
    load(made.run, device="cpu", threads=3).predict(song, sample_rate=RATE)
    assert used == [1, 3]
    assert (torch.get_num_threads(), in_new_thread()) == (2, 2)


@pytest.mark.usefixtures("two_threads")
def test_many_songs_take_one_thread_each_unless_told(made: World, used: list[int]) -> None:
    songs = made.songs()[:2]
    assert len(list(load(made.run, device="cpu").predict_many(songs))) == 2
    assert len(list(load(made.run, device="cpu", threads=2).predict_many(songs))) == 2
    assert used == [1, 1, 2, 2]
    assert (torch.get_num_threads(), in_new_thread()) == (2, 2)


@pytest.mark.usefixtures("two_threads")
def test_other_threads_and_the_time_after_do_not_see_a_limit() -> None:
    with limited(1):
        assert (torch.get_num_threads(), in_new_thread()) == (1, 2)
        with limited(None):
            assert torch.get_num_threads() == 1
    with pytest.raises(KeyError), limited(1):
        raise KeyError
    assert (torch.get_num_threads(), in_new_thread()) == (2, 2)


@pytest.mark.usefixtures("two_threads")
def test_a_limit_holds_for_openmp_and_mkl_while_other_threads_set_theirs() -> None:
    """A song's scores would differ in their last digits if its thread took another's number."""
    factors = torch.randn(10, 1506), torch.randn(1506, 200)
    with limited(1):
        alone = factors[0] @ factors[1]
        ended, other = threading.Event(), threading.Thread(target=lambda: _set_numbers(ended))
        other.start()
        try:
            for _ in range(200):
                assert torch.equal(factors[0] @ factors[1], alone)
                assert _numbers() <= {"1"}
        finally:
            ended.set()
            other.join()


def _set_numbers(ended: threading.Event) -> None:
    while not ended.is_set():
        torch.set_num_threads(2)
        with limited(1):
            torch.ones(64, 64) @ torch.ones(64, 64)


def _numbers() -> set[str]:
    """Return the numbers of threads that torch's libraries compute with in this thread."""
    return set(re.findall(r"_max_threads\(\) : (\d+)", torch.__config__.parallel_info()))


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_thread_is_refused(made: World, count: int) -> None:
    with pytest.raises(ValueError, match=f"threads={count}; accepted are 1 or more"):
        load(made.run, device="cpu", threads=count)


@pytest.mark.usefixtures("two_threads")
def test_the_command_takes_one_thread_for_one_song_unless_told(made: World, used: list[int]) -> None:
    one, two = made.songs()[:1], made.songs()[:2]
    for songs, options, expected in ((one, (), [1]), (two, (), [1, 1]), (one, (2,), [2]), (two, (2,), [2, 2])):
        done = here("predict", made.run, *songs, *(("--threads", *options) if options else ()))
        assert done.code == 0, done.err
        assert used == expected
        used.clear()


def test_the_command_refuses_no_thread(made: World) -> None:
    refused = genrescope("predict", made.run, made.songs()[0], "--threads", 0)
    assert refused.code == 2
    assert "--threads" in refused.err


FORKED = """
import json, multiprocessing, sys
import torch
import genrescope

model, song = sys.argv[1:]
torch.set_num_threads(2)
shared = genrescope.load(model, device="cpu")
greedy = genrescope.load(model, device="cpu", threads=2)
torch.rand(1000, 1000) @ torch.rand(1000, 1000)  # the parent's OpenMP has threads now
greedy.predict(song)

def genres(found):
    return [each.genre for each in found]

WORK = {
    "parent": lambda: genres([shared.predict(song)]),
    "predict": lambda: genres([shared.predict(song)]),
    "load": lambda: genres([genrescope.load(model, device="cpu").predict(song)]),
    "many": lambda: genres(shared.predict_many([song, song])),
    "embed": lambda: list(shared.embed(song).shape),
    "greedy": lambda: genres([greedy.predict(song)]),
    "greedy many": lambda: genres(greedy.predict_many([song])),
}

def work(name, answers):
    try:
        answers.put(WORK[name]())
    except genrescope.GenrescopeError as error:
        answers.put(str(error))

found = {"parent": WORK["parent"]()}
context = multiprocessing.get_context("fork")
for name in WORK:
    for daemon in (False, True):
        answers = context.Queue()
        child = context.Process(target=work, args=(name, answers), daemon=daemon)
        child.start()
        child.join(60)
        found[f"{name}, daemon" if daemon else name] = answers.get() if child.exitcode == 0 else "it hangs"
        child.kill()
found["parent"] += genres([greedy.predict(song)])  # only the children were forked
print(json.dumps(found))
"""


def test_a_forked_process_predicts_or_says_why_not(made: World) -> None:
    """Without a limit a forked process waits for ever for threads that only its parent has."""
    song = made.songs()[0]
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(made.run), str(song)],
        capture_output=True, text=True, check=True, timeout=900, env=environment({"OMP_NUM_THREADS": "2"}),
    )  # fmt: skip
    found = json.loads(done.stdout)
    genre, again = found["parent"]
    assert again == genre
    for daemon in ("", ", daemon"):
        for name in ("predict", "load"):
            assert found[name + daemon] == [genre]
        assert found["many" + daemon] == [genre, genre]
        assert found["embed" + daemon] == [load(made.run).info.embedding_width]
        for name in ("greedy", "greedy many"):
            assert "threads=2 in a process that was forked" in found[name + daemon]
            assert 'threads=1, or start the process with multiprocessing.get_context("spawn")' in found[name + daemon]
