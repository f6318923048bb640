"""Names of genres that look alike are told, and joined when that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import DataError
from genrescope.sources.data import list_data
from genrescope.sources.genre_names import alike, normalised, refuse_bytes, spelling_key
from genrescope.sources.labels import normal
from genrescope.sources.track import Track

ALIKE = ["Rock", "rock", "rock ", "\u200brock", "caf\u00e9", "cafe\u0301", "hip hop", "hip\u00a0hop", "jazz"]


def tracks(genres: list[str]) -> list[Track]:
    return [Track(str(number), Path(f"{number}.mp3"), genre) for number, genre in enumerate(genres)]


def test_genres_are_told_that_differ_in_case_blanks_or_unicode_form(tmp_path: Path) -> None:
    for number, genre in enumerate(ALIKE):
        (tmp_path / genre).mkdir(exist_ok=True)
        (tmp_path / genre / f"{number}.mp3").write_text(genre)
    notes = [note for note in list_data(str(tmp_path)).notes if "look alike" in note]
    assert len(notes) == 3
    assert any("'\\u200brock'" in note and "--normalise-genres" in note for note in notes)
    joined = list_data(str(tmp_path), normalise_genres=True)
    assert {track.genre for track in joined.tracks} == {"Rock", "caf\u00e9", "hip hop", "jazz"}
    assert all("joined" in note for note in joined.notes)


def test_the_name_that_most_tracks_have_wins() -> None:
    assert {track.genre for track in normalised(tracks(["ROCK", "rock", "rock"]))} == {"rock"}


@given(genres=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=6))
def test_joined_genres_no_longer_look_alike(genres: list[str]) -> None:
    genres = [normal(genre) for genre in genres]  # as a source gives them
    joined = normalised(tracks(genres))
    assert [spelling_key(track.genre) for track in joined] == [spelling_key(genre) for genre in genres]
    assert alike([track.genre for track in joined]) == []


@pytest.mark.parametrize("genre", ["caf\udce9", "\u200b", "\x1b"])
def test_a_name_that_nobody_can_read_is_refused(genre: str) -> None:
    with pytest.raises(DataError, match="rename it"):
        refuse_bytes([genre])
