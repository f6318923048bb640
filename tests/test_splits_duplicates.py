"""Copies are found whatever was done to them, with the right partner, and different music is not taken for a copy."""

from __future__ import annotations

import dataclasses
import json
import time
from functools import cache, partial
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pytest
import soxr
import torch
from conftest import RATE, Samples, encode, noise, write
from hypothesis import given
from hypothesis import strategies as st

from genrescope import audio
from genrescope.features.front_end import frames_of
from genrescope.features.logmel import LogMel
from genrescope.sources.cards import gtzan
from genrescope.splits import duplicates, groups
from genrescope.splits.duplicates import FILE_NAME, Pair, TrackLandmarks, candidates, find, in_store
from genrescope.splits.landmarks import BANDS, KEYS_PER_LANDMARK, Landmarks, keys, landmarks
from genrescope.store.prepare import prepare
from genrescope.store.store import open_store
from genrescope.synth import STYLES, compose

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")
FRAMES_PER_SECOND = RATE / 512
SECONDS = 11.0
SONGS = tuple(STYLES)[:8]

Songs: TypeAlias = dict[str, Samples]


@pytest.fixture(scope="module")
def songs() -> Songs:
    """Give a song of each of several styles."""
    return {name: compose(name, seconds=SECONDS, artist=number) for number, name in enumerate(SONGS)}


@pytest.fixture(scope="module")
def originals(songs: Songs) -> list[TrackLandmarks]:
    """Give what is compared of the songs."""
    return [track(name, wave) for name, wave in songs.items()]


@cache
def log_mel() -> LogMel:
    return LogMel()


def marks_of(wave: Samples) -> Landmarks:
    frames = log_mel()(torch.from_numpy(np.ascontiguousarray(wave))[None])[0].half().numpy()
    return landmarks(frames)


def track(name: str, wave: Samples, *, digest: str | None = None) -> TrackLandmarks:
    return TrackLandmarks(name, digest or f"of {name}", marks_of(wave))


def pairs_of(*tracks: TrackLandmarks) -> list[Pair]:
    return find(tracks, frames_per_second=FRAMES_PER_SECOND)


def renamed(heard: TrackLandmarks, name: str) -> TrackLandmarks:
    return dataclasses.replace(heard, id=name, digest=f"of {name}")


# -- near duplicates ----------------------------------------------------------------------------------------------


def seconds(count: float) -> int:
    return round(count * RATE)


def gain(wave: Samples, _: Path, *, decibel: float) -> Samples:
    clipped: Samples = np.clip(wave * np.float32(10 ** (decibel / 20)), -1, 1)
    return clipped


def cut(wave: Samples, _: Path, *, begin: float = 0.0, end: float = 0.0) -> Samples:
    return wave[seconds(begin) : len(wave) - seconds(end)]


def delayed(wave: Samples, _: Path, *, by: float) -> Samples:
    return np.concatenate([np.zeros(seconds(by), np.float32), wave])


def faster(wave: Samples, _: Path, *, speed: float) -> Samples:
    """Change speed and pitch together, as a turntable does."""
    played: Samples = soxr.resample(wave, RATE * speed, RATE, "VHQ")
    return played


def as_mp3(wave: Samples, folder: Path) -> Samples:
    path = encode(folder / "copy.mp3", wave, RATE, "libmp3lame", codec_options={"b": "64k"})
    assert path.stat().st_size * 8 / SECONDS < 70_000
    return audio.decode(path)


def as_ogg(wave: Samples, folder: Path) -> Samples:
    path = write(folder / "copy.ogg", wave)
    assert path.stat().st_size * 8 / SECONDS < 70_000
    return audio.decode(path)


@dataclasses.dataclass(frozen=True)
class Copy:
    """How a copy is made, and how it lies over its original."""

    make: Callable[[Samples, Path], Samples]
    offset: float = 0.0
    speed: float = 1.0
    overlap: float = SECONDS


COPIES = {
    "20 dB softer": Copy(partial(gain, decibel=-20)),
    "6 dB louder and clipped": Copy(partial(gain, decibel=6)),
    "3 s off the beginning": Copy(partial(cut, begin=3), offset=-3, overlap=SECONDS - 3),
    "3 s off the end": Copy(partial(cut, end=3), overlap=SECONDS - 3),
    "off both ends": Copy(partial(cut, begin=2.5, end=2), offset=-2.5, overlap=SECONDS - 4.5),
    "0.1 s earlier": Copy(partial(cut, begin=0.1), offset=-0.1),
    "0.1 s later": Copy(partial(delayed, by=0.1), offset=0.1),
    "5 s earlier": Copy(partial(cut, begin=5), offset=-5, overlap=SECONDS - 5),
    "5 s later": Copy(partial(delayed, by=5), offset=5),
    "mp3": Copy(as_mp3),
    "ogg": Copy(as_ogg),
    "1 % slower": Copy(partial(faster, speed=0.99), speed=0.99),
    "1 % faster": Copy(partial(faster, speed=1.01), speed=1.01),
}


