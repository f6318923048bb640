"""A check finds every fault that was planted, nothing in clean music, and reads no file twice."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
from collections import defaultdict
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from cli_support import leftovers
from conftest import RATE, Samples, encode, genre_folders, noise, tone, write
from hypothesis import given
from hypothesis import strategies as st

from genrescope import audio, synth
from genrescope.check import faults, page
from genrescope.check.check import check
from genrescope.check.checked import FILE_NAME, NOTES_NAME, PAGE_NAME, Checked
from genrescope.check.containers import ENDINGS, suits
from genrescope.check.listen import FileMeasurements, listen
from genrescope.errors import DataError, OutputError
from genrescope.features.logmel import LogMel
from genrescope.sources.track import Track

if TYPE_CHECKING:
    from collections.abc import Callable

    from genrescope.progress import Progress

pytestmark = pytest.mark.usefixtures("one_thread")
SECONDS = 5.0


@cache
def song(number: int, *, rate: int = RATE) -> Samples:
    """Return a short song that no other equals, with air above it, so that its treble ends nowhere."""
    wave = synth.compose(list(synth.STYLES)[number % 10], artist=number, seconds=SECONDS, sample_rate=rate)
    return (wave + noise(SECONDS, rate=rate, level=0.002, seed=number)).astype(np.float32)


def resampled(wave: Samples, source: int, target: int) -> Samples:
    import soxr

    return np.asarray(soxr.resample(wave, source, target), dtype=np.float32)


def integers(wave: Samples) -> Any:
    """Return a wave as 16 bits hold it; of floats, each container would round to others."""
    return np.round(wave * 32_767).astype(np.int16)


def too_loud(wave: Samples) -> Samples:
    """Clip one sample in a hundred."""
    clipped: Samples = np.clip(wave / np.quantile(np.abs(wave), 0.99), -1, 1).astype(np.float32)
    return clipped


def named(path: Path, container: str, wave: Samples) -> Path:
    """Write a container under a name with another's ending."""
    soundfile.write(path, wave, RATE, format=container)
    return path


def shortened(path: Path, share: float) -> Path:
    """Keep the first part of a file's bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])
    return path


def with_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def flipped(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    for share in (0.3, 0.4, 0.5, 0.6, 0.7):
        content[int(share * len(content))] ^= 0x55
    return with_bytes(path, bytes(content))


def with_nan(wave: Samples) -> Samples:
    broken = wave.copy()
    broken[len(broken) // 2] = np.nan
    return broken


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no page, which takes most of the time of a check of some files; other tests look at pages."""
    monkeypatch.setattr(page, "write", lambda checked: checked.page)


# -- every kind, planted ---------------------------------------------------------------------------------------------

PLANTS: dict[str, Callable[[Path, Samples], Path]] = {
    "unreadable": lambda stem, wave: with_bytes(stem.with_suffix(".wav"), np.random.default_rng(0).bytes(50_000)),
    "empty": lambda stem, wave: with_bytes(stem.with_suffix(".wav"), b""),
    "truncated": lambda stem, wave: shortened(write(stem.with_suffix(".flac"), wave), 0.6),
    "damaged": lambda stem, wave: flipped(write(stem.with_suffix(".flac"), wave)),
    "non-finite": lambda stem, wave: write(stem.with_suffix(".wav"), with_nan(wave), subtype="FLOAT"),
    "silent": lambda stem, wave: write(stem.with_suffix(".wav"), 0 * wave),
    "constant": lambda stem, wave: write(stem.with_suffix(".wav"), 0 * wave + 0.25),
    "too-short": lambda stem, wave: write(stem.with_suffix(".wav"), wave[: 2 * RATE]),
    "mostly-silent": lambda stem, wave: write(
        stem.with_suffix(".wav"), np.concatenate([wave, np.zeros(2 * len(wave), np.float32)])
    ),
    "clipped": lambda stem, wave: write(stem.with_suffix(".wav"), 0.5 * too_loud(wave)),
    "one-sided": lambda stem, wave: write(stem.with_suffix(".wav"), np.stack([wave, 0 * wave], axis=1)),
    "out-of-phase": lambda stem, wave: write(stem.with_suffix(".wav"), np.stack([wave, -wave], axis=1)),
    "low-bandwidth": lambda stem, wave: write(
        stem.with_suffix(".wav"), resampled(resampled(wave, RATE, 16_000), 16_000, RATE)
    ),
    "wrong-extension": lambda stem, wave: named(stem.with_suffix(".ogg"), "FLAC", wave),
    "unusual-rate": lambda stem, wave: write(stem.with_suffix(".wav"), resampled(wave, RATE, 37_800), 37_800),
}  # fmt: skip
"""Faults of one file: each writes a copy of a song that has this fault and no other."""

PAIRS = {
    "label-conflict": ("clean/conflict.flac", "faulty/conflict.wav"),
    "exact-duplicate": ("faulty/exact-1.flac", "faulty/exact-2.wav"),
    "near-duplicate": ("faulty/near-1.wav", "faulty/near-2.ogg"),
}
GENRES = {"few-artists": "hermits", "few-tracks": "scarce"}


