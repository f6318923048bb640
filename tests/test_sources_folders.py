"""Folders as people have them: hidden ones, links, parts of a split, a folder around it all."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from cli_support import here, world

from genrescope.errors import DataError
from genrescope.sources.data import list_data

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other links, pipes and rights")
unprivileged = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may look everywhere")


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.fsencode(name))


def ids(root: Path) -> list[str]:
    return [track.id for track in list_data(str(root)).tracks]


def test_hidden_and_system_folders_are_no_genres_and_hold_no_songs(tmp_path: Path) -> None:
    touch(
        tmp_path, "rock/1.ogg", "jazz/1.ogg", "jazz/...Baby.ogg", ".ipynb_checkpoints/1-checkpoint.ogg",
        ".Trash-1000/files/x.ogg", "$RECYCLE.BIN/x.ogg", ".stversions/rock/1.ogg", "@eaDir/1.ogg",
        "rock/.AppleDouble/1.ogg", "rock/._1.ogg", "System Volume Information/x.ogg", "__MACOSX/rock/1.ogg",
    )  # fmt: skip
    assert ids(tmp_path) == ["jazz/...Baby.ogg", "jazz/1.ogg", "rock/1.ogg"]


@posix
def test_linked_folders_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/rock/1.ogg", "data/jazz/1.ogg", "data/jazz/live/2.ogg")
    (tmp_path / "data" / "rock").symlink_to(tmp_path / "elsewhere" / "rock")
    (tmp_path / "data" / "jazz" / "round").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "all jazz").symlink_to(tmp_path / "data" / "jazz")
    (tmp_path / "data" / "itself").symlink_to("itself")
    assert ids(tmp_path / "data") == ["jazz/1.ogg", "jazz/live/2.ogg", "rock/1.ogg"]


@posix
def test_one_file_under_two_genres_is_refused_and_a_second_link_in_one_genre_is_no_second_track(tmp_path: Path) -> None:
    touch(tmp_path, "rock/1.ogg", "jazz/2.ogg")
    (tmp_path / "rock" / "again.ogg").symlink_to("1.ogg")
    assert ids(tmp_path) == ["jazz/2.ogg", "rock/1.ogg"]
    (tmp_path / "jazz" / "3.ogg").symlink_to(tmp_path / "rock" / "1.ogg")
    with pytest.raises(DataError, match=r"one file under the genres (rock|jazz) and (rock|jazz)"):
        list_data(str(tmp_path))


def test_what_ffmpeg_decodes_is_taken_and_the_rest_is_counted_by_ending(tmp_path: Path) -> None:
    endings = ["dsf", "mpc", "tta", "tak", "spx", "weba", "m4r", "mpga", "mp1", "dts", "flv", "ts", "ogv", "m4v"]
    touch(
        tmp_path, *(f"rock/x.{ending}" for ending in endings), "jazz/1.OGG", "jazz/a.mid", "jazz/b.MID", "jazz/README"
    )
    found = list_data(str(tmp_path))
    assert len(found.tracks) == len(endings) + 1
    assert any("3 files left out" in note and "2 .mid, 1 no ending" in note for note in found.notes)


def test_loose_files_beside_genre_folders_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.ogg", "b.ogg", "rock/1.ogg", "jazz/1.ogg")
    found = list_data(str(tmp_path))
    assert [track.id for track in found.tracks] == ["jazz/1.ogg", "rock/1.ogg"]
    assert any("a.ogg, b.ogg" in note for note in found.notes)


@pytest.mark.parametrize("names", [("train", "test", "val"), ("Training", "testing", "dev")])
def test_train_and_test_are_parts_not_genres(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *(f"{part}/{genre}/1.ogg" for part in names for genre in ("rock", "jazz")))
    found = list_data(str(tmp_path))
    assert {(track.genre, track.part) for track in found.tracks} == {
        (genre, part) for genre in ("rock", "jazz") for part in ("train", "validation", "test")
    }
    assert any("own parts" in note for note in found.notes)


def test_genres_that_are_called_like_parts_stay_genres(tmp_path: Path) -> None:
    touch(tmp_path, "test/1.ogg", "rock/1.ogg")
    assert {track.genre for track in list_data(str(tmp_path)).tracks} == {"test", "rock"}
    touch(tmp_path / "flat", "train/1.ogg", "test/2.ogg")
    assert {track.genre for track in list_data(str(tmp_path / "flat")).tracks} == {"train", "test"}


def test_a_single_folder_around_the_genres_is_read_in_its_place(tmp_path: Path) -> None:
    touch(tmp_path, "a/genres_original/rock/1.ogg", "a/genres_original/jazz/1.ogg", "a/images/rock/1.png")
    found = list_data(str(tmp_path))
    assert found.root == tmp_path / "a" / "genres_original"
    assert [track.id for track in found.tracks] == ["jazz/1.ogg", "rock/1.ogg"]
    assert any("a/genres_original" in note for note in found.notes)


def test_one_genre_of_several_artists_is_no_folder_around_genres(tmp_path: Path) -> None:
    touch(tmp_path, "rock/Ann/1.ogg", "rock/Bob/1.ogg")
    assert ids(tmp_path) == ["rock/Ann/1.ogg", "rock/Bob/1.ogg"]


@posix
def test_pipes_and_links_to_devices_are_named_and_never_opened(tmp_path: Path) -> None:
    touch(tmp_path, "rock/1.ogg", "jazz/1.ogg")
    os.mkfifo(tmp_path / "rock" / "pipe.mp3")
    (tmp_path / "rock" / "null.wav").symlink_to(os.devnull)
    (tmp_path / "list.csv").write_text("path,genre\nrock/pipe.mp3,rock\nrock/1.ogg,rock\n", encoding="utf-8")
    for data in (tmp_path, tmp_path / "list.csv"):
        found = list_data(str(data))
        reasons = {path.name: reason for path, reason in found.unreadable}
        assert reasons["pipe.mp3"] == "a pipe, not a regular file"
        assert "pipe.mp3" not in {track.path.name for track in found.tracks}
    assert {path.name for path, _ in list_data(str(tmp_path)).unreadable} == {"pipe.mp3", "null.wav"}


@posix
@unprivileged
def test_a_folder_without_rights_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "rock/1.ogg", "jazz/1.ogg")
    (tmp_path / "jazz").chmod(0)
    try:
        [(path, reason)] = list_data(str(tmp_path)).unreadable
    finally:
        (tmp_path / "jazz").chmod(0o755)
    assert (path.name, reason) == ("jazz", "cannot be looked into: Permission denied")


def test_what_cannot_be_looked_into_is_named_by_every_command_and_gives_exit_code_1(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world(tmp_path_factory)
    music = tmp_path / "music"
    for song in made.songs()[:2]:
        (music / song.parent.name).mkdir(parents=True, exist_ok=True)
        (music / song.parent.name / song.name).write_bytes(song.read_bytes())
    (music / "closed").mkdir()
    whole = os.scandir

    def scandir(folder: Path) -> object:
        if folder == music / "closed":
            raise PermissionError(13, "Permission denied")
        return whole(folder)

    monkeypatch.setattr("genrescope.audio.formats.os.scandir", scandir)
    for arguments in (
        ("prepare", music, "--out", tmp_path / "store", "--jobs", "1"),
        ("check", music, "--out", tmp_path / "check", "--jobs", "1"),
        ("predict", made.run, music, "--out", tmp_path / "out.csv"),
    ):
        done = here(*arguments)
        assert done.code == 1, done
        assert f"skipped {music / 'closed'}: cannot be looked into: Permission denied" in done.err


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_a_genre_that_is_no_text_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "caf\udce9/1.ogg")
    with pytest.raises(DataError, match="is not UTF-8; rename its folder"):
        list_data(str(tmp_path))
