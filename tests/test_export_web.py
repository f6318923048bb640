"""The page of an exported model, in a real browser: the scores of Python, and nothing leaves the device."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr
from cli_support import assert_refused, here, world
from conftest import encode, noise, tone, write
from export_support import means, one_table, session_of  # noqa: F401 - a fixture
from page_browser import add, launched, visit

from genrescope import DataError, audio
from genrescope.export import web_runtime
from genrescope.export.check import Parity, by_torch
from genrescope.export.onnx_file import Checked, Traced
from genrescope.export.web import PAGE, POLICY, write_page
from genrescope.features.placement import WindowSpec
from genrescope.inference.classifier import Classifier
from genrescope.inference.explain import explain
from genrescope.inference.segments import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from genrescope.modelfile import Model

pytestmark = pytest.mark.usefixtures("one_thread")

LIMIT = 1e-3
RATES = (44_100, 48_000, 22_050, 16_000, 11_025)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running


@pytest.fixture(scope="module")
def ort() -> dict[str, bytes]:
    try:
        return web_runtime.runtime()
    except DataError as error:
        pytest.skip(str(error))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def checked(model: Model, traced: Traced) -> Checked:
    return Checked(model, traced, traced.network, Parity(1, 1, 0.0, 0.0, 1), None, ("sound",))


@contextlib.contextmanager
def opened(browser: Browser, ort: dict[str, bytes], folder: Path, model: Model, traced: Traced) -> Iterator[Page]:
    """Write the page of a model, serve the folder and open it."""
    write_page(checked(model, traced), folder, name="own", ort=ort)
    with served(folder) as address, visit(browser, address) as page:
        yield page


@pytest.fixture
def show(browser: Browser, ort: dict[str, bytes], tmp_path: Path) -> Iterator[Callable[[Model, Traced], Page]]:
    """Give a function that opens the page of a model."""
    with contextlib.ExitStack() as stack:
        yield lambda model, traced: stack.enter_context(opened(browser, ort, tmp_path / "page", model, traced))


@pytest.fixture(scope="module")
def page(browser: Browser, ort: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Give the page of an SVM; tests leave it as they found it."""
    with opened(browser, ort, tmp_path_factory.mktemp("svm"), *session_of("svm")[:2]) as found:
        yield found


