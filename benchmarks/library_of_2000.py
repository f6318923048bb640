"""A library of 2,000 short files in ten formats, 3 % of them broken: `predict --out` is killed halfway and run again.

`python -m benchmarks.library_of_2000 [--files N] [--model MODEL]` makes the library, and checks that
every good file stands in the results exactly once and every broken one is named; it measures speed, and the peak
memory of the process and its workers at a tenth of the files and at all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from benchmarks.encoding import encode
from genrescope.files import undefused

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 44_100
CODECS = {
    "wav": "pcm_s16le", "aiff": "pcm_s16be", "au": "pcm_s16be", "flac": "flac", "ogg": "vorbis", "opus": "libopus",
    "mp3": "libmp3lame", "m4a": "aac", "wma": "wmav2", "mka": "ac3",
}  # fmt: skip
"""Ten formats by their endings, each with its encoder."""

NAMES = (
    "音楽 {}", "-dash {}", "two\nlines {}", 'a "quoted", name {}', "=1+1 {}", "'tis {}", "🎵 {}", "é {}", "...dots {}",
    "x" * 230 + " {}", "\udce9\udcff {}", "tab\t{}", "{} & $HOME; `id`", "%s %d {}", "[b]{}[b]", "\x1b[31mred {}",
)  # fmt: skip
"""Names that are awkward in a shell, a table, a terminal or an encoding; the rest is called as songs are."""

BROKEN = 33  # one file in so many


@dataclass
class Library:
    """A folder of songs.

    Attributes:
        root: the folder.
        good: its files that can be decoded.
        bad: its files that cannot.
    """

    root: Path
    good: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Ran:
    """How a process ended: its code, its messages, its seconds, and the memory in MB that it and its workers took.

    A worker that a broken file has ended stands beside its successor for a moment: that is in the peak.
    """

    code: int
    messages: str
    seconds: float
    peak: float
    median: float


def make(root: Path, files: int, *, seconds: float = 3.0, seed: int = 0) -> Library:
    """Write a library: nested folders, ten formats, odd names, one file in 33 broken; equal seeds give equal ones."""
    chance, made = random.Random(seed), Library(root)
    sounds = _sounds(root.parent / "sounds", seconds)
    for number in range(files):
        names = (
            f"{chance.choice(('Artist', 'Ålbum', 'disc'))} {chance.randrange(4)}" for _ in range(chance.randrange(6))
        )
        folder = root.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        ending = list(CODECS)[number % len(CODECS)]
        name = NAMES[number // 7 % len(NAMES)] if number % 7 == 0 else "{} - song"
        path = folder / f"{name.format(f'{number:05d}')}.{ending}"
        sound = chance.choice(sounds[ending])
        if number % BROKEN == BROKEN - 1:
            path.write_bytes(_broken(sound.read_bytes(), number // BROKEN, chance))
            made.bad.add(str(path))
        else:
            shutil.copyfile(sound, path)
            made.good.add(str(path))
    return made


def _sounds(folder: Path, seconds: float) -> dict[str, list[Path]]:
    """Write three sounds in each format: a chord, beats, noise."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(0, 0.1, len(clock))
    chord = sum(0.15 * np.sin(2 * np.pi * hz * clock) for hz in (220, 277, 330))
    waves = [chord, chord * (clock * 2 % 1 < 0.5) + 0.1 * noise, noise]
    found: dict[str, list[Path]] = {}
    for ending, codec in CODECS.items():
        for number, wave in enumerate(waves):
            stereo = np.stack([wave, 0.8 * np.asarray(wave)], axis=1).astype(np.float32)
            rate = 48_000 if ending == "opus" else RATE
            path = folder / f"{number}.{ending}"
            container = {"m4a": "ipod", "wma": "asf", "mka": "matroska"}.get(ending)
            if ending == "ogg":
                soundfile.write(path, stereo, rate, format="OGG", subtype="VORBIS")
            else:
                encode(path, stereo, rate, codec, container)
            found.setdefault(ending, []).append(path)
    return found


def _broken(whole: bytes, kind: int, chance: random.Random) -> bytes:
    """Return the bytes of a file that nothing can decode."""
    page = b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 20
    return (b"", chance.randbytes(5000), page, bytes(8000), whole[:8] + chance.randbytes(3000))[kind % 5]


def command(model: str | None, library: Path, out: Path) -> list[str]:
    """Return the command line."""
    chosen = [] if model is None else [model]
    return [sys.executable, "-m", "genrescope", "predict", *chosen, str(library), "--out", str(out)]


