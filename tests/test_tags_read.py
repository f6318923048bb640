"""Whatever the format and the version of the tags, the same words come out, and no file is changed."""

from __future__ import annotations

import io
import os
import struct
from typing import TYPE_CHECKING, Any

import mutagen.id3
import mutagen.mp4
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tag_support import FORMATS, ape, by_ffmpeg, id3_1, id3_2_2, m4a_number, sound_file, tagged, untagged

from genrescope.errors import AudioError
from genrescope.tags import read as tags
from genrescope.tags.read import Tags

if TYPE_CHECKING:
    from pathlib import Path

MUTAGEN: Any = mutagen  # it has no types
SONG: dict[str, Any] = {"artist": "Björk feat. Ωμέγα", "album_artist": "Björk", "title": "お茶 & Ü", "album": "Débüt"}
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp", "Cn", "Co"]), min_size=1)


# -- formats ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_the_same_tags(tmp_path: Path, suffix: str) -> None:
    path = tagged(tmp_path / f"song{suffix}", genre=["Hip Hop/Rap; Trap", "ジャズ"], compilation=True, **SONG)
    assert tags.read(path) == Tags(genres=("Hip Hop/Rap; Trap", "ジャズ"), compilation=True, **SONG)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_without_tags_says_nothing(tmp_path: Path, suffix: str) -> None:
    assert tags.read(untagged(tmp_path / f"song{suffix}")) == Tags()


def test_id3_of_version_2_3_keeps_its_slash(tmp_path: Path) -> None:
    path = tagged(tmp_path / "song.mp3", version=3, genre=["Rock", "Pop"], artist="AC/DC")
    assert path.read_bytes()[3] == 3
    assert tags.read(path) == Tags(genres=("Rock/Pop",), artist="AC/DC")


def test_id3_of_version_2_2_is_read(tmp_path: Path) -> None:
    path = id3_2_2(tmp_path / "song.mp3", genre="(17)Soft Rock", artist="Ä", album_artist="B", title="T", album="A")
    read = tags.read(path)
    assert read == Tags(genres=read.genres, artist="Ä", album_artist="B", title="T", album="A")
    assert "Soft Rock" in read.genres


@pytest.mark.parametrize(("number", "name"), [(0, "Blues"), (8, "Jazz"), (147, "Synthpop"), (189, "Dubstep")])
def test_numbers_of_id3v1_and_of_winamp_have_names(tmp_path: Path, number: int, name: str) -> None:
    path = id3_1(tmp_path / "song.mp3", genre=number, artist="Someone", title="Song")
    assert tags.read(path) == Tags(genres=(name,), artist="Someone", title="Song")


def test_a_number_that_id3v1_does_not_have_says_nothing_of_use(tmp_path: Path) -> None:
    assert tags.read(id3_1(tmp_path / "song.mp3", genre=255, artist="Someone")).genres in ((), ("Unknown",))


def test_apev2_in_an_mp3_is_read(tmp_path: Path) -> None:
    path = ape(tmp_path / "song.mp3", genre=["Rock", "Pop"], artist="A", album_artist="B", compilation="1")
    assert tags.read(path) == Tags(genres=("Rock", "Pop"), artist="A", album_artist="B", compilation=True)


