"""The command serve, as a user and a supervisor run it: start, drain, kill, and what is left."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from cli_support import assert_refused, genrescope, here, world
from conftest import write
from serve_support import running

from genrescope.cli.serve import token_of

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import World


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


def ask(address: str, song: Path, **options: Any) -> httpx.Response:
    return httpx.post(f"{address}v1/predict", files={"files": (song.name, song.read_bytes())}, timeout=60, **options)


def test_a_service_answers_ends_when_told_and_leaves_nothing(made: World, tmp_path: Path) -> None:
    song = write(tmp_path / "long.wav", np.zeros(22_050 * 600, np.float32))
    answers: list[httpx.Response] = []
    with running(made.run, "--log-format", "json", "--jobs", 1, temporary=tmp_path / "tmp") as service:
        assert ask(service.address, made.songs()[0]).json()["results"][0]["name"] == made.songs()[0].name
        asking = threading.Thread(target=lambda: answers.append(ask(service.address, song)))
        asking.start()
        while not service.uploads():
            time.sleep(0.01)
        while not any(path.stat().st_size > 26e6 for path in service.uploads() if path.is_file()):
            time.sleep(0.01)
        time.sleep(0.2)  # it is in the line
        assert service.end(signal.SIGTERM) == 0
        asking.join()
        assert answers[0].status_code == 200, answers[0].text
        assert list(service.temporary.iterdir()) == []
        events = [json.loads(line) for line in service.lines if line.startswith("{")]
        assert [each["event"] for each in events] == ["request", "ending", "request"]
        assert (events[0]["route"], events[0]["status"]) == ("/v1/predict", 200)
        assert service.lines[-1].startswith("next: genrescope predict ")
        assert "long" not in "".join(service.lines)


def test_what_a_killed_service_left_goes_at_the_next_start(made: World, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    with running(made.run, temporary=folder) as killed, running(made.run, temporary=folder) as beside:
        [first, second] = sorted(folder.iterdir())
        (first / "upload").write_bytes(b"music")
        (second / "upload").write_bytes(b"music")
        killed.end(signal.SIGKILL)
        with running(made.run, temporary=folder) as service:
            left = sorted(folder.glob("*/upload"))
            assert len(left) == 1, "the folder of the one that still runs stays, the other goes"
            assert service.end() == 0
        assert beside.end() == 0
    assert list(folder.iterdir()) == []


def test_the_token_comes_from_a_file_and_ctrl_c_ends_the_service(made: World, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame\n")
    with running(made.run, "--token-file", tmp_path / "token", temporary=tmp_path / "tmp") as service:
        assert ask(service.address, made.songs()[0]).status_code == 401
        assert ask(service.address, made.songs()[0], headers={"authorization": "Bearer sesame"}).status_code == 200
        assert service.end(signal.SIGINT) == 0
        assert list(service.temporary.iterdir()) == []


def test_other_addresses_without_a_token_are_warned_of(made: World, tmp_path: Path) -> None:
    with running(made.run, "--host", "0.0.0.0", temporary=tmp_path / "tmp") as service:
        assert any(line.startswith("warning: --host 0.0.0.0 without a token") for line in service.lines)
        assert httpx.get(f"{service.address}healthz", headers={"host": "anything"}).status_code == 200


def test_the_token_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_TOKEN", "sesame\n")
    assert token_of(None) == "sesame"


def test_an_address_that_is_taken_is_said(made: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_refused(here("serve", made.run, "--port", port), f"port {port}", "--host and --port")


def test_a_token_file_without_a_token_is_refused(made: World, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert_refused(here("serve", made.run, "--token-file", tmp_path / "empty"), "accepted is one line")
    assert_refused(here("serve", made.run, "--token-file", tmp_path / "none"), "No such file")


def test_what_cannot_be_served_is_refused(made: World, tmp_path: Path) -> None:
    assert_refused(here("serve", tmp_path / "none.safetensors"), "none.safetensors")
    assert_refused(here("serve", made.run, "--library", tmp_path / "none.db"), "no library there")
    assert_refused(genrescope("serve", made.run, "--max-files", 9, "--queue", 8), "longer queue")
