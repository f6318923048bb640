"""Landmarks stay where they are when a recording is made louder, shifted or worked through in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import RATE, Samples, noise, tone
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features.logmel import LogMel
from genrescope.splits import landmarks as module
from genrescope.splits.duplicates import candidates
from genrescope.splits.landmarks import BANDS, KEYS_PER_LANDMARK, Landmarks, align, keys, landmarks, landmarks_of
from genrescope.synth import compose

if TYPE_CHECKING:
    from genrescope.store.store import Frames

pytestmark = pytest.mark.usefixtures("one_thread")
SILENCE = LogMel().spec.silence
REACH = 6  # frames on either side that have a say in whether a point is a landmark

Integers: TypeAlias = npt.NDArray[np.int64]

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def song() -> Frames:
    """Give the log-mel of ten seconds of music."""
    return heard(compose("brassgale", seconds=10))


def heard(wave: Samples) -> Frames:
    frames: Frames = LogMel()(torch.from_numpy(wave)[None])[0].half().numpy()
    return frames


def picture(seed: int, frames: int, *, mels: int = BANDS) -> Frames:
    """Return a log-mel of noise between -9 and 3, on a grid that float16 holds exactly, and so all its shifts."""
    return (np.random.default_rng(seed).integers(-9 * 64, 3 * 64, (frames, mels)) / 64).astype(np.float16)


def hushed(frames: int) -> Frames:
    return np.full((frames, BANDS), SILENCE, np.float16)


def marks_of(frames: Frames) -> Landmarks:
    return landmarks(frames)


def scattered(seed: int, *, seconds: float = 10.0) -> Landmarks:
    """Return landmarks as dense as those of music, anywhere."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * RATE / 512)
    return np.unique(rng.integers(0, frames * BANDS, round(26 * seconds))).astype(np.int32)


def moved(marks: Landmarks, *, stretch: float = 1.0, frames: int = 0) -> Landmarks:
    """Return landmarks played slower by a factor and then later; what would lie before the beginning is cut off."""
    frame, band = np.divmod(marks.astype(np.int64), BANDS)
    frame = np.round(frame * stretch).astype(np.int64) + frames
    return np.unique(frame[frame >= 0] * BANDS + band[frame >= 0]).astype(np.int32)


def hits(first: Landmarks, second: Landmarks) -> Integers:
    (found,) = candidates([first, second])
    return found.frames


# -- landmarks ----------------------------------------------------------------------------------------------------