def planted(root: Path) -> Path:
    """Write clean songs, a song for every fault, and a table that names their artists."""
    groups = {}
    for number in range(9):
        path = write(root / "clean" / f"song-{number}{('.wav', '.flac', '.ogg')[number % 3]}", song(number))
        groups[path] = f"artist {number % 3}"
    (root / "faulty").mkdir()
    for number, (kind, plant) in enumerate(PLANTS.items(), start=10):
        groups[plant(root / "faulty" / kind, song(number))] = f"artist {number}"
    for number, names in enumerate(PAIRS.values(), start=30):
        for late, name in enumerate(names):
            shift = RATE // 2 if name.startswith("faulty/near") and late else 0
            groups[write(root / name, integers(song(number)[shift:]))] = f"artist {number}"
    for genre, count in (("hermits", 10), ("scarce", 3)):
        for number in range(count):
            hiss = noise(3.2, level=0.05, seed=100 * count + number)
            groups[write(root / genre / f"hiss-{number}.wav", hiss)] = "" if genre == "scarce" else f"h{number % 2}"
    with (root / "tracks.csv").open("w", newline="") as file:
        rows = [(path.relative_to(root).as_posix(), path.parent.name, group) for path, group in groups.items()]
        csv.writer(file).writerows([("path", "genre", "group"), *rows])
    return root / "tracks.csv"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    root = tmp_path_factory.mktemp("planted")
    return check(str(planted(root)), root / "out", jobs=0)


def found(checked: Checked) -> dict[str, set[tuple[str, ...]]]:
    """Return the tracks of every kind of finding."""
    tracks = defaultdict(set)
    for finding in checked.findings:
        tracks[finding.kind].add(finding.tracks)
    return dict(tracks)


def test_a_fault_of_every_kind_is_planted() -> None:
    assert sorted([*PLANTS, *PAIRS, *GENRES]) == sorted(faults.KINDS)


@pytest.mark.parametrize("kind", PLANTS)
def test_a_fault_of_a_file_is_found_and_no_other_file_has_it(kind: str, checked: Checked) -> None:
    names = {track_id for (track_id,) in found(checked)[kind]}
    assert {name.partition(".")[0] for name in names} == {f"faulty/{kind}"}


def test_the_planted_files_have_one_fault_each(checked: Checked) -> None:
    told = [track for finding in checked.findings for track in finding.tracks if finding.kind in PLANTS]
    assert len(told) == len(set(told)) == len(PLANTS)


def test_duplicates_are_found_and_no_others(checked: Checked) -> None:
    assert found(checked)["exact-duplicate"] == {PAIRS["exact-duplicate"], PAIRS["label-conflict"]}
    assert found(checked)["near-duplicate"] == {PAIRS["near-duplicate"]}
    assert found(checked)["label-conflict"] == {PAIRS["label-conflict"]}
    (near,) = (finding.reason for finding in checked.findings if finding.kind == "near-duplicate")
    assert "0.5 s apart" in near
    (conflict,) = (finding.reason for finding in checked.findings if finding.kind == "label-conflict")
    assert conflict == "clean and faulty; the same samples"


@pytest.mark.parametrize("kind", GENRES)
def test_a_fault_of_a_genre_is_found_and_no_other_genre_has_it(kind: str, checked: Checked) -> None:
    reasons = [finding.reason for finding in checked.findings if finding.kind == kind]
    assert [reason.partition(":")[0] for reason in reasons] == [GENRES[kind]]


def test_the_severest_stand_first_and_are_counted(checked: Checked) -> None:
    severities = [finding.severity for finding in checked.findings]
    assert severities == sorted(severities, key=faults.SEVERITIES.index)
    errors = ["unreadable", "empty", "truncated", "damaged", "non-finite", "silent", "constant", "label-conflict"]
    assert [finding.kind for finding in checked.findings if finding.severity == "error"] == errors
    assert checked.count("error") == len(errors)
    assert [finding.kind for finding in checked.findings if finding.severity == "note"] == ["unusual-rate"]
    assert sum(checked.count(severity) for severity in faults.SEVERITIES) == len(checked.findings)


def test_the_results_tell_the_same(checked: Checked) -> None:
    told = json.loads((checked.out / FILE_NAME).read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(checked.to_dict()))
    assert told["tracks"] == len(told["files"]) == checked.computed == len(checked.tracks)
    assert sum(told["kinds"].values()) == len(told["findings"]) == len(checked.findings)
    assert told["severities"]["error"] == 8
    assert told["genres"] == {"clean": 10, "faulty": 20, "hermits": 10, "scarce": 3}
    by_id = {each["id"]: each for each in told["files"]}
    assert by_id["faulty/truncated.flac"]["fault"] == "truncated"
    assert by_id["faulty/truncated.flac"]["seconds"] == pytest.approx(0.6 * SECONDS, abs=1)
    assert by_id["clean/song-1.flac"]["seconds"] == pytest.approx(SECONDS, abs=0.01)
    assert by_id["clean/song-1.flac"]["group"] == "artist 1"
    assert leftovers(checked.out) == []


