"""The command live: what it takes, what it shows and writes, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest
from cli_support import PATIENCE, assert_refused, command, environment, genrescope, here, sound, world
from conftest import RATE, encode, noise, write
from live_support import Radio, on_air, spoken

import genrescope as package
from genrescope.cli.big_letters import large
from genrescope.cli.console import INTERRUPTED
from genrescope.cli.live_display import Display
from genrescope.inference.verdict import Average, Verdict
from genrescope.live import reconnecting
from genrescope.live.played import Played

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli_support import World

FAST = ("--speed", 200)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two songs with silence between."""
    silence = np.zeros(6 * RATE, np.float32)
    wave = np.concatenate([sound("drone", 70, seconds=15), silence, sound("hiss", 71, seconds=15)])
    return write(tmp_path_factory.mktemp("mix") / "mix.wav", wave)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_file_as_if_live(made: World, mix: Path, tmp_path: Path) -> None:
    log = tmp_path / "live.jsonl"
    done = here("live", made.run, mix, *FAST, "--log", log)
    assert done.code == 0, done.err
    shown = done.out.splitlines()
    assert re.fullmatch(r"0:03  \w+  0\.\d\d  -\d+ dB  \d+\.\d s old(  \d+ windows skipped)?", shown[0]), shown[0]
    assert any("silence" in line for line in shown)
    written = lines(log)
    assert len(written) == len(shown) + 1
    assert [line["last"] for line in written] == [False] * len(shown) + [True]
    whole = package.load(made.run, device="cpu", windows="all").predict(mix)
    if not written[-1]["skipped"]:  # a busy machine
        assert written[-1]["whole"]["genre"] == whole.genre
        assert written[-1]["whole"]["scores"] == pytest.approx(whole.scores, abs=0.01)
    assert "scores" not in written[0]["whole"]
    assert re.search(r"^0:3\d in all$", done.err, re.MULTILINE)
    assert re.search(r"^  silence: 0:0\d in 1 passage$", done.err, re.MULTILINE)
    assert done.next == ["predict", str(made.run), str(mix), "--segments", "segments.csv"]


def test_speech_between_songs_is_in_lines_log_and_summary(made: World, tmp_path: Path) -> None:
    wave = np.concatenate([sound("drone", 74, seconds=9), spoken(RATE, seconds=12), sound("drone", 75, seconds=9)])
    log = tmp_path / "live.jsonl"
    done = here("live", made.run, write(tmp_path / "radio.wav", wave), "--speed", 20, "--log", log)
    assert done.code == 0, done.err
    written = [line for line in lines(log) if line["speech"] and not line["last"]]
    assert 10 < written[0]["time"] < 17  # what is shown follows the last six seconds
    assert 20 < written[-1]["time"] < 27.5
    assert len([line for line in done.out.splitlines() if "  speech  " in line]) == len(written)
    assert re.search(r"^  speech: 0:\d\d in 1 passage$", done.err, re.MULTILINE)


def test_quiet_says_nothing_but_verdicts(made: World, mix: Path) -> None:
    done = here("live", made.run, mix, *FAST, "--quiet", "--every", 3)
    assert (done.code, done.err) == (0, "")
    assert 8 <= len(done.out.splitlines()) <= 13


def test_raw_samples_from_stdin(made: World) -> None:
    wave = sound("hiss", 72, seconds=7)
    raw = np.repeat((wave * 32767).astype("<i2")[:, None], 2, axis=1).tobytes()
    done = subprocess.run(
        command("live", made.run, "-", "--rate", RATE, "--speed", 50), input=raw, capture_output=True,
        env=environment(), timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 4
    assert b"next: genrescope live " in done.stderr


@contextmanager
def stdin(raw: bytes) -> Iterator[None]:
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw))):
        yield


def test_floats_from_stdin_are_those_of_the_file(made: World, tmp_path: Path) -> None:
    wave, log = sound("pulse", 73, seconds=8), tmp_path / "log.jsonl"
    with stdin(wave.astype("<f4").tobytes()):
        done = here(
            "live", made.run, "-", "--rate", RATE, "--channels", 1, "--format", "f32le", "--speed", 20, "--log", log
        )
    assert done.code == 0, done.err
    whole = package.load(made.run, device="cpu", windows="all").predict(wave, sample_rate=RATE)
    assert lines(log)[-1]["whole"]["scores"] == pytest.approx(whole.scores, abs=0.01)
    with stdin(b""):
        assert_refused(here("live", made.run, "-", "--quiet"), "stdin: live: no sound came")


