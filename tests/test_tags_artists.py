"""An artist is one group, however the name is spelled; nobody is no group."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.tags.artists import artist_key, main_artist, plain, words

SAME = [
    ("The Beatles", "Beatles, The", "BEATLES", " the  beatles ", "Ｔｈｅ Ｂｅａｔｌｅｓ"),  # noqa: RUF001 - wide on purpose
    ("Björk", "BJÖRK", "Bjork", "Bjo\u0308rk", "Björk feat. Thom Yorke", "Björk (ft. Someone) [live]", "Björk f/ X"),
    ("Simon & Garfunkel", "Simon and Garfunkel", "Simon + Garfunkel", "SIMON AND GARFUNKEL"),
    ("Guns N' Roses", "Guns 'n' Roses", "Guns n Roses", "Guns and Roses", "Guns \u2019N\u2019 Roses"),
    ("R.E.M.", "REM", "r.e.m"),
    ("AC/DC", "AC-DC", "ac dc"),
    ("Jay-Z", "JAY Z", "Jay\u2010Z", "Jay-Z featuring Rihanna", "Jay-Z; Rihanna", "Jay-Z / Rihanna"),
    ("Die Ärzte", "Ärzte, Die", "die arzte"),
    ("Ёлка", "Елка", "ЕЛКА"),
    ("Little Feat", "Little Feat feat. Bonnie Raitt"),
    ("!!!", " !!! "),
]
NOBODY = [
    "", " ", "-", "???", "Various Artists", "VARIOUS", "V.A.", "V/A", "VA", "Unknown Artist", "<Unknown>", "[unknown]",
    "Verschiedene Interpreten", "Varios Artistas", "Artistes Variés", "Разные исполнители", "Неизвестный исполнитель",
    "ヴァリアス・アーティスト", "群星", ";", "Çeşitli Sanatçılar",  # noqa: RUF001 - letters of Turkish
]  # fmt: skip
DIFFERENT = [
    "The The",
    "The",
    "Ft. Worth",
    "Earth, Wind & Fire",
    "Earth",
    "Wind",
    "Tyler, The Creator",
    "Prince",
    "+/-",
]
NAME = st.one_of(st.sampled_from([name for names in SAME for name in names] + NOBODY + DIFFERENT), st.text(max_size=20))


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_the_spellings_of_a_name_are_one(names: tuple[str, ...]) -> None:
    assert len({artist_key(name) for name in names}) == 1
    assert artist_key(names[0])


def test_different_artists_stay_apart() -> None:
    keys = [artist_key(names[0]) for names in SAME] + [artist_key(name) for name in DIFFERENT if name != "The The"]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", NOBODY)
def test_nobody_is_no_artist(name: str) -> None:
    assert artist_key(name) == ""


@given(name=NAME)
def test_a_key_is_plain_words_or_signs_and_does_not_depend_on_case(name: str) -> None:
    key = artist_key(name)
    assert key == key.strip() == plain(key)
    assert "  " not in key
    assert artist_key(f"  {name}\t") == key
    if any(map(str.isalnum, key)):
        assert key.split() == words(key)


@given(
    name=NAME,
    guest=st.sampled_from(["X", "Sting", "Ж"]),
    way=st.sampled_from([" feat. {}", " (Ft. {})", " featuring {}"]),
)
def test_guests_never_count(name: str, guest: str, way: str) -> None:
    name = f"a {name.replace('/', '')}".rstrip(" ([,")
    if "f" not in plain(name) and ";" not in plain(name):
        assert artist_key(name + way.format(guest)) == artist_key(name)


@pytest.mark.parametrize(
    ("artist", "album_artist", "compilation", "group"),
    [
        ("Guest & Star", "Star", False, "star"),
        ("Singer", "Various Artists", False, "singer"),
        ("Singer", "The Mixer", True, "singer"),
        ("", "Star", True, "star"),
        ("Unknown Artist", "", False, ""),
    ],
)
def test_the_album_s_artist_counts_but_for_compilations(
    artist: str, album_artist: str, compilation: bool, group: str
) -> None:
    assert main_artist(artist, album_artist, compilation=compilation) == group


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("M\u00d8", "Mo"), ("\u0141\u0105ki \u0141an", "Laki Lan"), ("\u00c6nima", "Aenima"), ("\u0152uvre", "oeuvre"),
        ("Stra\u00dfe", "STRASSE"), ("\u0110or\u0111e", "Dorde"), ("\u00deeyr", "Theyr"),
        ("Beatles (The)", "The Beatles"),
        ("Beatles, The", "BEATLES"), ("Bj\u00f8rn", "Bjorn"),
    ],
)  # fmt: skip
def test_artists_fold_as_people_fold_them(one: str, other: str) -> None:
    assert artist_key(one) == artist_key(other)
