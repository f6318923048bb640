"""Hostile uploads: `python -m benchmarks.hostile MODEL CLIP [--count 500]`; CLIP is a wav file of some seconds.

Each is sent to a service in a process of its own. An answer must be 4xx or 5xx and say why; afterwards the service
answers a song, has no more memory and no more temporary files than before. Prints what was sent and what was answered.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import struct
import tempfile
import zipfile
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from benchmarks.service import BOUNDARY, Connection, Reply, form, request, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psutil

_SIDE_BY_SIDE, _ROUNDS = 8, 5
_OPTIONS = (
    "--max-mb", 4, "--max-total-mb", 6, "--max-seconds", 1200, "--timeout", 2, "--body-timeout", 2, "--max-files", 5,
    "--log-format", "json", "--device", "cpu", "--port", 0,
)  # fmt: skip
_HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
_PLAIN = b"Content-Type: multipart/form-data\r\n"
_KIND = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY + b"\r\n"


@dataclass(frozen=True)
class Attack:
    """What is sent: pieces, one after the other; the connection stays open until an answer comes.

    Attributes:
        kind: what it is.
        pieces: of bytes.
        pause: seconds between them.
        leaves: whether the client leaves without waiting.
    """

    kind: str
    pieces: tuple[bytes, ...]
    pause: float = 0.0
    leaves: bool = False


def attacks(clip: bytes, seed: int = 0) -> Iterator[Attack]:
    """Yield attacks without end: every kind in turn.

    Args:
        clip: a wav file.
        seed: equal seeds give equal attacks.
    """
    chance = random.Random(seed)
    kinds = _kinds(clip, chance)
    for name in cycle(kinds):
        made = kinds[name]()
        yield made if isinstance(made, Attack) else Attack(name, (request(form(made)),))


def _kinds(clip: bytes, chance: random.Random) -> dict[str, Callable[[], bytes | Attack]]:
    wave, rate = soundfile.read(io.BytesIO(clip), dtype="float32")
    packed = {name: _packed(wave, rate, name) for name in ("FLAC", "OGG")}
    slow = _slow()
    endless = _packed(np.zeros(8_000 * 3600, np.float32), 8_000, "FLAC")
    return {
        "empty": lambda: b"",
        "random bytes": lambda: chance.randbytes(chance.randint(1, 50_000)),
        "truncated wav": lambda: clip[: chance.randint(20, len(clip) // 2)],
        "truncated flac": lambda: packed["FLAC"][: chance.randint(20, len(packed["FLAC"]) // 2)],
        "damaged ogg": lambda: _damaged(packed["OGG"], chance),
        "wav of 1 GB, it says": lambda: _claiming(clip, chance),
        "wav of 65,535 channels": lambda: clip[:22] + struct.pack("<H", 65_535) + clip[24 : chance.randint(2000, 9000)],
        "wav of 4 GHz": lambda: clip[:24] + struct.pack("<I", 4_000_000_000 + chance.randint(0, 9)) + clip[28:9000],
        "bomb: an hour of silence": lambda: endless + bytes(chance.randint(0, 9)),
        "a decoder that takes too long": lambda: slow,
        "bomb: zip": lambda: _zipped(chance),
        "bomb: compressed body": lambda: _compressed(chance),
        "text": lambda: f"song {chance.random()}".encode() * 50,
        "picture": lambda: b"\x89PNG\r\n\x1a\n" + chance.randbytes(500),
        "list of files": lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n" + chance.randbytes(8).hex().encode(),
        "concatenation": lambda: b"ffconcat version 1.0\nfile /etc/passwd\n#" + chance.randbytes(8).hex().encode(),
        "names with paths": lambda: Attack("names with paths", (request(form(b"x", _path(chance))),)),
        "too large": lambda: Attack("too large", (request(form(bytes(4_000_001 + chance.randint(0, 99)))),)),
        "endless chunks": _endless,
        "a body that stops": lambda: _stopped(chance),
        "many parts": lambda: Attack("many parts", (request(_parts(chance.randint(500, 2000))),)),
        "headers without end": lambda: _long_headers(chance),
        "no boundary": lambda: Attack("no boundary", (_HEAD + _PLAIN + b"Content-Length: 2\r\n\r\nxx",)),
        "no form": lambda: Attack("no form", (request(chance.randbytes(3000)),)),
        "half a form": lambda: Attack("half a form", (request(form(clip)[: chance.randint(200, 5000)]),)),
        "no HTTP": lambda: Attack("no HTTP", (chance.randbytes(200) + b"\r\n\r\n",)),
        "another file of the server": lambda: _other_path(chance),
        "a client that leaves": lambda: Attack("a client that leaves", (request(form(clip)),), leaves=True),
    }  # fmt: skip


def _packed(wave: np.ndarray, rate: int, kind: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind)
    return file.getvalue()


def _claiming(clip: bytes, chance: random.Random) -> bytes:
    return clip[:40] + struct.pack("<I", 1 << 30) + clip[44 : 44 + 4 * chance.randint(1, 5000)]


def _damaged(content: bytes, chance: random.Random) -> bytes:
    start = chance.randint(0, 40)
    return content[:start] + chance.randbytes(200) + content[start + 200 :]


def _slow() -> bytes:
    """Return a file that is within all limits but that of time: a quarter of an hour of silence on many channels."""
    file, second = io.BytesIO(), np.zeros((96_000, 8), np.int16)
    with soundfile.SoundFile(file, "w", 96_000, 8, format="FLAC") as writer:
        for _ in range(1000):
            writer.write(second)
    return file.getvalue()


def _zipped(chance: random.Random) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("song.wav", bytes(20_000_000 + chance.randint(0, 99)))
    return file.getvalue()


def _compressed(chance: random.Random) -> Attack:
    body = zlib.compress(form(bytes(20_000_000 + chance.randint(0, 99))))
    return Attack("bomb: compressed body", (request(body, more="Content-Encoding: deflate\r\n"),))


def _path(chance: random.Random) -> str:
    return chance.choice(["../../../../was-here", "/etc/passwd", "..\\..\\x", "C:\\x", "a/" * 500, "%2e%2e%2f"])


def _endless() -> Attack:
    part = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    chunks = tuple(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (part, *[bytes(1 << 20)] * 12))
    return Attack("endless chunks", (_HEAD + _KIND + b"Transfer-Encoding: chunked\r\n\r\n", *chunks))


def _stopped(chance: random.Random) -> Attack:
    whole = request(form(bytes(chance.randint(1000, 100_000))))
    return Attack("a body that stops", (whole[:600], whole[600:700]), pause=0.2)


def _parts(count: int) -> bytes:
    part = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nx\r\n'
    return part * count + b"--" + BOUNDARY + b"--\r\n"


def _long_headers(chance: random.Random) -> Attack:
    if chance.random() < 0.5:
        return Attack("headers without end", (_HEAD + b"X: " + b"x" * 200_000 + b"\r\n\r\n",))
    part = b"--" + BOUNDARY + b"\r\n" + b"X-Name: x\r\n" * 5000 + b"\r\nx\r\n--" + BOUNDARY + b"--\r\n"
    return Attack("headers without end", (request(part),))


def _other_path(chance: random.Random) -> Attack:
    paths = ("/web/../../app.py", "/web/%2e%2e%2fapp.py", "/../../etc/passwd", "//etc/passwd", "/web/a%00.js", "/map")
    head = f"GET {chance.choice(paths)} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return Attack("another file of the server", (head.encode(),))


# -- sending them ------------------------------------------------------------------------------------------------


async def sent(address: str, attack: Attack) -> Reply | None:
    """Send an attack, and return the answer; None where the connection was closed without one."""
    connection = Connection(address)
    reader, writer = await connection.opened()
    try:
        for piece in attack.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(attack.pause)
    except ConnectionError:
        pass  # it was refused while it was sent: the answer may be there
    try:
        return None if attack.leaves else await asyncio.wait_for(connection.answer(reader), 60)
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        return None
    finally:
        connection.close()


def reason(reply: Reply) -> str:
    """Return why a request was refused, as the answer says; empty where it does not."""
    try:
        return str(json.loads(reply.body)["detail"])
    except (ValueError, KeyError):
        return reply.body.decode("latin-1") if reply.headers.get("content-type", "").startswith("text/plain") else ""


async def all_sent(address: str, chosen: list[Attack]) -> list[Reply | None]:
    """Send attacks, some at a time."""
    free = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(attack: Attack) -> Reply | None:
        async with free:
            return await sent(address, attack)

    return await asyncio.gather(*map(one, chosen))


def memory(process: psutil.Process) -> tuple[float, float]:
    """Return MB that the service itself and its processes hold."""
    return process.memory_info().rss / 1e6, sum(each.memory_info().rss for each in process.children(True)) / 1e6


def files(folder: Path) -> int:
    """Return how many uploads lie there."""
    return sum(1 for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--count", type=int, default=500)
    given = parser.parse_args()
    clip = given.clip.read_bytes()
    with (
        tempfile.TemporaryDirectory() as folder,
        started(["genrescope", "serve", given.model, *_OPTIONS], temporary=Path(folder)) as (address, process),
    ):
        _report(address, process, Path(folder), clip, given.count)


def _report(address: str, process: psutil.Process, folder: Path, clip: bytes, count: int) -> None:
    coming = attacks(clip)
    good = [Attack("song", (request(form(clip)),))] * 10
    asyncio.run(all_sent(address, [*good, *islice(coming, 60)]))
    held = [memory(process)]
    chosen, replies = list[Attack](), list[Reply | None]()
    for _ in range(_ROUNDS):
        part = list(islice(coming, count // _ROUNDS))
        chosen += part
        replies += asyncio.run(all_sent(address, part))
        held.append(memory(process))
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for attack, reply in zip(chosen, replies, strict=True):
        answers[attack.kind][_said(attack, reply)] += 1
    for kind, found in answers.items():
        print(f"{kind:32} " + ", ".join(f"{said}: {number}" for said, number in sorted(found.items())))
    songs = asyncio.run(all_sent(address, good))
    print(f"afterwards {sum(each is not None and each.status == 200 for each in songs)} of {len(songs)} songs answered")
    shown = ", ".join(f"{own:.0f} and {others:.0f}" for own, others in held)
    print(f"MB of the service and of its processes, at first and after every {count // _ROUNDS}: {shown}")
    print(f"temporary files after: {files(folder)}")


def _said(attack: Attack, reply: Reply | None) -> str:
    if attack.leaves:
        return "left"
    if reply is None:
        return "closed without an answer"
    return str(reply.status) if reason(reply) else f"{reply.status} without a reason"


if __name__ == "__main__":
    main()
