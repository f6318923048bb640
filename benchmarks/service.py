"""What the measurements of the service share: the service in a process of its own, and a client that costs little."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BOUNDARY = b"genrescope-benchmark"


@dataclass(frozen=True)
class Reply:
    """An answer of the service."""

    status: int
    headers: dict[str, str]
    body: bytes


@contextlib.contextmanager
def started(command: Sequence[object], *, temporary: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run a program that names its address on stderr; give the address and the process, and end it by SIGTERM."""
    temporary.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            [sys.executable, "-m", *map(str, command)], stderr=said, env=os.environ | {"TMPDIR": str(temporary)}
        ) as process,
    ):
        try:
            yield _address(said, process), psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def _address(said: IO[str], process: subprocess.Popen[bytes]) -> str:
    """Wait until a program has named its address."""
    while True:
        said.seek(0)
        text = said.read()
        if found := re.search(r"(http://\S+?)/? ", text):
            return found[1]
        if process.poll() is not None:
            raise RuntimeError(f"it did not start: {text[-2000:]}")
        time.sleep(0.1)


def form(content: bytes, name: str = "song.wav") -> bytes:
    """Return the body of a request with one file."""
    head = b'--%s\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n' % (BOUNDARY, name.encode())
    return head + content + b"\r\n--%s--\r\n" % BOUNDARY


def request(body: bytes, *, path: str = "/v1/predict", more: str = "") -> bytes:
    """Return a whole request with a body whose length is stated."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{more}"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """A connection that is kept for one request after another.

    Args:
        address: of the service.
    """

    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        self._host, self._port = place.hostname or "", place.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Reply:
        """Send a request and return the answer."""
        reader, writer = await self.opened()
        with contextlib.suppress(ConnectionError):  # it was refused while it was sent: the answer may be there
            writer.write(request)
            await writer.drain()
        return await self.answer(reader)

    async def answer(self, reader: asyncio.StreamReader) -> Reply:
        """Read an answer; the connection is given up where the service closes it."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
        stated = headers.get("content-length")
        body = await (reader.read() if stated is None else reader.readexactly(int(stated)))
        if headers.get("connection") == "close":
            self.close()
        return Reply(int(first.split()[1]), headers, body)

    async def opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return its two directions."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=1 << 22)
        return self._streams

    def close(self) -> None:
        """Give the connection up."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None
