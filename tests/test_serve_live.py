"""Live sound over a WebSocket: a real server, a real client; verdicts, limits, and what is left of a stream."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import signal
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import serve_support
from cli_support import world
from conftest import tone
from serve_support import load, make_service, running, server_of
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from genrescope import audio
from genrescope.inference.classifier import Classifier
from genrescope.serve import live_sound, live_stream, server
from genrescope.serve import socket as protocol
from genrescope.serve.settings import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cli_support import World
    from websockets.http11 import Response
    from websockets.sync.client import ClientConnection

    from genrescope.serve.service import Service
    from genrescope.serve.settings import Settings

pytestmark = pytest.mark.usefixtures("one_thread")

RATE = 22_050
END = '{"end": true}'
DOCS = Path(__file__).parent.parent / "docs" / "service.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def service(made: World) -> Service:
    return make_service(load(made))


@pytest.fixture(scope="module")
def address(service: Service) -> Iterator[str]:
    with server_of(service) as address:
        yield address


@pytest.fixture
def short_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_CLOSING", 0.5)


def opened(address: str, query: str = f"rate={RATE}", **options: Any) -> ClientConnection:
    return connect(
        f"{address.replace('http', 'ws')}v1/live?{query}", **{"compression": None, "close_timeout": 0.5} | options
    )


def ending(stream: ClientConnection) -> tuple[list[dict[str, Any]], int, str]:
    """Read to the end: the messages, and the code and reason of the close."""
    messages = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(json.loads(stream.recv(timeout=20)))
    return messages, stream.close_code or 0, stream.close_reason or ""


def refusal(address: str, query: str, **options: Any) -> Response:
    """Ask for a stream that is refused, and return the answer."""
    with pytest.raises(InvalidStatus) as refused, opened(address, query, **options):
        pass
    return refused.value.response


def eventually(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def metric(address: str, name: str, **options: Any) -> float:
    lines = httpx.get(f"{address}metrics", **options).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if re.match(rf"{re.escape(name)}[ {{]", line))


def is_idle(service: Service) -> bool:
    return not len(service.live) and not any("live stream" in thread.name for thread in threading.enumerate())


def pcm(wave: Any) -> bytes:
    return np.clip(np.round(np.asarray(wave) * 32_767), -32_768, 32_767).astype("<i2").tobytes()


@pytest.mark.parametrize(("format_", "cut"), [("s16le", 10_001), ("f32le", 30_003)])
def test_a_song_gets_the_verdicts_of_stream_and_predict(
    format_: str, cut: int, address: str, made: World, service: Service
) -> None:
    channels = {"s16le": 1, "f32le": 2}[format_]
    classifier = Classifier(service.model, threads=1, windows="all")
    before = metric(address, "genrescope_live_streams_total")
    for genre in ("drone", "hiss"):
        wave = audio.decode(made.songs(genre)[1], rate=RATE)
        raw = pcm(wave) if format_ == "s16le" else np.repeat(wave[:, None], channels, axis=1).astype("<f4").tobytes()
        with opened(address, f"rate={RATE}&channels={channels}&format={format_}&every=0.5") as stream:
            for first in range(0, len(raw), cut):  # frames are cut across messages
                stream.send(raw[first : first + cut])
            stream.send(END)
            messages, code, _ = ending(stream)
        ready, *verdicts = messages
        predicted = classifier.predict(wave, sample_rate=RATE)
        streamed = list(classifier.stream([wave], sample_rate=RATE, every=0.5))
        assert code == 1000
        assert (ready["type"], ready["every"], ready["model"]["genres"]) == ("ready", 0.5, list(service.labels))
        assert ready["window"] == pytest.approx(service.model.header.window_seconds, abs=1e-5)
        assert {each["type"] for each in verdicts} == {"verdict"}
        assert [each["time"] for each in verdicts] == [each.to_dict()["time"] for each in streamed]
        assert [each["last"] for each in verdicts] == [False] * (len(verdicts) - 1) + [True]
        assert verdicts[-1]["skipped"] == 0
        assert verdicts[-1]["whole"]["genre"] == predicted.genre
        assert verdicts[-1]["whole"]["scores"] == pytest.approx(predicted.scores, abs=0.01)
    eventually(lambda: metric(address, "genrescope_live_streams_total") == before + 2)
    assert metric(address, "genrescope_live_open") == 0


REFUSED: list[tuple[int, str, str, dict[str, Any]]] = [
    (400, "rate", "", {}),
    (400, "rate=1", "rate=1", {}),
    (400, "channels=9", "rate=44100&channels=9", {}),
    (400, "format=mp3", "rate=44100&format=mp3", {}),
    (400, "every=nan", "rate=44100&every=nan", {}),
    (403, "another origin", "rate=44100", {"origin": "http://evil.example"}),
    (403, "another origin", "rate=44100", {"origin": "http://127.0.0.1:1"}),
    (403, "another origin", "rate=44100", {"origin": "null"}),
]


@pytest.mark.parametrize(("status", "words", "query", "options"), REFUSED)
def test_what_is_refused_is_no_websocket(
    status: int, words: str, query: str, options: dict[str, Any], address: str
) -> None:
    before = metric(address, "genrescope_live_refused_total")
    answer = refusal(address, query, **options)
    assert (answer.status_code, words in json.loads(bytes(answer.body or b""))["detail"]) == (status, True)
    assert metric(address, "genrescope_live_refused_total") == before + 1


def test_a_page_cannot_reach_it_by_a_name_of_its_own(address: str) -> None:
    answer = by_hand(address, f"GET /v1/live?rate={RATE} HTTP/1.1\r\nHost: evil.example\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"not called so" in answer


def test_what_is_no_upgrade_is_closed_at_once(address: str) -> None:
    assert by_hand(address, "POST /v1/live HTTP/1.1\r\nHost: localhost\r\n").startswith(b"HTTP/1.1 4")
    assert by_hand(address, "GET /v1/none HTTP/1.1\r\nHost: localhost\r\n").startswith(b"HTTP/1.1 404")


def place(address: str) -> tuple[str, int]:
    """Return where a service is reached, for a socket."""
    return "127.0.0.1", int(address.rpartition(":")[2].strip("/"))


def by_hand(address: str, head: str) -> bytes:
    """Ask for an upgrade with a head of one's own, and return the answer."""
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    with socket.create_connection(place(address), timeout=10) as made:
        made.sendall(f"{head}{upgrade}{base64.b64encode(bytes(16)).decode()}\r\n\r\n".encode())
        return b"".join(iter(lambda: made.recv(65_536), b""))