def test_a_radio_that_drops_comes_back(made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "_FIRST", 0.05)
    coded = encode(tmp_path / "s.mp3", noise(10, rate=44_100), 44_100, "libmp3lame").read_bytes()
    radio, log = Radio(coded, drop_after=len(coded) // 2), tmp_path / "radio.jsonl"
    radio.when_over = lambda: os.kill(os.getpid(), signal.SIGINT)
    with on_air(radio) as url:
        done = here("live", made.run, url, "--log", log)
    assert done.code == 0, done.err  # what has no end is ended by Ctrl-C
    assert done.err.count("the stream ended; trying again in 0.05 s") >= 1
    assert "is back after 0 s" in done.err
    assert "of sound never came" in done.err
    assert lines(log)[-1]["lost"] > 0
    assert done.next == ["models", "show", str(made.run)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_file_that_is_interrupted_has_a_summary(
    made: World, mix: Path, tmp_path: Path, number: int, code: int
) -> None:
    log = tmp_path / "log.jsonl"
    with subprocess.Popen(
        command("live", made.run, mix, "--log", log), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(), stdin=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        give_up = time.monotonic() + PATIENCE
        while not (log.exists() and log.stat().st_size):
            assert time.monotonic() < give_up
            time.sleep(0.02)
        running.send_signal(number)
        _, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == INTERRUPTED
    assert " in all\n" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no-song.mp3",), ("no-song.mp3", "no such")),
        (("song.wav", "song.wav"), ("two sources",)),
        (("-", "song.wav"), ("two sources",)),
        (("RUN", "nothing.wav"), ("no such file", "http")),
        (("RUN", "."), ("a folder",)),
        (("RUN", "text.mp3"), ("text.mp3: ",)),
        (("RUN", "song.wav", "--input", "2"), ("--input 2", "song.wav", "one of them")),
        (("RUN", "http://127.0.0.1:9/radio", "--speed", "2"), ("--speed 2", "a file", "stdin")),
        (("RUN", "song.wav", "--rate", "8000"), ("--rate", "stdin")),
        (("RUN", "http://127.0.0.1:9/radio"), ("http://127.0.0.1:9/radio: FFmpeg: ",)),
        (("RUN", "song.wav", "--log", "missing/log.jsonl"), ("missing/log.jsonl", "another --log")),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "song.wav", sound("drone", 74))
    (tmp_path / "text.mp3").write_text("no music\n" * 100)
    done = here("live", *(str(made.run) if each == "RUN" else each for each in arguments), "--quiet")
    assert_refused(done, *words)


def test_without_sounddevice_a_microphone_is_refused(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert_refused(here("live", made.run), "pip install 'genrescope[live]'")
    assert_refused(here("live", "--list-devices"), "pip install 'genrescope[live]'")


def test_a_file_that_breaks_off_ends_with_a_summary_and_code_1(made: World, tmp_path: Path) -> None:
    path = write(tmp_path / "song.flac", sound("drone", 75, seconds=100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    done = here("live", made.run, path, *FAST)
    assert done.code == 1
    assert "song.flac: " in done.err
    assert " in all" in done.err


# -- the display ---------------------------------------------------------------------------------------------------


def drawn(*arguments: object, rows: int = 30) -> list[str]:
    """Run a command on a terminal of 80 columns; return all that was written, without what moves the cursor."""
    import pty

    screen, end = pty.openpty()
    changes = {"TERM": "xterm", "COLUMNS": "80", "LINES": str(rows)}
    with subprocess.Popen(
        command(*arguments), stdin=subprocess.DEVNULL, stdout=end, stderr=subprocess.DEVNULL, env=environment(changes)
    ) as running:
        os.close(end)
        held = b""
        while True:
            try:
                piece = os.read(screen, 1 << 16)
            except OSError:
                break
            held += piece
        assert running.wait(PATIENCE) == 0, held
    os.close(screen)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", held.decode())
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_a_terminal_shows_the_genre_in_large_letters_bars_a_level_and_a_strip(made: World, mix: Path) -> None:
    shown = drawn("live", made.run, mix, "--speed", 20)
    assert all(len(line) <= 80 for line in shown)
    rows = large("silence")
    assert rows is not None
    assert all(row in shown for row in rows)
    assert any(re.match(r"(drone|hiss|pulse) +█*·* \d\.\d\d$", line) for line in shown)
    assert any(re.match(r"level      ▮+▯* +-\d+ dB +0:\d\d +\d+\.\d s old$", line) for line in shown)
    assert any(re.match(r"last 10 min [█▬]+$", line) for line in shown)
    assert any(line.startswith("this song  between songs") for line in shown)


def screen_of(display: Display, width: int = 80) -> str:
    from rich.console import Console

    console = Console(width=width, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(display)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_narrow_terminal_and_a_genre_without_large_letters() -> None:
    song = Average("k-ポップ", 0.7, {"k-ポップ": 0.7}, False, (), 3, 2.0)
    found = Verdict(
        9.0, 0.2, "k-ポップ", 0.7, {"k-ポップ": 0.7, "rock": 0.1}, -20.0, False, False, song, song, skipped=4
    )
    display, played = Display(), Played()
    played.see(found)
    assert "waiting for sound" in screen_of(display)
    display._styles = {"k-ポップ": "red", "rock": "blue"}
    display.see(found, played)
    display.note("the stream dropped")
    text = screen_of(display, 40)
    assert "\nk-ポップ" in text
    assert "this song  k-ポップ 0.70, 0:07 so far" in text
    assert "4 windows skipped" in text
    assert "the stream dropped" in text
    assert all(len(line) <= 40 for line in text.splitlines() if "skipped" not in line)


def test_all_large_letters_have_five_rows_of_one_width() -> None:
    rows = large("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.&/ ")
    assert rows is not None
    assert len(rows) == 5
    assert large("ü") is None


def test_list_devices_is_no_command_that_needs_a_model() -> None:
    done = genrescope("live", "--list-devices")
    assert done.code in (0, 2)  # with PortAudio, and without
    assert done.code == 0 or "PortAudio" in done.err or "genrescope[live]" in done.err
