"""Where live sound comes from, and what happens when it drops, waits, or comes too fast."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import RATE, encode, level_of, noise, pitch, sweep, tone, write
from live_support import Listed, Radio, folder_on_air, heard, on_air

from genrescope import AudioError, audio
from genrescope.extras import MissingPackageError
from genrescope.inference.chunks import Chunk
from genrescope.inference.verdict import Verdict
from genrescope.live import reconnecting
from genrescope.live.log import VerdictLog
from genrescope.live.microphone import MicrophoneSource, inputs
from genrescope.live.played import Played
from genrescope.live.reconnecting import Reconnecting
from genrescope.live.recordings import FileSource, PipeSource
from genrescope.live.url import UrlSource
from genrescope.live.waiting import Waiting

if TYPE_CHECKING:
    from pathlib import Path


def verdict(at: float, genre: str | None = "jazz", **changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "time": at, "age": 0.1, "genre": genre, "confidence": 0.5, "scores": {"jazz": 0.5, "rock": 0.2},
        "level": -20.0, "silent": False, "unknown": False, "song": None, "whole": None,
    }  # fmt: skip
    return Verdict(**values | changes)


# -- files and pipes -----------------------------------------------------------------------------------------------


def test_a_file_plays_as_fast_as_it_should_and_is_what_predict_decodes(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", sweep(seconds=4.0))
    begun = time.monotonic()
    chunks = list(FileSource(path, speed=8).chunks(16_000))
    assert 0.45 < time.monotonic() - begun < 2
    assert np.array_equal(heard(chunks), audio.decode(path, rate=16_000))
    assert all(len(chunk.samples) <= 0.2 * 8 * 16_000 for chunk in chunks)


@pytest.mark.parametrize(("name", "kind"), [("s16le", "<i2"), ("f32le", "<f4")])
def test_raw_samples(name: str, kind: str) -> None:
    left, right = tone(440, rate=48_000), tone(440, rate=48_000, level=0.1)
    frames = np.stack([left, right], axis=1)
    raw = (frames * 32767).astype(kind) if name == "s16le" else frames.astype(kind)
    source = PipeSource(io.BytesIO(raw.tobytes() + b"\1"), 48_000, 2, name, speed=20)
    wave = heard(list(source.chunks(RATE)))
    assert len(wave) == RATE
    assert pitch(wave) == pytest.approx(440, abs=1)
    assert level_of(wave) == pytest.approx(0.3, abs=0.01)


def test_samples_that_are_no_numbers_count_as_silence() -> None:
    raw = np.array([0.5, np.nan, np.inf, -np.inf, 1e30], "<f4")
    (chunk,) = PipeSource(io.BytesIO(raw.tobytes()), RATE, 1, "f32le").chunks(RATE)
    assert chunk.samples.tolist() == [0.5, 0, 0, 0, 100]


def test_a_pipe_is_read_no_faster_than_it_plays() -> None:
    raw = np.zeros(RATE, "<i2").tobytes()
    begun = time.monotonic()
    assert len(heard(list(PipeSource(io.BytesIO(raw), RATE, 1, speed=2).chunks(RATE)))) == RATE
    assert time.monotonic() - begun > 0.45


# -- streams -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mp3(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encode(tmp_path_factory.mktemp("radio") / "s.mp3", tone(440, seconds=6), 44_100, "libmp3lame").read_bytes()


def test_a_stream_without_an_end_is_decoded_and_its_end_is_a_drop(mp3: bytes) -> None:
    chunks: list[Chunk] = []
    with on_air(Radio(mp3, drop_after=len(mp3))) as url, pytest.raises(AudioError, match="the stream ended"):
        chunks.extend(UrlSource(url).chunks(RATE))
    wave = heard(chunks)
    assert len(wave) == pytest.approx(RATE * 3, rel=0.05)  # 6 seconds at half the rate
    assert pitch(wave) == pytest.approx(880, abs=2)


def test_a_stream_that_drops_comes_back(mp3: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "_FIRST", 0.1)
    notes: list[str] = []
    radio = Radio(mp3, drop_after=len(mp3) // 2 + 1, refuse=2)
    with on_air(radio) as url:
        found = []
        for chunk in Reconnecting(UrlSource(url), notes.append).chunks(RATE):
            found.append(chunk)
            if chunk.lost:
                break
    assert radio.connections == 4  # one that dropped, two that were refused, one that is good
    assert found[-1].lost == pytest.approx(0.1 + 0.2 + 0.4, abs=0.4)
    assert sum(bool(chunk.lost) for chunk in found) == 1
    dropped, back = notes
    assert "the stream ended; trying again in 0.1 s" in dropped
    assert back.endswith("is back after 1 s")


def test_hls(tmp_path: Path) -> None:
    wave = tone(500, rate=44_100, seconds=5)
    encode(
        tmp_path / "list.m3u8", wave, 44_100, "aac", container="hls", options={"hls_time": "1", "hls_list_size": "0"}
    )
    assert len(list(tmp_path.glob("*.ts"))) > 2
    with folder_on_air(tmp_path) as address:
        chunks = list(UrlSource(f"{address}/list.m3u8").chunks(RATE))  # it states its length: that it ends is no drop
    assert len(heard(chunks)) == pytest.approx(5 * RATE, rel=0.03)
    assert pitch(heard(chunks)) == pytest.approx(500, abs=1)


def test_a_play_list_leads_to_no_file_of_this_machine(tmp_path: Path) -> None:
    secret = write(tmp_path / "private" / "secret.wav", tone(440))
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    with folder_on_air(tmp_path) as address, pytest.raises(AudioError):
        list(UrlSource(f"{address}/list.m3u8").chunks(RATE))


@pytest.mark.parametrize("path", ["nothing.mp3", "text.mp3"])
def test_no_stream_at_all_is_an_error_at_once(tmp_path: Path, path: str) -> None:
    (tmp_path / "text.mp3").write_text("this is no music\n" * 50)
    notes: list[str] = []
    with folder_on_air(tmp_path) as address, pytest.raises(AudioError, match="FFmpeg: "):
        list(Reconnecting(UrlSource(f"{address}/{path}"), notes.append).chunks(RATE))
    assert notes == []


def test_waits_grow_and_are_short_again_after_steady_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(reconnecting, "time", SimpleNamespace(sleep=waits.append))
    dropped = AudioError("radio", [("FFmpeg", "gone")])
    ways = iter([
        Listed(Chunk(noise(1.0)), dropped), *[Listed(dropped)] * 8,
        Listed(Chunk(noise(11.0)), dropped), Listed(dropped), Listed(Chunk(noise(1.0))),
    ])  # fmt: skip

    class Flaky(Listed):
        def chunks(self, rate: int) -> Any:
            return next(ways).chunks(rate)

    notes: list[str] = []
    assert len(list(Reconnecting(Flaky(), notes.append).chunks(RATE))) == 3
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 1, 2]
    assert len(notes) == 4  # each drop and each return is said once


# -- a microphone --------------------------------------------------------------------------------------------------


class FakeStream:
    """What sounddevice gives: it calls back with blocks."""

    def __init__(self, *, samplerate: int, channels: int, blocksize: int, callback: Any, **_: Any) -> None:
        wave = tone(440, rate=samplerate, seconds=1.0)
        self._blocks = [wave[at : at + blocksize] for at in range(0, len(wave), blocksize)]
        self._callback, self._channels = callback, channels

    def __enter__(self) -> FakeStream:
        for block in self._blocks:
            self._callback(np.repeat(block[:, None], self._channels, axis=1), len(block), None, None)
        return self

    def __exit__(self, *_: object) -> None:
        pass


def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [
        {"name": "Speakers", "max_input_channels": 0, "default_samplerate": 48_000.0},
        {"name": "Line in", "max_input_channels": 6, "default_samplerate": 48_000.0},
    ]

    def query(device: Any = None, kind: str | None = None) -> Any:
        if device == "Nowhere":
            raise ValueError("No input device matching 'Nowhere'")
        return devices if kind is None else devices[1]

    module = SimpleNamespace(
        query_devices=query, InputStream=FakeStream, PortAudioError=OSError, default=SimpleNamespace(device=(1, 0)),
        __spec__=SimpleNamespace(),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "sounddevice", module)


def test_a_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    monkeypatch.setattr("genrescope.live.microphone._SILENT", 0.1)
    chunks: list[Chunk] = []
    with pytest.raises(AudioError, match=r"the default input: PortAudio: no sound for 0.1 seconds"):
        chunks.extend(MicrophoneSource().chunks(RATE))
    assert pitch(heard(chunks)) == pytest.approx(440, abs=1)
    assert level_of(heard(chunks)) == pytest.approx(0.5, abs=0.01)
    assert inputs() == [(1, "Line in", 6, 48_000, True)]
    with pytest.raises(AudioError, match=r"Nowhere.*--list-devices"):
        list(MicrophoneSource("Nowhere").chunks(RATE))


def test_without_sounddevice_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'genrescope\[live\]'"):
        list(MicrophoneSource().chunks(RATE))


# -- waiting -------------------------------------------------------------------------------------------------------


def test_what_waits_comes_in_one_piece() -> None:
    with Waiting(Listed(*[Chunk(noise(0.1, seed=at), received=float(at)) for at in range(5)]), RATE) as found:
        time.sleep(0.3)
        (chunk,) = found
    assert len(chunk.samples) == 5 * round(0.1 * RATE)
    assert chunk.received == 4.0


def test_too_much_that_waits_is_lost_the_oldest_first() -> None:
    chunks = [Chunk(np.full(RATE, at, np.float32)) for at in range(10)]
    with Waiting(Listed(*chunks), RATE, most=3.0) as found:
        time.sleep(0.3)
        (chunk,) = found
    assert chunk.lost == 7.0
    assert chunk.samples[::RATE].tolist() == [7, 8, 9]


def test_a_gap_ends_a_piece_and_an_error_comes_last() -> None:
    listed = Listed(Chunk(noise(0.1)), Chunk(noise(0.1), lost=2.0), Chunk(noise(0.1)), AudioError("x", [("y", "gone")]))
    found: list[Chunk] = []
    with Waiting(listed, RATE) as waits:
        time.sleep(0.2)
        with pytest.raises(AudioError, match="gone"):
            found.extend(waits)
    assert [(round(len(each.samples) / RATE, 1), each.lost) for each in found] == [(0.1, 0.0), (0.2, 2.0)]


def test_the_thread_ends_with_the_context() -> None:
    before = set(threading.enumerate())
    with Waiting(Listed(*[Chunk(noise(0.01))] * 1000, wait=0.01), RATE) as waits:
        next(iter(waits))
        assert set(threading.enumerate()) > before
    give_up = time.monotonic() + 5
    while set(threading.enumerate()) - before:
        assert time.monotonic() < give_up
        time.sleep(0.01)


# -- the log and the summary ---------------------------------------------------------------------------------------


def test_the_log_is_written_at_once_and_opened_anew_on_sighup(tmp_path: Path) -> None:
    path, moved = tmp_path / "live.jsonl", tmp_path / "live.jsonl.1"
    before = signal.getsignal(signal.SIGHUP)
    with VerdictLog(path) as log:
        log.write(verdict(1.0))
        assert json.loads(path.read_text())["genre"] == "jazz"
        path.rename(moved)
        log.write(verdict(2.0))
        os.kill(os.getpid(), signal.SIGHUP)
        log.write(verdict(3.0))
    assert [json.loads(line)["time"] for line in moved.read_text().splitlines()] == [1.0, 2.0]
    (line,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert line["time"] == 3.0
    assert line["at"].endswith("+00:00")
    assert signal.getsignal(signal.SIGHUP) == before
    with VerdictLog(path) as log:
        log.write(verdict(4.0))
    assert len(path.read_text().splitlines()) == 2


def test_a_summary_counts_seconds_and_passages_without_what_was_lost() -> None:
    played = Played()
    for each in (
        verdict(3.0), verdict(4.0), verdict(5.0, "rock"), verdict(6.0, silent=True), verdict(17.0, lost=10.0),
        verdict(17.0, lost=10.0, last=True, skipped=3),
    ):  # fmt: skip
        played.see(each)
    found = {name: (total.seconds, total.passages) for name, total in played.ranked()}
    assert found == {"jazz": (5.0, 2), "rock": (1.0, 1), "silence": (1.0, 1)}
    assert (played.seconds, played.lost, played.skipped) == (17.0, 10.0, 3)