def test_the_token_comes_in_a_header_or_as_a_subprotocol_but_not_in_the_address(made: World) -> None:
    token = "sesame~~???>>>"  # whose base64 has both of its odd characters
    offered = "token." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    assert {"-", "_"} <= set(offered)
    wrong = "token." + base64.urlsafe_b64encode(b"other").decode().rstrip("=")
    with server_of(make_service(load(made), token=token)) as address:
        for offers in ([], ["genrescope", wrong], ["genrescope", "token."], ["token.a"]):
            assert refusal(address, f"rate={RATE}&token=sesame", subprotocols=offers or None).status_code == 401
        with opened(address, subprotocols=["genrescope", offered], origin=address.strip("/")) as stream:
            assert (json.loads(stream.recv())["type"], stream.subprotocol) == ("ready", "genrescope")
        with opened(address, additional_headers={"Authorization": f"Bearer {token}"}) as stream:
            assert (json.loads(stream.recv())["type"], stream.subprotocol) == ("ready", None)


def test_one_stream_too_many_is_told_so_and_comes_in_later(address: str, service: Service) -> None:
    with opened(address), opened(address):
        answer = refusal(address, f"rate={RATE}")
        assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
        with opened(address, origin=address.strip("/")) as page:  # a page sees no more than a close
            [error], code, reason = ending(page)
        assert (error["type"], code, error["reason"]) == ("error", 1013, reason)
        assert "2 live streams" in reason
        assert metric(address, "genrescope_live_open") == 2
    eventually(lambda: is_idle(service))
    with opened(address) as stream:
        assert json.loads(stream.recv())["type"] == "ready"


