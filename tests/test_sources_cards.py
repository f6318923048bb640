"""One contract for every card: each heading filled in, tracks as promised, official splits that mean what they say."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from card_layouts import LAYOUTS, touch
from conftest import error_of
from hypothesis import given
from hypothesis import strategies as st

from genrescope import splits
from genrescope.errors import DataError
from genrescope.sources import cards
from genrescope.sources.cards import _common
from genrescope.sources.data import read_data

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.sources.track import Track


def laid_out(name: str, root: Path) -> tuple[Path, list[Track]]:
    """Write a card's small copy, and list it."""
    LAYOUTS[name].write(root)
    return root, cards.card(name).tracks(root)


# -- headings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", cards.names())
def test_a_card_fills_in_every_heading(name: str) -> None:
    card = cards.card(name)
    assert card.name == name
    for heading in ("title", "citation", "terms", "source", "size", "by_hand"):
        assert len(getattr(card, heading).strip()) > 5, heading
    if name != "synth":
        assert re.search(r"\b(19|20)\d\d\b", card.citation), "a citation has a year"
    assert list(card.genres) == sorted(set(card.genres))
    assert len(card.genres) >= 2
    assert card.known_faults
    assert all(len(fault) > 10 for fault in card.known_faults)


@pytest.mark.parametrize("name", cards.names())
def test_an_archive_can_be_fetched_and_verified(name: str) -> None:
    archives = cards.card(name).archives
    for archive in archives:
        assert re.fullmatch(r"md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64}", archive.checksum)
        assert archive.urls
        assert all(re.match("https?://", url) and url.endswith(f"/{archive.file}") for url in archive.urls)
    assert len({archive.file for archive in archives}) == len(archives)
    assert len({archive.checksum for archive in archives}) == len(archives)


def test_naming_the_cards_loads_none() -> None:
    code = "import sys; from genrescope.sources.cards import names; names(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "genrescope.sources.cards" in loaded
    modules = {f"genrescope.sources.cards.{module}" for module in cards._MODULES.values()}
    assert modules & set(loaded) == set()


def test_every_card_of_every_module_is_named() -> None:
    modules = sorted(set(cards._MODULES.values()))
    held = [
        card.name for module in modules for card in importlib.import_module(f"genrescope.sources.cards.{module}").CARDS
    ]
    assert sorted(held) == cards.names() == sorted(cards.names())


# -- tracks -----------------------------------------------------------------------------------------------------


def test_every_card_has_a_small_copy() -> None:
    assert sorted(LAYOUTS) == cards.names()


@pytest.mark.parametrize("name", cards.names())
def test_a_card_lists_the_tracks_of_its_layout(name: str, tmp_path: Path) -> None:
    root, tracks = laid_out(name, tmp_path)
    layout = LAYOUTS[name]
    assert len(tracks) == len({track.id for track in tracks}) == len({track.path for track in tracks}) == layout.tracks
    assert {track.genre for track in tracks} <= set(cards.card(name).genres)
    assert {track.part for track in tracks} == set(layout.parts or ("",))
    assert any(track.group for track in tracks) is layout.groups
    assert all(track.path.is_relative_to(root) for track in tracks)
    assert read_data(f"{name}:{root}") == (root, sorted(tracks, key=lambda track: track.id))


@pytest.mark.parametrize("name", cards.names())
def test_a_listed_file_that_is_missing_is_still_a_track(name: str, tmp_path: Path) -> None:
    _, tracks = laid_out(name, tmp_path)
    assert sorted(track.id for track in tracks if not track.path.is_file()) == list(LAYOUTS[name].missing)


@pytest.mark.parametrize("name", cards.names())
def test_a_file_that_is_not_listed_is_no_track(name: str, tmp_path: Path) -> None:
    root, tracks = laid_out(name, tmp_path)
    strays = {root / stray for stray in LAYOUTS[name].strays}
    assert all(stray.is_file() for stray in strays)
    assert not strays & {track.path for track in tracks}


@pytest.mark.parametrize("name", cards.names())
def test_ids_do_not_depend_on_where_the_data_lies(name: str, tmp_path: Path) -> None:
    one, other = (laid_out(name, tmp_path / place)[1] for place in ("here", "there/deeper"))
    assert [track.id for track in one] == [track.id for track in other]


@pytest.mark.parametrize("name", cards.names())
def test_a_card_refuses_a_folder_that_holds_something_else(name: str, tmp_path: Path) -> None:
    touch(tmp_path, "poems/a.txt", "pictures/b.png")
    message = error_of(lambda: cards.card(name).tracks(tmp_path), DataError)
    assert message is not None
    assert str(tmp_path) in message


@pytest.mark.parametrize("name", [name for name in cards.names() if name != "gtzan"])
def test_a_card_refuses_the_data_of_another_one(name: str, tmp_path: Path) -> None:
    laid_out("gtzan", tmp_path)
    message = error_of(lambda: cards.card(name).tracks(tmp_path), DataError)
    assert message is not None
    assert str(tmp_path) in message


# -- groups -----------------------------------------------------------------------------------------------------


@given(
    names=st.dictionaries(st.sampled_from("abcdefgh"), st.sets(st.sampled_from("RSTUVW"), max_size=3)),
    same=st.lists(st.sets(st.sampled_from("abcdefghxyz"), min_size=1, max_size=3), max_size=4),
)
def test_tracks_are_of_one_group_if_a_chain_of_names_and_copies_links_them(
    names: dict[str, set[str]], same: list[set[str]]
) -> None:
    found = _common.groups(names, same)
    alike = [*same, *({track for track, its in names.items() if name in its} for name in "RSTUVW")]
    for track in names:
        near = {track}
        while more := set().union(*(tracks for tracks in alike if tracks & near)) - near:
            near |= more
        artists = sorted(set().union(*(names.get(one, set()) for one in near)))
        assert found[track] == (" + ".join(artists) or (min(near) if len(near) > 1 else ""))


# -- official splits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(cards.official_splits()))
def test_an_official_split_is_whole_and_cited(name: str) -> None:
    official = cards.official_splits()[name]
    assert official.name == name
    assert official.title
    assert any(character.isdigit() for character in official.citation), "a citation has a year"
    parts = official.parts()
    found = set(parts.values())
    assert {"train", "test"} <= found <= set(splits.PARTS) or found == set(map(str, range(1, len(found) + 1)))
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
