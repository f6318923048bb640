"""What PATH may be: files, folders, playlists, and paths from another program; each file once by whatever name."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from genrescope.errors import DataError
from genrescope.inference.inputs import PathStream, songs_from
from genrescope.inference.songs import find_songs, has_inode, identity


def touched(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    return paths


def test_songs_are_found_under_folders_and_files_are_taken_as_given(tmp_path: Path) -> None:
    touched(tmp_path, "b/2.mp3", "b/1.FLAC", "a/deep/er/x.m4a", "a/cover.jpg", "a/._x.m4a", "notes.txt")
    found = find_songs([tmp_path]).files
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a/deep/er/x.m4a", "b/1.FLAC", "b/2.mp3"]
    assert find_songs([tmp_path / "notes.txt", tmp_path / "b"]).files == [tmp_path / "notes.txt", *found[1:]]
    assert find_songs([tmp_path / "b", tmp_path / "b" / "2.mp3", tmp_path]).files == [*found[1:], found[0]]


def test_a_folder_that_is_named_like_a_song_is_walked(tmp_path: Path) -> None:
    touched(tmp_path, "Best of.mp3/1.mp3")
    assert find_songs([tmp_path]).files == [tmp_path / "Best of.mp3" / "1.mp3"]


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no audio found"):
        find_songs([tmp_path])
    with pytest.raises(DataError, match="no such file or folder"):
        find_songs([tmp_path / "song.mp3"])


def test_a_file_is_one_song_by_whatever_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (song, other) = touched(tmp_path, "song.mp3", "other.mp3")
    (tmp_path / "link.mp3").symlink_to(song)
    os.link(song, tmp_path / "hard.mp3")
    monkeypatch.chdir(tmp_path)
    names: list[str | Path] = [
        "song.mp3",
        song,
        tmp_path / "x" / ".." / "song.mp3",
        "link.mp3",
        "hard.mp3",
        "other.mp3",
    ]
    (tmp_path / "x").mkdir()
    assert find_songs([Path(name) for name in names]).files == [Path("song.mp3"), Path("other.mp3")]
    assert len(find_songs([tmp_path]).files) == 2
    assert identity(song) == identity(tmp_path / "link.mp3") != identity(other)


def test_equal_files_are_two_songs(tmp_path: Path) -> None:
    (song,) = touched(tmp_path, "song.mp3")
    shutil.copy2(song, tmp_path / "copy.mp3")
    assert len(find_songs([tmp_path]).files) == 2


def test_where_files_have_no_numbers_their_paths_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    songs = touched(tmp_path, "one.mp3", "two.mp3")
    for song in songs:
        os.utime(song, ns=(10**18, 10**18))
    monkeypatch.setattr("genrescope.inference.songs.identity", lambda _: f"5:0:7:{10**18}")
    assert find_songs([*songs, *songs]).files == songs


@pytest.mark.parametrize(("known", "numbered"), [("", False), ("5:0:7:9", False), ("5:3:7:9", True)])
def test_an_identity_says_whether_it_is_one_files(known: str, numbered: bool) -> None:
    assert has_inode(known) == numbered


def test_a_playlist_stands_for_its_songs_missing_ones_included(tmp_path: Path) -> None:
    songs = touched(tmp_path, "music/1.mp3", "music/ü.ogg")
    text = "#EXTM3U\n#EXTINF:1,One\nmusic/1.mp3\n\nhttp://radio.example/live\nmusic/ü.ogg\ngone.mp3\nmusic/1.mp3\n"
    for name in ("list.m3u8", "LIST.M3U"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert find_songs([tmp_path / name]).files == [*songs, tmp_path / "gone.mp3"]
    (tmp_path / "list.m3u8").write_bytes(b"\0\1")
    with pytest.raises(DataError, match="not a playlist"):
        find_songs([tmp_path / "list.m3u8"])


# -- paths from another program -------------------------------------------------------------------------------------


def piped(*pieces: bytes) -> list[bytes]:
    """Return the paths that come through a pipe in these pieces."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as stream:
        for piece in pieces:
            os.write(writer, piece)
        os.close(writer)
        return [os.fsencode(path) for path in PathStream(stream)]


def test_paths_are_lines_or_stand_between_nul_bytes() -> None:
    assert piped(b"a.mp3\nb c.mp3\n\n", b"d.m", b"p3\ncaf\xe9.mp3") == [
        b"a.mp3", b"b c.mp3", b"d.mp3", b"caf\xe9.mp3",
    ]  # fmt: skip
    assert piped(b"a.mp3\0two\nlines.mp3\0\0-dash.mp3\0") == [b"a.mp3", b"two\nlines.mp3", b"-dash.mp3"]
    assert piped(b"one.mp3") == [b"one.mp3"]
    assert piped() == []


def test_a_path_is_there_as_soon_as_it_is_written_and_waiting_can_be_ended() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as file:
        stream = PathStream(file)
        paths = iter(stream)
        os.write(writer, b"first.mp3\nhalf")
        assert next(paths) == Path("first.mp3")
        left: list[Path] = []
        waiting = threading.Thread(target=lambda: left.extend(paths))
        waiting.start()
        time.sleep(0.05)
        assert waiting.is_alive()
        stream.stop()
        waiting.join(10)
        assert not waiting.is_alive()
        assert left == []
    os.close(writer)


def test_paths_that_come_are_files_folders_and_playlists_each_song_once(tmp_path: Path) -> None:
    songs = touched(tmp_path, "a/1.mp3", "a/2.mp3", "3.mp3")
    (tmp_path / "list.m3u8").write_text("a/2.mp3\ngone.mp3\n")
    given = [songs[2], tmp_path / "a", tmp_path / "list.m3u8", tmp_path / "nothing.mp3", songs[0]]
    assert list(songs_from(given, seen=[songs[2]])) == [
        songs[0], songs[1], tmp_path / "gone.mp3", tmp_path / "nothing.mp3",
    ]  # fmt: skip