@pytest.mark.usefixtures("unpictured")
def test_clean_music_has_no_fault(tmp_path: Path) -> None:
    """At 44.1 kHz; the mp3 with 128 kbit/s, whose own cut-off lies above what a model hears."""
    for number in range(12):
        ending = ("wav", "flac", "ogg", "mp3")[number % 4]
        path = tmp_path / "music" / "jazz" / f"song-{number}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        how = {"bitrate_mode": "CONSTANT", "compression_level": (320 - 128) / (320 - 32)} if ending == "mp3" else {}
        soundfile.write(path, song(number, rate=44_100), 44_100, **how)
        if ending == "mp3":
            assert path.stat().st_size == pytest.approx(SECONDS * 16_000, rel=0.05)
    assert check(str(tmp_path / "music"), tmp_path / "out", jobs=0).findings == ()


@pytest.mark.usefixtures("unpictured")
def test_one_file_may_have_several_faults(tmp_path: Path) -> None:
    wave = too_loud(song(19)[: 2 * RATE])
    path = tmp_path / "music" / "jazz" / "song.mp3"
    path.parent.mkdir(parents=True)
    soundfile.write(path, np.stack([wave, 0 * wave], axis=1), 37_800, format="WAV")
    kinds = [finding.kind for finding in check(str(path.parent.parent), tmp_path / "out", jobs=0).findings]
    assert kinds == ["too-short", "clipped", "one-sided", "wrong-extension", "few-tracks", "unusual-rate"]


@pytest.mark.usefixtures("unpictured")
def test_files_that_were_cut_off_are_errors(tmp_path: Path) -> None:
    endings = ["aif", "flac", "m4a", "mp3", "ogg", "opus", "wav"]
    folder, rate = tmp_path / "music" / "jazz", 48_000
    folder.mkdir(parents=True)
    for number, ending in enumerate(endings):
        path, wave = folder / f"song.{ending}", song(number, rate=rate)
        if ending == "m4a":
            encode(path, wave, rate, "aac", options={"movflags": "faststart"})
        else:
            write(path, wave, rate)
    assert set(found(check(str(tmp_path / "music"), tmp_path / "out", jobs=0))) == {"few-tracks"}
    for ending in endings:
        shortened(folder / f"song.{ending}", 0.8)
    *cut, few = check(str(tmp_path / "music"), tmp_path / "out", jobs=0).findings
    assert [(each.kind, each.tracks) for each in cut] == [("truncated", (f"jazz/song.{e}",)) for e in endings]
    assert all(each.severity == "error" and each.reason for each in cut)
    assert (few.kind, few.reason) == ("few-tracks", "jazz: 0 usable; 10 are the least")


# -- limits ----------------------------------------------------------------------------------------------------------

FINE = FileMeasurements(
    "jazz/song.wav", bytes=1, mtime_ns=1, seconds=30.0, sample_rate=RATE, channels=2, codec="WAV PCM_16", peak=0.5,
    spread=1.0, cancelled=3.0, cutoff=10_800, cliff=4.0,
)  # fmt: skip


def judged(*heard: FileMeasurements, group: str = "", genre: str = "jazz") -> list[str]:
    """Return the kinds of all faults of files that sound like this."""
    tracks = [Track(each.id, Path(each.id), genre, group) for each in heard]
    return [finding.kind for finding in faults.judge(tracks, heard, []) if finding.kind != "few-tracks"]


LIMITS: list[tuple[str, dict[str, float], dict[str, float]]] = [
    ("clipped", {"clipped": 0.001}, {"clipped": 0.0010001}),
    ("mostly-silent", {"silent": 0.5}, {"silent": 0.5001}),
    ("silent", {"silent": 0.9999}, {"silent": 1.0}),
    ("one-sided", {"balance": 39.9}, {"balance": 40.0}),
    ("out-of-phase", {"cancelled": 9.9}, {"cancelled": 10.0}),
    ("low-bandwidth", {"cutoff": 5000, "cliff": 19.9}, {"cutoff": 5000, "cliff": 20.0}),
    ("low-bandwidth", {"cutoff": 9300, "cliff": 60.0}, {"cutoff": 9299, "cliff": 60.0}),
    ("low-bandwidth", {"sample_rate": 24_000}, {"sample_rate": 18_599}),
    ("too-short", {"seconds": 2.9722}, {"seconds": 2.9721}),
    ("constant", {"spread": 2**-15}, {"spread": 0.0}),
    ("unusual-rate", {"sample_rate": 48_000}, {"sample_rate": 48_001}),
]


