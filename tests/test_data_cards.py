"""One contract for every card: each heading filled in, official splits that mean what they say."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from conftest import error_of
from hypothesis import given
from hypothesis import strategies as st

from genrescope.data import cards, splits
from genrescope.data.cards.gtzan import read_parts, track_id
from genrescope.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.data.index import Track


@pytest.mark.parametrize("name", cards.names())
def test_a_card_fills_in_every_heading(name: str) -> None:
    card = cards.card(name)
    assert card.name == name
    for heading in ("title", "citation", "terms", "source", "size"):
        assert len(getattr(card, heading).strip()) > 5, heading
    for archive in card.archives:
        assert re.fullmatch(r"md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64}", archive.checksum)
        assert archive.urls
        assert all(re.match("https?://", url) for url in archive.urls)
        assert card.by_hand
    assert list(card.genres) == sorted(set(card.genres))
    assert len(card.genres) >= 2
    assert card.known_faults
    assert all(len(fault) > 10 for fault in card.known_faults)


@pytest.mark.parametrize("name", cards.names())
def test_a_card_refuses_a_folder_that_holds_something_else(name: str, tmp_path: Path) -> None:
    listed: list[Track] = []
    (tmp_path / "poems").mkdir()
    (tmp_path / "poems" / "a.txt").write_text("words")
    message = error_of(lambda: listed.extend(cards.card(name).tracks(tmp_path)), DataError)
    assert listed == []
    assert message is None or str(tmp_path) in message


@pytest.mark.parametrize("name", sorted(cards.official_splits()))
def test_an_official_split_is_whole_and_cited(name: str) -> None:
    official = cards.official_splits()[name]
    assert official.name == name
    assert official.title
    assert any(character.isdigit() for character in official.citation), "a citation has a year"
    parts = official.parts()
    assert set(parts.values()) <= set(splits.PARTS)
    assert {"train", "test"} <= set(parts.values())
    owner = next(card for card in map(cards.card, cards.names()) if official in card.splits)
    for published in parts:
        assert official.track_id(published) == published
        assert official.track_id(f"/music/some folder/{published}.wav") == published
        assert published.split(".")[0] in owner.genres


def test_names_of_splits_are_no_names_of_methods() -> None:
    assert len(splits.methods()) == len(set(splits.methods()))


def test_an_unknown_card_names_the_nearest() -> None:
    with pytest.raises(DataError, match='did you mean "gtzan"'):
        cards.card("gtzam")


def test_the_fault_filtered_split_has_the_published_numbers() -> None:
    parts = read_parts("gtzan_fault_filtered.txt")
    assert Counter(parts.values()) == {"train": 443, "validation": 197, "test": 290}
    assert {name.split(".")[0] for name in parts} == set(cards.card("gtzan").genres)


@pytest.mark.real
def test_the_fault_filtered_split_equals_the_published_lists(real_clips: Path) -> None:
    parts = read_parts("gtzan_fault_filtered.txt")
    for part, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        lines = (real_clips / "lists" / f"{name}_filtered.txt").read_text(encoding="utf-8").split()
        assert {track_id(line) for line in lines} == {name for name, its in parts.items() if its == part}


@given(genre=st.sampled_from(cards.card("gtzan").genres), number=st.integers(0, 99), mark=st.sampled_from("._"))
def test_an_id_is_found_in_any_path(genre: str, number: int, mark: str) -> None:
    expected = f"{genre}.{number:05d}"
    name = f"{genre}{mark}{number:05d}"
    for path in (name, f"C:\\music\\{name}.wav", f"/blues.00099/{name}.au", f"./{genre}/{name}.wav.ogg"):
        assert track_id(path) == expected


@pytest.mark.parametrize("path", ["", "song.mp3", "blues.0001.wav", "blues.000001.wav", "blues00001.wav"])
def test_other_names_have_no_id(path: str) -> None:
    assert track_id(path) is None
