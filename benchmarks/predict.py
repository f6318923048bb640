"""From files to genres: songs of some minutes, by the whole command's function and by the straightforward script."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.encoding import encode
from benchmarks.measure import ONE_THREAD, Compared, main_of, process

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 3
RATE, SECONDS = 44_100, (180, 210, 240, 300)
KINDS = ("mp3", "flac", "m4a")
_REPEATS = 3  # of our songs: workers start once
OURS: dict[str, dict[str, Any]] = {
    "predict, as by default": {},
    "predict, excerpt of 30 s": {"excerpt": 30},
    "predict, all windows": {"windows": "all"},
}


def report(data: str, python: str | None = None) -> str:
    """Measure in turn, and return the section of the page.

    Args:
        data: whose clips are joined to songs.
        python: a Python that has Essentia; without one it is left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        process("benchmarks.predict", "make", data, folder)
        names = [*OURS, "script: librosa, and the same network", "decoding alone", "decoding and log-mel, all of it"]
        names += ["Essentia: MonoLoader and mel bands"] if python else []
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(RUNS):
            for name in names:
                seconds[name].append(_seconds(name, folder, python))
    default = statistics.median(seconds[next(iter(OURS))])
    rates = ", ".join(f"{name}: {1 / statistics.median(seconds[name]):.2f}" for name in names)
    whole = [both / alone for both, alone in zip(seconds[names[5]], seconds[names[4]], strict=True)]
    return "\n".join(
        [
            f"## Predict, songs of {SECONDS[0] // 60} to {SECONDS[-1] // 60} minutes, {os.cpu_count()} cores",
            "",
            "Clips joined and resampled to 44.1 kHz stereo, each song as mp3, flac and m4a; the model `genres`.",
            f"Seconds for a song, workers' start included; {RUNS} interleaved runs. The script goes song by song,",
            "without m4a, which librosa does not read: `librosa.load`, librosa's log-mel of all of it, and the same",
            "network on all windows with as many threads as torch takes. Decoding alone, decoding with the log-mel,",
            "and Essentia take one thread and the whole songs; Essentia's frames pass through Python, one by one.",
            "",
            Compared(seconds).table(unit="s"),
            "",
            f"Songs a second: {rates}.",
            "",
            f"Whole songs, decoding and log-mel against decoding alone: {statistics.median(whole):.2f} "
            f"({min(whole):.2f} to {max(whole):.2f}). Of a song by default ({default:.3f} s in all):",
            "",
            process("benchmarks.predict", "shares", data, environment=ONE_THREAD)["table"],
        ]
    )


def _seconds(name: str, folder: str, python: str | None) -> float:
    """Return seconds for a song."""
    if name in OURS:
        options = OURS[name]
        arguments = [str(options.get("windows", 10)), str(options.get("excerpt", ""))]
        return float(process("benchmarks.predict", "ours", folder, *arguments)["seconds"])
    if name.startswith("script"):
        return float(process("benchmarks.predict", "script", folder)["seconds"])
    if name.startswith("Essentia"):
        assert python is not None
        return _essentia(python, folder)
    what = "decode" if name == "decoding alone" else "frames"
    return float(process("benchmarks.predict", what, folder, environment=ONE_THREAD)["seconds"])


def _songs(folder: str) -> list[Path]:
    return sorted(Path(folder).iterdir())


def ours(folder: str, windows: str, excerpt: str) -> dict[str, Any]:
    """Classify all songs, each several times."""
    import genrescope

    chosen: Any = windows if windows == "all" else int(windows)
    classifier = genrescope.load("genres", windows=chosen, excerpt=float(excerpt) if excerpt else None)
    songs = _songs(folder) * (1 if windows == "all" else _REPEATS)
    list(classifier.predict_many(songs[:2]))
    begun = time.perf_counter()
    found = list(classifier.predict_many(songs))
    seconds = time.perf_counter() - begun
    failed = [each for each in found if isinstance(each, genrescope.Failure)]
    if failed:
        raise RuntimeError(str(failed[0]))
    return {"seconds": seconds / len(songs)}


def script(folder: str) -> dict[str, Any]:
    """What a notebook does."""
    import librosa
    import numpy as np
    import torch

    import genrescope

    header = genrescope.load("genres").header
    network, spec = genrescope.load("genres")._model.network, header.front_end

    def genre(path: Path) -> str:
        wave, _ = librosa.load(path, sr=16_000)
        power = librosa.feature.melspectrogram(y=wave, sr=16_000, n_fft=512, hop_length=256, n_mels=96)
        frames = torch.from_numpy(np.log10(1 + 10_000 * power).astype(np.float32))
        windows = torch.stack([frames[:, at : at + 187] for at in range(0, frames.shape[1] - 186, 187)])[:, None]
        with torch.inference_mode():
            return header.labels[int(network(windows).mean(dim=0).argmax())]

    assert spec.sample_rate == 16_000
    songs = _songs(folder)
    genre(songs[0])
    return {"seconds": _per_song(genre, [song for song in songs if song.suffix != ".m4a"])}


