"""Several processes train one network, as one process would."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from cli_support import PATIENCE, SMALL, Done, environment, here, world

from genrescope.training.ranks import ALONE, Ranks, Share
from genrescope.training.run_folder import read_history

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cli_support import World

UNEVEN = (*SMALL, "--set", "training.batch_size=9")  # 9 windows for two processes, and a last batch of fewer
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")  # a port of its own


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


def started(processes: int, *arguments: object) -> subprocess.Popen[str]:
    """Start a command in several processes, each with one thread."""
    line = [*TORCHRUN, str(processes), "-m", "genrescope", *map(str, arguments)]
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        env=environment({"OMP_NUM_THREADS": "1"}), start_new_session=True,
    )  # fmt: skip


def ended(running: subprocess.Popen[str]) -> Done:
    try:
        out, err = running.communicate(timeout=PATIENCE)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    return Done(running.returncode, out, err)


def together(processes: int, *arguments: object) -> Done:
    with started(processes, *arguments) as running:
        return ended(running)


def losses(run: Path) -> list[tuple[float, float | None]]:
    return [(row.train_loss, row.validation_loss) for row in read_history(run)]


def assert_close(found: Sequence[tuple[float, float | None]], expected: Sequence[tuple[float, float | None]]) -> None:
    np.testing.assert_allclose(np.array(found, dtype=float), np.array(expected, dtype=float), rtol=2e-3)


@pytest.fixture(scope="module")
def alone(made: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a run that one process has trained."""
    run = tmp_path_factory.mktemp("ranks") / "alone"
    done = here("train", made.store, *UNEVEN, "--split", made.split, "--out", run, "--device", "cpu")
    assert done.code == 0, done.err
    return run


def test_two_processes_have_the_loss_curve_of_one(made: World, alone: Path, tmp_path: Path) -> None:
    done = together(
        2, "train", made.store, *UNEVEN, "--split", made.split, "--out", tmp_path / "two", "--device", "cpu"
    )
    assert done.code == 0, done.err
    assert done.out == f"{tmp_path / 'two'}\n"  # said once
    assert sum(line.startswith("epoch") for line in done.err.splitlines()) == 2
    assert_close(losses(tmp_path / "two"), losses(alone))
    noted = json.loads((tmp_path / "two" / "run.json").read_text())
    assert (noted["status"], noted["processes"]) == ("finished", 2)
    assert here("evaluate", tmp_path / "two", "--part", "validation").code == 0


def test_a_run_goes_on_with_another_number_of_processes_after_one_was_killed(
    made: World, alone: Path, tmp_path: Path
) -> None:
    run, many = tmp_path / "run", (*UNEVEN, "--set", "training.epochs=15")
    begin = ("train", made.store, "--split", made.split, "--out", run, "--device", "cpu")
    with started(2, *begin, *many) as running:
        give_up = time.monotonic() + PATIENCE
        while not (run / "history.csv").exists() or len(read_history(run)) < 1:
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.01)
        second = [each for each in psutil.Process(running.pid).children() if each.environ().get("RANK") == "1"]
        second[0].kill()
        done = ended(running)
    assert done.code != 0
    assert "SIGKILL" in done.err
    assert not (run / "model.safetensors").exists()
    kept = losses(run)
    assert_close(kept[:2], losses(alone)[: len(kept[:2])])  # the schedule's first epochs are alike
    again = here(*begin, *many, "--resume")
    assert again.code == 0, again.err
    assert len(losses(run)) == 15


def test_what_several_processes_cannot_share_is_refused(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    for given, words in (
        ((*SMALL, "--folds", 2), "2 processes were started; they train one run together"),
        (("--recipe", "pooled-svm"), "2 processes were started, but only networks that are trained from scratch"),
    ):
        done = here("train", made.store, *given, "--split", made.split, "--out", tmp_path / "run")
        assert done.code == 2, done
        assert words in done.err
    assert not (tmp_path / "run").exists()


def test_shares_are_all_windows_once_and_differ_by_one_at_most() -> None:
    for total in (0, 1, 7, 32):
        for world_ in (1, 2, 3, 4, 9):
            shares = [Ranks(rank, world_).share(total) for rank in range(world_)]
            assert [number for each in shares for number in range(each.start, each.stop)] == list(range(total))
            sizes = {each.stop - each.start for each in shares}
            assert max(sizes) - min(sizes) <= 1
    assert ALONE.share(5) == Share(0, 5, 5)


def test_processes_are_those_of_torchrun_or_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Ranks.here() == ALONE
    slurm = {"SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "train"}
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    assert Ranks.here() == Ranks(3, 4, 2)
    torchrun = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "1"}
    for name, value in torchrun.items():
        monkeypatch.setenv(name, value)
    assert Ranks.here() == Ranks(1, 2, 1)
    with contextlib.ExitStack() as stack:
        stack.enter_context(ALONE.joined("cpu"))
        assert ALONE.shared("value") == "value"
        assert ALONE.summed(1.0, 2.0) == [1.0, 2.0]
