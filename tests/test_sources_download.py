"""Downloading against a server on this machine that is slow, cuts off, lies, changes its mind, or is hostile."""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections import namedtuple
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cli_support import PATIENCE, assert_refused, environment, here
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import DataError, OutputError
from genrescope.sources import cards
from genrescope.sources.cards import Archive, Card
from genrescope.sources.download import archive as unpacking
from genrescope.sources.download import dataset, fetch
from genrescope.sources.download.fetch import CHUNK, Patience
from genrescope.sources.download.record import RECORD_FILE, WORK_FOLDER
from genrescope.sources.folders import folder_tracks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

QUICK = Patience(timeout=0.4, retries=2, pause=0.01)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals, terminals and limits")
MUSIC = {
    f"genres/{genre}/{genre}.{number:05d}.wav": np.random.default_rng(number + salt).bytes(40_000 + number)
    for salt, genre in enumerate(("blues", "jazz"))
    for number in range(4)
}


# -- a server that does as it is told ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """How a request is answered.

    Attributes:
        data: the file.
        status: of the answer, when it is not the file.
        ranges: whether a part can be asked for.
        cut: bytes of the answer after which the connection ends.
        announced: the length that is announced, where it is not the true one; -1 for none at all.
        pause: seconds between pieces.
        stall: wait for the test's end after `cut` bytes.
        headers: more of them.
    """

    data: bytes = b""
    status: int = 200
    ranges: bool = True
    cut: int | None = None
    announced: int | None = None
    pause: float = 0.0
    stall: bool = False
    headers: dict[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """A server whose answers to each path a test lists; the last one is repeated."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()

    def url(self, path: str, *answers: Answer) -> str:
        """Return the address of a path that is answered so."""
        self.answers[f"/{path}"] = list(answers)
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def ranges(self, path: str) -> list[str | None]:
        """Return the Range header of each request to a path."""
        return [headers.get("range") for its, headers in self.seen if its == f"/{path}"]

    def handle_error(self, *_: object) -> None:
        """Keep quiet when the other side went away."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        number = len(self.server.ranges(self.path[1:]))
        self.server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        answers = self.server.answers[self.path]
        self.answer(answers[min(number, len(answers) - 1)])

    def answer(self, answer: Answer) -> None:
        data, total = answer.data, len(answer.data)
        wanted = self.headers.get("Range") if answer.ranges else None
        if answer.status != 200:
            self.send_response(answer.status)
        elif wanted is None:
            self.send_response(200)
        else:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if first < total else 416)
            part = f"{first}-{total - 1}" if first < total else "*"
            self.send_header("Content-Range", f"bytes {part}/{total}")
            data = data[first:]
        if answer.announced != -1:
            whole = answer.announced is None or wanted is not None
            self.send_header("Content-Length", str(len(data) if whole else answer.announced))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.send(data[: answer.cut], answer)

    def send(self, data: bytes, answer: Answer) -> None:
        step = max(1, len(data) // 10) if answer.pause else max(1, len(data))
        for first in range(0, len(data), step):
            self.wfile.write(data[first : first + step])
            time.sleep(answer.pause)
        if answer.stall:
            self.server.over.wait(PATIENCE)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.over.set()
        made.shutdown()
        thread.join()


# -- archives and cards --------------------------------------------------------------------------------------------


def tar(members: dict[str, bytes], ending: str = "gz", extra: Callable[[tarfile.TarFile], None] | None = None) -> bytes:
    """Return a tar, the same each time, compressed as the ending says."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
        if extra is not None:
            extra(made)
    return {"tar": bytes, "gz": lambda data: gzip.compress(data, mtime=0), "bz2": bz2.compress}[ending](file.getvalue())


