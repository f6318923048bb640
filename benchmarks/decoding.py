"""Decoding, format by format: seconds of a processor for an hour of sound, and those of another checkout."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.encoding import encode
from benchmarks.measure import ONE_THREAD, Compared, main_of, process

RUNS = 5
SECONDS, RATE = 240.0, 44_100
FORMATS = ("mp3", "flac", "m4a", "ogg", "opus", "wav")


def report(data: str, before: str | None = None) -> str:
    """Measure in turn, and return the section of the page.

    Args:
        before: folder `src` of another checkout, to be measured beside this one.
    """
    with tempfile.TemporaryDirectory() as folder:
        process("benchmarks.decoding", "make", data, folder)
        rows = [_row(name, Path(folder) / f"song.{name}", before) for name in FORMATS]
    return "\n".join(
        [
            "## Decoding",
            "",
            f"CPU seconds to decode an hour of stereo audio at 44.1 kHz (opus at 48 kHz) to a mono waveform at 22,050 "
            f"Hz; minimum of {RUNS} interleaved runs.",
            "",
            "| | this version | before | ratio, median |" if before else "| | this version |",
            "|---|---|---|---|" if before else "|---|---|",
            *rows,
        ]
    )


def _row(name: str, path: Path, before: str | None) -> str:
    times: dict[str, list[float]] = {"now": [], **({"before": []} if before else {})}
    for _ in range(RUNS):
        for which, found in times.items():
            environment = ONE_THREAD | ({"PYTHONPATH": before} if which == "before" and before else {})
            found.append(process("benchmarks.decoding", "decode", str(path), environment=environment)["seconds"])
    cells = [f"{min(found):.2f} s" for found in times.values()]
    if before:
        ratios = sorted(1 / ratio for ratio in Compared(times).ratios("before"))
        cells.append(f"{ratios[len(ratios) // 2]:.2f}")
    return f"| {name} | {' | '.join(cells)} |"


def decode(path: str) -> dict[str, Any]:
    """Decode a file in blocks twice; tell the processor seconds of the second time, for an hour of sound."""
    from genrescope import audio

    seconds, samples = 0.0, 0
    for _ in range(2):
        begun = time.process_time()
        samples = sum(len(block) for block in audio.blocks(path))
        seconds = time.process_time() - begun
    return {"seconds": seconds * 3600 * audio.SAMPLE_RATE / samples}


def make(data: str, folder: str) -> dict[str, Any]:
    """Write the first minutes of a data set in every format."""
    import numpy as np
    import soundfile
    import soxr

    from genrescope import audio
    from genrescope.sources.data import read_data

    waves: list[Any] = []
    while sum(map(len, waves)) < SECONDS * audio.SAMPLE_RATE:
        waves += [audio.decode(track.path) for track in read_data(data)[1][:40]]
    mono = np.concatenate(waves)[: round(SECONDS * audio.SAMPLE_RATE)]
    sides = np.stack([mono, np.roll(mono, 15)], axis=1) * np.float32(0.8)
    for name in FORMATS:
        rate = 48_000 if name == "opus" else RATE
        sound = soxr.resample(sides, audio.SAMPLE_RATE, rate)
        path = Path(folder) / f"song.{name}"
        if name == "m4a":
            encode(path, sound, rate)
            continue
        container, coding = {"opus": ("OGG", "OPUS"), "ogg": ("OGG", "VORBIS")}.get(name, (name.upper(), None))
        with soundfile.SoundFile(path, "w", rate, 2, coding, format=container) as file:
            for first in range(0, len(sound), 8192):  # its encoders fail on minutes at once
                file.write(sound[first : first + 8192])
    return {}


if __name__ == "__main__":
    main_of({"decode": decode, "make": make}, sys.argv[1:])
