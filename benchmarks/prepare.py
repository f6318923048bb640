"""From files to log-mels: `prepare`, a plain librosa loop, and the same loop in a process pool."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import ONE_THREAD, Compared, main_of, process

RUNS = 3


def report(data: str) -> str:
    """Measure whole processes in turn, and return the section of the page."""
    names = {"genrescope prepare": "ours", "librosa, process pool": "pool", "librosa, plain loop": "loop"}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    tracks = 0
    for _ in range(RUNS):
        for name, kind in names.items():
            environment = ONE_THREAD if kind == "pool" else {}  # threads of two processes would fight for two cores
            answer = process("benchmarks.prepare", kind, data, environment=environment)
            seconds[name].append(answer["wall"])
            tracks = answer["tracks"]
    small, large = (process("benchmarks.prepare", "memory", data, str(copies)) for copies in (1, 8))
    jobs = os.cpu_count()
    return "\n".join(
        [
            f"## Prepare, {tracks} files, {jobs} processes",
            "",
            f"Whole processes from start to end, imports included; {RUNS} interleaved runs each. The peers load,",
            "compute and keep the arrays in memory; `prepare` also computes length, sample rate and checksum of each",
            "file and writes the store.",
            "",
            Compared(seconds).table(unit="s"),
            "",
            f"Peak memory of the largest process of `prepare`: {small['peak_mb']:.0f} MB with {small['tracks']} "
            f"tracks, {large['peak_mb']:.0f} MB with {large['tracks']}.",
        ]
    )


def ours(data: str) -> dict[str, Any]:
    """Prepare a store with one process for each core."""
    from genrescope.store.prepare import prepare

    with tempfile.TemporaryDirectory() as folder:
        return {"tracks": len(prepare(data, Path(folder) / "store").store.tracks)}


def memory(data: str, copies: str) -> dict[str, Any]:
    """Prepare a data set that holds every file several times, and return the peak of the largest process."""
    from genrescope.sources.data import read_data
    from genrescope.store.prepare import prepare

    with tempfile.TemporaryDirectory() as folder:
        for copy in range(int(copies)):
            for track in read_data(data)[1]:
                copied = Path(folder) / "data" / track.genre / f"{copy}-{track.path.name}"
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(track.path, copied)
        tracks = prepare(str(Path(folder) / "data"), Path(folder) / "store").store.tracks
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {"tracks": len(tracks), "peak_mb": max(peaks) / 1024}


def loop(data: str) -> dict[str, Any]:
    """What a notebook does."""
    return {"tracks": len([_librosa(path) for path in _paths(data)])}


def pool(data: str) -> dict[str, Any]:
    """What a better notebook does."""
    with ProcessPoolExecutor() as executor:
        return {"tracks": len(list(executor.map(_librosa, _paths(data), chunksize=4)))}


def _paths(data: str) -> list[Path]:
    from genrescope.sources.data import read_data

    return [track.path for track in read_data(data)[1]]


def _librosa(path: Path) -> Any:
    import librosa
    import numpy as np

    wave, _ = librosa.load(path)
    return np.log(librosa.feature.melspectrogram(y=wave, window="hamming") + 1e-6).astype(np.float16)


if __name__ == "__main__":
    main_of({"ours": ours, "memory": memory, "loop": loop, "pool": pool}, sys.argv[1:])
