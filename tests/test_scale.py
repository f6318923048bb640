"""Work on a cluster: the same results as on one machine, each song once, whatever dies."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from cli_support import Done, assert_refused, command, environment, genrescope, here, interrupted, world

import genrescope as package
from genrescope.errors import DataError
from genrescope.inference.rows import RowSpec
from genrescope.scale import places, songs
from genrescope.scale.cluster import ClusterError, connected
from genrescope.scale.folder import Folder
from genrescope.scale.part_writer import PartWriter
from genrescope.scale.plan import planned
from genrescope.scale.predict import read_results

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cli_support import World

pytest.importorskip("ray", reason="the extra scale is not installed")
pytest.importorskip("pyarrow", reason="the extra scale is not installed")

SONGS = 24
DAMAGED = "broken.mp3"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def music(made: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all songs of the world, and one that nothing can decode."""
    folder = tmp_path_factory.mktemp("scale") / "music"
    folder.mkdir()
    for genre in made.music.iterdir():
        for song in genre.iterdir():
            (folder / song.name).symlink_to(song)
    (folder / DAMAGED).write_bytes(b"<html>" * 100)
    return folder


@pytest.fixture(scope="module")
def alone(made: World, music: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what one machine writes of each song, by name."""
    out = tmp_path_factory.mktemp("alone") / "genres.parquet"
    done = here("predict", made.run, music, "--out", out)
    assert done.code == 1, done.err
    return by_name(rows_of(out))


def rows_of(path: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return rows by the names of their songs, without what is another on every machine."""
    differs = ("path", "identity", "error")
    found = {Path(row["path"]).name: {k: v for k, v in row.items() if k not in differs} for row in rows}
    assert len(found) == len(rows), "a song stands there twice"
    return found


def assert_equal(out: str | Path, alone: dict[str, dict[str, Any]]) -> None:
    """Every song stands there once, those of one machine with its results to the bit, and all others as failures."""
    rows = read_results(Folder.at(out)).to_pylist()
    found = by_name(rows)
    failed = {Path(row["path"]).name: row["error"] for row in rows if row["error"] is not None}
    assert [*failed] == [DAMAGED], failed
    assert "FFmpeg" in failed[DAMAGED]
    assert {name: row for name, row in found.items() if name not in failed} == alone
    assert len(alone) == SONGS


# -- without a cluster --------------------------------------------------------------------------------------------


@pytest.fixture
def writer(made: World, tmp_path: Path) -> Iterator[PartWriter]:
    """Return a worker that writes into the test's own folder."""
    classifier = package.load(made.run)
    with contextlib.closing(PartWriter(classifier, spec_of(classifier), Folder.at(tmp_path))) as made_writer:
        yield made_writer


def spec_of(classifier: package.Classifier) -> RowSpec:
    return RowSpec(classifier.genres, classifier.fingerprint, failures=True)


def test_a_worker_scores_to_the_bit_as_predict(made: World, writer: PartWriter) -> None:
    """Also beyond the digits that a row has."""
    found = songs.find(made.songs()[:2]).songs
    for song, result in writer.results(found):
        assert isinstance(result, package.Prediction)
        assert result.scores == package.load(made.run).predict(song.path).scores


def test_a_part_is_written_once(made: World, writer: PartWriter, music: Path, tmp_path: Path) -> None:
    spec = spec_of(package.load(made.run))
    (part,) = planned(Folder.at(tmp_path), songs.find([music / DAMAGED, *made.songs()[:1]]).songs, spec)
    first = writer.write(part)
    assert (first.songs, first.failed, first.kept) == (2, 1, False)
    written = (tmp_path / part.file).stat()
    assert writer.write(part).kept
    assert (tmp_path / part.file).stat() == written
    content = (tmp_path / part.file).read_bytes()
    (tmp_path / part.file).unlink()
    assert not writer.write(part).kept
    assert (tmp_path / part.file).read_bytes() == content


def test_the_plan_keeps_parts_whose_songs_are_as_they_were(tmp_path: Path) -> None:
    spec = RowSpec(("a", "b"), "model", failures=True)
    first = [songs.Song(f"/music/{number}.mp3", f"0:0:1:{number}", 1) for number in range(10)]
    before = planned(Folder.at(tmp_path), first, spec, most=4)
    assert [len(part.songs) for part in before] == [4, 4, 2]
    assert planned(Folder.at(tmp_path), first, spec, most=7) == before
    changed = [*first[:5], songs.Song("/music/5.mp3", "0:0:2:2", 2), *first[6:], songs.Song("/music/new.mp3", "", 1)]
    after = planned(Folder.at(tmp_path), changed, spec, most=4)
    assert [part in after for part in before] == [True, False, True]
    held = [song for part in after for song in part.songs]
    assert sorted(song.path for song in held) == sorted(song.path for song in changed)
    assert {song.path: song for song in held}["/music/5.mp3"].bytes == 2
    with pytest.raises(DataError, match="results of another model"):
        planned(Folder.at(tmp_path), first, RowSpec(("a", "b"), "another", failures=True))


def test_parts_are_limited_by_bytes(tmp_path: Path) -> None:
    spec = RowSpec(("a", "b"), "model", failures=True)
    large = [songs.Song(f"/music/{number}.flac", "", 400 << 20) for number in range(5)]
    assert [len(part.songs) for part in planned(Folder.at(tmp_path), large, spec)] == [2, 2, 1]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_names_songs_by_paths_and_urls(kind: str, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "a.mp3").write_bytes(b"123")
    columns = {
        "url": ["a.mp3", "s3://music/two words.mp3", "https://example.org/b.mp3?key=1", "a.mp3"],
        "bytes": [3, 70, 0, 3],
    }
    table = tmp_path / f"songs.{kind}"
    if kind == "parquet":
        parquet.write_table(pa.table(columns), table)
    else:
        lines = (f"{url},{size}" for url, size in zip(*columns.values(), strict=True))
        table.write_text("\n".join(["url,bytes", *lines]))
    found = songs.find([table]).songs
    assert [(song.path, song.bytes) for song in found] == [
        (str(tmp_path / "a.mp3"), 3), ("s3://music/two words.mp3", 70), ("https://example.org/b.mp3?key=1", 0),
    ]  # fmt: skip
    assert found[0].identity == f"0:0:3:{(tmp_path / 'a.mp3').stat().st_mtime_ns}"


def test_a_table_without_a_column_of_songs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "songs.csv").write_text("title,genre\na,b\n")
    with pytest.raises(DataError, match="has the columns title, genre; accepted is a column url or path"):
        songs.find([tmp_path / "songs.csv"])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("url,bytes\ns3://music/a.mp3,1\n,5\n", r"songs.csv, line 3: no url or path; fill it in, or remove the row"),
        ("url,bytes\ns3://music/a.mp3\n", r"songs.csv, line 2: 1 cells for 2 columns"),
        ("path\na.mp3\nnowhere://music/a.mp3\n", r"songs.csv, line 3: nowhere://music/a.mp3: accepted are paths"),
        ("url\n", "songs.csv has no rows"),
    ],
)
def test_a_row_without_a_song_is_named(rows: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "songs.csv").write_text(rows)
    with pytest.raises(DataError, match=words):
        songs.find([tmp_path / "songs.csv"])