@pytest.mark.parametrize(("kind", "good", "bad"), LIMITS)
def test_a_limit_lies_where_it_is_said_to_lie(kind: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert judged(FINE) == []
    assert kind not in judged(dataclasses.replace(FINE, **good))
    assert kind in judged(dataclasses.replace(FINE, **bad))


def test_a_file_without_sound_is_judged_for_nothing_else() -> None:
    wrong: dict[str, Any] = {"seconds": 1.0, "silent": 1.0, "clipped": 0.5, "sample_rate": 37_800}
    assert judged(dataclasses.replace(FINE, **wrong, spread=0.0, peak=0.0)) == ["silent"]
    assert judged(dataclasses.replace(FINE, **wrong, spread=0.0)) == ["constant"]
    assert judged(dataclasses.replace(FINE, **wrong)) == ["silent"]
    assert judged(FileMeasurements("jazz/song.wav", fault="empty", reason="0 bytes")) == ["empty"]


def test_channels_that_cancel_each_other_are_not_called_silent() -> None:
    assert judged(dataclasses.replace(FINE, silent=1.0, cancelled=90.0)) == ["out-of-phase"]
    assert judged(dataclasses.replace(FINE, balance=90.0, cancelled=90.0)) == ["one-sided"]


@pytest.mark.parametrize(("usual", "told"), [(9, ["unusual-rate"]), (8, [])])
def test_nine_in_ten_make_a_rate_the_rule(usual: int, told: list[str]) -> None:
    rates = [44_100] * usual + [RATE] + [48_000] * (9 - usual)
    heard = [dataclasses.replace(FINE, id=f"{n}.wav", sample_rate=rate) for n, rate in enumerate(rates)]
    assert judged(*heard) == told


def genre_findings(groups: list[str], *, broken: int = 0) -> list[str]:
    """Judge a genre whose tracks have these artists, some of the last ones unreadable."""
    tracks = [Track(f"{n:02d}.wav", Path(f"{n:02d}.wav"), "jazz", group) for n, group in enumerate(groups)]
    heard = [dataclasses.replace(FINE, id=track.id) for track in tracks]
    for at in range(len(heard) - broken, len(heard)):
        heard[at] = FileMeasurements(heard[at].id, fault="unreadable", reason="damaged")
    return [finding.kind for finding in faults.judge(tracks, heard, []) if not finding.tracks]


def test_a_genre_needs_ten_tracks_that_can_be_used_of_three_artists() -> None:
    assert genre_findings(["a", "b", "c"] * 4) == []
    assert genre_findings([""] * 10) == []
    assert genre_findings([""] * 9) == ["few-tracks"]
    assert genre_findings([""] * 11, broken=2) == ["few-tracks"]
    assert genre_findings(["a", "b"] * 5) == ["few-artists"]
    assert genre_findings(["a", "b"] * 5 + [""]) == []  # who knows how many artists there are
    assert genre_findings(["a", "b"] * 5 + ["c"], broken=1) == ["few-artists"]


def test_every_kind_says_what_it_is_and_how_bad() -> None:
    assert {kind.severity for kind in faults.KINDS.values()} == set(faults.SEVERITIES)
    order = [faults.SEVERITIES.index(kind.severity) for kind in faults.KINDS.values()]
    assert order == sorted(order)
    assert all(kind.meaning for kind in faults.KINDS.values())


# -- what is measured ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log_mel() -> LogMel:
    return LogMel()


def heard_of(path: Path, log_mel: LogMel) -> FileMeasurements:
    return listen(Track(path.name, path, "jazz"), log_mel)


def test_the_level_of_channels_is_measured(tmp_path: Path, log_mel: LogMel) -> None:
    left, other = noise(2.0, seed=1), noise(2.0, seed=2)
    expected = {
        "mono": (left, 0, 0),
        "equal": (np.stack([left, left], 1), 0, 0),
        "independent": (np.stack([left, other], 1), 0, 3),
        "20 dB apart": (np.stack([left, 0.1 * left], 1), 20, 2.2),
        "upside down": (np.stack([left, -left], 1), 0, 100),
    }
    for name, (wave, balance, cancelled) in expected.items():
        heard = heard_of(write(tmp_path / f"{name}.wav", wave, subtype="FLOAT"), log_mel)
        assert heard.channels == wave.ndim, name
        assert heard.balance == pytest.approx(balance, abs=0.1), name
        assert min(heard.cancelled, 100) == pytest.approx(cancelled, abs=0.1), name


def test_flat_tops_are_three_in_a_row_and_not_of_faint_sound(tmp_path: Path, log_mel: LogMel) -> None:
    wave = noise(2.0, level=0.05)
    for run in range(100):
        wave[400 * run : 400 * run + (2 if run < 50 else 4)] = 0.6
    share = 50 * 4 / len(wave)
    assert heard_of(write(tmp_path / "loud.wav", wave), log_mel).clipped == pytest.approx(share, abs=1e-6)
    assert heard_of(write(tmp_path / "faint.wav", 0.1 * wave), log_mel).clipped == 0


def test_moments_of_silence_are_counted_on_both_sides_of_minus_60_db(tmp_path: Path, log_mel: LogMel) -> None:
    above, below = (tone(441, seconds=1, level=2**0.5 * level) for level in (1.05e-3, 0.95e-3))
    heard = heard_of(write(tmp_path / "faint.wav", np.concatenate([above, below, below]), subtype="FLOAT"), log_mel)
    assert heard.silent == pytest.approx(2 / 3, abs=0.02)
    assert heard.seconds == 3.0


@pytest.mark.parametrize("hz", [2000, 4000, 8000])
def test_the_cliff_stands_where_the_treble_was_cut_off(hz: int, tmp_path: Path, log_mel: LogMel) -> None:
    wave = resampled(resampled(noise(3.0), RATE, 2 * hz), 2 * hz, RATE)
    cut, whole = (
        heard_of(write(tmp_path / f"{n}.wav", each, subtype="FLOAT"), log_mel)
        for n, each in enumerate((wave, noise(3.0)))
    )
    assert cut.cutoff == pytest.approx(0.97 * hz, rel=0.06)
    assert cut.cliff > 60
    assert whole.cliff < 3


@pytest.mark.usefixtures("unpictured")
def test_samples_beyond_all_reason_are_told_and_stop_nothing(tmp_path: Path) -> None:
    music = tmp_path / "music"
    for level in (1e12, 1e13, 1e30, 3e38):
        wave = np.full((3 * RATE, 2), level, np.float32) * np.sign(noise(3.0))[:, None]
        write(music / "jazz" / f"{level:g}.wav", wave, subtype="FLOAT")
    write(
        music / "jazz" / "infinite.wav", np.stack([np.full(9999, np.inf), np.full(9999, -np.inf)], 1), subtype="FLOAT"
    )
    checked = check(str(music), tmp_path / "out", jobs=0)
    names = {f"jazz/{name}.wav" for name in ("1e+13", "1e+30", "3e+38", "infinite")}
    assert found(checked)["non-finite"] == {(name,) for name in names}
    assert any("as large as 1e+30" in finding.reason for finding in checked.findings)


@pytest.mark.parametrize("samples", [1, 2, 100, 2047])
def test_a_file_may_be_very_short(samples: int, tmp_path: Path, log_mel: LogMel) -> None:
    heard = heard_of(write(tmp_path / "short.wav", song(0)[RATE : RATE + samples]), log_mel)
    assert heard.fault == ""
    assert heard.seconds == pytest.approx(samples / RATE, abs=1e-4)
    assert heard.cliff == 0


@given(
    marks=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9),
    name=st.text(st.characters(codec="utf-8")) | st.just("caf\udce9.wav"),
    peak=st.floats(0, 1e12),
)
def test_what_was_heard_survives_json(marks: list[int], name: str, peak: float) -> None:
    heard = dataclasses.replace(FINE, id=name, peak=peak, marks=np.array(marks, np.int32))
    again = FileMeasurements.from_dict(json.loads(json.dumps(heard.to_dict())))
    assert again == heard
    assert again.marks.tolist() == marks


