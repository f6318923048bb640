"""Hostile uploads on a real connection: every one is answered with a reason, and nothing is left of it."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
import time
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import soundfile
from cli_support import PATIENCE, world
from conftest import noise
from serve_support import load, make_service, server_of

from benchmarks.hostile import Attack, all_sent, attacks, reason, sent
from benchmarks.service import form, request
from genrescope.serve.settings import Limits
from genrescope.serve.work import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.serve.service import Service

pytestmark = pytest.mark.usefixtures("one_thread")

LIMITS = Limits(
    file_bytes=4_000_000, body_bytes=6_000_000, files=5, sound_seconds=1200, decode_seconds=1, body_seconds=1
)


@pytest.fixture(scope="module")
def clip() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, noise(8.0), 22_050, format="WAV")
    return file.getvalue()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return make_service(load(world(tmp_path_factory)), limits=LIMITS)


@pytest.fixture(scope="module")
def address(service: Service) -> Iterator[str]:
    with server_of(service) as address:
        yield address


def left(service: Service) -> list[str]:
    return [path.name for path in service.room.folder.iterdir() if not path.name.startswith(".")]


def test_every_kind_is_answered_with_a_reason_and_leaves_nothing(clip: bytes, address: str, service: Service) -> None:
    chosen = list(islice(attacks(clip, seed=1), 28))
    assert len({attack.kind for attack in chosen}) == 28
    replies = asyncio.run(all_sent(address, chosen))
    for attack, reply in zip(chosen, replies, strict=True):
        if not attack.leaves:
            assert reply is not None, attack.kind
            assert 400 <= reply.status < 600, attack.kind
            assert reason(reply), attack.kind
            assert str(service.room.folder) not in reason(reply)
    give_up = time.monotonic() + PATIENCE
    while (good := asyncio.run(sent(address, Attack("song", (request(form(clip)),))))) is None or good.status != 200:
        assert time.monotonic() < give_up, good  # a new process may take long to start where the machine is busy
    assert left(service) == []


def test_the_work_for_a_client_that_leaves_ends(
    clip: bytes, address: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, worked, ends = threading.Event(), Workshop.worked, list[str]()

    def noted(self: Workshop, order: object, ticket: object, use: object) -> object:
        begun.set()
        while not ticket._cancelled:  # type: ignore[attr-defined]
            time.sleep(0.005)
        try:
            return worked(self, order, ticket, use)  # type: ignore[arg-type]
        except Exception as error:
            ends.append(type(error).__name__)
            raise

    monkeypatch.setattr(Workshop, "worked", noted)
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(request(form(clip)))
        assert begun.wait(PATIENCE)
    give_up = time.monotonic() + PATIENCE
    while not ends or left(service):
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert ends == ["Cancelled"]


def test_a_connection_without_a_request_is_closed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrescope.serve.server._HEADER_SECONDS", 0.2)
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: lo")
        assert connection.recv(1) == b""