def music(seconds: float, rate: int, *, channels: int = 2) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return tones and noise that reach up to the highest frequency, and are not the same in both channels."""
    song = noise(seconds, rate=rate, level=0.03) + tone(440, rate=rate, seconds=seconds, level=0.2)
    song *= np.linspace(0.1, 1, len(song), dtype=np.float32)
    return song if channels == 1 else np.stack([song, 0.5 * np.roll(song, 300)], axis=1)


def songs(folder: Path) -> list[Path]:
    silence = np.zeros((22_050 * 6, 2), np.float32)
    return [
        write(folder / "stereo.wav", music(7.0, 44_100), 44_100, "PCM_24"),
        write(folder / "mostly silent.flac", np.concatenate([music(3.5, 22_050), silence]), 22_050),
        write(folder / "short.wav", music(1.0, 32_000, channels=1), 32_000),
    ]


def results(page: Page, *paths: Path) -> list[dict[str, Any]]:
    """Return what the page makes of songs."""
    add(page, *map(str, paths))
    found = page.evaluate("() => session.songs.map(({ name, result, error }) => ({ name, result, error }))")
    by_name = {each["name"]: each for each in found}
    return [by_name[path.name] for path in paths]


def assert_same(model: Model, path: Path, result: dict[str, Any]) -> None:
    """Compare the page's answer with Python's."""
    labels = model.header.labels
    scores, window_scores = by_torch(model, audio.decode(path, rate=model.header.front_end.sample_rate))
    np.testing.assert_allclose([result["scores"][label] for label in labels], scores, rtol=0, atol=LIMIT)
    found = [window["scores"] for window in result["windows"]]
    np.testing.assert_allclose(found, window_scores, rtol=0, atol=LIMIT)
    expected = Classifier(model, windows="all").predict(path)
    for name, value in {"seconds": expected.seconds, "unknown": expected.unknown, "genre": expected.genre}.items():
        assert result[name] == value, name
    assert "; ".join(result["warnings"]) == (expected.warning or "")
    assert list(result["scores"]) == sorted(labels, key=lambda label: -result["scores"][label])
    assert [(each["start"], each["end"], each["silent"]) for each in result["windows"]] == [
        (pytest.approx(each.start), pytest.approx(each.end), each.silent) for each in expected.windows
    ]
    assert {kind: set(tags) for kind, tags in result["tags"].items()} == {
        kind: set(tags) for kind, tags in expected.tags.items()
    }


@pytest.mark.parametrize("kind", ["listener", "spread, repeat", "Kaldi's filterbank"])
def test_the_page_gives_the_scores_of_python(kind: str, show: Any, tmp_path: Path) -> None:
    model, traced, _ = session_of(kind)
    page = show(model, traced)
    paths = songs(tmp_path)
    for path, found in zip(paths, results(page, *paths), strict=True):
        assert found["error"] is None
        assert_same(model, path, found["result"])


def test_real_clips_have_the_scores_of_python(show: Any, real_clips: Path) -> None:
    model, traced, _ = session_of("mgcc")
    paths = [*sorted(real_clips.glob("genres/jazz/*.ogg"))[:1], *sorted(real_clips.glob("genres/*/*.wav"))[:1]]
    page = show(model, traced)
    for path, found in zip(paths, results(page, *paths), strict=True):
        assert_same(model, path, found["result"])


def test_it_says_that_music_stays_and_how_fast_it_is(page: Page, tmp_path: Path) -> None:
    page.get_by_text("Your music stays on this device.").wait_for()
    assert page.get_by_text("This page needs a web server").count() == 0
    add(page, str(songs(tmp_path)[0]))
    assert page.evaluate("() => session.engine.speed") > 1
    assert "times real time" in (page.locator("#where").text_content() or "")


def test_a_file_that_is_no_music_is_named_and_stops_nothing(page: Page, tmp_path: Path) -> None:
    bad, empty = tmp_path / "bad.mp3", tmp_path / "empty.wav"
    bad.write_bytes(b"this is no music" * 100)
    empty.write_bytes(b"")
    found = results(page, bad, empty, songs(tmp_path)[0])
    assert found[0]["error"] == "bad.mp3: this browser cannot decode it. Convert it to mp3, flac, ogg or wav."
    assert found[1]["error"] == "empty.wav: the file is empty."
    assert found[2]["error"] is None


def test_a_song_that_is_removed_stops_and_the_next_goes_on(show: Any, tmp_path: Path) -> None:
    page = show(*session_of("mgcc")[:2])
    long = write(tmp_path / "long.wav", music(240.0, 22_050, channels=1), 22_050)
    add(page, str(long), wait=False)
    page.wait_for_function("() => session.songs[0].windows.length > 0")
    page.evaluate("() => session.remove(session.songs[0])")
    assert results(page, songs(tmp_path)[0])[0]["error"] is None
    assert page.evaluate("() => session.removed[0].song.windows.length") < 40  # of 81


def test_the_evidence_is_that_of_python(show: Any, tmp_path: Path) -> None:
    model = means(WindowSpec(128, padding="repeat"))
    page = show(model, Traced.of(model))
    path = write(tmp_path / "song.wav", music(9.0, 44_100), 44_100)
    add(page, str(path))
    wanted = {"genre": "hiss", "start": 2.0, "end": 8.5}
    page.evaluate("() => { session.engine.patience = 0 }")
    assert page.evaluate("() => session.engine.explain") is None
    page.evaluate("() => { session.engine.patience = Infinity }")  # however busy this machine is
    found = page.evaluate("wanted => session.engine.explain(session.songs[0].file, wanted)", wanted)
    expected = explain(model, path, start=2.0, end=8.5).evidence("hiss")
    assert found["genre"] == "hiss"
    for name in ("times", "bands"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4)
    largest = np.abs(expected["evidence"]).max()
    np.testing.assert_allclose(found["evidence"], expected["evidence"], rtol=0, atol=0.05 * largest)


def test_segments_are_those_of_python(page: Page) -> None:
    generator = np.random.default_rng(0)
    for count, step in ((1, 3.0), (7, 3.0), (60, 2.0), (200, 1.5)):
        truth = np.repeat(generator.integers(0, 4, -(-count // 9)), 9)[:count]
        scores = generator.dirichlet(np.ones(4), count) * 0.6 + 0.4 * np.eye(4)[truth]
        silent = (generator.random(count) < 0.1).tolist()
        times = [(step * place, step * place + 3) for place in range(count)]
        windows = [
            {"start": start, "end": end, "scores": row, "silent": quiet}
            for (start, end), row, quiet in zip(times, scores.tolist(), silent, strict=True)
        ]
        script = """async ([windows, seconds]) => {
            const { segmentsOf } = await import('./web/segments.js');
            return segmentsOf(windows, [...'abcd'], seconds);
        }"""
        found = page.evaluate(script, [windows, times[-1][1]])
        expected = find(scores, times, silent, labels="abcd", seconds=times[-1][1])
        assert [each["genre"] for each in found] == [each.genre for each in expected]
        for name in ("start", "end", "confidence"):
            np.testing.assert_allclose([each[name] for each in found], [getattr(each, name) for each in expected])


@pytest.mark.parametrize(("source", "target"), [(44_100, 22_050), (48_000, 16_000), (22_050, 16_000), (8000, 22_050)])
def test_resampling_is_that_of_the_command_line(source: int, target: int, page: Page) -> None:
    wave = noise(1.0, rate=source, level=0.2) + tone(0.3 * source, rate=source, level=0.3)
    script = """async ([wave, source, target]) => {
        const { Resampler } = await import('./web/resampler.js');
        const samples = Float32Array.from(wave), resampler = new Resampler(source, target), found = [];
        for (let at = 0; at < samples.length; at += 999) found.push(...resampler.push(samples.subarray(at, at + 999)));
        return [...found, ...resampler.end()];
    }"""
    found = np.array(page.evaluate(script, [wave.tolist(), source, target]))
    expected = soxr.resample(wave, source, target, quality="HQ")
    assert len(found) == len(expected)
    inside = np.stack([found, expected])[:, 200:-200]
    power = np.abs(np.fft.rfft(inside * np.hanning(inside.shape[1]))) ** 2
    power = power[:, : round(0.95 * min(source, target) / target * power.shape[1]) // 40 * 40]
    ours, theirs = power.reshape(2, 40, -1).sum(axis=2)
    np.testing.assert_allclose(ours, theirs, rtol=0.01)


def test_the_rate_of_a_file_is_read_from_it(page: Page, tmp_path: Path) -> None:
    paths = {}
    for rate in RATES:
        for kind in (".wav", ".flac", ".ogg", ".aif"):
            paths[write(tmp_path / f"{rate}{kind}", music(0.5, rate), rate)] = rate
    for rate in (44_100, 48_000, 22_050, 16_000):
        paths[encode(tmp_path / f"{rate}.mp3", music(0.5, rate), rate, "mp3", tags={"title": "x" * 3000})] = rate
        paths[encode(tmp_path / f"{rate}.m4a", music(0.5, rate), rate, "aac")] = rate
        paths[encode(tmp_path / f"{rate}.aac", music(0.5, rate), rate, "aac", container="adts")] = rate
    paths[encode(tmp_path / "opus.webm", music(0.5, 48_000), 48_000, "libopus")] = 48_000
    paths[write(tmp_path / "o.opus", music(0.5, 24_000), 24_000)] = 48_000
    script = """async bytes => (await import('./web/file_rate.js')).rateOf(Uint8Array.from(bytes).buffer)"""
    found = {path.name: page.evaluate(script, list(path.read_bytes()[:20_000])) for path in paths}
    assert found == {path.name: rate for path, rate in paths.items()}


def test_a_page_opened_as_a_file_says_what_it_needs(browser: Browser, ort: dict[str, bytes], tmp_path: Path) -> None:
    model, traced, _ = session_of("svm")
    write_page(checked(model, traced), tmp_path, name="own", ort=ort)
    page = browser.new_page()
    page.goto((tmp_path / PAGE).as_uri())
    page.get_by_text("python -m http.server").wait_for()


def test_the_command_writes_a_page_that_answers_as_predict_does(
    browser: Browser, ort: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    made, folder = world(tmp_path_factory), tmp_path_factory.mktemp("out") / "page"
    done = here("export", made.run, folder, "--web", "--check", made.songs()[0])
    assert done.code == 0, done.err
    assert "largest difference from torch" in done.out
    assert f"python -m http.server --directory {folder}" in done.err
    page = (folder / PAGE).read_text(encoding="utf-8")
    assert f'content="{POLICY}"' in page
    assert "unsafe-inline" not in page
    assert (folder / "ort" / "ort.js").read_bytes() == ort["ort.js"]
    assert "python -m http.server" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    paths = [made.songs(genre)[1] for genre in ("hiss", "pulse")]
    lines = here("predict", made.run, *paths, "--windows", "all", "--format", "jsonl").out.splitlines()
    with served(folder) as address, visit(browser, address) as shown:
        facts = shown.evaluate("() => session.model")
        found = results(shown, *paths)
    for line, answer in zip(map(json.loads, lines), found, strict=True):
        assert facts["fingerprint"] == line["model"]
        assert answer["result"]["scores"] == pytest.approx(line["scores"], abs=LIMIT)
        assert answer["result"]["genre"] == line["genre"]
    assert_refused(here("export", made.run, made.music, "--web"), "choose a new or empty folder for the page")


def test_a_runtime_that_cannot_be_fetched_is_named(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = world(tmp_path_factory).run
    monkeypatch.setenv("GENRESCOPE_CACHE", str(tmp_path / "cache"))
    with served(tmp_path) as address:
        monkeypatch.setattr(web_runtime, "URL", f"{address}onnxruntime-web.tgz")
        words = "which the page needs, cannot be fetched: 404"
        assert_refused(here("export", run, tmp_path / "page", "--web"), words, "Connect to the internet once")
        (tmp_path / "onnxruntime-web.tgz").write_bytes(b"\0" * web_runtime.SIZE)
        assert_refused(here("export", run, tmp_path / "page", "--web"), "its checksum was another")
    assert not (tmp_path / "page").exists()
