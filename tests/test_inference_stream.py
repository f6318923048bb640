"""Sound that does not end: verdicts that equal those of the whole file, follow changes, and take constant memory."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr
import torch
from cli_support import sound, world
from conftest import noise, tone
from live_support import Clock, spoken

import genrescope
from genrescope import AudioError, audio
from genrescope.features.placement import WindowSpec
from genrescope.inference import stream as streams
from genrescope.inference.chunks import Chunk, Runs
from genrescope.inference.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli_support import World

    from genrescope import Classifier
    from genrescope.inference.verdict import Verdict

RATE = audio.SAMPLE_RATE
CLOSE = 0.01

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="session")
def classifier(made: World) -> Classifier:
    return genrescope.load(made.run, device="cpu", windows="all")


def pieces(wave: Any, size: int) -> list[Any]:
    """Cut a wave of shape (samples,) or (channels, samples)."""
    return [wave[..., first : first + size] for first in range(0, wave.shape[-1], size)]


def verdicts(
    classifier: Classifier, wave: Any, *, size: int = 5_000, rate: int = RATE, **options: Any
) -> list[Verdict]:
    return list(classifier.stream(pieces(wave, size), sample_rate=rate, **options))


def assert_same(classifier: Classifier, last: Verdict, wave: Any, rate: int = RATE) -> None:
    whole = classifier.predict(wave, sample_rate=rate)
    assert last.last
    assert last.whole is not None
    assert last.whole.genre == whole.genre
    assert last.whole.windows == len(whole.windows) - (whole.silent_windows % len(whole.windows))
    for genre, score in whole.scores.items():
        assert last.whole.scores[genre] == pytest.approx(score, abs=CLOSE)


@pytest.mark.parametrize("size", [441, 5_000, 1_000_000])
def test_at_the_end_the_verdict_is_that_of_the_whole(classifier: Classifier, size: int) -> None:
    wave = np.concatenate([sound("pulse", 50, seconds=11), sound("hiss", 51, seconds=9.4)])
    assert_same(classifier, verdicts(classifier, wave, size=size)[-1], wave)


def test_another_rate_and_channels_too(classifier: Classifier) -> None:
    mono = soxr.resample(sound("drone", 52, seconds=8), RATE, 44_100)
    stereo = np.stack([0.5 * mono, mono])
    assert_same(classifier, verdicts(classifier, stereo, rate=44_100)[-1], stereo, 44_100)
    whole = (stereo * 32767).astype(np.int16)
    assert_same(classifier, verdicts(classifier, whole, rate=44_100)[-1], whole, 44_100)


@pytest.mark.parametrize("seconds", [0.01, 1.0, 2.9, 3.2])
def test_less_than_a_window_or_just_one(classifier: Classifier, seconds: float) -> None:
    wave = sound("drone", 53, seconds=seconds)
    found = verdicts(classifier, wave)
    assert_same(classifier, found[-1], wave)
    assert found[-1].time == pytest.approx(min(seconds, classifier.header.window_seconds), abs=0.03)


def test_silence_is_said_ends_a_song_and_does_not_count(classifier: Classifier) -> None:
    silence = np.zeros(7 * RATE, np.float32)
    wave = np.concatenate([sound("drone", 54, seconds=9), silence, sound("drone", 55, seconds=9)])
    found = verdicts(classifier, wave)
    assert_same(classifier, found[-1], wave)
    silent = [each.time for each in found if each.heading == "silence"]
    assert all(9.9 < time < 16.1 for time in silent)
    assert len(silent) >= 5
    assert [each.level for each in found if 11 < each.time < 15] == [-100.0] * 4
    after = [each.song for each in found if each.time > 20]
    assert all(song is not None and song.start > 12 for song in after)
    middle = next(each for each in found if 14 < each.time < 15)
    assert (middle.song, middle.scores, middle.genre) == (None, {}, found[0].genre)
    assert middle.to_dict()["song"] is None


def test_speech_is_said_ends_a_song_and_is_no_genre(classifier: Classifier) -> None:
    parts = sound("drone", 56, seconds=12), spoken(RATE, seconds=15), sound("drone", 57, seconds=12)
    wave = np.concatenate(parts)
    found = verdicts(classifier, wave)
    assert_same(classifier, found[-1], wave)
    times = [each.time for each in found if each.heading == "speech"]
    assert min(times) == pytest.approx(17, abs=1.6)
    assert max(times) == pytest.approx(31, abs=2.6)
    assert len(times) == pytest.approx(max(times) - min(times) + 1, abs=1)
    middle = next(each for each in found if each.speech and 20 < each.time < 26)
    assert (middle.song, middle.scores, middle.genre) == (None, {}, found[0].genre)
    assert middle.to_dict()["speech"] is True
    assert [found[0].speech, found[-1].speech] == [None, False]
    assert found[-1].song is not None
    assert found[-1].song.start > 27


def test_nothing_but_silence(classifier: Classifier) -> None:
    wave = np.zeros(8 * RATE, np.float32)
    found = verdicts(classifier, wave)
    assert all(each.genre is None and each.heading == "silence" for each in found)
    assert_same(classifier, found[-1], wave)
    assert verdicts(classifier, wave[:0]) == []


class Labelled(torch.nn.Module):
    """A network whose logits follow the level: loud is the first label, quieter the second, quietest the third."""

    batch = 4

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.calls.append(len(images))
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([mean, torch.full_like(mean, -5.0), -mean - 10.0], dim=1) * 4


def by_level(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> Labelled:
    network = Labelled()
    monkeypatch.setattr(classifier._scorer, "network", network)
    monkeypatch.setattr(classifier._scorer, "_logits", network)
    return network


def changes(found: list[Verdict]) -> list[tuple[float, str | None]]:
    return [(new.time, new.genre) for before, new in itertools.pairwise(found) if before.genre != new.genre]


def test_a_change_is_followed_once_and_one_loud_moment_is_none(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_level(classifier, monkeypatch)
    loud, soft = noise(40, level=0.3), noise(40, level=0.003, seed=1)
    found = verdicts(classifier, np.concatenate([soft, loud]))
    ((time, genre),) = changes(found)
    assert genre != found[0].genre
    assert 41 < time < 55
    assert found[-1].song is not None
    assert found[-1].song.start > 38  # the song begins where the genre changes
    moment = soft.copy()
    moment[20 * RATE : 21 * RATE] = loud[:RATE]
    assert changes(verdicts(classifier, moment)) == []


def test_a_verdict_a_second_and_other_steps(classifier: Classifier) -> None:
    wave = sound("hiss", 56, seconds=14)
    times = [each.time for each in verdicts(classifier, wave)][:-1]
    assert times[0] == pytest.approx(classifier.header.window_seconds, abs=0.01)
    assert np.diff(times) == pytest.approx(1.0, abs=0.05)
    rare = [each.time for each in verdicts(classifier, wave, every=6.0)][:-1]
    assert np.diff(rare) == pytest.approx(6.0, abs=0.2)
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="seconds above 0"):
            classifier.stream([], sample_rate=RATE, every=wrong)


def test_a_gap_is_counted_and_windows_do_not_reach_over_it(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_level(classifier, monkeypatch)
    loud = noise(4, level=0.3)
    chunks = [Chunk(loud), Chunk(loud, lost=10.0), Chunk(loud)]
    found = list(classifier.stream(chunks, sample_rate=RATE))
    assert found[-1].lost == 10.0
    assert [each.lost for each in found if each.time < 10] == [0.0] * 2
    after = [each.time for each in found if each.lost][:-1]
    assert after[0] == pytest.approx(4 + 10 + classifier.header.window_seconds, abs=0.05)
    assert found[-1].time == pytest.approx(22, abs=1.1)
    assert found[-1].whole is not None
    assert found[-1].whole.windows == 3  # one of four seconds, two of eight


def test_the_age_is_the_time_since_the_sound_came(classifier: Classifier) -> None:
    import time

    now = time.monotonic()
    chunks = [Chunk(noise(1.0, seed=number), received=now - 20 + number) for number in range(1, 8)]
    first = next(iter(classifier.stream(chunks, sample_rate=RATE)))
    assert first.age == pytest.approx(20 - first.time, abs=1.0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.full(10, np.nan, np.float32), "non-finite"),
        (np.zeros((1000, 2), np.float32), r"\(channels, samples\)"),
        (np.zeros(10, np.int64), "int64"),
    ],
)
def test_bad_chunks_are_refused(classifier: Classifier, wrong: Any, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        list(classifier.stream([noise(1.0), wrong], sample_rate=RATE))


def test_memory_does_not_grow(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    by_level(classifier, monkeypatch)
    piece = noise(0.5)

    def endless() -> Iterator[Any]:
        while True:
            yield piece

    found = classifier.stream(endless(), sample_rate=RATE, every=3.0)
    held = []
    tracemalloc.start()
    try:
        for _ in range(4):
            for _ in range(60):
                next(found)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[-1] < held[0] + 50_000


def test_received_moments_do_not_pile_up() -> None:
    (run,) = [each for each in Runs([Chunk(noise(0.1), received=float(at)) for at in range(100)], RATE) if list(each)]
    assert run.received(9.0) == pytest.approx(89.0, abs=0.5)
    assert len(run._received) < 15


# -- a machine that is too slow ------------------------------------------------------------------------------------


def test_windows_that_are_left_out_are_counted(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    network = by_level(classifier, monkeypatch)
    monkeypatch.setattr(streams, "Pace", lambda: Pace(clock))
    forward = network.forward

    def slow(images: torch.Tensor) -> torch.Tensor:
        clock.now += 2.0 * len(images)  # a window a second comes, and each takes two
        return forward(images)

    monkeypatch.setattr(network, "forward", slow)

    def waiting() -> Iterator[Any]:
        """Yield what has come since the last piece, as a microphone would."""
        begun = 0.0
        while begun < 120:
            end = clock.now = max(clock.now, begun + 1)
            yield noise(end - begun)
            begun = end

    found = list(classifier.stream(waiting(), sample_rate=RATE, keep_up=True))
    assert sum(network.calls) + found[-1].skipped == pytest.approx(118, abs=4)
    assert found[-1].skipped > 50
    assert clock.now < 130  # it has kept up


# -- models whose windows are spread -------------------------------------------------------------------------------


def test_spread_windows_have_one_at_the_very_end(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    network = by_level(classifier, monkeypatch)
    spread = WindowSpec(frames=classifier.header.windows.frames, placement="spread")
    header = classifier.header.model_copy(update={"windows": spread})
    stream = streams.Stream(header, classifier._scorer, every=3.0, keep_up=False, threads=1)
    wave = tone(300, seconds=3 * classifier.header.window_seconds - 0.8)
    *_, last = stream.verdicts(pieces(wave, 4_000), RATE)
    assert last.whole is not None
    assert last.whole.windows == 3
    assert last.time == pytest.approx(len(wave) / RATE, abs=0.05)
    assert sum(network.calls) == 3