def test_it_can_be_turned_off(made: World) -> None:
    with server_of(make_service(load(made), limits=Limits(live=0))) as address:
        assert httpx.get(f"{address}v1/model").json()["live"] is False
        assert refusal(address, f"rate={RATE}").status_code == 404


def test_what_is_no_websocket_is_told_so(address: str) -> None:
    answer = httpx.get(f"{address}v1/live?rate=44100")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert httpx.get(f"{address}v1/model").json()["live"] is True


def floats(*values: float) -> bytes:
    return np.concatenate([tone(440, seconds=0.5), np.array(values, np.float32)]).astype("<f4").tobytes()


BAD: list[tuple[int, str, Sequence[Any]]] = [
    (1007, "nan at 0.5", [floats(np.nan)]),
    (1007, "-inf at 0.5", [floats(-np.inf)]),
    (1007, "1e+30 at 0.5", [floats(1e30)]),
    (1007, "32000 at 0.5", [floats(32_000)]),
    (1007, "no sound", [END]),
    (1007, "no sound", [b"\0\0\0", END]),
    (1003, "binary messages", ["sound"]),
    (1003, "binary messages", ['{"end": 1}']),
    (1003, "binary messages", ["[" * 100_000]),
    (1003, "binary messages", [floats(), END, floats()]),
    (1009, "", [bytes((1 << 20) + 1)]),
    (1009, "fragments", [[b""] * 5000]),
]


@pytest.mark.usefixtures("short_closing")
@pytest.mark.parametrize(("code", "words", "sent"), BAD, ids=[f"{each[0]} {each[1]}" for each in BAD])
def test_what_is_no_sound_ends_its_stream_only(
    code: int, words: str, sent: Sequence[Any], address: str, service: Service
) -> None:
    with opened(address, f"rate={RATE}&format=f32le") as stream, opened(address) as other:
        other.send(pcm(tone(440, seconds=1)))
        with contextlib.suppress(ConnectionClosed):
            for each in sent:
                stream.send(each)
        messages, found, reason = ending(stream)
        assert (found, words in reason) == (code, True)
        if code != 1009:  # which the protocol itself says
            assert messages[-1] == {"type": "error", "reason": reason}
        other.send(END)
        assert ending(other)[1] == 1000
    eventually(lambda: is_idle(service))


def test_a_stream_without_sound_is_closed_and_one_with_sound_outlives_every_timer(
    address: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_stream, "_IDLE", 0.4)
    monkeypatch.setattr(server, "_HEADER_SECONDS", 0.2)
    with opened(address) as silent, opened(address) as playing:
        for _ in range(10):
            playing.send(pcm(tone(440, seconds=0.6)))
            with contextlib.suppress(ConnectionClosed):
                silent.send(b"\0")  # a drop now and then is no sound
            time.sleep(0.08)
        assert ending(silent)[1:] == (1001, live_stream._IDLED.reason)
        playing.send(END)
        assert ending(playing)[1] == 1000
    eventually(lambda: is_idle(service))


@pytest.mark.parametrize("how", ["closes", "vanishes"])
def test_nothing_is_left_of_a_client_that_leaves(how: str, address: str, service: Service) -> None:
    with opened(address, "rate=8000") as stream:
        stream.send(pcm(tone(440, seconds=20, rate=8000)))
        assert [json.loads(stream.recv())["type"] for _ in range(2)] == ["ready", "verdict"]
        before = metric(address, 'genrescope_live_streams_total{outcome="left"}')
        if how == "closes":
            stream.close()
        else:
            stream.socket.shutdown(socket.SHUT_RDWR)
        begun = time.monotonic()
        eventually(lambda: is_idle(service))
    assert time.monotonic() - begun < 5
    assert metric(address, 'genrescope_live_streams_total{outcome="left"}') == before + 1