# -- containers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", sorted(audio.SUFFIXES))
def test_every_ending_that_is_taken_for_audio_suits_a_container(suffix: str) -> None:
    assert any(suits(f"{container} x", suffix[1:].upper()) for container in ENDINGS)
    assert not all(suits(f"{container} x", suffix[1:]) for container in ENDINGS)


@pytest.mark.parametrize("ending", ["wav", "w64", "au", "aif", "caf", "flac", "ogg", "opus", "mp3"])
def test_what_libsndfile_writes_suits_its_name_and_no_other(ending: str, tmp_path: Path, log_mel: LogMel) -> None:
    codec = heard_of(write(tmp_path / f"a.{ending}", noise(0.5, rate=48_000), 48_000), log_mel).codec
    others = {"wav", "w64", "au", "aif", "caf", "flac", "ogg", "mp3", "m4a", "wma"} - {ending}
    assert suits(codec, ending)
    assert [other for other in others if suits(codec, other)] == (["ogg"] if ending == "opus" else [])


BY_FFMPEG = {
    "m4a": ("mp4", "aac"), "wma": ("asf", "wmav2"), "mka": ("matroska", "aac"), "webm": ("webm", "libopus"),
    "ac3": ("ac3", "ac3"), "mp2": ("mp2", "mp2"), "aac": ("adts", "aac"), "wv": ("wv", "wavpack"),
}  # fmt: skip


@pytest.mark.parametrize("ending", BY_FFMPEG)
def test_what_ffmpeg_writes_suits_its_name(ending: str, tmp_path: Path, log_mel: LogMel) -> None:
    container, codec = BY_FFMPEG[ending]
    path = encode(tmp_path / f"a.{ending}", noise(0.5, rate=48_000), 48_000, codec, container=container)
    heard = heard_of(path, log_mel)
    assert heard.fault == ""
    assert heard.codec.split()[0] in ENDINGS
    assert suits(heard.codec, ending)
    assert not suits(heard.codec, "flac")


def test_a_container_that_nobody_knows_suits_any_name() -> None:
    assert suits("hologram x", "wav")


def test_a_name_without_an_ending_says_nothing_wrong() -> None:
    assert judged(dataclasses.replace(FINE, id="song")) == []


OGG = ["ogg", "opus"]


