"""Live streams of the service, and uploads beside them: `python -m benchmarks.serve_live MODEL CLIPS [--seconds 60]`.

CLIPS is a folder of genre folders of 30 s clips. A service is started; one after the other come uploads alone, two live
streams at true speed, both, and uploads beside two streams that send as fast as they are let. The age of a verdict is
what its client sees: seconds since the sound at its end was sent.
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
from websockets.asyncio.client import connect

from benchmarks.measure import machine
from benchmarks.serve import Load, asked
from benchmarks.service import form, request, started
from genrescope import audio

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psutil
    from websockets.asyncio.client import ClientConnection

RATE, PIECE = 44_100, 0.1  # seconds of a message
STREAMS, CLIENTS, CLIPS = 2, 8, 60
_WARM = 10.0  # seconds of a stream before it counts


@dataclass
class Heard:
    """What the client of a stream saw.

    Attributes:
        ages: of its verdicts, in seconds, once it is warm.
        skipped: windows that were left out.
        speed: seconds of sound that it sent, in a second.
    """

    ages: list[float] = field(default_factory=list)
    skipped: int = 0
    speed: float = 0.0


async def streamed(address: str, pcm: bytes, *, seconds: float, paced: bool) -> Heard:
    """Play sound over and over for some seconds, at true speed or as fast as may be."""
    heard, size = Heard(), 2 * round(RATE * PIECE)
    async with connect(f"{address.replace('http', 'ws')}/v1/live?rate={RATE}", compression=None) as socket:
        begun = time.monotonic()
        reading = asyncio.create_task(_read(socket, heard, begun))
        for number in itertools.count(1):
            at = number * size % (len(pcm) - size)
            await socket.send(pcm[at : at + size])
            if paced:
                await asyncio.sleep(max(0.0, begun + number * PIECE - time.monotonic()))
            heard.speed = number * PIECE / (time.monotonic() - begun)
            if time.monotonic() > begun + seconds:
                break
        reading.cancel()
        await asyncio.wait([reading])
    return heard


async def _read(socket: ClientConnection, heard: Heard, begun: float) -> None:
    async for message in socket:
        found, now = json.loads(message), time.monotonic() - begun
        heard.skipped = found.get("skipped", 0)
        if found["type"] == "verdict" and now > _WARM:
            heard.ages.append(now - found["time"])


async def phase(
    name: str, address: str, process: psutil.Process, *, seconds: float, uploads: Sequence[bytes] = (),
    pcm: bytes = b"", paced: bool = True,
) -> str:  # fmt: skip
    """Measure the service for some seconds, and return a row of the table."""
    used, memory, begun = sum(process.cpu_times()[:2]), 0, time.monotonic()

    async def warm() -> None:
        nonlocal memory
        await asyncio.sleep(_WARM)
        memory = process.memory_info().rss

    async def load() -> Load | None:
        return await asked(address, uploads, clients=CLIENTS, seconds=seconds) if uploads else None

    loading, warming = asyncio.create_task(load()), asyncio.create_task(warm())
    streams = [streamed(address, pcm, seconds=seconds, paced=paced) for _ in range(STREAMS if pcm else 0)]
    heard, loaded = await asyncio.gather(*streams), await loading
    await warming
    spent = time.monotonic() - begun
    share = (sum(process.cpu_times()[:2]) - used) / spent
    ages = [age for each in heard for age in each.ages] if paced else []
    cells = [
        name, f"{loaded.rate:.2f}" if loaded else "", f"{np.median(loaded.times):.2f}" if loaded else "",
        f"{share:.1%}", f"{np.median(ages):.2f}" if ages else "", f"{np.percentile(ages, 90):.2f}" if ages else "",
        str(sum(each.skipped for each in heard)) if heard else "",
        f"{np.mean([each.speed for each in heard]):.2f}" if heard else "",
        f"{memory / 1e6:.0f}, {process.memory_info().rss / 1e6:.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


async def measured(address: str, process: psutil.Process, uploads: Sequence[bytes], pcm: bytes, seconds: float) -> None:
    """Print the rows of the table."""
    print(
        "| | uploads/s | p50, s | of one core | age p50, s | age p90, s | skipped | speed | MB after 10 s, at the end |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, songs, sound, paced in (
        ("uploads alone", uploads, b"", True),
        ("two streams", (), pcm, True),
        ("two streams and uploads", uploads, pcm, True),
        ("two streams without pauses, and uploads", uploads, pcm, False),
    ):
        print(await phase(name, address, process, seconds=seconds, uploads=songs, pcm=sound, paced=paced), flush=True)
        await asyncio.sleep(1)  # streams that have ended are gone


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_live", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("clips", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    every = [path for path in sorted(given.clips.glob("*/*")) if path.is_file()]
    clips = every[:: max(1, len(every) // CLIPS)][:CLIPS]
    wave = np.concatenate([audio.decode(clip, rate=RATE) for clip in clips[:10]])
    pcm = (np.clip(wave, -1, 1) * 32_767).astype("<i2").tobytes()
    uploads = [request(form(clip.read_bytes(), clip.name)) for clip in clips]
    print(f"{machine()}; {given.model}; {CLIENTS} clients that upload clips of 30 s; {given.seconds:.0f} s each\n")
    command = ("genrescope", "serve", given.model, "--port", 0, "--device", "cpu")
    with tempfile.TemporaryDirectory() as folder, started(command, temporary=Path(folder)) as (address, process):
        asyncio.run(measured(address, process, uploads, pcm, given.seconds))


if __name__ == "__main__":
    main()
