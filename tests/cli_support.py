"""Running the command line as a user does, and one small world of music, store and run for several tests."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from conftest import noise, tone, write

from genrescope import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

GENRES = ("drone", "hiss", "pulse")
TRACKS = 8
SMALL = (
    "--recipe", "mgcc", "--set", "model.name=mgcc-small", "--set", "windows.train=all", "--set", "training.epochs=2",
)  # fmt: skip
"""Options of `train` for a network and a length that two busy cores can carry."""

_NEXT = "next: genrescope "
PATIENCE = 180.0  # seconds: the machine may be busy


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def messages(self) -> list[str]:
        """The lines of stderr, without the one that says what to type next."""
        return [line for line in self.err.splitlines() if not line.startswith(_NEXT)]

    @property
    def next(self) -> list[str]:
        """The arguments of the command that the last line of stderr tells, as a shell takes them; none where none."""
        *_, last = ["", *self.err.splitlines()]
        return shlex.split(last.removeprefix(_NEXT)) if last.startswith(_NEXT) else []


@dataclass(frozen=True)
class World:
    """A labelled data set with its store, a split of it and a run that was trained on it."""

    music: Path
    store: Path
    split: Path
    run: Path

    def songs(self, genre: str = "drone") -> list[Path]:
        """Return a genre's files."""
        return sorted((self.music / genre).iterdir())


def command(*arguments: object) -> list[str]:
    """Return the command line as a list for `subprocess`."""
    return [sys.executable, "-m", "genrescope", *map(str, arguments)]


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment that does not depend on the terminal the tests run in."""
    keep = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "COLUMNS", "LINES"}}
    return keep | {"COLUMNS": "200", "NO_COLOR": "1"} | dict(changes or {})


def genrescope(
    *arguments: object,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    largest_file: int | None = None,
) -> Done:
    """Run a command to its end, in a process of its own.

    Args:
        arguments: what follows `genrescope` on the command line.
        cwd: where it runs.
        env: changes to the environment.
        largest_file: bytes after which writing to a file fails, as it does on a full disk.
    """
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, encoding="utf-8", errors="surrogateescape", cwd=cwd,
        env=environment(env), timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL,
        preexec_fn=None if largest_file is None else lambda: _limit(largest_file),
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def here(*arguments: object) -> Done:
    """Run a command in this process: the same program, without the seconds that a new process needs to load torch."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["genrescope", *map(str, arguments)]),
        mock.patch.dict(os.environ, environment(), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())


def interrupted(*arguments: object, when: Callable[[], bool], number: int = signal.SIGINT) -> Done:
    """Start a command, wait until `when` holds, and send its whole process group a signal, as a terminal does."""
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env=environment(), start_new_session=True, stdin=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        try:
            give_up = time.monotonic() + PATIENCE
            while not when():
                assert running.poll() is None, f"it ended before it could be interrupted: {running.communicate()}"
                assert time.monotonic() < give_up, "it never came so far"
                time.sleep(0.005)
            os.killpg(running.pid, number)
            out, err = running.communicate(timeout=PATIENCE)
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
    return Done(running.returncode, out, err)


def assert_refused(done: Done, *words: str) -> None:
    """Nothing could be done: code 2, nothing on stdout, and but for notes one line that says why in these words."""
    assert "Traceback" not in done.err, done.err
    assert done.code == 2, done
    assert done.out == ""
    *before, error = done.messages
    assert [line for line in before if not line.startswith(("note: ", "audit: "))] == []
    assert error.startswith("error: ")
    for word in words:
        assert word in error


def leftovers(folder: Path) -> list[str]:
    """Return what was written under temporary names below a folder and never took its own."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*.partial"))


def lines_of(path: Path) -> int:
    """Return the number of whole lines in a file that may not be there yet."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def sound(genre: str, number: int, *, seconds: float = 3.5) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a track of a genre that no other track equals."""
    hiss = noise(seconds, level=0.2 if genre == "hiss" else 0.01, seed=1000 * GENRES.index(genre) + number)
    if genre == "hiss":
        return hiss
    pitched = tone(110.0 * (1 + 0.1 * number) * (1 if genre == "drone" else 5), seconds=seconds, level=0.4)
    if genre == "pulse":
        pitched *= (np.arange(len(pitched)) // 2205) % 2
    return pitched + hiss


def write_music(root: Path, *, genres: tuple[str, ...] = GENRES, tracks: int = TRACKS) -> Path:
    """Write a small data set of three genres that a network can tell apart: tracks of one and of two windows."""
    for genre in genres:
        for number in range(tracks):
            write(root / genre / f"{genre}-{number:02d}.wav", sound(genre, number, seconds=3.5 + 3 * (number % 2)))
    return root


def world(factory: pytest.TempPathFactory) -> World:
    """Return the world that all tests of a session share; nothing in it may be changed."""
    return _world(factory.getbasetemp())


@cache
def _world(base: Path) -> World:
    from genrescope import splits
    from genrescope.store.prepare import prepare
    from genrescope.training import recipe
    from genrescope.training.job import Job
    from genrescope.training.train import train

    root = base / "world"
    music = write_music(root / "music")
    store = prepare(str(music), root / "store", jobs=0).store
    split = splits.make(store.tracks, "stratified", shares={"train": 0.5, "validation": 0.25, "test": 0.25})
    splits.write(split, root / "split.csv")
    changes = {"model.name": "mgcc-small", "windows.train": "all", "training.epochs": 2, "evaluation.verdict": "vote"}
    run = train(Job(store, recipe.load("mgcc", changes), split, root / "run", device="cpu"))
    return World(music, root / "store", root / "split.csv", run)


def _limit(largest_file: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