def ogg(tmp_path: Path, ending: str) -> tuple[bytes, list[int]]:
    """Return an Ogg file's bytes and where its pages begin."""
    content = write(tmp_path / f"whole.{ending}", song(0, rate=48_000), 48_000).read_bytes()
    pages = [at for at in range(len(content)) if content.startswith(b"OggS\x00", at)]
    assert len(pages) > 3
    return content, pages


@pytest.mark.usefixtures("unpictured")
@pytest.mark.parametrize("ending", OGG)
def test_a_check_finds_an_ogg_file_that_was_cut_anywhere(ending: str, tmp_path: Path) -> None:
    content, pages = ogg(tmp_path, ending)
    folder = tmp_path / "music" / "jazz"
    folder.mkdir(parents=True)
    sizes = {"whole": len(content), "in-page": (pages[-1] + len(content)) // 2, "on-page": pages[-1], "first": 20}
    for name, size in sizes.items():
        with_bytes(folder / f"{name}.{ending}", content[:size])
    kinds = found(check(str(tmp_path / "music"), tmp_path / "out", jobs=0))
    assert kinds["truncated"] == {(f"jazz/in-page.{ending}",), (f"jazz/on-page.{ending}",)}
    assert kinds["unreadable"] == {(f"jazz/first.{ending}",)}
    assert set(kinds) == {"truncated", "unreadable", "few-tracks"}


# -- duplicates ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unpictured")
def test_the_same_samples_are_one_recording_in_whatever_container(tmp_path: Path) -> None:
    wave = integers(song(1))
    for name in ("a/1.wav", "a/2.flac", "a/3.au", "b/4.aiff"):
        write(tmp_path / "music" / name, wave)
    write(tmp_path / "music" / "b" / "5.wav", (wave / 32_768).astype(np.float32), subtype="FLOAT")
    other = wave.copy()
    other[1000] += 1
    write(tmp_path / "music" / "b" / "6.wav", other)
    checked = check(str(tmp_path / "music"), tmp_path / "out", jobs=0)
    assert len({heard.digest for heard in checked.measurements[:5]}) == 1
    kinds = found(checked)
    assert len(kinds["exact-duplicate"]) == 5 * 4 / 2
    assert kinds["near-duplicate"] == {(f.id, "b/6.wav") for f in checked.measurements[:5]}
    assert kinds["label-conflict"] == {
        (first.id, second.id) for first in checked.measurements[:3] for second in checked.measurements[3:]
    }


def test_a_negative_zero_sounds_as_a_positive_one(tmp_path: Path, log_mel: LogMel) -> None:
    wave = np.concatenate([song(1), np.zeros(RATE, np.float32)])
    flipped = np.where(wave == 0, np.float32(-0.0), wave)
    assert wave.tobytes() != flipped.tobytes()
    one, two = (
        heard_of(write(tmp_path / f"{n}.wav", each, subtype="FLOAT"), log_mel) for n, each in enumerate((wave, flipped))
    )
    assert one.digest == two.digest


@pytest.mark.usefixtures("unpictured")
def test_files_without_sound_are_no_duplicates_of_each_other(tmp_path: Path) -> None:
    for number in range(2):
        for name, level in (("silent", 0.0), ("constant", 0.25)):
            write(tmp_path / "music" / f"genre-{number}" / f"{name}.wav", np.full(3 * RATE, level, np.float32))
    checked = check(str(tmp_path / "music"), tmp_path / "out", jobs=0)
    assert checked.pairs == ()
    assert {kind: len(tracks) for kind, tracks in found(checked).items() if kind in ("silent", "constant")} == {
        "silent": 2, "constant": 2,
    }  # fmt: skip


# -- a second run ----------------------------------------------------------------------------------------------------


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Give four short tracks of two genres."""
    return genre_folders(tmp_path / "music", ["jazz", "rock"], seconds=3.0)


def results(out: Path) -> tuple[Any, list[str]]:
    """Return what a check left: its findings and files, and who is in its notes."""
    notes = (out / NOTES_NAME).read_text(encoding="utf-8").split()
    return json.loads((out / FILE_NAME).read_text(encoding="utf-8")), notes


@pytest.mark.usefixtures("unpictured")
def test_a_second_run_reads_nothing_and_finds_the_same(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    seen: list[tuple[int, int]] = []
    first = check(str(music), out, jobs=0, on_track=lambda at: seen.append((at.done, at.total)))
    assert seen == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    before = (out / FILE_NAME).read_bytes(), (out / NOTES_NAME).read_bytes()
    seen.clear()
    second = check(str(music), out, jobs=0, on_track=lambda at: seen.append((at.done, at.total)))
    assert (first.computed, second.computed) == (4, 0)
    assert seen == [(4, 4)]
    assert ((out / FILE_NAME).read_bytes(), (out / NOTES_NAME).read_bytes()) == before
    assert second.findings == first.findings


@pytest.mark.usefixtures("unpictured")
def test_only_a_file_that_has_changed_is_read_again(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = check(str(music), out, jobs=0)
    touched = music / "jazz" / "jazz-00.wav"
    os.utime(touched, ns=(1, 1))
    again = check(str(music), out, jobs=0)
    assert again.computed == 1
    assert again.measurements[1:] == before.measurements[1:]
    assert again.measurements[0] == dataclasses.replace(before.measurements[0], mtime_ns=1)

    stat = touched.stat()
    write(touched, np.zeros(3 * RATE, np.float32))  # as long as before
    assert touched.stat().st_size == stat.st_size
    changed = check(str(music), out, jobs=0)
    assert changed.computed == 1
    assert found(changed)["silent"] == {("jazz/jazz-00.wav",)}
    assert check(str(music), out, jobs=0).computed == 0


@pytest.mark.usefixtures("unpictured")
def test_a_new_file_alone_is_read_and_one_that_is_gone_is_forgotten(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    check(str(music), out, jobs=0)
    shutil.copyfile(music / "rock" / "rock-00.wav", music / "jazz" / "new.wav")
    (music / "rock" / "rock-01.wav").unlink()
    second = check(str(music), out, jobs=0)
    assert second.computed == 1
    assert [track.id for track in second.tracks] == [
        "jazz/jazz-00.wav", "jazz/jazz-01.wav", "jazz/new.wav", "rock/rock-00.wav",
    ]  # fmt: skip
    assert found(second)["label-conflict"] == {("jazz/new.wav", "rock/rock-00.wav")}


@pytest.mark.usefixtures("unpictured")
def test_some_genres_can_be_checked_first(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    some = check(str(music), out, genres=["rock"], jobs=0)
    assert [track.genre for track in some.tracks] == ["rock", "rock"]
    assert check(str(music), out, jobs=0).computed == 2


@pytest.mark.usefixtures("unpictured")
def test_a_listed_file_that_is_missing_is_unreadable_until_it_comes_back(music: Path, tmp_path: Path) -> None:
    listing, out = tmp_path / "tracks.csv", tmp_path / "out"
    rows = [f"music/{path.parent.name}/{path.name},{path.parent.name}" for path in sorted(music.rglob("*.wav"))]
    listing.write_text("\n".join(["path,genre", *rows, ""]))
    check(str(listing), out, jobs=0)
    moved = (music / "rock" / "rock-00.wav").rename(tmp_path / "away.wav")
    second = check(str(listing), out, jobs=0)
    assert second.computed == 1
    (missing,) = (finding for finding in second.findings if finding.severity == "error")
    assert missing == faults.Finding("unreadable", ("music/rock/rock-00.wav",), "file: No such file or directory")
    moved.rename(music / "rock" / "rock-00.wav")
    third = check(str(listing), out, jobs=0)
    assert (third.computed, third.count("error")) == (1, 0)


def test_files_that_vanish_while_they_are_checked_stop_nothing(music: Path, tmp_path: Path) -> None:
    shutil.copyfile(music / "jazz" / "jazz-00.wav", music / "rock" / "copy.wav")

    def vanish(at: Progress[FileMeasurements]) -> None:
        if at.done == 1:  # not heard yet
            (music / "jazz" / "jazz-01.wav").unlink()
        if at.done == at.total:  # heard, and to be pictured
            (music / "rock" / "copy.wav").unlink()

    checked = check(str(music), tmp_path / "out", jobs=0, on_track=vanish)
    assert found(checked)["unreadable"] == {("jazz/jazz-01.wav",)}
    assert found(checked)["label-conflict"] == {("jazz/jazz-00.wav", "rock/copy.wav")}
    assert checked.page.exists()


@pytest.mark.usefixtures("unpictured")
@pytest.mark.parametrize("tail", ['{"format": 1, "id": "jazz/ja', 'null\n[1]\n{"format": 1}\n{}\n\x00\xff'])
def test_a_damaged_line_of_the_notes_costs_one_file(tail: str, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    whole = check(str(music), out, jobs=0)
    *kept, _ = (out / NOTES_NAME).read_text().splitlines(keepends=True)
    (out / NOTES_NAME).write_text("".join(kept) + tail, encoding="latin-1")
    again = check(str(music), out, jobs=0)
    assert again.computed == 1
    assert again.to_dict() == whole.to_dict()
    assert check(str(music), out, jobs=0).computed == 0


@pytest.mark.usefixtures("unpictured")
def test_notes_of_another_version_are_not_believed(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    check(str(music), out, jobs=0)
    notes = (out / NOTES_NAME).read_text()
    (out / NOTES_NAME).write_text(notes.replace('{"format": 1', '{"format": 0'))
    assert check(str(music), out, jobs=0).computed == 4


@pytest.mark.usefixtures("unpictured")
def test_an_interrupted_run_leaves_no_half_result_and_goes_on(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def interrupt(at: Progress[FileMeasurements]) -> None:
        if at.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(str(music), out, jobs=0, on_track=interrupt)
    assert [path.name for path in out.iterdir()] == [NOTES_NAME]
    assert len((out / NOTES_NAME).read_text().splitlines()) == 2
    rest = check(str(music), out, jobs=0)
    assert rest.computed == 2
    assert rest.to_dict() == check(str(music), tmp_path / "at once", jobs=0).to_dict()


# -- a folder that will not do ---------------------------------------------------------------------------------------


def test_a_folder_that_holds_something_else_is_left_untouched(music: Path, tmp_path: Path) -> None:
    for name in ("letters", "music"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "letter.txt").write_text("Dear reader")
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(DataError, match="other things in it"):
            check(str(music), tmp_path / name, jobs=0)
        assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(DataError, match="is a file"):
        check(str(music), tmp_path / "letters" / "letter.txt" / "out", jobs=0)


@pytest.mark.skipif(os.name == "nt", reason="there is no such file")
def test_results_that_cannot_be_written_are_an_error_that_names_them(music: Path) -> None:
    with pytest.raises(OutputError, match=f"cannot write /dev/null/out/{NOTES_NAME}"):
        check(str(music), "/dev/null/out", jobs=0)


@pytest.mark.parametrize("name", [FILE_NAME, PAGE_NAME])
def test_what_was_heard_is_kept_when_a_result_cannot_be_written(name: str, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / name / "in the way").mkdir(parents=True)
    with pytest.raises(OutputError, match=name):
        check(str(music), out, jobs=0)
    assert leftovers(out) == []
    shutil.rmtree(out / name)
    assert check(str(music), out, jobs=0).computed == 0


def test_notes_that_cannot_be_read_are_an_error_that_names_them(music: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / NOTES_NAME).mkdir(parents=True)
    with pytest.raises(DataError, match=f"{NOTES_NAME} cannot be read"):
        check(str(music), tmp_path / "out", jobs=0)


# -- the page --------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.resources: list[str] = []
        self.cells: list[str] = []
        self.text = ""
        self._in_cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.resources += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "data")]
        if tag == "td":
            self.cells.append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.cells[-1] += data


def test_the_page_tells_every_finding_and_loads_nothing(checked: Checked) -> None:
    seen = Page(checked.page)
    cells = seen.cells
    for finding in checked.findings:
        assert (" = ".join(finding.tracks) or "genre") in cells
        assert finding.reason in cells
    assert len(cells) == 2 * len(checked.findings)
    assert len(seen.resources) == 4 * seen.tags.count("figure") == 4 * 4  # light and dark, wide and narrow
    assert all(resource.startswith("data:image/png;base64,") for resource in seen.resources)
    assert not {"script", "link", "iframe"} & set(seen.tags)
    assert "url(" not in checked.page.read_text(encoding="utf-8")
    for kind, its in faults.KINDS.items():
        assert kind in seen.text
        assert its.meaning in seen.text


def test_names_are_text_on_the_page(tmp_path: Path) -> None:
    odd = ("<s>x<s>.wav", "<script>alert('x')<", "{{ 7 * 7 }} & $x$ [red]")
    for folder in odd[1:]:
        write(tmp_path / "<i>music" / folder / odd[0], song(3))
    checked = check(str(tmp_path / "<i>music"), tmp_path / "out", jobs=0)
    assert checked.count("error") == 1
    seen = Page(checked.page)
    assert not {"s", "script", "i"} & set(seen.tags)
    first, second = (f"{folder}/{odd[0]}" for folder in odd[1:])
    assert f"{first} = {second}" in seen.cells
    assert str(tmp_path / "<i>music") in seen.text


def test_the_page_of_a_clean_data_set_says_so(checked: Checked, tmp_path: Path) -> None:
    clean = dataclasses.replace(checked, findings=(), pairs=(), out=tmp_path)
    assert "None: every file can be used as it is" in Page(page.write(clean)).text


def test_the_page_lists_some_of_very_many_findings(tmp_path: Path) -> None:
    heard = tuple(dataclasses.replace(FINE, id=f"jazz/{n:03d}.wav", clipped=0.01) for n in range(page.SHOWN + 5))
    tracks = tuple(Track(each.id, Path(each.id), "jazz") for each in heard)
    many = Checked("music", tracks, heard, (), tuple(faults.judge(tracks, heard, [])), len(tracks), 1.0, tmp_path)
    seen = Page(page.write(many))
    assert len(seen.cells) == 2 * page.SHOWN
    assert "and 5 more, in check.json" in seen.text
    assert len(many.to_dict()["findings"]) == page.SHOWN + 5


# -- real music ------------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_the_known_exact_repeat_of_gtzan_is_found_and_no_other_pair(real_clips: Path, tmp_path: Path) -> None:
    """`metal.00058` and `rock.00016` are one recording (Sturm, 2013)."""
    genres = tmp_path / "genres"
    for name in ("metal.00058.ogg", "rock.00016.ogg", "metal.00000.wav", "rock.00000.wav", "rock.00017.ogg"):
        genre = name.partition(".")[0]
        (genres / genre).mkdir(parents=True, exist_ok=True)
        (genres / genre / name).symlink_to(real_clips / "genres" / genre / name)
    checked = check(str(genres), tmp_path / "out", jobs=0)
    (pair,) = checked.pairs
    assert (pair.first, pair.second) == ("metal/metal.00058.ogg", "rock/rock.00016.ogg")
    assert found(checked)["label-conflict"] == {(pair.first, pair.second)}
    assert checked.count("error") == 1
