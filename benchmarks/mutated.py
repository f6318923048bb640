"""Damaged files by the hundred: `python -m benchmarks.mutated [--files N] [--model MODEL]`.

Songs in twelve containers are damaged at random and go through `predict` and `prepare` among whole ones. Nothing may
crash or hang, every whole song must be there, and every other one either there or named with its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.encoding import encode
from benchmarks.measure import machine

CONTAINERS = {
    "wav": None, "aiff": None, "au": None, "caf": None, "flac": None, "ogg": None, "mp3": None,
    "m4a": ("aac", "ipod", 44_100), "webm": ("libopus", "webm", 48_000), "mka": ("flac", "matroska", 44_100),
    "avi": ("libmp3lame", "avi", 44_100), "wma": ("wmav2", "asf", 44_100),
}  # fmt: skip
SECONDS = 6.0
GOOD = 2  # whole files of each container


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutated", description=__doc__)
    parser.add_argument("--files", type=int, default=1000, help="damaged files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="model for predict; by default the one that needs no training")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        music = Path(folder) / "music"
        good = write(music, chosen.files, random.Random(chosen.seed))
        print(f"{machine()}; {len(good)} whole and {chosen.files} damaged files in {len(CONTAINERS)} containers")
        predicted = run("predict", *filter(None, [chosen.model]), music, "--out", Path(folder) / "found.jsonl")
        paths = [json.loads(line)["path"] for line in (Path(folder) / "found.jsonl").read_text().splitlines()]
        tell("predict", predicted, {str(Path(path).relative_to(music)) for path in paths}, good)
        prepared = run("prepare", music, "--out", Path(folder) / "store")
        rows = (Path(folder) / "store" / "index.csv").read_text().splitlines()[1:]
        tell("prepare", prepared, {row.split(",")[1] for row in rows if row.endswith(",ok,")}, good)
        print("worst alone: " + worst(sorted(music.rglob("*.*"))))


def write(music: Path, count: int, chance: random.Random) -> set[str]:
    """Write whole and damaged songs; return the names of the whole ones."""
    import numpy as np
    import soundfile

    noise = np.random.default_rng(0).standard_normal((round(48_000 * SECONDS), 2)).astype(np.float32)
    originals, good = {}, set()
    for name, how in CONTAINERS.items():
        for number in range(GOOD):
            path = music / "good" / f"{name}-{number}.{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            sound = 0.1 * np.roll(noise, 1000 * number, axis=0)[: round((how[2] if how else 44_100) * SECONDS)]
            if how is None:
                soundfile.write(path, sound, 44_100)
            else:
                encode(path, sound, how[2], how[0], how[1])
            originals[name] = path.read_bytes()
            good.add(str(path.relative_to(music)))
    (music / "bad").mkdir()
    for number in range(count):
        name = list(CONTAINERS)[number % len(CONTAINERS)]
        (music / "bad" / f"{number:04d}.{name}").write_bytes(damaged(originals[name], chance))
    return good


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file's bytes after one to four accidents."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at, size = chance.randrange(len(data)), chance.randint(1, max(1, len(data) // 4))
        kind = chance.choice(["flip", "header", "header", "number", "cut", "hole", "zeros", "twice", "noise"])
        if kind == "flip":
            for _ in range(20):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        elif kind == "header":
            data[chance.randrange(min(len(data), 400))] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
        elif kind == "number":
            place = chance.randrange(min(len(data), 400))
            data[place : place + 4] = chance.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
        elif kind == "cut":
            del data[max(1, at) :]
        elif kind == "hole":
            del data[at : min(at + size, len(data) - 1)]
        elif kind == "twice":
            data[at:at] = data[at : at + size]
        else:
            there = len(data[at : at + size])
            data[at : at + size] = bytes(there) if kind == "zeros" else chance.randbytes(there)
    return bytes(data)


def run(*arguments: Any) -> dict[str, Any]:
    """Run a command to its end: its exit code, seconds, and the peak of its largest process."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "genrescope", *map(str, arguments)], capture_output=True, text=True, check=False,
        env=os.environ | {"COLUMNS": "1000"},
    )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"code": done.returncode, "err": done.stderr, "seconds": time.perf_counter() - begun, "peak_mb": peak}


def tell(command: str, ended: dict[str, Any], found: set[str], good: set[str]) -> None:
    """Print how a command ended, and stop where it did not do what it must."""
    named = ended["err"].count("skipped ")
    print(
        f"{command}: exit code {ended['code']}, {ended['seconds']:.0f} s, peak of the largest process "
        f"{ended['peak_mb']:.0f} MB, {len(found)} used, {named} named with their reason, "
        f"{ended['err'].count('crashed')} crashes and {ended['err'].count('took longer')} hangs of a decoder"
    )
    if "Traceback" in ended["err"] or ended["code"] not in (0, 1) or not good <= found:
        raise SystemExit(f"{command} failed: {sorted(good - found)}\n{ended['err'][-2000:]}")


def worst(paths: list[Path]) -> str:
    """Decode each file in a worker, one after the other, and tell the longest time and the largest memory."""
    from functools import partial

    from benchmarks.mutated import measured  # by a name that a worker finds, not as the main program's
    from genrescope import workers

    slowest, largest = (0.0, ""), (0, "")
    with workers.Pool[Path](partial(partial, measured), 1, workers.Guard()) as pool:
        for path, parts in pool.streams(paths):
            try:
                ((seconds, grown),) = parts
            except workers.WorkerDied as death:
                return f"{path.name}: {death}"
            slowest, largest = max(slowest, (seconds, path.name)), max(largest, (grown, path.name))
    return f"{slowest[0]:.2f} s ({slowest[1]}), {largest[0] >> 20} MB more than before it ({largest[1]})"


def measured(path: Path) -> tuple[float, int]:
    """Return the seconds that a file takes to decode, and by how many bytes the process grew."""
    import contextlib

    from genrescope import audio
    from genrescope.errors import AudioError

    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with contextlib.suppress(AudioError):
        for _ in audio.blocks(path):
            pass
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return time.perf_counter() - begun, grown


if __name__ == "__main__":
    main()
