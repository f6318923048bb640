"""The service under load, side by side with `predict_many` and with a plain handler.

`python -m benchmarks.serve MODEL CLIPS [--seconds 60] [--clients 32] [--only NAME...]`; CLIPS is a folder of genre
folders of 30 s clips. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import machine
from benchmarks.service import Connection, form, request, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FILES = 60  # clips, held in memory as requests
_WARM = 3.0  # seconds before the clock runs


@dataclass
class Load:
    """What clients saw.

    Attributes:
        seconds: how long they asked.
        times: seconds of each request that was answered with a result.
        busy: how many were sent away with 503.
        errors: what else was answered.
    """

    seconds: float
    times: list[float] = field(default_factory=list)
    busy: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Songs a second."""
        return len(self.times) / self.seconds

    def row(self, name: str) -> str:
        """Return a row of the table."""
        p50, p99 = np.percentile(self.times, [50, 99]) if self.times else (float("nan"), float("nan"))
        return f"| {name} | {self.rate:.2f} | {p50:.2f} | {p99:.2f} | {self.busy} | {len(self.errors)} |"


async def asked(address: str, requests: Sequence[bytes], *, clients: int, seconds: float) -> Load:
    """Let clients ask one request after the other; who is sent away comes again when told to."""
    load, coming = Load(seconds), itertools.cycle(requests)
    begin = time.monotonic() + _WARM
    end = begin + seconds

    async def client() -> None:
        connection = Connection(address)
        while (sent := time.monotonic()) < end:
            reply = await connection.ask(next(coming))
            answered = time.monotonic()
            if reply.status == 503 and "retry-after" in reply.headers:
                load.busy += 1
                await asyncio.sleep(min(float(reply.headers["retry-after"]), max(0.0, end - answered)))
            elif reply.status != 200 or "genre" not in json.loads(reply.body)["results"][0]:
                load.errors.append(reply.body.decode()[:200])
            elif begin <= answered <= end:
                load.times.append(answered - sent)
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return load


def of_service(command: Sequence[object], requests: Sequence[bytes], *, clients: int, seconds: float) -> Load:
    """Measure a service that is started for it."""
    with tempfile.TemporaryDirectory() as temporary, started(command, temporary=Path(temporary)) as (address, _):
        return asyncio.run(asked(address, requests, clients=clients, seconds=seconds))


def of_batch(model: str, clips: Sequence[Path], *, seconds: float) -> Load:
    """Measure `predict_many` on the same clips, over and over."""
    import genrescope

    classifier = genrescope.load(model, device="cpu")
    load = Load(seconds)
    begin = time.monotonic() + _WARM

    def songs() -> Iterator[Path]:
        for clip in itertools.cycle(clips):
            if time.monotonic() > begin + seconds:
                return
            yield clip

    for _ in classifier.predict_many(songs()):
        if begin <= time.monotonic() <= begin + seconds:
            load.times.append(float("nan"))
    return load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("clips", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--only", nargs="*", default=["batch", "service", "threads", "async", "librosa"])
    given = parser.parse_args()
    every = [path for path in sorted(given.clips.glob("*/*")) if path.is_file()]
    clips = every[:: max(1, len(every) // _FILES)][:_FILES]
    requests = [request(form(clip.read_bytes(), clip.name)) for clip in clips]

    def served(*command: object) -> Callable[[], Load]:
        return lambda: of_service(command, requests, clients=given.clients, seconds=given.seconds)

    ways: dict[str, tuple[str, Callable[[], Load]]] = {
        "batch": ("`predict_many`", lambda: of_batch(given.model, clips, seconds=given.seconds)),
        "service": ("`genrescope serve`", served("genrescope", "serve", given.model, "--port", 0, "--device", "cpu")),
        "threads": ("plain handler, `def`", served("benchmarks.plain_service", given.model, "threads")),
        "async": ("plain handler, `async def`", served("benchmarks.plain_service", given.model, "async")),
        "librosa": ("plain handler, librosa's log-mel", served("benchmarks.plain_service", given.model, "librosa")),
    }
    print(f"{machine()}; {given.model}; {len(clips)} clips of 30 s; {given.clients} clients, {given.seconds:.0f} s\n")
    print("| | songs/s | p50, s | p99, s | 503 | errors |\n|---|---|---|---|---|---|")
    for name in given.only:
        label, measure = ways[name]
        print(measure().row(label), flush=True)


if __name__ == "__main__":
    main()