def run(
    line: list[str], *, kill_when: Callable[[], bool] | None = None, before: Callable[[], object] = lambda: None
) -> Ran:
    """Run a command to its end, or until it is to be killed; its workers must end by themselves.

    Args:
        line: the command.
        kill_when: asked again and again; True ends the process with signal 9.
        before: called before that, while the process stands still.
    """
    import psutil

    begun, taken, family = time.monotonic(), [0.0], dict[int, Any]()
    with (
        tempfile.TemporaryFile() as messages,
        subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=messages, stdin=subprocess.DEVNULL) as process,
    ):
        main = psutil.Process(process.pid)
        while process.poll() is None:
            taken.append(_memory(main, family))
            if kill_when is not None and kill_when():
                process.send_signal(signal.SIGSTOP)
                before()
                process.send_signal(signal.SIGKILL)
                process.wait()
            time.sleep(0.02)
        seconds = time.monotonic() - begun
        _, alive = psutil.wait_procs(list(family.values()), timeout=30)
        assert not alive, f"workers outlive their process: {alive}"
        messages.seek(0)
        return Ran(process.returncode, os.fsdecode(messages.read()), seconds, max(taken), statistics.median(taken))


def _memory(main: Any, family: dict[int, Any]) -> float:
    """Return the memory of a process and all below it in MB; what they share counts for each."""
    import psutil

    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in (main, *main.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss / 2**20
                family[each.pid] = each
    return total


def lines_of(path: Path) -> int:
    """Return the number of lines in a file that may not be there yet."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def paths_in(table: Path) -> list[str]:
    """Return the paths in a CSV file."""
    with table.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return [undefused(row["path"]) for row in csv.DictReader(file)]


def check(library: Library, out: Path) -> None:
    """Hold that every good file stands there exactly once, and every broken one in the list of failures.

    Raises:
        AssertionError: one does not.
    """
    counts = Counter(paths_in(out))
    assert not (twice := [path for path, count in counts.items() if count > 1]), twice
    assert counts.keys() == library.good, sorted(counts.keys() ^ library.good)[:5]
    listed = set(paths_in(out.with_name(f"{out.name}.failed.csv")))
    assert listed == library.bad, sorted(listed ^ library.bad)[:5]


def killed_and_gone_on_with(library: Library, out: Path, model: str | None) -> tuple[Ran, Ran]:
    """Kill a run when half of the files are done, refuse a second process beside it, and go on to the end.

    Returns:
        The run that was killed, and the one that went on.

    Raises:
        AssertionError: something was lost, was done twice, or was not named.
    """
    line, half, second = command(model, library.root, out), len(library.good) // 2, list[Ran]()
    torn = run(line, kill_when=lambda: lines_of(out) > half, before=lambda: second.append(run(line)))
    assert torn.code == -signal.SIGKILL
    assert second[0].code == 2
    assert "is being written by another run: predict, process" in second[0].messages
    kept = len(paths_in(out))
    again = run(line)
    assert again.code == 1, again.messages
    assert f", {kept} were there already" in again.messages
    assert f"{len(library.bad)} of {len(library.good) + len(library.bad)} files could not be used" in again.messages
    check(library, out)
    return torn, again


def done_again(library: Library, out: Path, model: str | None) -> Ran:
    """Run once more, where nothing is left to be done but the broken files.

    Raises:
        AssertionError: something was done twice.
    """
    before = out.read_bytes()
    third = run(command(model, library.root, out))
    assert f"0 songs written to {out}, {len(library.good)} were there already" in third.messages
    assert out.read_bytes() == before
    return third


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.library_of_2000", description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--model", help="a model file, a run folder or a name; by default the model `genres`")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        few, many = (make(place / str(count) / "music", count) for count in (chosen.files // 10, chosen.files))
        runs = [run(command(chosen.model, each.root, each.root.parent / "genres.csv")) for each in (few, many)]
        for library, done in zip((few, many), runs, strict=True):
            check(library, library.root.parent / "genres.csv")
            count = len(library.good) + len(library.bad)
            print(f"{count} files: {done.seconds:.1f} s, {count / done.seconds:.1f} a second")
            print(f"    memory: peak {done.peak:.0f} MB, median {done.median:.0f} MB")
        print(f"peak of all files against a tenth of them: {100 * (runs[1].peak / runs[0].peak - 1):+.1f} %")
        torn, again = killed_and_gone_on_with(many, place / "torn.csv", chosen.model)
        print(f"killed halfway after {torn.seconds:.1f} s; the rest took {again.seconds:.1f} s, {again.peak:.0f} MB")
        print(f"every one of {len(many.good)} good files exactly once, {len(many.bad)} broken ones named")
        third = done_again(many, place / "torn.csv", chosen.model)
        print(f"a run that has only the broken ones left: {third.seconds:.1f} s")


if __name__ == "__main__":
    main()