def zipped(members: Mapping[Any, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def special(name: str, kind: bytes, target: str = "") -> Callable[[tarfile.TarFile], None]:
    """Add a member that is no file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return lambda made: made.addfile(info)


def unix(name: str, mode: int) -> zipfile.ZipInfo:
    """Return a zip's member of a kind that only Unix has."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (mode | 0o644) << 16
    return info


TAR = tar(MUSIC)


def archive(data: bytes, *urls: str, file: str = "music.tar.gz", size: int | None = None, into: str = "") -> Archive:
    return Archive(file, urls, f"md5:{hashlib.md5(data).hexdigest()}", size, into)


def card(*archives: Archive, source: str = "https://example.org/music", by_hand: str = "Ask the author.") -> Card:
    return Card(
        name="shelf",
        title="The Shelf of Invented Records",
        citation="A. Author, A shelf, 2001",
        terms="Research only.",
        source=source,
        size="eight clips",
        genres=("blues", "jazz"),
        known_faults=("It is invented.",),
        tracks=folder_tracks,
        archives=archives,
        by_hand=by_hand,
    )


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def music_of(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in files_of(folder).items() if not name.startswith(WORK_FOLDER)}


def assert_whole(folder: Path) -> None:
    """All is there, and nothing that was in the making."""
    assert music_of(folder) == MUSIC
    assert [path.name for path in (folder / WORK_FOLDER).iterdir()] == [RECORD_FILE]


@dataclass
class Run:
    """A download and what it told."""

    folder: Path
    notes: list[str] = field(default_factory=list)
    progress: list[dataset.Progress] = field(default_factory=list)

    def __call__(self, *archives: Archive, patience: Patience = QUICK, keep: bool = False) -> dataset.Downloaded:
        self.notes, self.progress = [], []
        return dataset.download(
            card(*archives), self.folder, keep=keep, patience=patience, on_progress=self.progress.append,
            on_note=self.notes.append,
        )  # fmt: skip

    def fails(self, *archives: Archive, patience: Patience = QUICK) -> str:
        with pytest.raises(DataError) as error:
            self(*archives, patience=patience)
        return str(error.value)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "shelf")


def whole_chunks(size: int) -> int:
    """Return the bytes that stay when a connection breaks after `size` of them."""
    return size // CHUNK * CHUNK


def interrupt_at(size: int) -> Callable[[dataset.Progress], None]:
    def stop(at: dataset.Progress) -> None:
        if at.step == "downloading" and at.done >= size:
            raise KeyboardInterrupt

    return stop


# -- good weather --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("music.tar.gz", TAR),
        ("music.tar", tar(MUSIC, "tar")),
        ("music.tar.bz2", tar(MUSIC, "bz2")),
        ("music.zip", zipped(MUSIC)),
    ],
)
def test_an_archive_is_fetched_verified_and_unpacked(file: str, data: bytes, server: Server, run: Run) -> None:
    done = run(archive(data, server.url(file, Answer(data)), file=file, size=len(data)))
    assert_whole(run.folder)
    assert (done.files, done.bytes) == (len(MUSIC), sum(map(len, MUSIC.values())))
    assert (done.unpacked, done.fetched, done.kept, done.failed) == ((file,), (file,), (), ())
    assert not done.there_already
    assert list(dict.fromkeys(at.step for at in run.progress)) == ["downloading", "checking", "unpacking"]
    for step, total in (("downloading", len(data)), ("unpacking", done.bytes)):
        told = [at.done for at in run.progress if at.step == step]
        assert told == sorted(told)
        assert (told[0], told[-1]) == (0, total)
    assert run.notes == []
    assert len(server.seen) == 1


def test_a_second_run_does_nothing(server: Server, run: Run) -> None:
    wanted = archive(TAR, server.url("a", Answer(TAR)))
    first, before = run(wanted), files_of(run.folder)
    again = run(wanted)
    assert again.there_already
    assert (again.files, again.bytes) == (first.files, first.bytes)
    assert len(server.seen) == 1
    assert files_of(run.folder) == before


def test_a_kept_archive_is_unpacked_again_without_the_network(server: Server, run: Run) -> None:
    wanted = archive(TAR, server.url("a", Answer(TAR)))
    done = run(wanted, keep=True)
    assert done.kept == (run.folder / WORK_FOLDER / "music.tar.gz",)
    assert done.kept[0].read_bytes() == TAR
    gone = next(iter(MUSIC))
    (run.folder / gone).unlink()
    again = run(wanted)
    assert (again.unpacked, again.fetched) == (("music.tar.gz",), ())
    assert any("1 of the 8 files" in note and gone in note for note in run.notes)
    assert len(server.seen) == 1
    assert_whole(run.folder)


def test_an_archive_that_was_downloaded_by_hand_is_used_and_left(server: Server, run: Run) -> None:
    run.folder.mkdir()
    (run.folder / "music.tar.gz").write_bytes(TAR)
    done = run(archive(TAR, server.url("a", Answer(status=404))))
    assert (done.unpacked, done.fetched) == (("music.tar.gz",), ())
    assert server.seen == []
    assert music_of(run.folder) == {**MUSIC, "music.tar.gz": TAR}


def test_a_wrong_archive_by_hand_is_told_and_left(server: Server, run: Run) -> None:
    run.folder.mkdir()
    (run.folder / "music.tar.gz").write_bytes(b"half of it")
    wanted = archive(TAR, server.url("a", Answer(TAR)))
    run(wanted)
    assert any(
        hashlib.md5(b"half of it").hexdigest() in note and wanted.checksum.removeprefix("md5:") in note
        for note in run.notes
    )
    assert music_of(run.folder) == {**MUSIC, "music.tar.gz": b"half of it"}


def test_several_archives_go_where_they_belong_and_one_that_fails_stops_none(server: Server, run: Run) -> None:
    table = b"path,genre\n"
    wanted = (
        archive(TAR, server.url("lost", Answer(status=410)), file="lost.tar.gz"),
        archive(TAR, server.url("a", Answer(TAR)), into="audio/all"),
        archive(table, server.url("t", Answer(table)), file="tracks.csv", into="facts"),
    )
    done = run(*wanted)
    assert done.unpacked == ("music.tar.gz", "tracks.csv")
    assert [name for name, _ in done.failed] == ["lost.tar.gz"]
    assert "410" in done.failed[0][1]
    assert music_of(run.folder) == {f"audio/all/{name}": data for name, data in MUSIC.items()} | {
        "facts/tracks.csv": table
    }
    server.answers["/lost"] = [Answer(TAR)]
    assert run(*wanted).unpacked == ("lost.tar.gz",)
    assert len(server.seen) == 4
    assert run(*wanted).there_already