def test_apev2_counts_before_id3v1_which_cuts_names(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    long = "A Name of More than Thirty Letters in All"
    id3_1(path, genre=17, artist=long[:30], title="T", sound=ape(path, genre="Zeuhl", artist=long).read_bytes())
    assert tags.read(path) == Tags(genres=("Zeuhl",), artist=long, title="T")


def test_id3v2_counts_before_apev2_which_fills_what_it_lacks(tmp_path: Path) -> None:
    path = tagged(tmp_path / "both.mp3", artist="Two")
    with_ape = ape(tmp_path / "ape.mp3", genre="Rock", artist="Ape").read_bytes()
    path.write_bytes(path.read_bytes() + with_ape[len(sound_file(".mp3").read_bytes()) :])
    assert tags.read(path) == Tags(genres=("Rock",), artist="Two")


@pytest.mark.parametrize(("number", "name"), [(0, "Blues"), (17, "Rock"), (52, "Electronic")])
def test_the_number_of_old_m4a_files_has_a_name(tmp_path: Path, number: int, name: str) -> None:
    assert tags.read(m4a_number(tmp_path / "song.m4a", number)).genres == (name,)


def test_aac_with_id3_before_it_is_read(tmp_path: Path) -> None:
    mp3 = tagged(tmp_path / "song.mp3", genre="Rock", artist="A")
    head = mp3.read_bytes()[: -len(sound_file(".mp3").read_bytes())]
    (tmp_path / "song.aac").write_bytes(head + sound_file(".aac").read_bytes())
    assert tags.read(tmp_path / "song.aac") == Tags(genres=("Rock",), artist="A")


def test_what_mutagen_does_not_know_is_read_by_ffmpeg(tmp_path: Path) -> None:
    path = by_ffmpeg(tmp_path / "song.mka", genre="Jazz", artist="Ä", album_artist="B", title="T", album="A")
    assert tags.read(path) == Tags(genres=("Jazz",), artist="Ä", album_artist="B", title="T", album="A")


def test_the_own_tags_of_quicktime_are_read(tmp_path: Path) -> None:
    path = by_ffmpeg(tmp_path / "song.mov", genre="Jazz", artist="Ä")
    assert tags.read(path) == Tags(genres=("Jazz",), artist="Ä")


def test_the_info_chunk_of_a_wav_is_read(tmp_path: Path) -> None:
    import soundfile

    with soundfile.SoundFile(tmp_path / "song.wav", "w", 22_050, 1) as file:
        file.genre, file.artist, file.title = "Reggae", "A", "T"
        file.write([0.0] * 2205)
    assert tags.read(tmp_path / "song.wav") == Tags(genres=("Reggae",), artist="A", title="T")


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".m4a"])
def test_a_name_that_is_no_utf_8_is_opened(tmp_path: Path, suffix: str) -> None:
    path = tagged(tmp_path / f"song{suffix}", genre="Rock")
    assert tags.read(path.rename(tmp_path / f"caf\udce9{suffix}")).genres == ("Rock",)


# -- values -------------------------------------------------------------------------------------------------------


@given(texts=st.lists(TEXT.map(str.strip).filter(bool), min_size=1, max_size=3), suffix=st.sampled_from(FORMATS))
def test_any_text_comes_back_as_it_was_written(tmp_path: Path, texts: list[str], suffix: str) -> None:
    path = tagged(tmp_path / f"song{suffix}", artist=texts[0], album=texts[-1])
    assert (tags.read(path).artist, tags.read(path).album) == (texts[0], texts[-1])


@pytest.mark.parametrize("suffix", FORMATS)
def test_blanks_and_empty_values_are_left_out(tmp_path: Path, suffix: str) -> None:
    read = tags.read(tagged(tmp_path / f"song{suffix}", genre=["", " Rock ", " "], artist="  "))
    assert read == Tags(genres=("Rock",))


@pytest.mark.parametrize(
    ("texts", "group"),
    [
        ({"artist": "The Beatles"}, "beatles"),
        ({"artist": "A feat. B", "album_artist": "A"}, "a"),
        ({"artist": "Singer", "album_artist": "Various Artists"}, "singer"),
        ({"artist": "Singer", "album_artist": "DJ Mixer", "compilation": True}, "singer"),
        ({"album_artist": "Band"}, "band"),
        ({"artist": "Various Artists", "album_artist": "V.A."}, ""),
        ({}, ""),
    ],
)
def test_the_group_is_the_main_artist(texts: dict[str, object], group: str) -> None:
    assert Tags(**texts).group == group  # type: ignore[arg-type]


# -- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [*FORMATS, ".ape", ".wv", ".au", ".mkv"])
@pytest.mark.parametrize("content", [b"", b"Dear reader, this is not music.\n" * 40, bytes(5000)])
def test_a_file_of_something_else_is_an_audio_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"song{suffix}"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"mutagen: .*; FFmpeg: ") as caught:
        tags.read(path)
    assert str(caught.value).count(str(path)) == 1