@pytest.mark.parametrize("name", COPIES)
def test_each_copy_is_found_with_its_original_and_nothing_else(
    songs: Songs, originals: list[TrackLandmarks], name: str, tmp_path: Path
) -> None:
    copy = COPIES[name]
    copies = [track(f"{song}, {name}", copy.make(wave, tmp_path)) for song, wave in songs.items()]
    found = pairs_of(*originals, *copies)
    assert [(pair.first, pair.second, pair.kind) for pair in found] == [
        (song, f"{song}, {name}", "near") for song in sorted(songs)
    ]
    for pair in found:
        assert pair.offset == pytest.approx(copy.offset, abs=0.1), pair
        assert pair.overlap == pytest.approx(copy.overlap, abs=0.6), pair
        assert 0.6 <= pair.share <= 1, pair
        if copy.speed == 1:
            assert pair.speed == pytest.approx(1, abs=0.001), pair
        else:  # in so short a track 0.5 % is a frame or two
            assert pair.speed == pytest.approx(copy.speed, abs=0.007), pair
            assert (pair.speed - 1) * (copy.speed - 1) > 0, pair


def test_all_copies_of_a_recording_are_pairs_of_each_other(songs: Songs, tmp_path: Path) -> None:
    wave = songs["nightmoss"]
    names = ("20 dB softer", "3 s off the beginning", "mp3", "0.1 s later")
    tracks = [track("a", wave), *(track(name, COPIES[name].make(wave, tmp_path)) for name in names)]
    found = {(pair.first, pair.second): pair for pair in pairs_of(*tracks)}
    assert sorted(found) == list(combinations(sorted(["a", *names]), 2))
    assert found["0.1 s later", "3 s off the beginning"].offset == pytest.approx(-3.1, abs=0.05)


def test_different_songs_are_no_pairs(originals: list[TrackLandmarks]) -> None:
    assert pairs_of(*originals) == []


def test_other_songs_of_the_same_artist_are_no_pairs() -> None:
    tracks = [track(f"{n}", compose("prismlace", artist=3, track=n, seconds=SECONDS)) for n in range(6)]
    assert pairs_of(*tracks) == []


def test_a_turned_round_pair_says_the_same(songs: Songs, tmp_path: Path) -> None:
    for name in ("3 s off the beginning", "1 % slower", "1 % faster"):
        for song, wave in list(songs.items())[:4]:
            one, two = track(song, wave), track("copy", COPIES[name].make(wave, tmp_path))
            (there,), (back,) = (
                pairs_of(renamed(one, "a"), renamed(two, "b")),
                pairs_of(renamed(two, "a"), renamed(one, "b")),
            )
            assert back.speed == pytest.approx(1 / there.speed, abs=0.004)
            assert back.offset == pytest.approx(-there.offset * back.speed, abs=0.1)
            assert back.overlap == pytest.approx(there.overlap, abs=0.4)


@given(offset=st.floats(-300, 300), speed=st.floats(0.98, 1.02), moment=st.floats(0, 300))
def test_offset_and_speed_lead_there_and_back(offset: float, speed: float, moment: float) -> None:
    """What is heard at a moment of the first is heard in the second at offset + moment / speed."""
    told = {"offset": offset, "speed": speed, "overlap": 9.876, "share": 0.71234}
    there, back = duplicates._pair("a", "b", **told), duplicates._pair("b", "a", **told)
    assert (there.first, there.second) == (back.first, back.second) == ("a", "b")
    assert (there.kind, there.offset, there.speed) == ("near", round(offset, 2), round(speed, 4))
    assert (there.overlap, there.share) == (back.overlap, back.share) == (9.88, 0.712)
    later = offset + moment / speed
    assert back.offset + later / back.speed == pytest.approx(moment, abs=0.05)


# -- exact duplicates ---------------------------------------------------------------------------------------------