def decode(folder: str) -> dict[str, Any]:
    """Decode whole songs, as for the model."""
    from genrescope import audio

    return {"seconds": _per_song(lambda path: sum(map(len, audio.blocks(path, rate=16_000))), _songs(folder))}


def frames(folder: str) -> dict[str, Any]:
    """Decode whole songs, and compute their log-mels."""
    from genrescope.features.front_end import frames_of, make
    from genrescope.models.musicnn import FRONT_END

    front_end = make(FRONT_END)
    return {"seconds": _per_song(lambda path: frames_of(path, front_end), _songs(folder))}


def shares(data: str) -> dict[str, Any]:
    """Measure the parts of a prediction with one thread."""
    import genrescope
    from genrescope.features.song_frames import decode_frames

    with tempfile.TemporaryDirectory() as folder:
        make(data, folder)
        songs, classifier = _songs(folder), genrescope.load("genres")
        sounds = {song: classifier.decode(song) for song in songs}
        lines = ["| | ms a song, one thread |", "|---|---|"]
        for kind in KINDS:
            some = [song for song in songs if song.suffix == f".{kind}"]
            took = _per_song(lambda song: decode_frames(song, classifier._wanted, classifier._front_end), some)
            lines.append(f"| decoding and log-mel of ten windows, {kind} | {1e3 * took:.0f} |")
        took = _per_song(lambda song: classifier.predict_decoded(sounds[song]), songs)
        return {"table": "\n".join([*lines, f"| the network on ten windows | {1e3 * took:.0f} |"])}


def _per_song(work: Callable[[Path], Any], songs: list[Path]) -> float:
    work(songs[0])
    begun = time.perf_counter()
    for song in songs:
        work(song)
    return (time.perf_counter() - begun) / len(songs)


def _essentia(python: str, folder: str) -> float:
    import json
    import subprocess

    program = (
        "import json, sys, time, pathlib\n"
        "import essentia\nessentia.log.infoActive = False\nessentia.log.warningActive = False\n"
        "import essentia.standard as es\n"
        "frame, window = 512, es.Windowing(type='hann', normalized=False)\n"
        "spectrum = es.Spectrum(size=frame)\n"
        "bands = es.MelBands(numberBands=96, inputSize=257, sampleRate=16000, highFrequencyBound=8000, log=False)\n"
        "def mel(path):\n"
        "    wave = es.MonoLoader(filename=str(path), sampleRate=16000)()\n"
        "    return [bands(spectrum(window(f))) for f in es.FrameGenerator(wave, frameSize=frame, hopSize=256)]\n"
        "songs = sorted(pathlib.Path(sys.argv[1]).iterdir())\n"
        "mel(songs[0])\nbegun = time.perf_counter()\n"
        "for song in songs: mel(song)\n"
        "print(json.dumps((time.perf_counter() - begun) / len(songs)))\n"
    )
    done = subprocess.run([python, "-c", program, folder], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.strip().splitlines()[-1]))


def make(data: str, folder: str) -> dict[str, Any]:
    """Join clips of a data set to songs, and write each in every format."""
    import numpy as np
    import soundfile
    import soxr

    from genrescope import audio
    from genrescope.sources.data import read_data

    paths = iter([track.path for track in read_data(data)[1]] * 100)
    for number, seconds in enumerate(SECONDS):
        waves: list[Any] = []
        while sum(map(len, waves)) < seconds * audio.SAMPLE_RATE:
            waves.append(audio.decode(next(paths)))
        mono = np.concatenate(waves)[: seconds * audio.SAMPLE_RATE]
        sides = np.stack([mono, np.roll(mono, 15)], axis=1) * np.float32(0.8)
        sound = soxr.resample(sides, audio.SAMPLE_RATE, RATE)
        for kind in KINDS:
            path = Path(folder) / f"{number}.{kind}"
            if kind == "m4a":
                encode(path, sound, RATE)
                continue
            with soundfile.SoundFile(path, "w", RATE, 2, format=kind.upper()) as file:
                for first in range(0, len(sound), 8192):  # its encoders fail on minutes at once
                    file.write(sound[first : first + 8192])
    return {}


if __name__ == "__main__":
    main_of(
        {"ours": ours, "script": script, "decode": decode, "frames": frames, "shares": shares, "make": make},
        sys.argv[1:],
    )
