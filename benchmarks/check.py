"""What `check` costs on a thousand and on ten thousand clips."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import main_of, process
from genrescope.files import replacing

SIZES = (1_000, 10_000)
SECONDS = 30.0


def report(_: str) -> str:
    """Measure whole processes, and return the section of the page."""
    music = _synthesised()
    answers = [process("benchmarks.check", "ours", str(music), str(size)) for size in SIZES]
    lines = [
        f"## Check, {os.cpu_count()} processes",
        "",
        "A thousand synthesised clips of up to 30 s, each at ten speeds 5 % apart. Each size runs in its own process;",
        "memory is that of the process and its workers together.",
        "",
        "| clips | time, s | duplicate search alone, s | times real time, per core | peak memory, MB | pairs found |",
        "|---|---|---|---|---|---|",
    ]
    for size, answer in zip(SIZES, answers, strict=True):
        speed = answer["audio"] / answer["seconds"] / (os.cpu_count() or 1)
        lines.append(
            f"| {size:,} | {answer['seconds']:.0f} | {answer['comparing']:.1f} | {speed:.0f} | {answer['peak_mb']:.0f} "
            f"| {answer['pairs']} |"
        )
    growth = answers[1]["seconds"] / answers[0]["seconds"]
    return "\n".join([*lines, "", f"Ten times the clips take {growth:.1f} times the time."])


def ours(music: str, size: str) -> dict[str, Any]:
    """Check some of the clips; measure time and memory."""
    import time

    from genrescope.check.check import check
    from genrescope.splits import duplicates

    clips = sorted(Path(music).rglob("*.flac"))
    step = len(clips) // int(size)
    find, comparing = duplicates.find, 0.0

    def timed(*arguments: Any, **options: Any) -> Any:
        nonlocal comparing
        begun = time.perf_counter()
        pairs = find(*arguments, **options)
        comparing = time.perf_counter() - begun
        return pairs

    duplicates.find = timed
    with tempfile.TemporaryDirectory() as folder, _Peak() as peak:
        listing = Path(folder) / "clips.csv"
        rows = "".join(f"{clip},{clip.relative_to(music).parts[0]}\n" for clip in clips[::step][: int(size)])
        listing.write_text("path,genre\n" + rows, encoding="utf-8")
        done = check(str(listing), Path(folder) / "check")
    audio = sum(file.seconds for file in done.measurements)
    return {
        "seconds": done.seconds,
        "comparing": comparing,
        "peak_mb": peak.mb,
        "audio": audio,
        "pairs": len(done.pairs),
    }


class _Peak:
    """Watches the memory of this process and its children together."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._stop = threading.Event()

    def __enter__(self) -> _Peak:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        import psutil

        own = psutil.Process()
        while not self._stop.wait(0.2):
            total = 0
            for each in (own, *own.children(recursive=True)):
                try:
                    total += each.memory_info().rss
                except psutil.Error:
                    continue
            self.mb = max(self.mb, total / 1e6)


def _synthesised() -> Path:
    """Return ten thousand clips: a thousand synthesised ones, each at ten speeds 5 % apart. They are kept."""
    from genrescope import synth

    folder = Path(tempfile.gettempdir()) / "genrescope-benchmark"
    jobs = os.cpu_count() or 1
    synth.write_dataset(folder, synth.Collection(artists=10, tracks=10, seconds=SECONDS), jobs=jobs)
    originals = [path for path in sorted(folder.rglob("*.flac")) if "-x" not in path.name]
    with ProcessPoolExecutor(jobs) as pool:
        list(pool.map(_at_other_speeds, originals, chunksize=10))
    return folder


def _at_other_speeds(path: Path) -> None:
    import soundfile
    import soxr

    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    for number, speed in enumerate(1.05**power for power in range(-4, 6) if power):
        target = path.with_name(f"{path.stem}-x{number}.flac")
        if not target.exists():
            turned = soxr.resample(wave, rate * speed, rate)[: round(SECONDS * rate)]
            with replacing(target) as temporary:
                soundfile.write(temporary, turned, rate, format="FLAC")


if __name__ == "__main__":
    main_of({"ours": ours}, sys.argv[1:])
