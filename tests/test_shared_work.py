"""Several processes share the work of a study or a search; one that is killed is replaced, the results are the same."""

from __future__ import annotations

import json
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from cli_support import PATIENCE, Done, command, environment, here, world

from genrescope import members, shared_work
from genrescope.shared_work import LeftBehindError, SharedWork, Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_support import World

STUDY = """
[[experiment]]
name = "long"
recipe = "mgcc"
split = "stratified"
set = { model.name = "mgcc-small", windows.train = "all", training.epochs = 8 }
[[experiment]]
name = "svm"
recipe = "pooled-svm"
set = { classifier.frames = 64, classifier.copies = 0 }
folds = 2
"""
SLURM = {
    "SLURM_JOB_ID": "7", "SLURM_NTASKS": "3", "SLURM_NTASKS_PER_NODE": "3", "SLURM_NNODES": "1", "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0", "SLURM_STEP_NODELIST": "here", "OMP_NUM_THREADS": "1",
}  # fmt: skip
"""What srun sets: each process is one of three, and must not wait for the others to train with it."""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


def started(number: int, *arguments: object) -> subprocess.Popen[str]:
    """Start a process as SLURM does."""
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        env=environment(SLURM | {"SLURM_PROCID": str(number)}),
    )  # fmt: skip


def until(holds: Callable[[], bool], *running: subprocess.Popen[str]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not holds():
        for each in running:
            assert each.poll() is None, each.communicate()
        assert time.monotonic() < give_up, "it never came so far"
        time.sleep(0.01)


def ended(running: subprocess.Popen[str]) -> Done:
    with running:
        try:
            out, err = running.communicate(timeout=PATIENCE)
        finally:
            running.kill()
    return Done(running.returncode, out, err)


def killed(running: subprocess.Popen[str]) -> None:
    running.kill()
    running.communicate()


def scores(out: Path) -> dict[str, Any]:
    """Return what a study found, without what the clock decides."""
    rows = json.loads((out / "study.json").read_text())["experiments"]
    return {row["name"]: {**row, "seconds": 0, "seconds_per_clip": 0} for row in rows}


# -- through the command line -----------------------------------------------------------------------------------


def test_three_processes_share_a_study_and_replace_one_that_is_killed(made: World, tmp_path: Path) -> None:
    path, out = tmp_path / "study.toml", tmp_path / "out"
    path.write_text(f'defaults.store = "{made.store}"\n{STUDY}')
    line = ("study", path, "--device", "cpu", "--out")
    three = [started(number, *line, out) for number in range(3)]
    until((out / "long" / "seed-0" / "checkpoint" / "last.safetensors").exists, *three)
    (first,) = (each for each in three if _is_of(each)(out / "claims" / "long.seed-0.1"))
    killed(first)
    both = [ended(each) for each in three if each is not first]
    assert [each.code for each in both] == [0, 0], both
    assert both[0].out == both[1].out
    assert sorted(line.partition(":")[0] for each in both for line in each.messages if ", seed" in line) == [
        "long, seed 0", "svm, seed 0",
    ]  # fmt: skip
    assert json.loads((out / "long" / "seed-0" / "run.json").read_text())["resumed"] == 1
    assert not (out / "claims").exists()
    alone = here(*line, tmp_path / "alone")
    assert alone.code == 0, alone.err
    assert scores(out) == scores(tmp_path / "alone")


def test_two_processes_share_a_search_and_replace_one_that_is_killed(made: World, tmp_path: Path) -> None:
    space, out = tmp_path / "space.toml", tmp_path / "out"
    space.write_text('"classifier.c" = { low = 0.01, high = 100, log = true }\n')
    line = (
        "tune", made.store, "--recipe", "pooled-svm", "--space", space, "--trials", 4, "--folds", 2, "--device", "cpu",
        "--set", "classifier.frames=64", "--out",
    )  # fmt: skip
    first, second = (started(number, *line, out) for number in (0, 1))
    until(lambda: any(map(_is_of(first), (out / "claims").glob("trial-?.1"))), first, second)
    killed(first)
    done = ended(second)
    assert done.code == 0, done.err
    assert not (out / "claims").exists()
    alone = here(*line, tmp_path / "alone")
    assert alone.code == 0, alone.err
    found, expected = (json.loads((each / "tune.json").read_text())["trials"] for each in (out, tmp_path / "alone"))
    assert [each["number"] for each in found] == [1, 2, 3, 4]
    assert [{**each, "seconds": 0} for each in found] == [{**each, "seconds": 0} for each in expected]
    other = here(*line, out, "--seed", 5)
    assert other.code == 2
    assert "holds a search with another recipe, space, split, seed" in other.err


def _is_of(running: subprocess.Popen[str]) -> Callable[[Path], bool]:
    return lambda claim: f"-{running.pid}-" in claim.read_text()


# -- who lives --------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "BEAT", 0.05)
    monkeypatch.setattr(members, "PATIENCE", 6)
    monkeypatch.setattr(shared_work, "LOOK", 0.02)


def tasks(done: set[str], *keys: str) -> list[Task]:
    return [Task(key, partial(done.__contains__, key)) for key in keys]


@pytest.mark.usefixtures("quick")
def test_a_process_of_another_machine_is_dead_when_its_file_stays_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "elsewhere-1-a.process"
    other.write_text('{"machine": "another", "host": "elsewhere"}')
    (tmp_path / "fit.1").write_text(other.name)
    with SharedWork(tmp_path, tasks(set(), "fit")) as shared:
        for _ in range(20):
            other.touch()
            assert shared.take() is None
            time.sleep(0.05)
        assert [each["host"] for each in shared.members.others()] == ["elsewhere"]
        until(lambda: shared.take() == "fit")
        assert shared.taken_over("fit")
        assert shared.members.others() == []
    assert not tmp_path.exists()


@pytest.mark.usefixtures("quick")
def test_who_stood_still_and_was_replaced_stops(tmp_path: Path) -> None:
    with SharedWork(tmp_path, tasks(set(), "fit")) as shared:
        assert shared.take() == "fit"
        shared.check()
        (tmp_path / "fit.2").write_text("elsewhere-1-a.process")
        time.sleep(0.3)
        with pytest.raises(LeftBehindError, match="another one has taken over its work"):
            shared.check()


@pytest.mark.usefixtures("quick")
def test_each_task_is_taken_once_in_its_turn_and_a_failure_is_told(tmp_path: Path) -> None:
    done: set[str] = set()
    all_ = [*tasks(done, "a", "b"), Task("whole", lambda: "whole" in done, after=("a", "b")), Task("c", bool)]
    parts = [Task("d.1", bool, part_of="c"), Task("d.2", bool, part_of="c")]
    with SharedWork(tmp_path, [*all_, *parts]) as one, SharedWork(tmp_path, [*all_, *parts]) as two:
        assert (one.take(), two.take(), one.take()) == ("a", "b", "c")
        one.finish("c", failed="no memory")
        assert (two.failure("c"), two.ended("d.1"), two.take()) == ("no memory", True, None)
        done.update("ab")
        one.finish("a")
        two.finish("b")
        assert str(two.standing(["a", "b", "whole"])) == "2 of 3, 1 here"
        assert (two.take(), one.take(), one.over) == ("whole", None, False)
        done.add("whole")
        two.finish("whole")
        assert one.over
        with SharedWork(tmp_path, [*all_, *parts]) as later:
            assert later.failure("c") is None, "what failed before is tried again"
            assert later.take() == "d.1"
    assert not tmp_path.exists()


@pytest.mark.usefixtures("quick")
def test_a_task_at_which_processes_die_is_given_up(tmp_path: Path) -> None:
    dying = """
import sys
from pathlib import Path
from genrescope.shared_work import SharedWork, Task
with SharedWork(Path(sys.argv[1]), [Task("fit", bool)]) as shared:
    print(shared.take(), flush=True)
    sys.stdin.read()
"""
    with SharedWork(tmp_path, tasks(set(), "fit")) as shared:
        for _ in range(2):
            running = subprocess.Popen(
                [command()[0], "-c", dying, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env=environment(),
            )  # fmt: skip
            assert running.stdout is not None
            assert running.stdout.readline() == "fit\n"
            assert shared.take() is None
            killed(running)
        assert shared.take() is None
        assert shared.failure("fit") == "2 processes died at it; there may be too little memory"
        assert shared.over