def test_a_missing_file_and_a_folder_give_the_reason_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="file: No such file"):
        tags.read(tmp_path / "nowhere.mp3")
    (tmp_path / "folder.mp3").mkdir()
    with pytest.raises(AudioError, match=r"file: a (folder|pipe), not a regular file"):
        tags.read(tmp_path / "folder.mp3")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    with pytest.raises(AudioError, match=r"file: a (folder|pipe), not a regular file"):
        tags.read(tmp_path / "pipe.mp3")


@given(data=st.data(), suffix=st.sampled_from(FORMATS))
def test_damage_anywhere_is_an_audio_error_or_less_text(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    whole = bytearray(tagged(tmp_path / f"song{suffix}", genre=["Rock", "Pop"], artist="A", title="T").read_bytes())
    for _ in range(8):
        whole[data.draw(st.integers(0, min(len(whole), 3000) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / f"song{suffix}").write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        read = tags.read(tmp_path / f"song{suffix}")
    except AudioError:
        return
    assert all(isinstance(text, str) and text.strip() for text in read.genres)


@pytest.mark.parametrize("suffix", FORMATS)
def test_reading_changes_nothing(tmp_path: Path, suffix: str) -> None:
    path = tagged(tmp_path / f"song{suffix}", genre="(17)", **SONG)
    before = path.read_bytes(), path.stat().st_mtime_ns
    tags.read(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


# -- tags beside tags ---------------------------------------------------------------------------------------------


def id3v2(**texts: str) -> bytes:
    held = io.BytesIO()
    frames: Any = MUTAGEN.id3.ID3()
    for name, text in texts.items():
        frames.add(getattr(MUTAGEN.id3, name)(encoding=3, text=[text]))
    frames.save(held, padding=lambda _: 0)
    return held.getvalue()


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".aac"])
def test_a_genre_in_id3_before_the_format_s_own_tags_is_found(tmp_path: Path, suffix: str) -> None:
    path = untagged(tmp_path / f"song{suffix}")
    path.write_bytes(id3v2(TCON="Jazz", TPE1="Nobody") + path.read_bytes())
    assert (tags.read(path).genres, tags.read(path).artist) == (("Jazz",), "Nobody")


def test_the_format_s_own_tags_count_more_than_id3_before_them(tmp_path: Path) -> None:
    path = tagged(tmp_path / "song.flac", genre="Rock")
    path.write_bytes(id3v2(TCON="Jazz", TPE1="Nobody") + path.read_bytes())
    assert (tags.read(path).genres, tags.read(path).artist) == (("Rock",), "Nobody")


@pytest.mark.parametrize("empty", [1, 3])
def test_a_genre_in_a_further_id3_tag_is_found(tmp_path: Path, empty: int) -> None:
    path = untagged(tmp_path / "song.mp3")
    path.write_bytes(id3v2(TIT2="Information") * empty + id3v2(TCON="Jazz", TIT2="Other") + path.read_bytes())
    assert tags.read(path) == Tags(genres=("Jazz",), title="Information")


def test_a_genre_in_riff_info_beside_id3_is_found(tmp_path: Path) -> None:
    path = tagged(tmp_path / "song.wav", artist="Someone")
    info = b"INFOIGNR" + struct.pack("<I", 6) + b"Techno"
    held = path.read_bytes() + b"LIST" + struct.pack("<I", len(info)) + info
    path.write_bytes(held[:4] + struct.pack("<I", len(held) - 8) + held[8:])
    assert tags.read(path) == Tags(genres=("Techno",), artist="Someone")


def test_a_genre_in_a_freeform_atom_is_found(tmp_path: Path) -> None:
    path = tagged(tmp_path / "song.m4a", artist="Someone")
    file = MUTAGEN.mp4.MP4(path)
    file["----:com.apple.iTunes:GENRE"] = [b"Techno", b"House"]
    file.save()
    assert tags.read(path) == Tags(genres=("Techno", "House"), artist="Someone")
