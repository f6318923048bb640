"""A cluster of several nodes on this machine: workers, nodes and the program die, and every song is done once.

`python -m benchmarks.scale SECTION...`; the sections are
`deaths` (2,000 short files on three nodes), `equal` (their scores against one machine's), `speed` (one node against
`predict --jobs` on the same cores, in turn), `memory` (`--counts` files) and `constants` (what docs/scale.md counts
with). `--folder` keeps what is made between calls.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import library_of_2000
from benchmarks.scale_nodes import Nodes
from genrescope.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable

NODES, CORES = 3, 2


def library(place: Path, files: int) -> tuple[Path, set[str], set[str]]:
    """Return a library of short files, its good and its broken ones; made once."""
    known = place / f"{files}.json"
    if not known.exists():
        made = library_of_2000.make(place / str(files), files)
        known.write_text(json.dumps({"good": sorted(made.good), "bad": sorted(made.bad)}))
    held = json.loads(known.read_text())
    return place / str(files), set(held["good"]), set(held["bad"])


def line(music: Path, out: Path, *options: object) -> list[str]:
    """Return the command line of a run on Ray."""
    return [
        sys.executable, "-m", "genrescope", "predict", str(music), "--engine", "ray", "--out", str(out),
        *map(str, options),
    ]  # fmt: skip


def parts(out: Path) -> int:
    """Return how many parts are written."""
    return len([*(out / "parts").glob("[!.]*.parquet")]) if out.exists() else 0


def deaths(place: Path, files: int) -> None:
    """Kill a worker, remove a node, kill the program, and start it again."""
    music, good, bad = library(place, files)
    out, nodes = place / "deaths", Nodes(NODES)
    begun = time.monotonic()
    try:
        arguments = line(music, out, "--address", nodes.address, "--part", 50)
        with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as driver:
            _wait(driver, lambda: parts(out) >= files // 200)
            print(f"{parts(out)} parts: worker {nodes.kill_worker()} killed")
            _wait(driver, lambda: parts(out) >= files // 100)
            print(f"{parts(out)} parts: a node removed", flush=True)
            nodes.remove()
            _wait(driver, lambda: parts(out) >= files // 75)
            driver.send_signal(signal.SIGKILL)
        kept = parts(out)
        print(f"{kept} parts: the program killed with signal 9 after {time.monotonic() - begun:.0f} s", flush=True)
        again = subprocess.run(arguments, stderr=subprocess.PIPE, text=True, check=False)
        print(again.stderr.strip())
        assert again.returncode == 1
    finally:
        nodes.close()
    _check(out, good, bad)
    print(f"every one of {len(good)} good files exactly once, {len(bad)} broken ones as failures")


def _wait(driver: subprocess.Popen[str], until: Callable[[], bool]) -> None:
    while not until():
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)


def _rows(out: Path) -> list[dict[str, Any]]:
    from genrescope.scale.folder import Folder
    from genrescope.scale.predict import read_results

    rows: list[dict[str, Any]] = read_results(Folder.at(out)).to_pylist()
    return rows


def _check(out: Path, good: set[str], bad: set[str]) -> None:
    from genrescope.inference.rows import text

    rows = _rows(out)
    assert len(rows) == len({row["path"] for row in rows}), "a song stands there twice"
    assert {row["path"] for row in rows if row["error"] is None} == set(map(text, good))
    assert {row["path"] for row in rows if row["error"] is not None} == set(map(text, bad))


def equal(place: Path, files: int) -> None:
    """Compare what `deaths` has written with what one machine writes."""
    from pyarrow import parquet

    music, _, _ = library(place, files)
    alone = place / "alone.parquet"
    arguments = [sys.executable, "-m", "genrescope", "predict", str(music), "--out", str(alone), "--quiet"]
    subprocess.run(arguments, check=False, stderr=subprocess.DEVNULL)
    differs = {"identity", "error"}
    ours = {row["path"]: _without(row, differs) for row in _rows(place / "deaths") if row["error"] is None}
    theirs = {row["path"]: _without(row, differs) for row in parquet.read_table(alone).to_pylist()}
    assert ours == theirs
    print(f"{len(ours)} songs have the rows of one machine, to the bit")


def _without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def speed(place: Path, data: Path, runs: int) -> None:
    """Time one node of Ray against `predict --jobs`, in turn, on the same files and cores."""
    ratios = []
    for number in range(runs):
        local = place / f"speed-{number}.parquet"
        arguments = [
            sys.executable,
            "-m",
            "genrescope",
            "predict",
            str(data),
            "--jobs",
            str(CORES),
            "--out",
            str(local),
        ]
        alone = library_of_2000.run(arguments)
        ray = library_of_2000.run(line(data, place / f"speed-{number}", "--jobs", CORES))
        rates = [_said(each.messages) for each in (alone, ray)]
        ratios.append(rates[1] / rates[0])
        print(f"predict: {alone.seconds:.1f} s in all, {rates[0]:.2f} songs/s")
        print(f"Ray: {ray.seconds:.1f} s in all, {rates[1]:.2f} songs/s", flush=True)
    print(f"Ray against predict: {', '.join(f'{ratio:.2f}' for ratio in ratios)} of its songs a second")


def _said(messages: str) -> float:
    return float(messages.partition(" songs/s")[0].rpartition(" ")[2])


def memory(place: Path, counts: tuple[int, ...]) -> None:
    """Measure the program, the workers and all else of a run, for few and for many files."""
    for count in counts:
        music, _, _ = library(place, count)
        out = place / f"memory-{count}"
        process = subprocess.Popen(line(music, out, "--jobs", CORES), stderr=subprocess.DEVNULL)
        peaks: dict[str, float] = {}
        begun = time.monotonic()
        while process.poll() is None:
            for name, size in _memory(process.pid).items():
                peaks[name] = max(peaks.get(name, 0.0), size)
            time.sleep(0.5)
        told = ", ".join(f"{name} {size:.0f} MB" for name, size in sorted(peaks.items()))
        print(f"{count} files in {time.monotonic() - begun:.0f} s; peaks: {told}", flush=True)


def _memory(pid: int) -> dict[str, float]:
    """Return the memory that each kind of process has for itself, in MB: the largest of a kind."""
    import psutil

    found: dict[str, float] = {}
    try:
        below = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return found
    for each in below:
        try:
            size, command = each.memory_full_info().uss / 2**20, " ".join(each.cmdline())
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
        kind = (
            "program" if each.pid == pid
            else "worker" if "_Worker" in command
            else "decoder" if "spawn_main" in command
            else "Ray"
        )  # fmt: skip
        found[kind] = max(found.get(kind, 0.0), size)
    return found


def constants(place: Path, data: Path) -> None:
    """Measure what docs/scale.md counts with: decoding, scoring, rows, plan."""
    import genrescope
    from genrescope.inference.rows import RowSpec
    from genrescope.scale.folder import Folder
    from genrescope.scale.plan import planned
    from genrescope.scale.songs import Song

    classifier = genrescope.load("genres", threads=1)
    files, sounds = [], []
    seconds = time.process_time()
    for path in sorted(path for path in data.rglob("*") if path.is_file()):
        with contextlib.suppress(AudioError):
            sounds.append(classifier.decode(path))
            files.append(path)
    decoding = (time.process_time() - seconds) / len(files)
    seconds = time.process_time()
    for sound in sounds:
        classifier.predict_decoded(sound)
    scoring = (time.process_time() - seconds) / len(files)
    size = sum(path.stat().st_size for path in files) / len(files)
    length = sum(sound.seconds for sound in sounds) / len(files)
    print(f"{len(files)} songs of {length:.0f} s, {size / 1e6:.2f} MB, on one core:")
    print(f"decoding {1e3 * decoding:.0f} ms, scoring {1e3 * scoring:.0f} ms a song", flush=True)
    for count in (100_000, 1_000_000):
        many = [
            Song(f"s3://a-bucket/some/folder/{number:09d}.mp3", f"0:0:5000000:{number}", 5_000_000)
            for number in range(count)
        ]
        seconds = time.monotonic()
        planned(Folder.at(place / f"plan-{count}"), many, RowSpec(classifier.genres, "model", failures=True))
        plan = (place / f"plan-{count}" / "plan.parquet").stat().st_size
        told = f"{time.monotonic() - seconds:.1f} s, {plan / count:.1f} bytes a song"
        print(f"plan of {count} songs: {told}; memory of the process {_peak():.0f} MB", flush=True)


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--files", type=int, default=2000, help="of the sections deaths and equal")
    parser.add_argument("--counts", default="500,5000", help="files of the section memory")
    parser.add_argument("--runs", type=int, default=3, help="of the section speed")
    parser.add_argument("--data", type=Path, help="folder of songs for speed and constants")
    parser.add_argument("--folder", type=Path, help="where everything is made and kept")
    parser.add_argument("sections", nargs="+", choices=["deaths", "equal", "speed", "memory", "constants"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = chosen.folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        data = chosen.data or library(place, chosen.files)[0]
        sections: dict[str, Callable[[], None]] = {
            "deaths": lambda: deaths(place, chosen.files), "equal": lambda: equal(place, chosen.files),
            "speed": lambda: speed(place, data, chosen.runs), "constants": lambda: constants(place, data),
            "memory": lambda: memory(place, tuple(map(int, chosen.counts.split(",")))),
        }  # fmt: skip
        for name in chosen.sections:
            sections[name]()


if __name__ == "__main__":
    main()