def test_equal_sound_is_an_exact_pair(originals: list[TrackLandmarks]) -> None:
    one, two, other = originals[:3]
    copies = [dataclasses.replace(one, id=name) for name in ("zz", "aa")]
    found = pairs_of(one, two, other, *copies, dataclasses.replace(other, id="b"))
    ids = sorted([one.id, "aa", "zz"])
    expected = [*combinations(ids, 2), ("b", other.id)]
    assert [(pair.first, pair.second) for pair in found] == sorted(expected)
    for pair in found:
        assert (pair.kind, pair.offset, pair.speed, pair.share) == ("exact", 0.0, 1.0, 1.0)
        assert SECONDS - 1 < pair.overlap <= SECONDS


def test_a_near_copy_is_a_pair_of_each_exact_one(originals: list[TrackLandmarks], songs: Songs, tmp_path: Path) -> None:
    one = originals[0]
    near = track("near", COPIES["5 s earlier"].make(songs[one.id], tmp_path))
    equal = [dataclasses.replace(near, id=name) for name in ("a", "z")]
    found = pairs_of(one, dataclasses.replace(one, id="copy"), near, *equal)
    kinds = {(pair.first, pair.second): pair.kind for pair in found}
    assert sorted(kinds) == list(combinations(sorted(["a", "near", "z", "copy", one.id]), 2))
    exact = {("a", "near"), ("a", "z"), ("near", "z"), ("copy", one.id)}
    assert {pair for pair, kind in kinds.items() if kind == "exact"} == exact
    told = {(pair.first, pair.second): pair.offset for pair in found}
    assert told["a", one.id] == pytest.approx(5, abs=0.05)  # the first now is the copy
    assert told[one.id, "near"] == pytest.approx(-5, abs=0.05)


@given(order=st.permutations(range(9)))
def test_the_order_of_the_tracks_does_not_matter(order: list[int], originals: list[TrackLandmarks]) -> None:
    tracks = [*originals[:3], *(renamed(each, f"copy of {each.id}") for each in originals[:3])]
    tracks += [dataclasses.replace(each, id=f"a {each.id}") for each in originals[:3]]
    found = pairs_of(*(tracks[number] for number in order))
    assert found == pairs_of(*tracks)
    assert len(found) == 9
    ids = [(pair.first, pair.second) for pair in found]
    assert ids == sorted(ids)
    assert all(first < second for first, second in ids)


# -- odd ones -----------------------------------------------------------------------------------------------------


def test_few_tracks_or_silent_ones_are_no_trouble(originals: list[TrackLandmarks]) -> None:
    silent = [track(name, np.zeros(RATE, np.float32), digest="silence") for name in "ab"]
    assert all(len(each.marks) == 0 for each in silent)
    assert pairs_of() == pairs_of(originals[0]) == pairs_of(silent[0]) == pairs_of(*silent) == []
    assert pairs_of(*silent, originals[0]) == []
    assert candidates([]) == candidates([each.marks for each in silent]) == []


def test_tracks_of_a_second_are_exact_pairs_or_none(songs: Songs) -> None:
    """There is too little in them to tell more."""
    short = [track(name, wave[: RATE + 100]) for name, wave in songs.items()]
    softer = [track(f"soft {name}", wave[: RATE + 100] * np.float32(0.5)) for name, wave in songs.items()]
    equal = dataclasses.replace(short[0], id="equal")
    assert [(p.first, p.second, p.kind) for p in pairs_of(*short, *softer, equal)] == [(short[0].id, "equal", "exact")]


def test_noise_is_not_taken_for_noise(originals: list[TrackLandmarks]) -> None:
    hiss = [track(f"hiss {seed}", noise(SECONDS, seed=seed)) for seed in range(6)]
    assert pairs_of(*hiss, *originals) == []


def test_a_loop_does_no_harm(songs: Songs, originals: list[TrackLandmarks], tmp_path: Path) -> None:
    """Its keys come again and again in itself; still its copy is found, and nothing else."""
    bar, other = songs["ironpulse"][: seconds(1.3)], songs["prismlace"][: seconds(0.9)]
    loops = [track("loop", np.tile(bar, 9)), track("other loop", np.tile(other, 13))]
    copy = track("mp3 of loop", as_mp3(np.tile(bar, 8), tmp_path))
    found = [(pair.first, pair.second) for pair in pairs_of(*loops, copy, *originals)]
    assert found == [("loop", "mp3 of loop")]
    begun = time.monotonic()
    assert pairs_of(track("long loop", np.tile(other, 400))) == []
    assert time.monotonic() - begun < 5


# -- the inverted index -------------------------------------------------------------------------------------------


def scattered(seed: int, *, length: float = 10.0) -> Landmarks:
    """Return landmarks as dense as those of music, anywhere."""
    frames = round(length * FRAMES_PER_SECOND)
    return np.unique(np.random.default_rng(seed).integers(0, frames * BANDS, round(26 * length))).astype(np.int32)