def test_songs_lie_where_fsspec_reaches(made: World, writer: PartWriter) -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    memory = fsspec.filesystem("memory")
    memory.pipe({"/music/drone/a.wav": made.songs()[0].read_bytes(), "/music/cover.jpg": b"no song"})
    found = songs.find([Path("memory://music")])
    assert [song.path for song in found.songs] == ["memory://music/drone/a.wav"]
    (row,) = writer.rows(found.songs)
    assert (row["error"], row["genre"]) == (None, package.load(made.run).predict(made.songs()[0]).genre)
    (missing,) = writer.rows([songs.Song("memory://music/gone.wav", "", 0)])
    assert missing["error"] == "no such file"
    with pytest.raises(DataError, match="results are written to a folder, or to s3://"):
        Folder.at("memory://out")


class _Web(http.server.BaseHTTPRequestHandler):
    """A server with one song, which fails twice first, answers slowly, or never has it."""

    content, asked = b"", dict[str, int]()

    def do_GET(self) -> None:
        kind = self.path.strip("/").partition(".")[0]
        count = self.asked[kind] = self.asked.get(kind, 0) + 1
        code = {"gone": 404, "busy": 503 if count < 3 else 200, "down": 503, "closed": 403}.get(kind, 200)
        self.send_response(code)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        half = len(self.content) // 2
        self.wfile.write(self.content[:half])
        time.sleep(0.5 if kind == "slow" else 0)
        self.wfile.write(self.content[half:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(made: World) -> Iterator[str]:
    _Web.content, _Web.asked = made.songs()[0].read_bytes(), {}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_songs_of_web_servers_that_fail_and_are_slow(
    web: str, made: World, writer: PartWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    names = ("good", "slow", "busy", "down", "closed", "gone")
    given = [songs.Song(f"{web}/{name}.wav", "", 0) for name in names]
    found = {Path(row["path"]).stem: row for row in writer.rows(given)}
    expected = package.load(made.run).predict(made.songs()[0])
    for name in ("good", "slow", "busy"):
        assert (found[name]["error"], found[name]["genre"]) == (None, expected.genre)
    assert _Web.asked["busy"] == 3
    reasons = {name: found[name]["error"] for name in ("down", "closed", "gone")}
    assert reasons == {"down": "not fetched: HTTP status 503", "closed": "HTTP status 403", "gone": "no such file"}


def test_what_was_not_fetched_is_tried_again(
    web: str, made: World, writer: PartWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_TRIES", 1)
    spec = spec_of(package.load(made.run))
    (part,) = planned(Folder.at(tmp_path), [songs.Song(f"{web}/busy.wav", "", 0)], spec)
    assert [writer.write(part).unfetched for _ in range(3)] == [1, 1, 0]
    assert writer.write(part).kept


def test_a_url_is_known_also_where_it_went_through_a_path() -> None:
    assert places.url_of(Path("s3://music/a b.mp3")) == "s3://music/a b.mp3"
    with pytest.raises(DataError, match=r"nowhere://music/a: accepted are paths, and URLs that begin with s3://"):
        places.url_of(Path("nowhere://music/a"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "give --out FOLDER"), (("--out", "x", "--format", "csv"), "--format csv is not accepted"),
        (("--out", "x", "--segments", "y.csv"), "--segments is not accepted"),
        (("--out", "x", "--device", "cuda"), "--device cuda is not accepted"),
        (("--out", "https://example.org/x"), "results are written to a folder, or to s3://"),
    ],
)  # fmt: skip
def test_what_a_cluster_cannot_do_is_refused(options: tuple[str, ...], words: str, made: World) -> None:
    assert_refused(here("predict", made.run, made.songs()[0], "--engine", "ray", *options), words)


def test_options_of_a_cluster_need_one(made: World) -> None:
    assert_refused(here("predict", made.run, made.songs()[0], "--address", "auto"), "--address auto needs --engine ray")


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "nonsense"])
def test_a_cluster_that_does_not_answer_is_said_soon(address: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ClusterError, match=f"--address {address}: no cluster can be reached there"), connected(address):
        pass
    assert time.monotonic() - begun < 60  # Ray tries for ten minutes


# -- with a cluster -----------------------------------------------------------------------------------------------


_OBJECT_STORE = """
import sys, time
from werkzeug.serving import run_simple
from moto.server import DomainDispatcherApplication, create_backend_app

moto, asked = DomainDispatcherApplication(create_backend_app), {}

def answer(environ, start):
    name = environ["PATH_INFO"].rpartition("/")[2].partition(".")[0]
    if environ["REQUEST_METHOD"] == "GET":
        asked[name] = asked.get(name, 0) + 1
        time.sleep(2 if name == "slow" else 0)
        if name == "down" or (name == "busy" and asked[name] < 3):
            start("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
    return moto(environ, start)

run_simple("127.0.0.1", int(sys.argv[1]), answer, threaded=True)
"""
"""An object store in which one object is slow, one fails twice, and one fails always."""


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """Start an object store on this machine; return the environment that leads to it, which is set here, too."""
    pytest.importorskip("moto", reason="moto is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-W", "ignore", "-c", _OBJECT_STORE, str(port)]
    there = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    with (
        mock.patch.dict(os.environ, there),
        subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server,
    ):
        try:
            _make_bucket(f"{there['AWS_ENDPOINT_URL']}/music")
            yield there
        finally:
            server.kill()


def _make_bucket(url: str) -> None:
    for _ in range(900):
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


_CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
for _ in range(2):
    cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
"""Two nodes of one processor each, until nobody waits any more."""


@pytest.fixture(scope="module")
def address(store: dict[str, str]) -> Iterator[str]:
    """Start a cluster whose machines can reach the object store; return its address."""
    line = [sys.executable, "-W", "ignore", "-c", _CLUSTER]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as nodes:
        assert nodes.stdout is not None
        yield nodes.stdout.readline().strip()
        nodes.communicate("")


def on_ray(address: str, run: Path, *arguments: object) -> list[object]:
    return ["predict", run, *arguments, "--engine", "ray", "--address", address, "--part", 5]


def parts_in(out: Path) -> list[Path]:
    return sorted((out / "parts").glob("[!.]*.parquet")) if out.exists() else []


def test_a_killed_run_goes_on_and_gives_what_one_machine_gives(
    address: str, made: World, music: Path, alone: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    line = on_ray(address, made.run, music, "--out", out)
    stopped = interrupted(*line, when=lambda: bool(parts_in(out)))
    assert stopped.code == 130
    assert stopped.messages[-1] == "interrupted; nothing is lost. Run the same command again to go on."
    before = len(parts_in(out))
    killed = interrupted(*line, when=lambda: len(parts_in(out)) > before, number=signal.SIGKILL)
    assert killed.code == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in parts_in(out)}
    done = with_a_worker_killed(line)
    assert done.code == 1, done.err
    assert "1 worker died; others did the work" in done.err
    assert "1 of 25 files could not be used" in done.err
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert_equal(out, alone)
    again = here(*line)
    assert "0 songs in" in again.err
    assert f"25 songs in 5 parts written to {out}, 25 of them by an earlier run" in again.err


def with_a_worker_killed(line: list[object]) -> Done:
    """Run a command, and kill a worker of it, none of a run before, while it makes a part."""
    before = {each.pid for each in at_work()}
    with subprocess.Popen(command(*line), stderr=subprocess.PIPE, text=True, env=environment()) as running:
        while not killed_at_work(each for each in at_work() if each.pid not in before):
            assert running.poll() is None, f"it ended before a worker could be killed: {running.communicate()}"
            time.sleep(0.02)
        _, err = running.communicate()
    return Done(running.returncode, "", err)


def at_work() -> list[Any]:
    """Return the workers of this test's cluster that make a part now."""
    import psutil

    return [each for each in psutil.Process().children(recursive=True) if is_at_work(each)]


def is_at_work(process: Any) -> bool:
    import psutil

    try:
        return "_Worker.work" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def killed_at_work(workers: Iterable[Any]) -> bool:
    """Stop a worker, kill it if it was still at work then, and say so; else let it go on."""
    for each in workers:
        each.suspend()
        if is_at_work(each):
            each.kill()
            return True
        each.resume()
    return False


def test_a_store_by_a_cluster_is_that_of_one_machine(made: World, tmp_path: Path) -> None:
    done = genrescope("prepare", made.music, "--out", tmp_path / "store", "--engine", "ray", "--jobs", 2)
    assert done.code == 0, done.err
    for name in ("logmel.npy", "tracks.csv", "index.csv"):
        assert (tmp_path / "store" / name).read_bytes() == (made.store / name).read_bytes()


def test_songs_and_results_in_an_object_store(
    address: str, made: World, music: Path, alone: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    songs_there = Folder.at("s3://music/all songs")
    for path in music.iterdir():
        songs_there.write(path.name, path.read_bytes())
    songs_there.write("cover.jpg", b"no song")
    done = genrescope(*on_ray(address, made.run, "s3://music/all songs", "--out", "s3://music/out"))
    assert done.code == 1, done.err
    assert "1 .jpg" in done.err
    assert_equal("s3://music/out", alone)
    manifest = json.loads(Folder.at("s3://music/out").read("manifest.json") or b"")
    assert (manifest["songs"], manifest["failed"], manifest["unfetched"]) == (25, 1, 0)


def test_what_a_store_does_not_have_is_said(store: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    Folder.at("s3://music/covers").write("a.jpg", b"no song")
    for url, words in {
        "s3://no-bucket/a": "s3://no-bucket/a: no such file or folder", "s3://music/no": "music/no: no such file or",
        "s3://music/covers": "s3://music/covers holds no audio file; accepted endings:",
    }.items():  # fmt: skip
        with pytest.raises(DataError, match=words):
            songs.find([Path(url)])
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setattr(places, "_TRIES", 1)
        with pytest.raises(DataError, match=r"s3://a-bucket/b cannot be listed: .*Check the name, the region and your"):
            songs.find([Path("s3://a-bucket/b")])


def test_objects_that_are_slow_fail_or_are_gone(store: dict[str, str], made: World, writer: PartWriter) -> None:
    content = made.songs()[0].read_bytes()
    names = ("slow", "busy", "down", "gone")
    for name in names[:3]:
        Folder.at("s3://music").write(f"{name}.wav", content)
    found = {
        Path(row["path"]).stem: row
        for row in writer.rows([songs.Song(f"s3://music/{name}.wav", "", 0) for name in names])
    }
    expected = package.load(made.run).predict(made.songs()[0]).genre
    assert [(found[name]["genre"], found[name]["error"]) for name in names[:2]] == [(expected, None)] * 2
    assert found["gone"]["error"] == "no such file"
    assert found["down"]["error"].startswith("not fetched: ")