def test_an_archive_that_two_cards_share_is_fetched_once(server: Server, run: Run) -> None:
    facts, sound = tar({"facts/tracks.csv": b"path,genre\n"}), tar({"more.wav": b"more"})
    shared = archive(facts, server.url("facts", Answer(facts)), file="facts.tar.gz")
    run(archive(TAR, server.url("a", Answer(TAR))), shared)
    more = run(archive(sound, server.url("more", Answer(sound)), file="more.tar.gz"), shared)
    assert (more.unpacked, more.files) == (("more.tar.gz",), 2)
    assert [path for path, _ in server.seen] == ["/a", "/facts", "/more"]


# -- bad weather ---------------------------------------------------------------------------------------------------


def test_a_connection_that_breaks_is_gone_on_with(server: Server, run: Run) -> None:
    cuts = [Answer(TAR, cut=100_000), Answer(TAR, cut=70_000), Answer(TAR)]
    run(archive(TAR, server.url("a", *cuts)))
    assert_whole(run.folder)
    first = whole_chunks(100_000)
    assert server.ranges("a") == [None, f"bytes={first}-", f"bytes={first + whole_chunks(70_000)}-"]
    assert sum("trying again" in note for note in run.notes) == 2


def test_a_connection_that_breaks_often_is_waited_for_while_it_brings_something(server: Server, run: Run) -> None:
    run(archive(TAR, server.url("a", Answer(TAR, cut=30_000))))
    assert_whole(run.folder)
    assert len(server.seen) > QUICK.retries + 1


def test_an_interrupted_download_goes_on_in_the_next_run(server: Server, run: Run) -> None:
    wanted = archive(TAR, server.url("a", Answer(TAR)))
    with pytest.raises(KeyboardInterrupt):
        dataset.download(card(wanted), run.folder, patience=QUICK, on_progress=interrupt_at(100_000))
    had = (run.folder / WORK_FOLDER / "music.tar.gz.partial").read_bytes()
    assert had == TAR[: len(had)]
    assert len(had) >= 100_000
    run(wanted)
    assert server.ranges("a") == [None, f"bytes={len(had)}-"]
    assert_whole(run.folder)