@pytest.mark.parametrize("entries", [4000, 1500, 300])
def test_several_passes_find_what_one_does(
    songs: Songs, originals: list[TrackLandmarks], entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = [track(f"{name}, cut", wave[seconds(4) :]) for name, wave in songs.items()]
    once = pairs_of(*originals, *copies)
    assert len(once) == len(songs)
    assert sum(len(each.marks) for each in originals) * KEYS_PER_LANDMARK > 2 * entries
    monkeypatch.setattr(duplicates, "candidates", partial(candidates, entries=entries))
    several = pairs_of(*originals, *copies)
    assert [(pair.first, pair.second, pair.kind) for pair in several] == [
        (pair.first, pair.second, pair.kind) for pair in once
    ]
    for one, other in zip(once, several, strict=True):  # of many hits each pass keeps others
        assert other.offset == pytest.approx(one.offset, abs=0.03)
        assert (other.speed, other.share) == pytest.approx((one.speed, one.share), abs=0.05)


@given(seed=st.integers(0, 2**32 - 1), entries=st.integers(300, 3000))
def test_passes_share_the_hits_out(seed: int, entries: int) -> None:
    """As long as they are few enough to be kept all."""
    tracks = [scattered(seed, length=4), scattered(seed + 1, length=4), scattered(seed, length=4)[20:] + 99 * BANDS]
    once, several = candidates(tracks), candidates(tracks, entries=entries)
    assert [(hits.first, hits.second) for hits in once] == [(hits.first, hits.second) for hits in several] == [(0, 2)]
    assert sorted(once[0].frames.tolist()) == sorted(several[0].frames.tolist())


def test_each_pass_holds_its_part_of_the_keys(originals: list[TrackLandmarks]) -> None:
    tracks = [each.marks for each in originals]
    starts = np.cumsum([0, *map(len, tracks)])
    whole = duplicates._packed(tracks, starts, 0, 1)
    parts = [duplicates._packed(tracks, starts, number, 8) for number in range(8)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), whole)
    assert max(map(len, parts)) < 1.5 * len(whole) / 8


@given(seed=st.integers(0, 2**32 - 1), later=st.integers(0, 200))
def test_hits_lie_where_the_shared_keys_begin(seed: int, later: int) -> None:
    marks = scattered(seed)
    (found,) = candidates([marks, scattered(seed + 1), marks + later * BANDS])
    assert (found.first, found.second) == (0, 2)
    right = found.frames[:, 1] - found.frames[:, 0] == later
    assert right.mean() > 0.95  # the others are chance
    assert set(found.frames[:, 0].tolist()) <= set((marks // BANDS).tolist())
    assert len(found.frames) <= 2 * duplicates._KEPT_HITS


def test_what_a_crowd_shares_is_ignored() -> None:
    """A jingle in every track is no reason to compare every two of them."""
    jingle = scattered(0, length=3)
    tracks = [np.concatenate([jingle, scattered(seed, length=4) + 200 * BANDS]) for seed in range(1, 301)]
    begun = time.monotonic()
    assert candidates(tracks) == []
    assert time.monotonic() - begun < 10
    assert len(candidates(tracks[:20])) == 190  # few enough to be told
    copied = candidates([*tracks, tracks[7]])
    assert [(hits.first, hits.second) for hits in copied] == [(7, 300)]


def test_a_key_tells_only_what_two_tracks_share() -> None:
    marks = scattered(1)
    looped = np.concatenate([marks, marks + 500 * BANDS])
    assert candidates([looped]) == []
    assert len(candidates([looped, marks])) == 1
    starts = np.array([0, len(looped), len(looped) + len(marks)])
    key, place, number = duplicates._telling(duplicates._packed([looped, marks], starts, 0, 1), starts)
    assert set(key.tolist()) >= set(keys(marks)[0].tolist())
    assert ((place >= starts[number]) & (place < starts[number + 1])).all()


# -- in a store ---------------------------------------------------------------------------------------------------


@pytest.fixture
def store(songs: Songs, tmp_path: Path) -> Store:
    """Give the store of two songs by two artists, an exact copy of the one and a near one of the other."""
    first, second = songs["tidebell"], songs["dustreel"]
    music = {
        "one/a": first,
        "two/b": second,
        "one/c": first,
        "three/d": second[seconds(3) :] * np.float32(0.5),
        "three/e": songs["nightmoss"],
    }
    for name, wave in music.items():
        write(tmp_path / "music" / "pop" / f"{name}.wav", wave)
    return prepare(str(tmp_path / "music"), tmp_path / "store", groups="path:pop/{group}/*", jobs=0).store


def told(pairs: list[Pair]) -> list[tuple[str, str, str]]:
    return [(pair.first, pair.second, pair.kind) for pair in pairs]


def searched(store: Store) -> tuple[list[Pair], bool]:
    """Return the pairs, and whether they were sought rather than read."""
    calls: list[tuple[int, int]] = []
    pairs = in_store(store, on_track=lambda done, total: calls.append((done, total)))
    assert calls in ([], [(number, len(store.tracks)) for number in range(1, len(store.tracks) + 1)])
    return pairs, bool(calls)


def test_copies_in_a_store_are_found_once_and_then_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, sought = searched(store)
    a, b, c, d, _ = sorted((each.id for each in store.tracks), key=lambda each: each[-5])
    assert sought
    assert told(pairs) == sorted([(a, c, "exact"), (*sorted((b, d)), "near")])
    monkeypatch.setattr(duplicates, "landmarks", lambda *_, **__: pytest.fail("it searched again"))
    assert searched(store) == (pairs, False)
    assert searched(open_store(store.path)) == (pairs, False)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[1, 2]",
        lambda text: "null",
        lambda text: json.dumps(json.loads(text) | {"format": 0}),
        lambda text: json.dumps(json.loads(text) | {"fingerprint": "another store"}),
        lambda text: json.dumps(json.loads(text) | {"pairs": [{"first": "a"}]}),
        lambda text: json.dumps(json.loads(text) | {"pairs": [{"first": "a", "second": "b", "likeness": 1}]}),
        lambda text: json.dumps(json.loads(text) | {"pairs": None}),
        lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "pairs"}),
    ],
    ids=["empty", "half", "list", "null", "older", "foreign", "too little", "too much", "no list", "without pairs"],
)
def test_a_note_that_does_not_fit_is_written_anew(store: Store, damage: Callable[[str], str]) -> None:
    pairs, _ = searched(store)
    note = store.path / FILE_NAME
    good = note.read_text(encoding="utf-8")
    note.write_text(damage(good), encoding="utf-8")
    assert searched(store) == (pairs, True)
    assert note.read_text(encoding="utf-8") == good
    assert searched(store) == (pairs, False)


