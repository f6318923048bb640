"""How soon `genrescope live` follows a mix: `python -m benchmarks.live DATA [--minutes 3]`.

DATA is one of labelled clips with artists, of which genres with 50 clips and more are taken. A model is trained on the
clips of half of the artists. Those of the others become a mix of two hours: passages of one genre, of 1 to 4 clips,
joined without a pause; if need be a clip is there again, in another order. It is played at speed 50; then its first
minutes at true speed, where CPU time and memory are measured.

A change of genre is found where the genre of the new passage is shown before the passage ends; its delay is the time
until then. Any other change of what is shown is a false one, that back to the right genre included. The limit is the
share of passages whose average over all of their windows has the right genre: no smoothing could find more.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import genrescope
from benchmarks import mixes
from benchmarks.measure import ONE_THREAD
from genrescope import audio, splits
from genrescope.splits import duplicates
from genrescope.store.prepare import prepare
from genrescope.training import recipe as recipes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.mixes import Passage
    from genrescope.sources.track import Track
    from genrescope.store.store import Store

SEED, HOURS, SPEED, MINUTES, WARM = 5, 2.0, 50, 3.0, 10.0
LEAST = 50  # clips of a genre, so that half of its artists are enough to learn from


@dataclass(frozen=True)
class Followed:
    """How well the changes of a mix were followed.

    Attributes:
        delays: of the changes that were found, in seconds.
        changes: how many there are.
        false: how many others were shown.
        right: share of the time in which the right genre was shown.
        hours: length of the mix.
    """

    delays: tuple[float, ...]
    changes: int
    false: int
    right: float
    hours: float

    def __str__(self) -> str:
        """All of it on one line."""
        median, late = np.percentile(self.delays, [50, 90]) if self.delays else (np.nan, np.nan)
        return (
            f"{len(self.delays)} of {self.changes} changes found ({len(self.delays) / self.changes:.0%}), delay median "
            f"{median:.1f} s, p90 {late:.1f} s; {self.false / self.hours:.1f} false changes an hour; right genre shown "
            f"{self.right:.0%} of the time"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--prepare", action="store_true", help="train and write the mix into --folder, and end")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="at true speed")
    parser.add_argument("--folder", help="keep the store and the models there; by default nothing is kept")
    given = parser.parse_args()
    with contextlib.ExitStack() as held:
        folder = given.folder or held.enter_context(tempfile.TemporaryDirectory())
        if given.prepare:
            prepared(given.data, Path(folder))
        else:
            print(report(given.data, Path(folder), minutes=given.minutes))


def report(data: str, folder: Path, *, minutes: float = MINUTES) -> str:
    """Measure, and return what was measured, in words."""
    played = prepared(data, folder)
    model, mix, passages = folder / "run", folder / "mix.wav", played.passages
    fast = _played(model, mix, folder / "fast.jsonl", speed=SPEED)
    slow = _played(model, mix, folder / "slow.jsonl", speed=1, seconds=60 * minutes)
    shown = [(line["time"], line["genre"]) for line in fast.lines if not line["last"]]
    ages = [line["age"] for line in slow.lines[5:-1]]
    return "\n".join(
        [
            f"## Live: a mix of {passages[-1].end / 3600:.2f} hours, {len(passages)} passages, one core",
            "",
            f"Model: `listener`, trained on {played.own} clips; mix of {played.others} clips of other artists.",
            f"At speed {SPEED}: {followed(shown, passages)}.",
            f"{len(shown)} verdicts, {fast.lines[-1]['skipped']} windows skipped.",
            f"The average over a whole passage has the right genre in {played.limit:.0%} of them.",
            f"At true speed, {minutes:g} minutes: {slow.share:.1%} of one core, verdicts {np.median(ages):.2f} s old "
            f"(median; p90 {np.percentile(ages, 90):.2f} s), {slow.lines[-1]['skipped']} windows skipped.",
            f"Memory at true speed after {WARM:g} s {slow.memory[0]:.0f} MB, at the end {slow.memory[1]:.0f} MB; at "
            f"speed {SPEED} after {WARM:g} s {fast.memory[0]:.0f} MB, at the end {fast.memory[1]:.0f} MB.",
        ]
    )


@dataclass(frozen=True)
class Prepared:
    """What is to be played.

    Attributes:
        passages: of the mix.
        limit: share of them whose average over all windows has the right genre.
        own: number of clips that the model is trained on.
        others: number of clips that the mix is made of.
    """

    passages: list[Passage]
    limit: float
    own: int
    others: int


def prepared(data: str, folder: Path) -> Prepared:
    """Train the model, write the mix, and classify its passages; what the folder has is not done again."""
    known = folder / "mix.json"
    if known.exists():
        found = json.loads(known.read_text(encoding="utf-8"))
        return Prepared([mixes.Passage(*each) for each in found["passages"]], found["limit"], *found["clips"])
    store, tracks = store_of(data, folder)
    own, others = folds(store, tracks, 2)
    model = trained(store, own, folder / "run")
    passages = mixes.write(folder / "mix.wav", mixes.lasting(others, 3600 * HOURS, seed=SEED))
    limit, clips = _limit(model, folder / "mix.wav", passages), (len(own), len(others))
    values = {"passages": [(each.genre, each.start, each.end) for each in passages], "limit": limit, "clips": clips}
    known.write_text(json.dumps(values), encoding="utf-8")
    return Prepared(passages, limit, *clips)


def followed(shown: Sequence[tuple[float, str | None]], passages: Sequence[Passage]) -> Followed:
    """Compare the genres that were shown, each from a time on, with the passages."""
    changes = [new for before, new in itertools.pairwise(shown) if new[1] != before[1]]
    delays, good, right = [], 0, 0.0
    for passage in passages[1:]:
        times = [at for at, genre in shown if genre == passage.genre and passage.start < at <= passage.end]
        delays += [times[0] - passage.start] if times else []
        good += any((times[0], passage.genre) == change for change in changes) if times else 0
    ends = [*(at for at, _ in shown[1:]), passages[-1].end]
    for (at, genre), end in zip(shown, ends, strict=True):
        right += sum(max(0.0, min(end, each.end) - max(at, each.start)) for each in passages if each.genre == genre)
    length = passages[-1].end
    return Followed(tuple(delays), len(passages) - 1, len(changes) - good, right / length, length / 3600)


# -- models and mixes ---------------------------------------------------------------------------------------------


def store_of(data: str, folder: Path) -> tuple[Store, list[Track]]:
    """Return the store and the tracks of the genres that have enough clips."""
    from genrescope.sources.data import read_data

    tracks = read_data(data)[1]
    counts = Counter(track.genre for track in tracks)
    genres = [genre for genre, count in counts.items() if count >= LEAST] or sorted(counts)
    store = prepare(data, folder / "store", genres=genres).store
    return store, [track for track in tracks if track.genre in genres]


def folds(store: Store, tracks: Sequence[Track], count: int) -> list[list[Track]]:
    """Divide tracks by artist."""
    ids = {track.id for track in tracks}
    stored = [track for track in store.tracks if track.id in ids]
    split = splits.choose(stored, None, seed=SEED, folds=count, pairs=duplicates.in_store(store))
    return [[track for track in tracks if split.parts.get(track.id) == name] for name in split.counts]


def trained(store: Store, tracks: Sequence[Track], out: Path) -> Path:
    """Train on some tracks, unless it is done already, and return the run folder."""
    if (out / "model.safetensors").exists():
        return out
    split = splits.Split({track.id: "train" for track in tracks}, "benchmark")
    return genrescope.train(genrescope.Job(store, recipes.load_any("listener"), split, out, device="cpu", pairs=()))


def _limit(model: Path, mix: Path, passages: Sequence[Passage]) -> float:
    """Return the share of passages whose average over all windows has the right genre, by every fourth of them."""
    classifier = genrescope.load(model, device="cpu", windows="all")
    right, some = 0, passages[::4]
    for passage in some:
        wave = audio.decode(mix, offset=passage.start, duration=passage.end - passage.start)
        right += classifier.predict(wave, sample_rate=audio.SAMPLE_RATE).genre == passage.genre
    return right / len(some)


# -- the command --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Played:
    """What the command wrote, the share of one core that it took, and its memory in MB after a while and at the end."""

    lines: list[dict[str, Any]]
    share: float
    memory: tuple[float, float]


def _played(model: Path, mix: Path, log: Path, *, speed: float, seconds: float | None = None) -> _Played:
    """Run `genrescope live`, to the end of the mix or for some seconds, and measure it once it is warm."""
    import psutil

    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "genrescope", "live", model, mix, "--speed", f"{speed:g}", "--log", log, "--quiet"]
    with subprocess.Popen(
        [str(each) for each in command], env=os.environ | ONE_THREAD, stdout=subprocess.DEVNULL
    ) as running:
        process = psutil.Process(running.pid)
        while not log.exists():
            time.sleep(0.1)
        time.sleep(WARM)
        begun, first, used = time.monotonic(), process.memory_info().rss, sum(process.cpu_times()[:2])
        last, spent, now = first, used, begun
        while running.poll() is None and (seconds is None or time.monotonic() < begun + seconds):
            time.sleep(0.2)
            try:
                if (memory := process.memory_info().rss) > 0:  # it has not ended
                    last, spent, now = memory, sum(process.cpu_times()[:2]), time.monotonic()
            except psutil.Error:  # it has ended
                break
        running.terminate()
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return _Played(lines, (spent - used) / max(1e-9, now - begun), (first / 1e6, last / 1e6))


if __name__ == "__main__":
    main()