@pytest.mark.parametrize("size", [None, len(TAR)])
def test_an_interruption_while_the_checksum_is_computed_costs_no_byte(
    size: int | None, server: Server, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = archive(TAR, server.url("a", Answer(TAR)), size=size)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("hashlib.file_digest", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(wanted)
    run(wanted)
    assert server.ranges("a") == ([None] if size else [None, f"bytes={len(TAR)}-"])
    assert_whole(run.folder)


def test_a_slow_server_is_waited_for(server: Server, run: Run) -> None:
    begun = time.monotonic()
    run(archive(TAR, server.url("a", Answer(TAR, pause=0.06))), patience=Patience(timeout=0.4, retries=0))
    assert time.monotonic() - begun > 0.4
    assert_whole(run.folder)
    assert len(server.seen) == 1


@pytest.mark.parametrize("cut", [0, 50_000])
def test_a_server_that_falls_silent_is_given_up(cut: int, server: Server, run: Run) -> None:
    message = run.fails(
        archive(TAR, server.url("a", Answer(TAR, cut=cut, stall=True, ranges=False))),
        patience=Patience(timeout=0.2, retries=1, pause=0.01),
    )
    assert "it sent nothing for 0.2 s" in message
    assert len(server.seen) == 2 + (cut > 0)  # a try that brought something is not counted


def test_a_server_that_does_not_answer_is_given_up(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/a"
        message = run.fails(archive(TAR, url), patience=Patience(timeout=0.1, retries=0))
    assert "it sent nothing for 0.1 s" in message


def test_a_server_that_announces_more_than_it_has_is_told(server: Server, run: Run) -> None:
    more = len(TAR) + 1000
    lies = Answer(TAR, announced=more, ranges=False)
    message = run.fails(archive(TAR, server.url("a", lies)))
    assert "the connection ended after" in message
    assert f"of the {more:,} bytes expected" in message


@pytest.mark.parametrize("cut", [None, 100_000])
def test_a_server_that_takes_its_announcement_back_is_believed(cut: int | None, server: Server, run: Run) -> None:
    lies, true = Answer(TAR, announced=len(TAR) + 1000, cut=cut), Answer(TAR)
    run(archive(TAR, server.url("a", lies, true)))
    assert_whole(run.folder)


def test_a_server_that_announces_less_than_it_has_is_told(server: Server, run: Run) -> None:
    message = run.fails(archive(TAR, server.url("a", Answer(TAR, announced=100_000))))
    assert hashlib.md5(TAR[:100_000]).hexdigest() in message
    assert hashlib.md5(TAR).hexdigest() in message
    assert files_of(run.folder) == {}


def test_a_file_of_another_size_than_the_card_says_is_not_even_fetched(server: Server, run: Run) -> None:
    page = b"<html>Sign in to download</html>"
    message = run.fails(archive(TAR, server.url("a", Answer(page)), size=len(TAR)))
    assert f"it offers {len(page)} bytes where {len(TAR):,} are expected" in message
    assert run.progress == []


def test_a_server_that_sends_without_end_is_stopped(server: Server, run: Run) -> None:
    endless = Answer(TAR + bytes(10**6), announced=-1)
    message = run.fails(archive(TAR, server.url("a", endless), size=len(TAR)))
    assert f"more than the {len(TAR):,} bytes" in message
    assert max(at.done for at in run.progress) <= len(TAR)


@pytest.mark.parametrize("size", [None, len(TAR)])
def test_a_server_that_announces_no_length_will_do(size: int | None, server: Server, run: Run) -> None:
    run(archive(TAR, server.url("a", Answer(TAR, announced=-1)), size=size))
    assert_whole(run.folder)


def test_a_file_that_ends_before_it_should_is_told(server: Server, run: Run) -> None:
    short = Answer(TAR, announced=-1, cut=100_000, ranges=False)
    message = run.fails(archive(TAR, server.url("a", short), size=len(TAR)))
    assert f"the connection ended after 100,000 of the {len(TAR):,} bytes expected" in message


@pytest.mark.parametrize("announced", [None, -1])
def test_an_empty_file_is_told(announced: int | None, server: Server, run: Run) -> None:
    message = run.fails(archive(TAR, server.url("a", Answer(announced=announced))))
    assert hashlib.md5(b"").hexdigest() in message
    assert files_of(run.folder) == {}


def test_a_length_that_is_no_number_counts_as_none(server: Server, run: Run) -> None:
    run(archive(TAR, server.url("a", Answer(TAR, announced=-1, headers={"Content-Length": "many"}))))
    assert_whole(run.folder)


def test_a_file_that_comes_in_chunks_will_do(server: Server, run: Run) -> None:
    pieces = [TAR[first : first + 30_000] for first in range(0, len(TAR), 30_000)] + [b""]
    chunks = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    whole = Answer(chunks, announced=-1, ranges=False, headers={"Transfer-Encoding": "chunked"})
    run(archive(TAR, server.url("a", dataclasses.replace(whole, cut=100_000), whole)))
    assert_whole(run.folder)
    assert server.ranges("a")[0] is None
    assert len(server.seen) == 2


def test_a_wrong_file_is_removed_and_the_next_mirror_tried(server: Server, run: Run) -> None:
    wrong = tar({"evil.wav": b"evil"})
    wanted = archive(TAR, server.url("bad", Answer(wrong)), server.url("good", Answer(TAR)))
    run(wanted)
    assert_whole(run.folder)
    told = next(note for note in run.notes if "next mirror" in note)
    assert "/bad: what came is not the file" in told
    assert hashlib.md5(wrong).hexdigest() in told
    assert hashlib.md5(TAR).hexdigest() in told
    assert [path for path, _ in server.seen] == ["/bad", "/good"]


def test_when_all_mirrors_fail_each_is_named_with_its_reason(server: Server, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/nobody"
    urls = {
        server.url("gone", Answer(status=404)): "404 Not Found",
        server.url("busy", Answer(status=503)): "503 Service Unavailable",
        nobody: os.strerror(111) if sys.platform == "linux" else "refused",
        server.url("wrong", Answer(b"wrong")): hashlib.md5(b"wrong").hexdigest(),
        server.url("mute", Answer(TAR, cut=0, stall=True)): "sent nothing",
        server.url("round", Answer(status=302, headers={"Location": "/round"})): "redirects",
        server.url("local", Answer(status=302, headers={"Location": "file:///etc/passwd"})): "file:///etc/passwd",
        "ftp://127.0.0.1/music": "ftp://",
        "music.tar.gz": "Invalid URL",
    }
    message = run.fails(archive(TAR, *urls))
    assert message.count("\n") == 0
    parts = message.split("; ")
    for url, reason in urls.items():
        assert any(url in part and reason in part for part in parts), (url, message)
    assert "Ask the author." in message
    assert f"put it into {run.folder}" in message
    assert list(run.folder.iterdir()) == []
    assert (len(server.ranges("gone")), len(server.ranges("busy"))) == (1, QUICK.retries + 1)


def test_a_busy_server_is_asked_again_when_it_says(server: Server, run: Run) -> None:
    busy = Answer(status=429, headers={"Retry-After": "1"})
    begun = time.monotonic()
    run(archive(TAR, server.url("a", busy, Answer(TAR))))
    assert time.monotonic() - begun > 1
    assert_whole(run.folder)


def test_redirects_are_followed_with_the_range(server: Server, run: Run) -> None:
    server.url("there", Answer(TAR, cut=100_000), Answer(TAR))
    run(archive(TAR, server.url("here", Answer(status=302, headers={"Location": "/there"}))))
    assert_whole(run.folder)
    assert server.ranges("there") == [None, f"bytes={whole_chunks(100_000)}-"]


def test_a_compressed_archive_is_not_unpacked_on_the_way(server: Server, run: Run) -> None:
    """Some servers say of a .tar.gz that it is a tar which they compressed."""
    run(archive(TAR, server.url("a", Answer(TAR, headers={"Content-Encoding": "gzip"}))))
    assert_whole(run.folder)
    assert server.seen[0][1]["accept-encoding"] == "identity"


# -- files that change, and servers that cannot go on --------------------------------------------------------------


OLD = bytes(len(TAR))


def test_a_server_that_knows_no_ranges_begins_again(server: Server, run: Run) -> None:
    run(archive(TAR, server.url("a", Answer(TAR, cut=100_000, ranges=False), Answer(TAR, ranges=False))))
    assert_whole(run.folder)
    assert server.ranges("a") == [None, f"bytes={whole_chunks(100_000)}-"]


def test_a_file_that_changed_while_it_came_shows_in_its_checksum(server: Server, run: Run) -> None:
    wanted = archive(TAR, server.url("a", Answer(OLD, cut=100_000), Answer(TAR)))
    assert hashlib.md5(TAR).hexdigest() in run.fails(wanted)
    assert files_of(run.folder) == {}
    run(wanted)
    assert_whole(run.folder)


def test_a_file_that_became_shorter_is_begun_again(server: Server, run: Run) -> None:
    longer = Answer(TAR + OLD, cut=len(TAR) + 100_000)
    run(archive(TAR, server.url("a", longer, Answer(TAR))))
    assert_whole(run.folder)
    assert server.ranges("a") == [None, f"bytes={whole_chunks(len(TAR) + 100_000)}-", None]


def test_another_mirror_goes_on_with_what_came(server: Server, run: Run) -> None:
    first = server.url("first", Answer(TAR, cut=100_000), Answer(status=404))
    run(archive(TAR, first, server.url("second", Answer(TAR))))
    assert_whole(run.folder)
    assert server.ranges("second") == [f"bytes={whole_chunks(100_000)}-"]


def test_bytes_that_do_not_belong_to_the_file_are_begun_again(server: Server, run: Run) -> None:
    (run.folder / WORK_FOLDER).mkdir(parents=True)
    (run.folder / WORK_FOLDER / "music.tar.gz.partial").write_bytes(OLD[:1000])
    run(archive(TAR, server.url("a", Answer(TAR))))
    assert server.ranges("a") == ["bytes=1000-", None]
    assert any("begun again" in note for note in run.notes)
    assert_whole(run.folder)


# -- unpacking -----------------------------------------------------------------------------------------------------

GOOD: dict[str, bytes] = {"a/good.wav": b"good"}
HOSTILE_TARS = {
    "a parent": ("../evil.wav", tar({**GOOD, "../evil.wav": b"evil"})),
    "a parent inside": ("a/../../evil.wav", tar({**GOOD, "a/../../evil.wav": b"evil"})),
    "an absolute path": ("/evil.wav", tar({**GOOD, "/evil.wav": b"evil"})),
    "a drive": ("C:/evil.wav", tar({**GOOD, "C:/evil.wav": b"evil"})),
    "backslashes": ("..\\evil.wav", tar({**GOOD, "..\\evil.wav": b"evil"})),
    "a folder outside": ("../evil", tar(GOOD, extra=special("../evil", tarfile.DIRTYPE))),
    "a symbolic link": ("a/link", tar(GOOD, extra=special("a/link", tarfile.SYMTYPE, "../../evil"))),
    "an absolute link": ("a/link", tar(GOOD, extra=special("a/link", tarfile.SYMTYPE, "/etc/passwd"))),
    "a hard link": ("a/link", tar(GOOD, extra=special("a/link", tarfile.LNKTYPE, "../evil"))),
    "a link to a folder": ("a/link", tar(GOOD, extra=special("a/link", tarfile.SYMTYPE, "."))),
    "a file below a link": ("a/link", tar({**GOOD, "a/link/x": b"x"}, extra=special("a/link", tarfile.SYMTYPE, "b"))),
    "a link inside": ("a/link", tar(GOOD, extra=special("a/link", tarfile.SYMTYPE, "good.wav"))),
    "a hard link inside": ("a/link", tar(GOOD, extra=special("a/link", tarfile.LNKTYPE, "a/good.wav"))),
    "a sparse file": ("a/sparse", tar(GOOD, extra=special("a/sparse", tarfile.GNUTYPE_SPARSE))),
    "a device": ("a/null", tar(GOOD, extra=special("a/null", tarfile.CHRTYPE))),
    "a pipe": ("a/pipe", tar(GOOD, extra=special("a/pipe", tarfile.FIFOTYPE))),
    "our own folder": (WORK_FOLDER, tar({**GOOD, f"{WORK_FOLDER}/{RECORD_FILE}": b"{}"})),
}  # fmt: skip
HOSTILE_ZIPS = {
    "a parent": ("../evil.wav", zipped({**GOOD, "../evil.wav": b"evil"})),
    "an absolute path": ("/evil.wav", zipped({**GOOD, "/evil.wav": b"evil"})),
    "a drive": ("C:\\evil.wav", zipped({**GOOD, "C:\\evil.wav": b"evil"})),
    "a share": ("\\\\host\\evil.wav", zipped({**GOOD, "\\\\host\\evil.wav": b"evil"})),
    "a link": ("a/link", zipped({**GOOD, unix("a/link", stat.S_IFLNK): b"../../evil"})),
    "a device": ("a/null", zipped({**GOOD, unix("a/null", stat.S_IFCHR): b""})),
}
HOSTILE = [("music.tar.gz", *its) for its in HOSTILE_TARS.values()] + [
    ("music.zip", *its) for its in HOSTILE_ZIPS.values()
]


@pytest.mark.parametrize(
    ("file", "member", "data"), HOSTILE, ids=[*HOSTILE_TARS, *(f"{name} in a zip" for name in HOSTILE_ZIPS)]
)
def test_a_hostile_archive_is_refused_as_a_whole(file: str, member: str, data: bytes, run: Run, tmp_path: Path) -> None:
    run.folder.mkdir()
    (run.folder / file).write_bytes(data)
    message = run.fails(archive(data, "http://127.0.0.1:1/", file=file))
    assert member in message.replace("\\\\", "\\")
    assert "unpacked" in message
    assert list(files_of(tmp_path)) == [f"shelf/{file}"]


@given(name=st.text(st.sampled_from("ab./\\: \0é") | st.characters(codec="utf-8"), max_size=12))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    if unpacking._path_fault(name) is None:
        path = Path(name)
        assert os.path.normpath(Path("/in") / path).startswith(os.path.normpath("/in"))
        assert ".." not in path.parts
        assert not path.is_absolute()


@given(name=st.text(st.sampled_from("ab./: é"), min_size=1, max_size=8))
def test_no_name_is_accepted_that_the_standard_filter_refuses(name: str) -> None:
    info = tarfile.TarInfo(name)
    if unpacking._kind_fault(info, Path("/in")) is not None:
        assert unpacking._path_fault(name) is not None


def test_a_size_below_zero_is_refused() -> None:
    info = tarfile.TarInfo("a.wav")
    info.size = -512
    assert unpacking._kind_fault(info, Path("/in")) is not None


def damaged_archives() -> dict[str, tuple[str, bytes]]:
    whole = zipped(MUSIC)
    locked = bytearray(zipped({"a.wav": b"secret"}))
    locked[6] |= 1  # the flag of a password, in both headers
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    return {
        "a tar that is cut": ("music.tar.gz", TAR[: len(TAR) // 2]),
        "a tar that is no tar": ("music.tar", b"this is a page about music" * 100),
        "a plain tar that is cut": ("music.tar", tar(MUSIC, "tar")[:60_000]),
        "a zip that is cut": ("music.zip", whole[: len(whole) // 2]),
        "a zip with a wrong byte": ("music.zip", whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]),
        "a zip with a password": ("music.zip", bytes(locked)),
        "a file that is a folder": ("music.tar", tar({"a": b"file", "a/b.wav": b"sound"}, "tar")),
    }


@pytest.mark.parametrize(("file", "data"), damaged_archives().values(), ids=damaged_archives())
def test_a_damaged_archive_leaves_nothing(file: str, data: bytes, run: Run) -> None:
    run.folder.mkdir()
    (run.folder / file).write_bytes(data)
    assert file in run.fails(archive(data, "http://127.0.0.1:1/", file=file))
    assert files_of(run.folder) == {file: data}


def test_files_of_others_are_never_overwritten(server: Server, run: Run) -> None:
    same, other = list(MUSIC)[:2]
    for name, content in {same: MUSIC[same], other: b"mine", "notes.txt": b"mine too"}.items():
        (run.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (run.folder / name).write_bytes(content)
    before = music_of(run.folder)
    wanted = archive(TAR, server.url("a", Answer(TAR)))
    message = run.fails(wanted)
    assert other in message
    assert "1 of the archive's names" in message
    assert "nothing was overwritten" in message
    assert music_of(run.folder) == before
    (run.folder / other).unlink()
    run(wanted)
    assert len(server.seen) == 1
    assert music_of(run.folder) == {**MUSIC, "notes.txt": b"mine too"}


@POSIX
def test_a_link_that_leads_nowhere_is_not_overwritten(server: Server, run: Run) -> None:
    link = run.folder / next(iter(MUSIC))
    link.parent.mkdir(parents=True)
    link.symlink_to("nowhere")
    assert link.name in run.fails(archive(TAR, server.url("a", Answer(TAR))))
    assert link.is_symlink()


def test_an_interruption_before_the_record_is_made_good(
    server: Server, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = archive(TAR, server.url("a", Answer(TAR)))
    rename, left = Path.rename, [3]

    def interrupted(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(wanted)
    assert len(music_of(run.folder)) == 3
    assert [track.id for track in folder_tracks(run.folder)] == sorted(music_of(run.folder))
    run(wanted)
    assert len(server.seen) == 1
    assert_whole(run.folder)


@pytest.mark.parametrize("record", ["", "{}", "[]", '{"format": 1, "archives": {"md5:0": 1}}', "\x00"])
def test_a_damaged_record_costs_a_download_and_no_file(record: str, server: Server, run: Run) -> None:
    wanted = archive(TAR, server.url("a", Answer(TAR)))
    run(wanted)
    (run.folder / WORK_FOLDER / RECORD_FILE).write_text(record)
    run(wanted)
    assert len(server.seen) == 2
    assert_whole(run.folder)


# -- the disk ------------------------------------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("step", ["download", "unpack"])
def test_a_disk_that_is_too_small_is_told_before_it_is_full(
    step: str, server: Server, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = {"long.wav": bytes(10**6)} if step == "unpack" else MUSIC
    data = tar(music)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 100_000, 100_000))
    wanted = archive(data, server.url("a", Answer(data)))
    with pytest.raises(OutputError, match=r"[kM]B more are needed and 100\.0 kB are free\. Free some space"):
        run(wanted)
    assert len(server.seen) == 1
    assert music_of(run.folder) == {}
    monkeypatch.undo()
    run(wanted)
    assert len(server.seen) == (2 if step == "download" else 1)
    assert music_of(run.folder) == music


PROGRAM = """
import os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_sources_download as tests
from genrescope.sources import cards
from genrescope.sources.download import dataset
mine = tests.card(tests.archive(tests.TAR, {url!r}))
cards.card = lambda name: mine
{body}
"""


def program(url: str, body: str) -> list[str]:
    """Return the command line of a Python program that knows a card of that address."""
    return [sys.executable, "-c", PROGRAM.format(tests=str(Path(__file__).parent), url=url, body=body)]


def run_program(url: str, body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(url, body), capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment(),
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


MAIN = """
import genrescope.cli
sys.argv = ["genrescope", "datasets", "download", "shelf", {folder!r}]
genrescope.cli.main()
"""


@POSIX
def test_a_disk_that_fills_keeps_what_came_before(server: Server, run: Run) -> None:
    url = server.url("a", Answer(TAR))
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))\n"
    full = run_program(url, limit + MAIN.format(folder=str(run.folder)))
    assert full.returncode == 2
    assert "Traceback" not in full.stderr
    assert full.stderr.splitlines()[-1].startswith("error: cannot write ")
    assert (run.folder / WORK_FOLDER / "music.tar.gz.partial").stat().st_size == 150_000
    run(archive(TAR, url))
    assert server.ranges("a") == [None, "bytes=150000-"]
    assert_whole(run.folder)


@POSIX
def test_a_kill_while_unpacking_is_noticed_and_made_good(server: Server, run: Run) -> None:
    url = server.url("a", Answer(TAR))
    body = (
        "die = lambda at: at.step == 'unpacking' and at.done > 100_000 and os.kill(os.getpid(), signal.SIGKILL)\n"
        f"dataset.download(mine, {str(run.folder)!r}, on_progress=die)"
    )
    assert run_program(url, body).returncode == -signal.SIGKILL
    assert music_of(run.folder) == {}
    assert list((run.folder / WORK_FOLDER / "unpacking").iterdir())
    assert folder_tracks(run.folder) == []  # `prepare` takes nothing of it for music
    run(archive(TAR, url))
    assert len(server.seen) == 1
    assert_whole(run.folder)


# -- the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(server: Server, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Make `shelf` a card that the command line knows."""
    made = archive(TAR, server.url("a", Answer(TAR)), size=len(TAR))
    monkeypatch.setattr(cards, "card", lambda _: card(made))
    return made


@pytest.mark.usefixtures("shelf")
def test_the_terms_come_first_and_the_next_step_last(tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    done = here("datasets", "download", "shelf", folder)
    assert (done.code, done.out) == (0, "")
    for text in ("The Shelf of Invented Records", "eight clips", "Research only.", "A. Author, A shelf, 2001"):
        assert text in done.err
    assert "music.tar.gz, 321.2 kB, from 127.0.0.1" in done.err
    assert done.messages[0] == "The Shelf of Invented Records"
    assert f"8 files, 320.0 kB, in {folder}; downloaded" in done.messages[-1]
    assert done.next == ["check", f"shelf:{folder}"]
    assert_whole(folder)
    again = here("datasets", "download", "shelf", folder)
    assert again.messages == [f"shelf: 8 files, 320.0 kB, in {folder}; there already"]
    assert again.next == done.next


@pytest.mark.usefixtures("shelf")
def test_quiet_says_nothing_and_keep_tells_where(tmp_path: Path) -> None:
    quiet = here("datasets", "download", "shelf", tmp_path / "quiet", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert_whole(tmp_path / "quiet")
    kept = here("datasets", "download", "shelf", tmp_path / "kept", "--keep")
    assert f"kept: {tmp_path / 'kept' / WORK_FOLDER / 'music.tar.gz'} (321.2 kB)" in kept.err


@pytest.mark.usefixtures("shelf")
def test_what_cannot_be_had_is_an_error_of_one_line(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = [Answer(status=404)]
    done = here("datasets", "download", "shelf", tmp_path / "shelf", "--quiet")
    assert_refused(done, "music.tar.gz", "/a: 404 Not Found", "Ask the author.")
    (tmp_path / "file").write_text("mine")
    assert_refused(here("datasets", "download", "shelf", tmp_path / "file", "--quiet"), "file", "folder")


def test_an_archive_of_several_that_failed_is_code_1(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = card(
        archive(TAR, server.url("lost", Answer(status=404)), file="lost.tar"),
        archive(TAR, server.url("a", Answer(TAR))),
    )
    monkeypatch.setattr(cards, "card", lambda _: two)
    done = here("datasets", "download", "shelf", tmp_path / "shelf")
    assert (done.code, done.out) == (1, "")
    assert any(line.startswith("missing: lost.tar could not") and "404" in line for line in done.messages)
    assert_whole(tmp_path / "shelf")


def test_a_card_without_archives_says_how_to_get_it(tmp_path: Path) -> None:
    names = [name for name in cards.names() if not cards.card(name).archives]
    assert "synth" in names
    for name in names:
        how = f"genrescope synth {tmp_path / 'music'}" if name == "synth" else cards.card(name).source
        assert_refused(here("datasets", "download", name, tmp_path / "music"), name, how)
    assert list(tmp_path.iterdir()) == []


def test_a_card_that_only_a_person_can_get_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Get it so: https://example\.org/music Ask the author\."):
        dataset.download(card(), tmp_path / "music")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_card_is_refused_and_the_nearest_named(tmp_path: Path) -> None:
    assert_refused(here("datasets", "download", "gtzam", tmp_path), "gtzam", '"gtzan"')


def until(condition: Callable[[], bool], running: subprocess.Popen[Any]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert running.poll() is None, "it ended before it came so far"
        assert time.monotonic() < give_up, "it never came so far"
        time.sleep(0.005)


@POSIX
def test_ctrl_c_keeps_what_came_and_says_how_to_go_on(server: Server, run: Run) -> None:
    url = server.url("a", Answer(TAR, cut=200_000, stall=True), Answer(TAR))
    partial = run.folder / WORK_FOLDER / "music.tar.gz.partial"
    with subprocess.Popen(
        program(url, MAIN.format(folder=str(run.folder))), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(), stdin=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        until(lambda: partial.exists() and partial.stat().st_size == whole_chunks(200_000), running)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert "interrupted; nothing is lost. Run the same command again" in err.splitlines()[-1]
    assert partial.read_bytes() == TAR[: whole_chunks(200_000)]
    run(archive(TAR, url))
    assert server.ranges("a") == [None, f"bytes={whole_chunks(200_000)}-"]
    assert_whole(run.folder)


@POSIX
@pytest.mark.parametrize(("answer", "code"), [("n", 2), ("y", 0)])
def test_on_a_terminal_it_asks(answer: str, code: int, server: Server, run: Run) -> None:
    url = server.url("a", Answer(TAR))
    terminal, other_end = os.openpty()
    with subprocess.Popen(
        program(url, MAIN.format(folder=str(run.folder))), stdin=other_end, stderr=other_end, stdout=subprocess.PIPE,
        env=environment({"TERM": "xterm"}),
    ) as running:  # fmt: skip
        os.close(other_end)
        shown = b""
        while b"on these terms?" not in shown:
            shown += os.read(terminal, 4096)
        os.write(terminal, f"{answer}\n".encode())
        with contextlib.suppress(OSError):  # the end of a terminal is an error on Linux
            while more := os.read(terminal, 4096):
                shown += more
        running.wait(PATIENCE)
    os.close(terminal)
    assert running.returncode == code
    assert shown.index(b"Research only.") < shown.index(b"on these terms?")
    if answer == "n":
        assert server.seen == []
        assert b"nothing was downloaded" in shown
        assert not run.folder.exists()
    else:
        assert_whole(run.folder)


def test_sizes_and_hosts_are_described() -> None:
    known = archive(TAR, "https://a.example/x", "https://b.example/x", size=5)
    assert dataset.describe([known, known]) == (10, ("a.example", "b.example"))
    assert dataset.describe([known, archive(TAR, "https://a.example/y")])[0] is None
    assert [fetch.size_text(size) for size in (0, 999, 1000, 93_400_000_000)] == [
        "0 bytes", "999 bytes", "1.0 kB", "93.4 GB",
    ]  # fmt: skip


def test_the_record_says_what_was_unpacked(server: Server, run: Run) -> None:
    wanted = archive(TAR, server.url("a", Answer(TAR)))
    run(wanted)
    record = json.loads((run.folder / WORK_FOLDER / RECORD_FILE).read_text())
    assert record["archives"][wanted.checksum] == {name: len(data) for name, data in MUSIC.items()}
