"""A server on loopback that streams sound as radio stations do, and what else the tests of live share."""

from __future__ import annotations

import contextlib
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from genrescope.inference.chunks import Chunk


class Radio:
    """An Icecast-like server: one stream without a length. It drops each connection after some bytes.

    Attributes:
        connections: how many there were.
        refuse: answer 503 to so many connections, once the first has dropped.
        when_over: called when a connection is made after all of the sound was sent.
    """

    def __init__(self, sound: bytes, *, drop_after: int, refuse: int = 0) -> None:
        self.connections, self.refuse = 0, refuse
        self.sound, self.drop_after = sound, drop_after
        self.at = 0
        self.when_over: Callable[[], None] = lambda: None

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a connection."""
        self.connections += 1
        if self.connections > 1 and self.refuse:
            self.refuse -= 1
            handler.send_error(503)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "audio/mpeg")
        handler.send_header("icy-name", "test")
        handler.end_headers()
        if self.at >= len(self.sound):
            self.when_over()
            return
        piece = self.sound[self.at : self.at + self.drop_after]
        self.at += len(piece)
        with contextlib.suppress(OSError):
            handler.wfile.write(piece)
            handler.wfile.flush()


@contextlib.contextmanager
def on_air(radio: Radio) -> Iterator[str]:
    """Give the address of a radio that is on the air."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            radio.answer(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
            pass

    with _serving(Handler) as port:
        yield f"http://127.0.0.1:{port}/stream.mp3"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        pass


@contextlib.contextmanager
def folder_on_air(folder: Path) -> Iterator[str]:
    """Give the address of a folder's files."""
    with _serving(partial(_Quiet, directory=str(folder))) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _serving(handler: Any) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Listed:
    """A source whose chunks are given."""

    name, speed, ends = "a list", 1.0, True

    def __init__(self, *chunks: Chunk | Exception, wait: float = 0.0) -> None:
        self._chunks, self._wait = chunks, wait

    def chunks(self, rate: int) -> Iterator[Chunk]:
        """Yield them, or raise where one is an error."""
        for chunk in self._chunks:
            time.sleep(self._wait)
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


def heard(chunks: list[Chunk]) -> npt.NDArray[np.float32]:
    """Return the samples of chunks, joined."""
    return np.concatenate([chunk.samples for chunk in chunks])


def spoken(rate: int, *, seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return sound with the rhythm of speech: voiced syllables with two formants, noise before each, gaps between."""
    random, parts, length = np.random.default_rng(seed), [], 0
    harmonics = np.arange(1, 40)[:, None]
    while length < seconds * rate:
        gap = 1e-4 * random.standard_normal(round(rate * random.uniform(0.1, 0.5)))
        parts.append(gap)
        for _ in range(random.integers(2, 6)):
            size = round(rate * random.uniform(0.1, 0.28))
            phase = 2 * np.pi * np.cumsum(random.uniform(90, 160) * np.linspace(1, 0.8, size)) / rate
            first, second = random.uniform(300, 800), random.uniform(900, 2300)
            formants = np.exp(-(((harmonics * 125 - first) / 150) ** 2)) + 0.02
            formants += 0.4 * np.exp(-(((harmonics * 125 - second) / 200) ** 2))
            voice = (formants / harmonics * np.sin(harmonics * phase)).sum(axis=0) * np.hanning(size)
            hiss = 0.03 * random.standard_normal(round(rate * random.uniform(0.03, 0.1)))
            parts += [hiss, voice]
        length = sum(map(len, parts))
    return (0.5 * np.concatenate(parts)[: round(seconds * rate)]).astype(np.float32)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