def test_a_store_that_cannot_be_written_is_searched_each_time(store: Store) -> None:
    (store.path / FILE_NAME).mkdir()  # as good as a read-only disk, and root is stopped by it too
    first = searched(store)
    assert first[1]
    assert len(first[0]) == 2
    assert searched(store) == first
    assert list((store.path / FILE_NAME).iterdir()) == []


def test_new_music_in_a_store_is_searched(store: Store, songs: Songs, tmp_path: Path) -> None:
    before, _ = searched(store)
    write(tmp_path / "music" / "pop" / "four" / "f.wav", songs["nightmoss"] * np.float32(0.25))
    grown = prepare(str(tmp_path / "music"), store.path, groups="path:pop/{group}/*", jobs=0).store
    after, sought = searched(grown)
    assert sought
    assert len(after) == len(before) + 1
    assert set(before) <= set(after)


def test_groups_that_share_a_recording_become_one(store: Store) -> None:
    """An exact copy lies within one group, a near one joins two."""
    assert {each.group for each in store.tracks} == {"one", "two", "three"}
    joined = groups.join(store.tracks, in_store(store))
    assert {each.id: joined[each.id] for each in store.tracks} == {
        each.id: "one" if each.group == "one" else "three" for each in store.tracks
    }


# -- real music ---------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_the_repeats_of_gtzan_are_found_and_nothing_else(real_clips: Path) -> None:
    """Among the jazz and metal at hand; a clip of metal is also there as rock."""
    repeats = [repeat for repeat in gtzan.known_repeats() if repeat.kind != "title"]
    repeated = {clip for repeat in repeats for clip in repeat.tracks}
    heard = []
    for path in (path for genre in ("jazz", "metal", "rock") for path in (real_clips / "genres" / genre).iterdir()):
        if not path.stem.startswith("rock") or path.stem in repeated:
            frames, _ = frames_of(path, log_mel())
            heard.append(TrackLandmarks(path.stem, path.stem, landmarks(frames)))
    names = {each.id for each in heard}
    expected = {pair for each in repeats for pair in combinations(sorted(each.tracks), 2) if set(pair) <= names}
    assert len(expected) >= 10
    assert [(pair.first, pair.second) for pair in pairs_of(*heard)] == sorted(expected)
