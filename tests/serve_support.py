"""What the tests of the service share: a service in this process, and files to send."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

from cli_support import PATIENCE, command, environment, here
from starlette.testclient import TestClient

from genrescope import modelfile
from genrescope.serve.app import make_app
from genrescope.serve.library_view import LibraryView
from genrescope.serve.server import Server, address, listen
from genrescope.serve.service import Service
from genrescope.serve.settings import Limits, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli_support import World

    from genrescope.library.database import Library
    from genrescope.modelfile import Model

    Response = Any  # of whichever client starlette takes

SMALL = Limits(file_bytes=2_000_000, body_bytes=4_000_000, files=3, sound_seconds=60, decode_seconds=30, waiting=8)


def make_service(
    model: Model, *, limits: Limits = SMALL, token: str = "", library: Library | None = None, host: str = "127.0.0.1"
) -> Service:
    """Return a service that does not run yet, with one process."""
    view = LibraryView(library) if library else None
    return Service(model, "small", Settings(host, 0, token, (), limits, 1), view)


@contextlib.contextmanager
def client_of(service: Service) -> Iterator[TestClient]:
    """Run a service, and give a client of it."""
    with TestClient(make_app(service), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@contextlib.contextmanager
def server_of(service: Service) -> Iterator[str]:
    """Run a service on a port of this machine, and give its address."""
    with listen(service.settings) as listening:
        server = Server(service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield address(service.settings, listening)
        finally:
            server.should_exit = True
            thread.join()


def load(world: World) -> Model:
    """Return the model that the tests share."""
    return modelfile.load(world.run)


def send(client: TestClient, *songs: Path, field: str = "files", **options: Any) -> Response:
    """Send files to `/v1/predict`."""
    files = [(field, (song.name, song.read_bytes())) for song in songs]
    return client.post("/v1/predict", files=files, **options)


def lines_of(response: Response) -> list[dict[str, Any]]:
    """Return the events of an answer."""
    return [json.loads(line) for line in response.text.splitlines()]


def predicted(world: World, song: Path, *options: object) -> dict[str, Any]:
    """Return what the command `predict` writes of a song."""
    done = here("predict", world.run, song, "--format", "jsonl", "--device", "cpu", *options)
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


class Running:
    """A service in a process of its own.

    Args:
        arguments: what follows `genrescope serve`.
        temporary: where it puts uploads.
        changes: to the environment.
    """

    def __init__(self, *arguments: object, temporary: Path, changes: dict[str, str] | None = None) -> None:
        temporary.mkdir(exist_ok=True)
        self.temporary = temporary
        self._process = subprocess.Popen(
            command("serve", *arguments, "--port", 0, "--device", "cpu"), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            env=environment({"TMPDIR": str(temporary), **(changes or {})}),
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.address = self._wait(r"served at (http://\S+)")

    def _read(self) -> None:
        assert self._process.stderr is not None
        self.lines.extend(iter(self._process.stderr.readline, ""))

    def _wait(self, pattern: str) -> str:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            for line in [*self.lines]:
                if found := re.search(pattern, line):
                    return found[1]
            assert self._process.poll() is None, self.lines
            time.sleep(0.02)
        raise AssertionError(self.lines)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, wait for its end, and return its exit code."""
        os.kill(self._process.pid, number)
        code = self._process.wait(PATIENCE)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        return code

    def uploads(self) -> list[Path]:
        """Return what lies in its folder for temporary files."""
        return [path for path in self.temporary.rglob("*") if not path.name.startswith(".")]

    def give_up(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self.end(signal.SIGKILL)


@contextlib.contextmanager
def running(*arguments: object, temporary: Path, changes: dict[str, str] | None = None) -> Iterator[Running]:
    """Run the command in a process of its own."""
    service = Running(*arguments, temporary=temporary, changes=changes)
    try:
        yield service
    finally:
        service.give_up()
