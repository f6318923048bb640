"""The service: what it answers, whom it refuses, and why."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cli_support import here, world
from conftest import error_of, write
from serve_support import client_of, lines_of, load, make_service, predicted, send

from genrescope.errors import DataError
from genrescope.inference.explain import explain
from genrescope.inference.model_facts import measured
from genrescope.serve.settings import Limits, Settings
from genrescope.serve.work import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli_support import World
    from starlette.testclient import TestClient

    from genrescope.serve.service import Service

    Response = Any  # of whichever client starlette takes

pytestmark = pytest.mark.usefixtures("one_thread")

NDJSON = {"accept": "application/x-ndjson"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def service(made: World) -> Service:
    return make_service(load(made))


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bad") / "bad.mp3"
    path.write_bytes(b"no sound" * 500)
    return path


def detail(response: Response) -> str:
    found = response.json()["detail"]
    assert isinstance(found, str)
    return found


def test_a_song_gets_what_the_command_line_writes(client: TestClient, made: World) -> None:
    song = made.songs()[1]
    response, expected = send(client, song), predicted(made, song, "--windows", "all")
    assert response.status_code == 200
    answer = response.json()
    [result] = answer["results"]
    assert answer["model"] == expected["model"]
    assert result["name"] == song.name
    for name in ("genre", "confidence", "unknown", "labels", "seconds", "scores", "tags"):
        assert result[name] == expected[name]
    labels = client.get("/v1/genres").json()["genres"]
    assert [dict(zip(labels, each["scores"], strict=True)) for each in result["windows"]] == [
        {label: each["scores"][label] for label in labels} for each in expected["windows"]
    ]
    assert result["segments"][-1]["end"] == result["seconds"]
    assert result["silent"] == 0


def test_windows_and_top_are_those_asked_for(client: TestClient, made: World) -> None:
    song = made.songs()[1]
    answer = send(client, song, params={"windows": "1", "top": "2"}).json()
    expected = predicted(made, song, "--windows", "1", "--top", "2")
    assert (answer["model"], answer["results"][0]["scores"]) == (expected["model"], expected["scores"])
    assert len(answer["results"][0]["windows"]) == 1


def test_a_bad_file_is_told_in_the_words_of_the_command_line(client: TestClient, made: World, bad: Path) -> None:
    response, done = send(client, bad), here("predict", made.run, bad)
    assert response.status_code == 422
    assert f"skipped {bad}: {detail(response)}" in done.err.splitlines()


def test_of_several_files_each_has_a_result_or_an_error(client: TestClient, made: World, bad: Path) -> None:
    response = send(client, made.songs()[0], bad, made.songs("hiss")[0])
    assert response.status_code == 200
    first, failed, last = response.json()["results"]
    assert failed == {"name": bad.name, "error": detail(send(client, bad))}
    assert [first["name"], last["name"]] == [made.songs()[0].name, made.songs("hiss")[0].name]


def test_where_all_files_fail_the_answer_is_an_error(client: TestClient, bad: Path) -> None:
    response = send(client, bad, bad)
    assert (response.status_code, detail(response)) == (422, "none of the 2 files could be used")
    assert [each["name"] for each in response.json()["results"]] == [bad.name] * 2


def test_events_come_in_order_and_end_with_the_result(client: TestClient, made: World) -> None:
    song = made.songs()[1]
    response = send(client, song, headers=NDJSON)
    events = lines_of(response)
    kinds = [each["event"] for each in events]
    assert response.headers["content-type"] == "application/x-ndjson"
    assert kinds == sorted(kinds, key=["waiting", "decoding", "windows", "result"].index)
    assert set(kinds) == {"waiting", "decoding", "windows", "result"}
    assert events[0] == {"event": "waiting", "ahead": 0}
    result = events[-1]["result"]
    assert [window for each in events if each["event"] == "windows" for window in each["windows"]] == result["windows"]
    assert result == send(client, song).json()["results"][0]


def test_a_stream_ends_with_the_error(client: TestClient, bad: Path) -> None:
    last = lines_of(send(client, bad, headers=NDJSON))[-1]
    assert last == {"event": "error", "error": detail(send(client, bad)), "status": 422}


def test_a_part_of_a_song_is_explained(client: TestClient, made: World, service: Service) -> None:
    song = made.songs()[1]
    with song.open("rb") as file:
        answer = client.post("/v1/explain", files={"file": file}, params={"genre": "drone", "end": 30})
    found = explain(service.model, song)
    assert answer.status_code == 200
    assert answer.json() == found.evidence("drone")


def test_the_model_is_described(client: TestClient, service: Service) -> None:
    facts = client.get("/v1/model").json()
    header = service.model.header
    assert facts["labels"] == client.get("/v1/genres").json()["genres"] == list(header.labels)
    assert facts["window_seconds"] == round(header.window_seconds, 6)
    assert set(facts["colours"]) == set(header.labels)
    assert facts["measured"] == measured(header.scores, "run")  # another test may have evaluated the run before


KIND = "multipart/form-data"
MULTIPART = {"content-type": f"{KIND}; boundary=x"}
HALF = b'--x\r\ncontent-disposition: form-data; name="files"; filename="a.wav"\r\n\r\nRIFF'
REFUSED: list[tuple[int, str, Callable[[TestClient, Path], Response]]] = [
    (400, "windows=0", lambda client, song: send(client, song, params={"windows": "0"})),
    (400, "top=none", lambda client, song: send(client, song, params={"top": "none"})),
    (400, 'accepted is "files"', lambda client, song: send(client, song, field="song")),
    (400, "one file a request", lambda client, song: send(client, song, song, headers=NDJSON)),
    (400, "no file came", lambda client, _: client.post("/v1/predict", content=b"--x--\r\n", headers=MULTIPART)),
    (400, "ended in the middle", lambda client, _: client.post("/v1/predict", content=HALF, headers=MULTIPART)),
    (400, "no multipart", lambda client, _: client.post("/v1/predict", content=b"song", headers=MULTIPART)),
    (400, "no boundary", lambda client, _: client.post("/v1/predict", headers={"content-type": KIND})),
    (400, "not called so", lambda client, _: client.get("/v1/genres", headers={"host": "evil.example"})),
    (400, "did you mean", lambda client, _: client.post("/v1/explain?genre=dron")),
    (400, "up to 30 s", lambda client, _: client.post("/v1/explain?end=31")),
    (403, "another origin", lambda client, _: client.get("/v1/genres", headers={"origin": "http://evil.example"})),
    (404, "nothing here", lambda client, _: client.get("/v1/nothing")),
    (404, "no library", lambda client, _: client.get("/v1/library/songs")),
    (404, "nothing here", lambda client, _: client.get("/web/..%2fapp.py")),
    (404, "nothing here", lambda client, _: client.get("/web/map.html")),
    (405, "not accepted", lambda client, _: client.get("/v1/predict")),
    (400, "more than 3 files", lambda client, song: send(client, *[song] * 4)),
    (413, "larger than 2 MB", lambda client, _: client.post("/v1/predict", files={"files": bytes(2_000_001)})),
    (413, "larger than 4 MB", lambda client, _: client.post("/v1/predict", content=endless(), headers=MULTIPART)),
    (415, "multipart/form-data", lambda client, _: client.post("/v1/predict", json={})),
]  # fmt: skip


def endless() -> Iterator[bytes]:
    """A body whose files are each within the limit, and which comes without its length."""
    for _ in range(100):
        yield b'--x\r\ncontent-disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
        yield bytes(1_900_000) + b"\r\n"


@pytest.mark.parametrize(("status", "words", "ask"), REFUSED, ids=[f"{each[0]} {each[1]}" for each in REFUSED])
def test_what_is_refused_has_a_status_and_a_reason(
    status: int, words: str, ask: Callable[[TestClient, Path], Response], client: TestClient, made: World
) -> None:
    response = ask(client, made.songs()[0])
    assert (response.status_code, words in detail(response)) == (status, True), response.text


def test_nothing_is_left_of_requests(client: TestClient, service: Service, made: World, bad: Path) -> None:
    send(client, made.songs()[0], bad)
    client.post("/v1/predict", content=HALF, headers=MULTIPART)
    assert [path.name for path in service.room.folder.iterdir() if not path.name.startswith(".")] == []


def test_a_full_disk_is_no_fault_of_the_client(made: World) -> None:
    service = make_service(load(made))
    with client_of(service) as client:
        service.room.most = 100_000
        response = send(client, made.songs()[0])
        assert (response.status_code, "no room" in detail(response)) == (503, True)
        service.room.most = 1_000_000
        assert send(client, made.songs()[0]).status_code == 200
        assert service.room.held == 0


@pytest.mark.parametrize("windows", ["all", "2"])
def test_sound_beyond_the_limit_is_refused(windows: str, made: World, tmp_path: Path) -> None:
    song = write(tmp_path / "long.flac", np.zeros(22_050 * 70, np.float32))
    with client_of(make_service(load(made))) as client:
        response = send(client, song, params={"windows": windows})
        assert (response.status_code, "longer than 60 s" in detail(response)) == (422, True), response.text


def test_a_slow_decoder_is_ended_and_the_next_song_is_answered(made: World, tmp_path: Path) -> None:
    song = write(tmp_path / "long.flac", np.zeros(22_050 * 3600, np.float32))
    limits = Limits(sound_seconds=1e6, decode_seconds=0.4)
    with client_of(make_service(load(made), limits=limits)) as client:
        send(client, made.songs()[0])  # the process has started
        response = send(client, song)
        assert (response.status_code, "it took longer than" in detail(response)) == (422, True), response.text
    with client_of(make_service(load(made))) as client:
        assert send(client, made.songs()[0]).status_code == 200


def test_the_token_opens_all_but_the_page_and_health(made: World) -> None:
    with client_of(make_service(load(made), token="sesame")) as client:
        for path in ("/v1/genres", "/v1/library/songs", "/metrics", "/openapi.json", "/map", "/nothing"):
            assert client.get(path).status_code == 401, path
        assert client.get("/v1/genres").headers["www-authenticate"] == "Bearer"  # the page asks for the token
        assert client.get("/map").headers["www-authenticate"].startswith("Basic ")  # the browser asks
        assert client.get("/web/app.css").status_code == client.get("/").status_code == 200
        assert send(client, made.songs()[0]).status_code == 401
        assert client.get("/v1/genres", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/v1/genres", headers={"authorization": "Basic !"}).status_code == 401
        assert client.get("/v1/genres", headers={"authorization": "Bearer sesame"}).status_code == 200
        assert client.get("/v1/genres", auth=("anybody", "sesame")).status_code == 200
        assert client.get("/healthz").json() == {"status": "ok", "queue": 0}


def test_a_full_line_sends_clients_away_for_a_while(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    free, worked = threading.Event(), Workshop.worked

    def held(*arguments: Any) -> Any:
        free.wait(60)
        return worked(*arguments)

    monkeypatch.setattr(Workshop, "worked", held)
    limits = Limits(files=2, waiting=2)
    service = make_service(load(made), limits=limits)
    with client_of(service) as client:
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(send(client, made.songs()[0]).status_code)) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        while len(service.line) < 2:
            assert any(thread.is_alive() for thread in threads)
        refused = send(client, made.songs()[0])
        assert (refused.status_code, "busy" in detail(refused)) == (503, True)
        assert 1 <= int(refused.headers["retry-after"]) <= 120
        free.set()
        for thread in threads:
            thread.join()
        assert answers == [200] * 3
        service.refuse_new()
        assert "shutting down" in detail(send(client, made.songs()[0]))


def test_metrics_count_what_was_done_and_name_no_file(made: World, bad: Path) -> None:
    with client_of(make_service(load(made))) as client:
        send(client, made.songs()[0], bad)
        client.get("/nothing")
        text = client.get("/metrics").text
    assert 'genrescope_requests_total{route="/v1/predict",status="200"} 1.0' in text
    assert 'genrescope_requests_total{route="other",status="404"} 1.0' in text
    assert 'genrescope_songs_total{outcome="failed"} 1.0' in text
    assert "genrescope_sound_seconds_total 3.5" in text
    for step in ("queue", "decode", "score"):
        assert f'genrescope_step_seconds_count{{step="{step}"}}' in text
    assert not re.search(r"bad|\.wav|localhost", text)


def test_pages_come_with_a_policy_and_are_not_sent_twice(client: TestClient) -> None:
    first = client.get("/web/app.css")
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    policy = first.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert first.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in first.headers
    again = client.get("/web/app.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_names_of_files_are_shown_without_folders(client: TestClient, made: World) -> None:
    content = made.songs()[0].read_bytes()
    for given, shown in (
        (b"../../etc/passwd", "passwd"),
        (b"C:\\\\music\\\\a.mp3", "a.mp3"),
        (b"a\x1bb\xff", "a\ufffdb\ufffd"),
        (b"..", ".."),
        (b"", "file 1"),
    ):
        head = b'--x\r\ncontent-disposition: form-data; name="files"; filename="' + given + b'"\r\n\r\n'
        response = client.post("/v1/predict", content=head + content + b"\r\n--x--\r\n", headers=MULTIPART)
        assert response.json()["results"][0]["name"] == shown, given


def test_more_files_than_the_line_holds_are_refused_at_the_start() -> None:
    assert "longer queue" in (error_of(lambda: Limits(files=9, waiting=8), DataError) or "")


def test_hosts_are_checked_where_only_this_machine_is_meant() -> None:
    assert Settings("127.0.0.1").hosts == {"localhost", "127.0.0.1", "::1"}
    assert Settings("0.0.0.0").hosts == frozenset()
    assert "music.example" in Settings("0.0.0.0", allowed_hosts=("Music.example",)).hosts


def test_the_document_describes_every_route_with_an_example(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert {"/v1/predict", "/v1/explain", "/v1/genres", "/v1/model", "/healthz", "/metrics"} <= set(document["paths"])
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert body["multipart/form-data"]["schema"]["properties"]["files"]["items"]["format"] == "binary"
    assert document["components"]["schemas"]["Answer"]["example"]["results"]
    assert "HTTPValidationError" not in json.dumps(document)
