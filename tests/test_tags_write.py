"""Whatever the format and the kind of tag: genres are written, all else is as it was, and can be made so again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import mediafile
import mutagen
import mutagen.id3
import numpy as np
import pytest
from tag_support import id3_1
from tagging_support import CHANGE, GENRES, PICTURE, SONGS, song

from genrescope import audio
from genrescope.errors import DataError
from genrescope.tags import journal as journals
from genrescope.tags import verify
from genrescope.tags.change import Change, checked_field, checked_word
from genrescope.tags.read import read
from genrescope.tags.undo import undo
from genrescope.tags.write import write

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.tags.journal import Journal


MUTAGEN: Any = mutagen  # it has no types


def has_one_text(path: Path) -> bool:
    """Whether the format has room for one text only."""
    return path.name in ("id3-2.3.mp3", "id3-2.2.mp3", "stuffed.mp3")


# -- every format -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SONGS)
def test_genres_are_written_and_all_else_stays_and_comes_back_to_the_byte(
    tmp_path: Path, journal: Journal, name: str
) -> None:
    path = song(name, tmp_path)
    before, fields, samples = path.read_bytes(), verify.fields_of(path), audio.decode(path, rate=48_000)
    tags = read(path)
    assert write(path, CHANGE, journal)
    new = read(path)
    assert new.genres == (("; ".join(GENRES),) if has_one_text(path) else GENRES)
    assert (new.artist, new.title, new.album, new.compilation) == (
        tags.artist,
        tags.title,
        tags.album,
        tags.compilation,
    )
    assert np.array_equal(audio.decode(path, rate=48_000), samples)
    kept = verify._others(fields, CHANGE)
    assert verify._others(verify.fields_of(path), CHANGE) == kept
    assert verify.values_of(path, "mood OF it") == (("calm; Ü",) if has_one_text(path) else ("calm", "Ü"))
    if name.startswith("rich") and path.suffix not in (".ogg", ".opus"):
        assert PICTURE in path.read_bytes()
    (entry,) = journals.read(journal.path)
    assert undo(entry) == "restored"
    assert path.read_bytes() == before
    assert undo(entry) == "unchanged"


@pytest.mark.parametrize("name", SONGS)
def test_a_second_change_takes_the_place_of_the_first(tmp_path: Path, journal: Journal, name: str) -> None:
    path = song(name, tmp_path)
    write(path, CHANGE, journal)
    first = verify.fields_of(path)
    write(path, Change(("Rock",), {"GENRESCOPE_MODEL": ("other",), "Mood of it": ()}), journal)
    assert read(path).genres == ("Rock",)
    assert verify.values_of(path, "GENRESCOPE_MODEL") == ("other",)
    assert verify.values_of(path, "Mood of it") == ()
    assert len(verify.fields_of(path)) < len(first)
    before = song(name, tmp_path / "again").read_bytes()
    for entry in reversed(journals.read(journal.path)):
        assert undo(entry) == "restored"
    assert len(path.read_bytes()) == len(before)  # ids of streams are random in Ogg


@pytest.mark.parametrize("name", [name for name in SONGS if not name.endswith((".dsf", ".aac", ".tta"))])
def test_other_programs_read_the_genres(tmp_path: Path, journal: Journal, name: str) -> None:
    path = song(name, tmp_path)
    write(path, CHANGE, journal)
    expected = ["; ".join(GENRES)] if has_one_text(path) else list(GENRES)
    if name != "flac.ogg":  # which it does not know
        assert mediafile.MediaFile(path).genres == expected
    with av.open(str(path)) as file:
        shown = [
            text
            for held in (file.metadata, *(s.metadata for s in file.streams))
            for k, text in held.items()
            if k.lower() == "genre"
        ]
    assert any(text.startswith("Hip-Hop") for text in shown)


def test_wav_has_the_genre_in_info_too(tmp_path: Path, journal: Journal) -> None:
    for name in ("info.wav", "bare.wav"):
        path = song(name, tmp_path)
        write(path, CHANGE, journal)
        data = path.read_bytes()
        text = "; ".join(GENRES).encode() + b"\0"
        assert b"IGNR" + len(text).to_bytes(4, "little") + text in data
        assert data.count(b"IGNR") == 1
    assert b"IART\x06\x00\x00\x00Bjork\0" in (tmp_path / "info.wav").read_bytes()


def test_all_tags_of_a_file_say_the_same(tmp_path: Path, journal: Journal) -> None:
    path = song("stacked.mp3", tmp_path)
    write(path, Change(("Jazz",)), journal)
    data = path.read_bytes()
    assert b"Other" not in data
    assert data.count(b"TCON") == 2
    assert data[-1] == 8  # ID3v1's number of Jazz
    assert MUTAGEN.apev2.APEv2(path)["Genre"] == "Jazz"


def test_a_genre_in_a_custom_field_goes_with_the_old_one(tmp_path: Path, journal: Journal) -> None:
    for name in ("rich.mp3", "rich.m4a"):
        path = song(name, tmp_path)
        file = MUTAGEN.File(path)
        if path.suffix == ".mp3":
            file.tags.add(MUTAGEN.id3.TXXX(encoding=3, desc="Genre", text=["Stale"]))
        else:
            file["----:com.apple.iTunes:GENRE"] = [b"Stale"]
        file.save()
        write(path, CHANGE, journal)
        assert b"Stale" not in path.read_bytes()
        assert read(path).genres == GENRES


def test_id3v1_has_no_number_for_a_genre_that_is_not_on_its_list(tmp_path: Path, journal: Journal) -> None:
    path = id3_1(tmp_path / "song.mp3", genre=12, artist="A")
    write(path, Change(("Zeuhl",)), journal)
    assert path.read_bytes()[-1] == 255
    assert read(path).genres == ("Zeuhl",)


@pytest.mark.parametrize(
    ("version", "expected"), [(3, b"TCON\0\0\0\x0a\0\0\0Rock, Pop"), (4, b"TCON\0\0\0\x09\0\0\x03Rock\0Pop")]
)
def test_a_tag_keeps_its_version_and_the_file_its_length(
    tmp_path: Path, journal: Journal, version: int, expected: bytes
) -> None:
    path = SONGS["rich.mp3"](tmp_path / "song.mp3") if version == 4 else song("id3-2.3.mp3", tmp_path)
    size = path.stat().st_size
    write(path, Change(("Rock", "Pop"), join=", "), journal)
    data = path.read_bytes()
    assert data[3] == version
    assert expected in data
    assert len(data) == size  # padding takes up what is added


def test_a_custom_field_leaves_the_genre_alone(tmp_path: Path, journal: Journal) -> None:
    for name in SONGS:
        path = song(name, tmp_path)
        before = read(path).genres
        write(path, Change(None, {"PREDICTED": ("Rock", "Pop")}), journal)
        assert read(path).genres == before
        assert verify.values_of(path, "PREDICTED") == (("Rock; Pop",) if has_one_text(path) else ("Rock", "Pop"))


# -- words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["", " ", "12", "(12)", "a\0b", 5, None, "\udce9"])
def test_what_players_take_for_something_else_is_no_genre(word: object) -> None:
    with pytest.raises(DataError, match="cannot be written as a genre"):
        checked_word(word, where="map")


@pytest.mark.parametrize("name", ["", "A", "A=B", "Ü", "a\nb", "genre", "ID3", " A", "a:b"])
def test_a_name_that_not_every_format_can_have_is_no_field(name: str) -> None:
    with pytest.raises(DataError, match="custom field"):
        checked_field(name)