def test_sound_that_comes_too_fast_waits_with_the_client(address: str, service: Service) -> None:
    second = pcm(tone(440, seconds=1, rate=192_000, channels=8).reshape(-1))
    with opened(address, "rate=192000&channels=8") as stream:

        def flood() -> None:
            with contextlib.suppress(ConnectionClosed):
                for piece in range(0, 600 * len(second), 1 << 20):
                    del piece
                    stream.send(second[: 1 << 20])

        flooding = threading.Thread(target=flood)
        flooding.start()
        begun, most = time.monotonic(), 0
        [open_] = service.live._open
        while time.monotonic() < begun + 1.5:
            most = max(most, len(open_.sound._bytes))
            time.sleep(0.005)
        assert 1 < open_.sound.seconds < 30 + 2 * 2
        assert most <= 2 * len(second) + (1 << 20)
    flooding.join()
    eventually(lambda: is_idle(service))


@pytest.mark.usefixtures("short_closing")
def test_a_client_that_does_not_read_is_left(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_stream, "_PATIENCE", 0.3)
    monkeypatch.setattr(live_sound, "_BURST", 600)
    monkeypatch.setattr(serve_support, "listen", listen_with_small_buffers)
    service = make_service(load(made))
    with contextlib.ExitStack() as held, server_of(service) as address, socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(place(address))
        stream = held.enter_context(opened(address, "rate=8000&every=0.2", sock=small, max_queue=1, close_timeout=0.1))
        for _ in range(8):
            stream.send(pcm(tone(440, seconds=20, rate=8000)))
        eventually(lambda: metric(address, 'genrescope_live_streams_total{outcome="slow"}') == 1)
        eventually(lambda: is_idle(service))
        begun = time.monotonic()
    assert time.monotonic() - begun < 15, "the end of the service does not wait for such a client"


def listen_with_small_buffers(settings: Settings) -> socket.socket:
    made = server.listen(settings)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return made


def test_a_service_that_ends_tells_its_streams_and_logs_them(made: World, tmp_path: Path) -> None:
    options = ("--log-format", "json", "--jobs", 1, "--live", 1)
    with running(made.run, *options, temporary=tmp_path / "tmp") as service:
        with opened(service.address, "rate=8000") as stream:
            stream.send(pcm(tone(440, seconds=6, rate=8000)))
            while json.loads(stream.recv())["type"] != "verdict":
                pass
            codes: list[int] = []
            ends = threading.Thread(target=lambda: codes.append(service.end(signal.SIGTERM)))
            ends.start()
            assert ending(stream)[1:] == (1001, "the service ends")
        ends.join()
    assert codes == [0]
    events = [json.loads(line) for line in service.lines if line.startswith("{")]
    assert [each["event"] for each in events] == ["ending", "live"]
    assert (events[1]["seconds"], events[1]["skipped"], events[1]["outcome"]) == (6.0, 0, "stopped")
    assert set(events[1]) == {"time", "level", "event", "seconds", "skipped", "outcome", "code", "client"}


def test_the_example_of_the_docs_works(
    address: str, made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = [
        each
        for each in re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
        if "connect(" in each
    ]
    monkeypatch.chdir(tmp_path)
    Path("song.wav").symlink_to(made.songs()[0])
    code = code.replace("ws://localhost:8000/", address.replace("http", "ws"))
    exec(compile(code.replace("time.sleep(0.2)", "time.sleep(0)"), "service.md", "exec"), {})
    assert "drone" in capsys.readouterr().out
