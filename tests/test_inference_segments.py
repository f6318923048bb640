"""Segments: where the genre changes within a song, on constructed scores and on a mix of real clips."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import genrescope
from genrescope import Prediction, WindowScores

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from genrescope.inference.segments import Segment

LABELS = ("rock", "jazz", "folk")
CLIPS = Path(__file__).parents[2] / "shared" / "gtzan" / "genres"


def song(rows: Sequence[tuple[float, ...]], *, silent: Collection[int] = (), step: float = 3.0) -> Prediction:
    """Return a prediction of windows of 3 s, one every `step` seconds."""
    windows = tuple(
        WindowScores(step * place, step * place + 3, LABELS[int(np.argmax(row))], dict(zip(LABELS, row, strict=True)),
                     place in silent)
        for place, row in enumerate(rows)
    )  # fmt: skip
    mean = np.mean([row for place, row in enumerate(rows) if place not in silent] or rows, axis=0)
    scores = dict(sorted(zip(LABELS, mean.tolist(), strict=True), key=lambda item: -item[1]))
    genre = next(iter(scores))
    return Prediction(None, "song", genre, scores[genre], scores, windows, step * (len(rows) - 1) + 3)


ROCK, JAZZ, FOLK = (0.8, 0.15, 0.05), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)


def parts(found: tuple[Segment, ...]) -> list[tuple[float, float, str]]:
    return [(round(part.start, 3), round(part.end, 3), part.genre) for part in found]


def test_a_song_of_one_genre_is_one_segment_with_the_songs_own_genre_and_confidence() -> None:
    found = song([ROCK] * 10)
    assert parts(found.segments()) == [(0, 30, "rock")]
    assert found.segments()[0].confidence == found.confidence
    by_logits = replace(found, genre="jazz", confidence=0.4)  # models may average in another way
    assert [(part.genre, part.confidence) for part in by_logits.segments()] == [("jazz", 0.4)]


def test_a_change_is_found_where_it_is() -> None:
    assert parts(song([ROCK] * 7 + [FOLK] * 8).segments()) == [(0, 21, "rock"), (21, 45, "folk")]


def test_a_short_change_is_smoothed_away_and_a_shorter_limit_keeps_it() -> None:
    flicker = song([ROCK] * 8 + [JAZZ] * 2 + [ROCK] * 8)
    assert parts(flicker.segments()) == [(0, 54, "rock")]
    assert parts(flicker.segments(shortest=6)) == [(0, 24, "rock"), (24, 30, "jazz"), (30, 54, "rock")]


def test_a_long_passage_of_slight_difference_needs_more_time_than_a_clear_one() -> None:
    slight = (0.42, 0.48, 0.1)
    assert parts(song([ROCK] * 8 + [slight] * 5 + [ROCK] * 8).segments()) == [(0, 63, "rock")]
    assert parts(song([ROCK] * 8 + [slight] * 30 + [ROCK] * 8).segments()) == [
        (0, 24, "rock"), (24, 114, "jazz"), (114, 138, "rock"),
    ]  # fmt: skip


def test_silence_belongs_to_what_is_around_it_and_counts_for_nothing() -> None:
    quiet = song([ROCK] * 5 + [JAZZ] * 6 + [ROCK] * 5, silent=set(range(5, 11)))
    assert parts(quiet.segments()) == [(0, 48, "rock")]
    assert quiet.segments()[0].confidence == pytest.approx(0.8)
    assert parts(song([JAZZ] * 3, silent={0, 1, 2}).segments()) == [(0, 9, "jazz")]


def test_windows_that_overlap_or_lie_apart_change_at_the_middle_between_their_middles() -> None:
    assert parts(song([ROCK] * 12 + [FOLK] * 12, step=1.5).segments()) == [(0, 18.75, "rock"), (18.75, 37.5, "folk")]
    assert parts(song([ROCK] * 3 + [FOLK] * 3, step=20).segments()) == [(0, 51.5, "rock"), (51.5, 103, "folk")]


def test_a_song_shorter_than_a_segment_is_one() -> None:
    assert parts(song([ROCK]).segments()) == [(0, 3, "rock")]
    assert parts(song([ROCK, JAZZ, JAZZ]).segments()) == [(0, 9, "jazz")]
    assert Prediction(None, "", "rock", 1.0, {"rock": 1.0}, (), 1.0).segments() == ()


def test_a_length_that_is_none_is_refused() -> None:
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="0 or more"):
            song([ROCK]).segments(shortest=wrong)


@given(
    st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=40),
    st.sets(st.integers(0, 39)),
    st.floats(0, 30),
)
def test_segments_cover_the_song_and_none_is_too_short(
    rows: list[tuple[float, ...]], silent: set[int], shortest: float
) -> None:
    made = song(rows, silent=silent)
    found = made.segments(shortest=shortest)
    assert (found[0].start, found[-1].end) == (0, made.seconds)
    for one, other in pairwise(found):
        assert one.end == other.start
        assert one.genre != other.genre
    if len(found) > 1:
        assert min(part.end - part.start for part in found) >= shortest - 1e-6
    assert all(0 <= part.confidence <= 1 for part in found)


@pytest.mark.real
@pytest.mark.skipif(not CLIPS.is_dir(), reason="../shared/gtzan is not there")
def test_the_genres_of_a_mix_of_real_clips_are_found() -> None:
    """A minute of classical music, then a minute of metal: a mixtape of two genres."""
    clips = [clip for genre in ("classical", "metal") for clip in sorted((CLIPS / genre).iterdir())[:2]]
    if len(clips) < 4:
        pytest.skip("fewer clips than the mix takes")
    mix = np.concatenate([genrescope.decode(clip) for clip in clips])
    try:
        classifier = genrescope.load("genres")
    except genrescope.ModelFileError:
        pytest.skip("the pre-trained weights are not on this machine")
    found = classifier.predict(mix, sample_rate=22_050).segments()
    assert [part.genre for part in found] == ["classical", "metal"], found
    assert found[0].end == pytest.approx(60, abs=4)
