"""Playlists: what is written is read back, and what others write is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from genrescope import playlists
from genrescope.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def test_songs_come_back_in_their_order(tmp_path: Path) -> None:
    songs = [tmp_path / "b" / "ü #1.mp3", tmp_path / "a.flac"]
    playlists.write(tmp_path / "lists" / "mine.m3u8", [playlists.Entry(song, "A -\nB", 61.6) for song in songs])
    text = (tmp_path / "lists" / "mine.m3u8").read_text(encoding="utf-8")
    assert text.splitlines()[:3] == ["#EXTM3U", "#EXTINF:62,A - B", "../b/ü #1.mp3"]
    assert [path.resolve() for path in playlists.read(tmp_path / "lists" / "mine.m3u8")] == songs


@pytest.mark.skipif(os.name == "nt", reason="Windows names are always text")
@pytest.mark.parametrize(
    "name",
    ["#1 hit.mp3", " blank .mp3 ", "two\nlines.mp3", "\u2028\x85.mp3", "caf\udce9.mp3", "file:x.mp3", "a\\b.mp3"],
)
def test_a_name_that_cannot_stand_in_a_line_comes_back_and_spoils_no_other(name: str, tmp_path: Path) -> None:
    songs = [tmp_path / "ü.mp3", tmp_path / name]
    for song in songs:
        song.touch()
    playlists.write(tmp_path / "list.m3u8", map(playlists.Entry, songs))
    assert playlists.read(tmp_path / "list.m3u8") == songs
    assert (tmp_path / "list.m3u8").read_text(encoding="utf-8").splitlines()[2] == "ü.mp3"


def test_a_line_longer_than_any_path_is_a_song_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "list.m3u8").write_text("a\\" + 5000 * "b")
    assert len(playlists.read(tmp_path / "list.m3u8")) == 1


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xef\xbb\xbf#EXTM3U\r\n#EXTINF:1,x\r\nsub\\song.mp3\r\n", "sub/song.mp3"),
        (b"caf\xe9.mp3\n", "café.mp3"),
        ("#EXTINF:1,Caf\xe9\n".encode("cp1252") + "café.mp3\n".encode(), "café.mp3"),
        (b"http://radio/stream\n\n  song.mp3  \n", "song.mp3"),
    ],
)
def test_playlists_of_other_programs_are_read(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / "list.m3u").write_bytes(content)
    assert playlists.read(tmp_path / "list.m3u") == [tmp_path / name]


def test_file_addresses_are_decoded(tmp_path: Path) -> None:
    (tmp_path / "list.m3u8").write_text("file:///music/a%20b.mp3\n", encoding="utf-8")
    assert str(playlists.read(tmp_path / "list.m3u8")[0]) == "/music/a b.mp3"


@pytest.mark.parametrize("content", [None, b"RIFF\0\0\0"])
def test_what_is_no_playlist_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "list.m3u8"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"M3U8"):
        playlists.read(path)
