"""Labels: one or several genres as one text, and what means none of them."""

from __future__ import annotations

import pytest

from genrescope.errors import DataError
from genrescope.sources.labels import joined, labels_of, normal
from genrescope.sources.track import Track


@pytest.mark.parametrize("text", ["rock", " rock ", "Hip-Hop/Rap", "R&B, Soul", "not mine at all"])
def test_one_genre_stays_as_it_is_written(text: str) -> None:
    assert normal(text) == text
    assert labels_of(text) == (text,)


def test_several_genres_have_one_spelling() -> None:
    assert normal("rock; jazz;rock;") == normal("jazz;rock") == joined(["rock", "jazz"]) == "jazz; rock"
    assert labels_of(normal("rock;jazz")) == ("jazz", "rock")


@pytest.mark.parametrize("text", ["not-mine", "Not Mine", "NOT_MINE", " not-mine "])
def test_a_negative_example_has_no_label(text: str) -> None:
    assert normal(text) == "not-mine"
    assert Track("a", None, normal(text)).labels == ()  # type: ignore[arg-type]


def test_a_negative_example_with_a_genre_is_refused() -> None:
    with pytest.raises(DataError, match="none of the genres, but rock"):
        normal("rock; not-mine")
