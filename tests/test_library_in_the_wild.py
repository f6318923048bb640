"""A library of 300 files with the worst among them: every good one is there, every bad one is named with its reason.

So it is for `predict --out` and `prepare`, and the same after a kill -9 in the middle and a second run.
"""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import signal
import struct
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cli_support import GENRES, Done, World, genrescope, interrupted, sound, world
from conftest import write

from genrescope.files import undefused
from genrescope.records import read_lines

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes, devices, and names that are bytes")

GOOD = 280
ODD_NAMES = (
    "=cmd|' /C calc'!A0", "-1+1", "a,b;c\td", "line\nbreak", "\x1b[31mred", "caf\udce9", "...dots", "'=1", '"', "%s{}",
)  # fmt: skip
"""Names of good songs that are awkward in a table or on a terminal."""


def bad_files(folder: Path, whole: bytes) -> set[str]:
    """Write twenty files that nobody can hear; return their names."""
    chance = random.Random(0)
    junk = chance.randbytes(4000)
    contents = {
        "empty.wav": b"",
        "empty.mp3": b"",
        "a web page.mp3": b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20,
        "a web page.flac": b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20,
        "letters.ogg": b"Dear reader, this is no music. " * 200,
        "zeros.wav": bytes(5000),
        "zeros.mp3": bytes(5000),
        "zeros.m4a": bytes(5000),
        "junk.flac": b"fLaC" + junk,
        "junk.ogg": b"OggS" + junk,
        "junk.m4a": struct.pack(">I", 24) + b"ftypM4A " + junk,
        "junk.mkv": b"\x1a\x45\xdf\xa3" + junk,
        "junk.wma": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + junk,
        "head only.wav": whole[:40],
        "riff of riffs.wav": b"RIFF\xff\xff\xff\xffWAVE" * 300,
        "no channels.wav": whole[:22] + b"\0\0" + whole[24:],
        "\x1b]0;title.mp3": b"not music",
    }
    for name, held in contents.items():
        (folder / name).write_bytes(held)
    write(folder / "not numbers.wav", np.full(40_000, np.nan, np.float32), subtype="FLOAT")
    os.mkfifo(folder / "pipe.mp3")
    (folder / "device.mp3").symlink_to("/dev/zero")
    (folder / "away.mp3").symlink_to("nowhere.mp3")
    (folder / "loop.mp3").symlink_to("loop.mp3")
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str], set[str]]:
    """Return a folder of genre folders, the names of its good files, and those of its bad ones."""
    root = tmp_path_factory.mktemp("library") / "music"
    seeds = [write(root.parent / f"{genre}.wav", sound(genre, 0)) for genre in GENRES[:2]]
    (root / "worst").mkdir(parents=True)
    bad = bad_files(root / "worst", seeds[0].read_bytes())
    good = set()
    for number in range(GOOD):
        stem = ODD_NAMES[number] if number < len(ODD_NAMES) else f"{number:03d}"
        path = root / ("worst" if number % 7 == 0 else GENRES[number % 2]) / f"{stem}.wav"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(seeds[number % 2], path)  # links would be one song
        good.add(path.name)
    (root / "worst" / ".hidden.wav").hardlink_to(seeds[0])
    (root / ".Trash-1000").mkdir()
    (root / ".Trash-1000" / "thrown away.wav").hardlink_to(seeds[0])
    (root / "round").symlink_to(root, target_is_directory=True)
    return root, good, bad


def shown(name: str) -> str:
    """Return a name as a message shows it."""
    return re.sub("[\x1b\udce9]", lambda found: ascii(found[0])[1:-1], name)


def assert_named(done: Done, bad: set[str]) -> None:
    """Every bad file stands in a line of its own with a reason, and the exit code says so."""
    assert done.code == 1, done
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err
    for name in bad:
        assert re.search(rf"^skipped .*{re.escape(shown(name))}: \S+", done.err, re.MULTILINE), (name, done.err)
    assert len(re.findall("^skipped ", done.err, re.MULTILINE)) == len(bad)


def predicted(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return [undefused(row["path"]).rpartition("/")[2] for row in csv.DictReader(file)]


def test_every_good_song_is_predicted_and_every_bad_one_named_also_after_a_kill(
    made: World, library: tuple[Path, set[str], set[str]], tmp_path: Path
) -> None:
    root, good, bad = library
    done = genrescope("predict", made.run, root, "--out", tmp_path / "whole.csv")
    assert_named(done, bad)
    assert sorted(predicted(tmp_path / "whole.csv")) == sorted(good)

    out = tmp_path / "torn.csv"
    torn = interrupted(
        "predict", made.run, root, "--out", out,
        when=lambda: len(list(read_lines(out))) > 100, number=signal.SIGKILL,
    )  # fmt: skip
    assert torn.code == -signal.SIGKILL
    assert_named(genrescope("predict", made.run, root, "--out", out), bad)
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_every_good_song_is_prepared_and_every_bad_one_named_also_after_a_kill(
    library: tuple[Path, set[str], set[str]], tmp_path: Path
) -> None:
    root, good, bad = library
    done = genrescope("prepare", root, "--out", tmp_path / "whole", "--jobs", 2)
    assert_named(done, bad)
    assert f"{len(good)} computed, 0 kept" in done.err

    out = tmp_path / "torn"
    torn = interrupted(
        "prepare", root, "--out", out, "--jobs", 2,
        when=lambda: len(list(read_lines(out / "journal.jsonl"))) > 100, number=signal.SIGKILL,
    )  # fmt: skip
    assert torn.code == -signal.SIGKILL
    again = genrescope("prepare", root, "--out", out, "--jobs", 2)
    assert_named(again, bad)
    assert "repaired" not in again.err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()
    }
