"""Progress on a real terminal of 80 columns: a bar, a percentage, the time left, and nothing cut but the detail."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

import pytest
from cli_support import PATIENCE, SMALL, command, environment, world

from genrescope.cli import bars
from genrescope.cli.training_bar import showing
from genrescope.progress import Progress
from genrescope.store.index import IndexRow

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import World

COLUMNS = 80
TIME = r"\d+:\d\d(:\d\d)? (remaining|elapsed)"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


def drawn(*arguments: object) -> list[str]:
    """Run a command on a terminal of 80 x 24; return every line that it drew, in order."""
    screen, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    changes = {"TERM": "xterm", "COLUMNS": str(COLUMNS), "LINES": "24"}
    with subprocess.Popen(
        command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=end, env=environment(changes)
    ) as running:
        os.close(end)
        held = b""
        while piece := _read(screen):
            held += piece
        assert running.wait(PATIENCE) == 0, held
    os.close(screen)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", held.decode())
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 1 << 16)
    except OSError:  # the other end was closed
        return b""


def bars_of(lines: list[str], name: str) -> list[str]:
    return [line for line in lines if line.startswith(f"{name} ") and "━" in line]


def test_preparing_shows_a_bar_a_percentage_a_count_and_a_time(made: World, tmp_path: Path) -> None:
    shown = bars_of(drawn("prepare", made.music, "--out", tmp_path / "store", "--jobs", 1), "preparing")
    assert all(len(line) <= COLUMNS for line in shown)
    assert re.search(rf"^preparing ━+ +\d+ % \d+/24 tracks {TIME} \d+ min of music$", shown[-1]), shown


def test_training_a_network_shows_its_epochs(made: World, tmp_path: Path) -> None:
    lines = drawn("train", made.store, *SMALL, "--split", made.split, "--out", tmp_path / "run")
    steps = [line for line in bars_of(lines, "training") if "epoch" in line]
    assert steps
    for line in steps:
        assert len(line) <= COLUMNS
        assert re.search(rf"^training [━╸╺]+ +\d+ % {TIME} epoch \d/2  error \d+", line), line
    assert any(line.startswith("epoch   2/2  loss") for line in lines)


def test_training_an_svm_shows_what_it_does_and_no_epoch(made: World, tmp_path: Path) -> None:
    options = ("--recipe", "pooled-svm", "--set", "classifier.frames=64", "--split", made.split)
    lines = drawn("train", made.store, *options, "--out", tmp_path / "run")
    shown = "\n".join(bars_of(lines, "training"))
    assert re.search(rf"% {TIME} (computing statistics|fitting SVMs|calibrating), \d of \d", shown), shown
    assert not [line for line in lines if "epoch" in line]
    assert any(re.match(r"fitted in \d+\.\d s  loss ", line) for line in lines)


def test_predicting_shows_how_many_songs(made: World) -> None:
    shown = bars_of(drawn("predict", made.run, made.music), "classifying")
    assert all(len(line) <= COLUMNS for line in shown)
    assert re.search(rf" \d+/24 songs {TIME}( \d+\.\d songs/s)?$", shown[-1])
    assert any("songs/s" in line for line in shown)


def test_a_long_detail_is_cut_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    console = Console(width=COLUMNS, record=True, force_terminal=True, file=io.StringIO())
    monkeypatch.setattr(bars, "err", lambda: console)
    with bars.progress("tracks") as bar:
        bar.add_task("looking for duplicates", total=2000, completed=1000, detail="x" * 90)
        console.print(bar.get_renderable())
    line = next(line for line in console.export_text().splitlines() if "duplicates" in line)
    assert re.search(r"^looking for duplicates ━+.* 50 % 1000/2000 tracks \d:\d\d elapsed", line)
    assert len(line.rstrip()) <= COLUMNS
    assert "x" * 20 not in line


def test_tagging_is_announced_with_the_tracks_that_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    for kept, said in ((2, "tagging 3 tracks with pre-trained networks; the store keeps it\n"), (5, "")):
        with showing(None, quiet=False) as (bar, watch):
            bar.add_task("training", total=None)
            for done in range(kept, 6):
                watch.on_track(Progress(done, 5, None if done == kept else _row()))
        assert capsys.readouterr().err == said


def _row() -> IndexRow:
    return IndexRow("a.wav", "a.wav", "rock", "", 1.0, 44_100, 1, "", "ok", "")
