"""A word of a tag means one genre or none; the map that ships is whole, and a faulty one is told by its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.id3 import TCON

from genrescope.errors import DataError
from genrescope.sources import cards, genre_map
from genrescope.sources.genre_map import Found, GenreMap, genre_key, readings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEFAULT = genre_map.load()
WITHOUT_GENRE = {  # of ID3v1's names: too vague for one of the default genres, or a manner of playing
    "Oldies", "Industrial", "Vocal", "Instrumental", "Bass", "Space", "Dream", "Cult", "Lo-Fi", "Tribal", "Retro",
    "Revival", "Chorus", "Acoustic", "Booty Bass", "Primus", "Porn Groove", "Ballad", "Power Ballad", "Freestyle",
    "Duet", "Drum Solo", "A Cappella", "Hardcore", "Terror", "Crossover", "Abstract", "Eclectic", "Garage", "Global",
}  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)


# -- the map that ships ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "genre"),
    [
        ("Hip Hop/Rap; Trap", "hiphop"),
        ("Hip-Hop/Rap", "hiphop"),
        ("HIP HOP", "hiphop"),
        ("\uff28\uff29\uff30\u3000\uff28\uff2f\uff30", "hiphop"),  # wide letters and a wide blank
        ("hip_hop", "hiphop"),
        ("Deutschrap", "hiphop"),
        ("Rock;Pop", "rock"),
        ("Rock, Pop", "rock"),
        ("Rock\\\\Pop", "rock"),
        ("Rock\x00Pop", "rock"),
        ("Rock／Pop", "rock"),  # noqa: RUF001 - a wide slash
        ("Pop | Rock", "pop"),
        ("Rock & Roll", "rock"),
        ("Rock'n'Roll", "rock"),
        ("Рок", "rock"),
        ("R&B", "soul-rnb"),
        ("r & b", "soul-rnb"),
        ("R\u2019n\u2019B", "soul-rnb"),
        ("RnB", "soul-rnb"),
        ("Rhythm and Blues", "soul-rnb"),
        ("Drum & Bass", "electronic"),
        ("drum'n'bass", "electronic"),
        ("Drum and Bass", "electronic"),
        ("DnB", "electronic"),
        ("(17)Rock", "rock"),
        ("(17)", "rock"),
        ("17", "rock"),
        ("(9)(138)", "metal"),
        ("(12)Shoegaze", "rock"),
        ("(4)Eurodisco", "disco"),
        ("(RX)(8)", "jazz"),
        ("189", "electronic"),
        ("Klassik", "classical"),
        ("Clásica", "classical"),
        ("Clasica", "classical"),
        ("Música clásica", "classical"),
        ("MUSICA CLASICA", "classical"),
        ("Классическая музыка", "classical"),
        ("ジャズ", "jazz"),
        ("ｼﾞｬｽﾞ", "jazz"),  # narrow
        ("爵士", "jazz"),
        ("Singer / Songwriter", "folk"),
        ("Unknown; Other; Blues", "blues"),
        ("No such thing/Metal", "metal"),
    ],
)
def test_what_stands_in_tags_is_understood(value: str, genre: str) -> None:
    assert DEFAULT.find([value]) == Found(genre)


@pytest.mark.parametrize(
    "value", ["", " ", "Unknown", "<unknown>", "Other", "genre", "(RX)", "(CR)", "255", "(255)", "(12)", "200", "n/a",
              "Other/Unknown", "Unbekannt", "その他", "♥", ";", "///", "Unknown; Other"]
)  # fmt: skip
def test_what_says_nothing_is_nothing(value: str) -> None:
    assert DEFAULT.find([value]) == Found("")


@pytest.mark.parametrize(
    "value", ["Rocket", "Rock Foo", "Hard", "Bluesy", "Popcorn", "Punkt", "Metallic", "1984", "Folktales", "R", "B"]
)
def test_a_part_of_a_word_is_never_enough(value: str) -> None:
    assert DEFAULT.find([value]) == Found("", (value,))


def test_the_ten_genres_of_gtzan_have_its_names() -> None:
    assert set(cards.card("gtzan").genres) <= set(DEFAULT.genres)


@pytest.mark.parametrize("name", TCON.GENRES)
def test_every_name_of_id3v1_is_known_or_known_to_be_vague(name: str) -> None:
    found = DEFAULT.find([name])
    assert found.unmapped == ((name,) if name in WITHOUT_GENRE else ())
    assert DEFAULT.find([str(TCON.GENRES.index(name))]) == found


def test_every_line_of_the_map_that_ships_fits_a_screen() -> None:
    assert max(map(len, genre_map.default_text().splitlines())) <= 120


# -- values in their order --------------------------------------------------------------------------------------------


def test_the_first_value_that_maps_decides() -> None:
    words = GenreMap({"a": ["x"], "b": ["y", "x y", "x/z"], "c": ["x; y"]})
    assert words.find(["?", "y", "x"]).genre == "b"
    assert words.find(["x", "y"]).genre == "a"
    assert words.find(["x; q"]).genre == "a"
    assert words.find(["x y"]).genre == "b"
    assert words.find(["q; x/z"]).genre == "b"
    assert words.find(["x; y"]).genre == "c", "the whole value is more specific than its parts"
    assert words.find(["x, y"]).genre == "a", "a list is not its words in a row"


def test_unmapped_words_are_named_once_as_they_stand() -> None:
    words = GenreMap({"a": []}, ignore=["Other"])
    assert words.find(["Foo/Bar; Other", "Baz, Foo/Bar", "(12)Qux"]).unmapped == ("Foo/Bar", "Baz", "Qux")


PIECE = st.one_of(
    TEXT, st.sampled_from(["Foo", "foo ", "(12)", "(17)", "17", "300", "/", ";", ",", "Rock", "Other", "&"])
)


@given(values=st.lists(st.lists(PIECE, max_size=5).map("".join), max_size=4))
def test_what_is_listed_as_unmapped_maps_once_it_is_pasted(values: list[str]) -> None:
    words = GenreMap({"known": ["rock"]}, ignore=["other"])
    found = words.find(values)
    assert bool(found.genre) <= (found.unmapped == ())
    for word in found.unmapped:
        assert GenreMap({"new": [word]}).find([word]).genre == "new"
        assert GenreMap({"new": [word]}).find(values).genre == "new"


@given(
    value=st.text("abXYéÉßжЖジ09 -_&'", max_size=12),
    other=st.sampled_from([str.upper, str.lower, str.title, str.strip]),
)
def test_neither_case_nor_blanks_count(value: str, other: Callable[[str], str]) -> None:
    assert genre_key(f" {other(value)} ") == genre_key(value)


@given(value=st.text(max_size=30))
def test_readings_end_and_begin_with_the_whole(value: str) -> None:
    found = list(readings(value))
    assert found
    assert len(found) <= 3 * (len(value) + 1)


# -- files of one's own -----------------------------------------------------------------------------------------------


def test_the_written_default_is_the_default(tmp_path: Path) -> None:
    genre_map.write_default(tmp_path / "sub" / "genres.toml")
    read = genre_map.load(tmp_path / "sub" / "genres.toml")
    assert read.genres == DEFAULT.genres
    assert (tmp_path / "sub" / "genres.toml").read_text(encoding="utf-8").startswith("# The genre map")


def test_a_map_of_one_s_own_is_all_there_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes('\ufeff[genres]\n"deep house" = ["Deep"]\n"Рок" = []\n'.encode())
    words = genre_map.load(path)
    assert words.find(["DEEP-HOUSE"]).genre == "deep house"
    assert words.find(["рок"]).genre == "Рок"
    assert words.find(["Jazz"]) == Found("", ("Jazz",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[genres]\nrock = ["Hard Rock"]\nmetal = ["hard-rock"]\n', '"hard-rock" stands under "rock" and "metal"'),
        ('[genres]\nrock = []\nmetal = ["ROCK"]\n', '"ROCK" stands under "rock" and "metal"'),
        ('ignore = ["Rock"]\n[genres]\nrock = []\n', '"Rock" stands under "rock" and ignore'),
        ('[genre]\nrock = []\n', 'unknown key "genre"; did you mean "genres"'),
        ('rock = ["Rock"]\n', 'unknown key "rock"; .* Genres stand below'),
        ("[genres]\n", "has no genres"),
        ("", "has no genres"),
        ("genres = 3\n", "has no genres"),
        ('[genres]\nrock = "Rock"\n', "the genre \"rock\" is 'Rock'; accepted is a list"),
        ("[genres]\nrock = [1]\n", "accepted is a list of words"),
        ('ignore = "x"\n[genres]\nrock = []\n', '"ignore" is .* accepted is a list'),
        ('[genres]\n"!" = []\n', 'the word "!" has no letter'),
        ('[genres]\nrock = [""]\n', 'the word "" has no letter'),
        ("[genres\n", "is not valid TOML"),
        ("[genres]\nrock = []\nrock = []\n", "is not valid TOML"),
    ],
)  # fmt: skip
def test_a_faulty_map_is_told_by_file_and_word(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        genre_map.load(path)
    assert str(path) in str(caught.value)


def test_a_map_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: "):
        genre_map.load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'[genres]\nclasica = ["Cl\xe1sica"]\n')
    with pytest.raises(DataError, match="is not valid TOML"):
        genre_map.load(tmp_path / "latin.toml")
