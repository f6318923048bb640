"""One process writes a result; a second is told who is at it; what a killed one left holds nobody up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cli_support import command, environment, here, world

from genrescope import locks
from genrescope.errors import OutputError
from genrescope.files import LOCK_NAME
from genrescope.inference.outputs import PredictionFile
from genrescope.inference.rows import RowSpec

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from genrescope import locks
kind = locks.folder if sys.argv[1] == "folder" else locks.file
with kind(Path(sys.argv[2]), by="prepare"):
    print("held", flush=True)
    time.sleep(60)
"""


def holding(kind: str, path: Path) -> subprocess.Popen[str]:
    """Start a process that holds a lock, and wait until it does."""
    arguments = [sys.executable, "-c", HOLD, kind, str(path)]
    running = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment())
    assert running.stdout is not None
    assert running.stdout.readline() == "held\n"
    return running


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_second_process_is_refused_by_name_and_a_killed_one_holds_nobody_up(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "deep" / "result"
    take = locks.folder if kind == "folder" else locks.file
    with holding(kind, path) as other:
        with pytest.raises(OutputError, match=rf"result is being .*: prepare, process {other.pid} on .*, since 20"):
            take(path, by="prepare").__enter__()
        other.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        other.wait()
    with take(path, by="prepare"):
        pass
    left = [each.name for each in tmp_path.rglob("*")]
    assert not [name for name in left if name.endswith(".lock")], left


def test_a_link_to_a_folder_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "link").symlink_to("store")
    with locks.folder(tmp_path / "store", by="prepare"), pytest.raises(OutputError):
        locks.folder(tmp_path / "link", by="prepare").__enter__()


@pytest.mark.skipif(sys.platform == "win32", reason="no such device")
def test_a_device_is_anybody_s(tmp_path: Path) -> None:
    with locks.file("/dev/null", by="predict"), locks.file("/dev/null", by="predict"):
        pass
    assert not os.path.lexists("/dev/.null.lock")


def test_predictions_are_written_by_one_run(tmp_path: Path) -> None:
    with (
        PredictionFile(tmp_path / "out.csv", "csv", RowSpec(("rock",))),
        pytest.raises(OutputError, match="being written by another run: predict"),
    ):
        PredictionFile(tmp_path / "out.csv", "csv", RowSpec(("rock",)))
    assert [each.name for each in tmp_path.iterdir()] == ["out.csv"]


def test_every_command_that_writes_refuses_what_another_holds(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = world(tmp_path_factory)
    music, out = made.songs()[0].parent.parent, tmp_path / "out"
    with locks.folder(out, by="another command"), locks.file(tmp_path / "out.csv", by="another command"):
        for arguments in (
            ("prepare", music, "--out", out),
            ("check", music, "--out", out),
            ("predict", made.run, music, "--out", tmp_path / "out.csv"),
            ("train", made.store, "--recipe", "demo", "--out", out),
            ("evaluate", made.run, "--out", out),
            ("datasets", "download", "gtzan", out, "--yes"),
        ):
            done = here(*arguments)
            assert done.code == 2, (arguments, done)
            assert "is being written by another run: another command, process" in done.err, done


def test_two_runs_of_prepare_leave_one_whole_store(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = world(tmp_path_factory)
    music, out = made.songs()[0].parent.parent, tmp_path / "store"
    both = [
        subprocess.Popen(
            command("prepare", music, "--out", out, "--jobs", 1), stderr=subprocess.PIPE, env=environment()
        )
        for _ in range(2)
    ]
    errors = [each.communicate()[1] for each in both]
    assert 0 in {each.returncode for each in both}, errors
    assert here("prepare", music, "--out", out).code == 0
    assert not (out / LOCK_NAME).exists()