@given(seed=seeds, frames=st.integers(0, 200), mels=st.sampled_from([16, 64, BANDS]))
def test_landmarks_are_sorted_and_inside(seed: int, frames: int, mels: int) -> None:
    found = marks_of(picture(seed, frames, mels=mels))
    assert found.dtype == np.int32
    assert (np.diff(found) > 0).all()
    assert ((found >= 0) & (found // BANDS < frames) & (found % BANDS < mels)).all()


@given(seed=seeds, frames=st.integers(1, 60))
def test_a_landmark_is_the_highest_around_and_stands_out(seed: int, frames: int) -> None:
    """The definition, worked out point by point."""
    levels = picture(seed, frames)
    padded = np.pad(levels.astype(np.float64), ((5, 5), (6, 6)), constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, (11, 13))
    expected = (levels == np.nanmax(around, axis=(2, 3))) & (levels > np.nanmean(around, axis=(2, 3)) + 1)
    expected[1:] &= ~expected[:-1].copy()
    frame, band = np.nonzero(expected)
    np.testing.assert_array_equal(marks_of(levels), frame * BANDS + band)


@given(seed=seeds, frames=st.integers(0, 80), above=st.floats(0, 0.45))
def test_there_are_none_in_silence(seed: int, frames: int, above: float) -> None:
    hiss = hushed(frames) + (above * np.random.default_rng(seed).random((frames, BANDS))).astype(np.float16)
    assert marks_of(hushed(frames)).tolist() == marks_of(hiss).tolist() == []


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_a_log_mel_may_be_as_short_as_it_likes(song: Frames, frames: int) -> None:
    found = marks_of(song[:frames])
    assert len(found) <= BANDS // 7
    key, at = keys(found)
    assert len(key) == len(at) == 0  # three landmarks with time between them do not fit into it


@given(seed=seeds, frames=st.integers(1, 80), louder=st.integers(-3, 9))
def test_gain_leaves_them_where_they_are(seed: int, frames: int, louder: int) -> None:
    levels = picture(seed, frames)
    np.testing.assert_array_equal(marks_of(levels + np.float16(louder)), marks_of(levels))


def test_gain_leaves_those_of_music_where_they_are(song: Frames) -> None:
    """But for those that drown, and for what float16 rounds."""
    before, after = set(marks_of(song).tolist()), set(marks_of(np.maximum(song - np.float16(2), SILENCE)).tolist())
    assert len(before) > 150
    assert len(before & after) > 0.95 * len(before | after)


@given(seed=seeds, frames=st.integers(1, 80), later=st.integers(0, 50))
def test_a_shift_in_time_shifts_them(seed: int, frames: int, later: int) -> None:
    within = [hushed(REACH), picture(seed, frames), hushed(REACH)]
    expected = marks_of(np.concatenate(within)) + later * BANDS
    np.testing.assert_array_equal(marks_of(np.concatenate([hushed(later), *within])), expected)


@given(seed=seeds, frames=st.integers(1, 150), block=st.integers(1, 70))
def test_blocks_do_not_matter(seed: int, frames: int, block: int) -> None:
    levels = picture(seed, frames)
    levels[frames // 3 : frames // 2, 20:30] = 4  # a tone, which must not begin again with each block
    whole = marks_of(levels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        np.testing.assert_array_equal(marks_of(levels), whole)


@pytest.mark.parametrize("block", [5, 6, 7, 11, 12, 13, 1000])
def test_a_block_knows_why_the_frame_before_it_is_none(block: int) -> None:
    """Frame 11 is in the shadow of frame 6, so the tone begins at frame 12, whatever block that is in."""
    levels = hushed(40)
    levels[6, 40], levels[11:20, 40] = 3, 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        assert (marks_of(levels) // BANDS).tolist() == [6, 12]


def test_a_steady_tone_is_one_event() -> None:
    held = marks_of(np.where(np.arange(BANDS) == 40, 2, hushed(400)).astype(np.float16))
    assert held.tolist() == [40]


@pytest.mark.parametrize("hz", [110, 440, 1760, 7040])
def test_a_steady_tone_has_few_and_a_struck_one_has_one_at_each_stroke(song: Frames, hz: float) -> None:
    """A tone's level quivers in frames that are no multiple of its period, so it is not one event only."""
    assert len(marks_of(heard(tone(hz, seconds=10)))) < len(marks_of(song)) / 2
    struck = np.concatenate([tone(hz, seconds=0.3), np.zeros(round(0.2 * RATE), np.float32)])
    frames = marks_of(heard(np.tile(struck, 20))) // BANDS
    strokes = np.arange(20) * 0.5 * RATE / 512
    assert (np.abs(strokes[:, None] - frames).min(axis=1) < 8).all()


def test_music_has_some_in_every_second(song: Frames) -> None:
    seconds = np.bincount(marks_of(song) // BANDS * 512 // RATE)
    assert len(seconds) >= 10
    assert (seconds[:9] >= 5).all()
    assert (seconds < 80).all()


def test_noise_lays_no_landmark_of_music_elsewhere(song: Frames) -> None:
    wave = compose("brassgale", seconds=10)
    noisy = heard(wave + noise(10, level=0.003 * float(np.abs(wave).max())))
    clean, found = marks_of(song), marks_of(noisy)
    assert align(clean, found, hits(clean, found)).share > 0.7


# -- keys ---------------------------------------------------------------------------------------------------------


@given(seed=seeds, later=st.integers(1, 10_000))
def test_keys_do_not_tell_where_they_are(seed: int, later: int) -> None:
    marks = scattered(seed)
    (key, at), (key_later, at_later) = keys(marks), keys(marks + later * BANDS)
    np.testing.assert_array_equal(key, key_later)
    np.testing.assert_array_equal(at, at_later)


@given(seed=seeds, data=st.data())
def test_a_cut_has_no_keys_of_its_own(seed: int, data: st.DataObject) -> None:
    marks = scattered(seed)
    begin = data.draw(st.integers(0, len(marks)))
    end = data.draw(st.integers(begin, len(marks)))
    key, at = keys(marks)
    cut_key, cut_at = keys(marks[begin:end])
    whole = set(zip(key.tolist(), at.tolist(), strict=True))
    cut = set(zip(cut_key.tolist(), (cut_at + begin).tolist(), strict=True))
    assert cut <= whole
    assert {(k, a) for k, a in whole if begin <= a and a + 40 < end} <= cut  # what lies well inside is kept


@given(seed=seeds)
def test_keys_are_as_many_as_is_said(seed: int) -> None:
    marks = scattered(seed)
    key, at = keys(marks)
    assert key.dtype == np.uint32
    assert (key % 2 == 0).all()  # the half that is used
    assert ((at >= 0) & (at < len(marks))).all()
    assert 0.7 * KEYS_PER_LANDMARK < len(key) / len(marks) < 1.15 * KEYS_PER_LANDMARK


@pytest.mark.parametrize(
    ("frames", "tied"),
    [((0, 1, 1), False), ((0, 1, 2), False), ((0, 2, 2), True), ((0, 20, 42), True), ((0, 20, 43), False)],
)
def test_keys_tie_what_is_neither_at_once_nor_far_away(frames: tuple[int, ...], tied: bool) -> None:
    bands = np.random.default_rng(0).integers(0, BANDS, (40, 3))
    marks = [np.sort(np.array(frames) * BANDS + each).astype(np.int32) for each in bands]
    assert (sum(len(keys(each)[0]) for each in marks) > 10) == tied  # about half of them are used
    assert tied or sum(len(keys(each)[0]) for each in marks) == 0


@given(seed=seeds, other=seeds)
def test_different_landmarks_share_next_to_no_keys(seed: int, other: int) -> None:
    one, two = keys(scattered(seed))[0], keys(scattered(other))[0]
    shared = np.isin(one, two).sum()
    assert shared == len(one) if seed == other else shared < 4


# -- alignment ----------------------------------------------------------------------------------------------------


@given(seed=seeds)
def test_equal_tracks_lie_upon_each_other(seed: int) -> None:
    marks = scattered(seed)
    laid = align(marks, marks, hits(marks, marks))
    assert (laid.stretch, laid.offset, laid.share, laid.shared) == (1.0, 0.0, 1.0, len(marks))
    assert laid.overlap == marks[-1] // BANDS - marks[0] // BANDS


@given(seed=seeds, later=st.integers(-250, 250))
def test_the_offset_is_found_both_ways(seed: int, later: int) -> None:
    """A trim of up to six seconds; positive where the second has something before the first's beginning."""
    marks = scattered(seed)
    shifted = moved(marks, frames=later)
    laid = align(marks, shifted, hits(marks, shifted))
    assert laid.stretch == 1
    assert laid.offset == pytest.approx(later, abs=1)  # a frame aside one more may agree by chance
    assert laid.share > 0.98
    assert laid.overlap == pytest.approx(shifted[-1] // BANDS - shifted[0] // BANDS, abs=12)


@pytest.mark.parametrize("speed", [0.99, 0.995, 1.005, 1.01])
@given(seed=seeds, later=st.integers(-100, 100))
def test_the_speed_is_found_with_its_sign(speed: float, seed: int, later: int) -> None:
    marks = scattered(seed, seconds=30)
    played = moved(marks, stretch=1 / speed, frames=later)
    laid = align(marks, played, hits(marks, played))
    assert 1 / laid.stretch == pytest.approx(speed, abs=0.002)
    assert laid.offset == pytest.approx(later, abs=3)
    assert laid.share > 0.95


@given(seed=seeds, later=st.integers(-250, 250), speed=st.sampled_from([0.99, 1.0, 1.01]))
def test_turned_round_an_alignment_says_the_same(seed: int, later: int, speed: float) -> None:
    marks = scattered(seed, seconds=20)
    played = moved(marks, stretch=1 / speed, frames=later)
    there, back = align(marks, played, hits(marks, played)), align(played, marks, hits(played, marks))
    assert there.stretch * back.stretch == pytest.approx(1, abs=0.002)
    assert back.offset == pytest.approx(-there.offset * back.stretch, abs=3)
    assert back.share == pytest.approx(there.share, abs=0.1)
    assert back.overlap == pytest.approx(there.overlap * back.stretch, abs=25)


@given(seed=seeds)
def test_only_what_both_hold_is_counted(seed: int) -> None:
    """Music of its own before and after what both have counts in neither, but for chance."""
    common, before, after = scattered(seed), scattered(seed + 1, seconds=5), scattered(seed + 2, seconds=5)
    start = 220
    first = np.concatenate([common, after + 440 * BANDS])
    second = np.concatenate([before, common + start * BANDS])
    laid = align(first, second, hits(first, second))
    assert laid.offset == pytest.approx(start, abs=1)
    assert laid.share > 0.95
    assert laid.overlap == pytest.approx(common[-1] // BANDS - common[0] // BANDS, abs=12)


@given(seed=seeds)
def test_a_copy_without_treble_is_a_whole_copy(seed: int) -> None:
    """What a codec takes away speaks against neither."""
    marks = scattered(seed, seconds=20)
    dull = marks[marks % BANDS < 100]
    laid, back = align(marks, dull, hits(marks, dull)), align(dull, marks, hits(dull, marks))
    assert min(laid.share, back.share) > 0.98
    assert min(laid.shared, back.shared) >= 0.98 * len(dull)


@pytest.mark.parametrize("size", [1, 500, 8192, 20_000])
def test_parts_have_the_landmarks_of_the_whole(size: int) -> None:
    frames = np.random.default_rng(0).normal(0, 2, (20_000, BANDS)).astype(np.float16)
    whole = landmarks(frames)
    step = max(size, 100)
    parts = [frames[begin : begin + step] for begin in range(0, len(frames), step)]
    np.testing.assert_array_equal(landmarks_of(parts), whole)
    assert len(whole) > 1000
    assert len(landmarks_of([])) == 0
