"""`library scan`: only what is new or changed is read and classified, and nothing is ever lost."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_support import assert_refused, genrescope, here, interrupted, sound, world
from conftest import write
from library_support import listed, query, retag, scan, scanned, song

from genrescope import audio, locks, playlists
from genrescope.inference.classifier import Classifier
from genrescope.inference.loading import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli_support import World

BYTES_AS_NAMES = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text here, not bytes")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    return scanned(tmp_path_factory, tmp_path / "a")


@pytest.fixture
def classified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that the model is given from now on."""
    names: list[str] = []
    predict_many = Classifier.predict_many

    def noted(self: Classifier, songs: Iterable[Any], **options: Any) -> Any:
        def each() -> Any:
            for path in songs:
                names.append(Path(path).name)
                yield path

        return predict_many(self, each(), **options)

    monkeypatch.setattr(Classifier, "predict_many", noted)
    return names


def rows(folder: Path, where: str = "1") -> dict[str, int]:
    """Return the numbers of songs by the names of their files."""
    found = query(folder / "library.db", f"SELECT path, id FROM songs WHERE {where}")
    return {Path(path).name: number for path, number in found}


def test_a_scan_remembers_songs_with_tags_predictions_and_embeddings(made: World, folder: Path) -> None:
    again = listed(folder)
    assert len(again) == 9
    first = next(each for each in again if each["path"].endswith("hiss-1.flac"))
    assert (first["artist"], first["title"], first["album"]) == ("The Hisss", "Hiss 1", "White")
    assert (first["tag_genres"], first["status"], first["missing"]) == (["hiss"], "ok", False)
    assert first["genre"] in {"drone", "hiss", "pulse"}
    assert query(folder / "library.db", "SELECT count(*), min(length(vector)) FROM embeddings") == [(9, 512)]


def test_an_unchanged_file_is_not_read(
    made: World, folder: Path, classified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> str:
        raise AssertionError("a file was read")

    monkeypatch.setattr(audio, "sound_id", refuse)
    done = scan(folder, made)
    assert (done.code, classified) == (0, [])
    assert "9 files: 9 unchanged" in done.err
    assert done.next == ["library", "list", "--library", str(folder / "library.db")]


def test_moved_renamed_swapped_and_retagged_files_keep_their_rows(
    made: World, folder: Path, classified: list[str]
) -> None:
    before, music = rows(folder), folder / "music"
    (music / "drone" / "drone-0.flac").rename(music / "new name.flac")
    shutil.copyfile(music / "drone" / "drone-1.flac", music / "copied elsewhere.flac")
    (music / "drone" / "drone-1.flac").unlink()
    one, other = music / "hiss" / "hiss-0.flac", music / "hiss" / "hiss-1.flac"
    one.rename(music / "t.flac")
    other.rename(one)
    (music / "t.flac").rename(other)
    retag(music / "pulse" / "pulse-2.flac", title="Another title", genre=["Techno", "Dub"])
    done = scan(folder, made)
    assert (done.code, classified) == (0, []), done.err
    assert "9 files: 4 moved, 1 retagged, 4 unchanged" in done.err
    after = rows(folder)
    assert after["new name.flac"] == before["drone-0.flac"]
    assert after["copied elsewhere.flac"] == before["drone-1.flac"]
    assert (after["hiss-0.flac"], after["hiss-1.flac"]) == (before["hiss-1.flac"], before["hiss-0.flac"])
    assert len(after) == 9
    [renewed] = [each for each in listed(folder) if each["title"] == "Another title"]
    assert (renewed["tag_genres"], renewed["genre"] is not None) == (["Techno", "Dub"], True)


def test_a_copy_takes_the_prediction_of_its_sound_and_a_second_name_is_the_same_song(
    made: World, folder: Path, classified: list[str]
) -> None:
    music = folder / "music"
    shutil.copyfile(music / "drone" / "drone-0.flac", music / "copy.flac")
    (music / "link.flac").hardlink_to(music / "drone" / "drone-1.flac")
    done = scan(folder, made)
    assert (done.code, classified) == (0, [])
    assert "10 files: 1 copies of known songs, 9 unchanged" in done.err
    found = {Path(each["path"]).name: each for each in listed(folder)}
    assert len(found) == 10
    assert found["copy.flac"]["sound_id"] == found["drone-0.flac"]["sound_id"]
    assert found["copy.flac"]["confidence"] == found["drone-0.flac"]["confidence"]


def test_other_sound_in_a_known_file_is_another_song(made: World, folder: Path, classified: list[str]) -> None:
    path = folder / "music" / "drone" / "drone-0.flac"
    old = rows(folder)["drone-0.flac"]
    song(path, "hiss", 70, title="Remaster")
    done = scan(folder, made)
    assert classified == ["drone-0.flac"]
    assert "1 changed" in done.err
    assert query(folder / "library.db", "SELECT missing FROM songs WHERE id = ?", (old,)) == [(1,)]
    assert rows(folder, "missing = 0")["drone-0.flac"] != old


def test_another_song_in_place_of_one_that_failed_loses_what_was_predicted_of_that(
    made: World, folder: Path, classified: list[str]
) -> None:
    with sqlite3.connect(folder / "library.db") as opened:  # as a second model leaves it that could not use the song
        opened.execute("UPDATE songs SET status = 'failed' WHERE path LIKE '%drone-0.flac'")
    opened.close()
    song(folder / "music" / "drone" / "drone-0.flac", "hiss", 71)
    done = scan(folder, made)
    assert (done.code, classified) == (0, ["drone-0.flac"]), done.err
    [renewed] = [each for each in listed(folder) if each["path"].endswith("drone-0.flac")]
    assert renewed["status"] == "ok"


def test_vanished_files_are_marked_and_come_back(made: World, folder: Path, classified: list[str]) -> None:
    path = folder / "music" / "drone" / "drone-0.flac"
    kept = folder / "kept.flac"
    path.rename(kept)
    done = scan(folder, made)
    assert done.code == 0
    assert "1 songs have no file any more; they are kept" in done.err
    assert len(listed(folder)) == 8
    [gone] = listed(folder, "--missing")
    assert (Path(gone["path"]).name, gone["genre"] is not None) == ("drone-0.flac", True)
    kept.rename(path)
    assert "9 unchanged" in scan(folder, made).err
    assert len(listed(folder)) == 9
    path.unlink()
    forgotten = scan(folder, made, "--forget-missing")
    assert "1 songs were deleted from the library" in forgotten.err
    assert len(rows(folder)) == 8
    assert query(folder / "library.db", "SELECT count(*) FROM predictions") == [(8,)]
    assert classified == []


def test_a_scan_of_one_folder_says_nothing_of_others_and_an_emptied_folder_counts(made: World, folder: Path) -> None:
    shutil.rmtree(folder / "music" / "hiss")
    one = here(
        "library", "scan", folder / "music" / "drone", "--model", made.run, "--library", folder / "library.db",
    )  # fmt: skip
    assert "no file any more" not in one.err
    gone = here("library", "scan", folder / "music" / "hiss", "--model", made.run, "--library", folder / "library.db")
    assert gone.code == 0, gone.err
    assert "3 songs have no file any more" in gone.err
    nowhere = here("library", "scan", folder / "nowhere", "--model", made.run, "--library", folder / "library.db")
    assert_refused(nowhere, "no such file or folder")


def test_failures_are_rows_that_are_tried_again_only_when_asked_or_changed(
    made: World, folder: Path, classified: list[str]
) -> None:
    bad = folder / "music" / "bad.mp3"
    bad.write_text("no music at all")
    done = scan(folder, made)
    assert (done.code, classified) == (1, ["bad.mp3"])
    assert done.err.count(f"{bad}: ") == 2, "as it comes, and at the end"
    [row] = listed(folder, "--failed")
    assert row["status"].startswith("FFmpeg: ")
    again = scan(folder, made)
    assert (again.code, classified) == (1, ["bad.mp3"])
    assert "1 files failed before" in again.err
    assert scan(folder, made, "--retry").code == 1
    assert classified == ["bad.mp3"] * 2
    bad.unlink()
    shutil.copyfile(made.songs()[0], bad)
    better = scan(folder, made)
    assert (better.code, classified) == (0, ["bad.mp3"] * 3), better.err
    assert listed(folder, "--failed") == []
    assert len(rows(folder)) == 10


def test_where_nothing_can_be_used_the_code_is_2(made: World, tmp_path: Path) -> None:
    (tmp_path / "bad.mp3").write_text("no music")
    done = here("library", "scan", tmp_path, "--model", made.run, "--library", tmp_path / "l.db")
    assert done.code == 2


def test_another_model_adds_its_predictions_and_the_last_used_counts(
    made: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    svm = folder / "svm"
    trained = here(
        "train", made.store, "--recipe", "pooled-svm", "--set", "classifier.frames=64", "--set", "classifier.copies=0",
        "--split", made.split, "--out", svm,
    )  # fmt: skip
    assert trained.code == 0, trained.err
    without = replace(load(svm).info, embedding_width=0)  # as a network of another package may be
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "info", without)
        done = here("library", "scan", folder / "music", "--model", svm, "--library", folder / "library.db")
    assert "9 songs classified" in done.err
    assert "this model gives no embeddings" in done.err
    assert query(folder / "library.db", "SELECT count(*) FROM predictions") == [(18,)]
    place = ("--library", folder / "library.db")
    some = folder / "music" / "drone" / "drone-0.flac"
    assert_refused(here("similar", some, *place), "gives no embeddings", "scan with another model")
    assert_refused(here("library", "playlists", folder / "p", "--by", "cluster", *place), "gives no embeddings")
    assert here("similar", some, *place, "--model", str(made.run)).code == 0
    assert "9 unchanged" in scan(folder, made).err


@BYTES_AS_NAMES
def test_odd_names_come_through(made: World, tmp_path: Path) -> None:
    names = ["caf\udce9.wav", "new\nline.wav", 'quote".wav', "кириллица.wav", " blank.wav"]
    for number, name in enumerate(names):
        write(tmp_path / "music" / f"{number}.wav", sound("hiss", 90 + number)).rename(tmp_path / "music" / name)
    done = genrescope("library", "scan", tmp_path / "music", "--model", made.run, "--library", tmp_path / "l.db")
    assert done.code == 0, done.err
    assert sorted(Path(path).name for (path,) in query(tmp_path / "l.db", "SELECT path FROM songs")) == sorted(names)
    again = here("library", "scan", tmp_path / "music", "--model", made.run, "--library", tmp_path / "l.db")
    assert "5 unchanged" in again.err
    assert len(listed(tmp_path, library=tmp_path / "l.db")) == len(names)
    for ending in ("csv", "jsonl", "parquet"):
        assert here("library", "export", tmp_path / f"e.{ending}", "--library", tmp_path / "l.db").code == 0
    assert here("library", "playlists", tmp_path / "p", "--library", tmp_path / "l.db").code == 0
    assert b"caf\xe9.wav" in (tmp_path / "e.csv").read_bytes()
    written = [listed_song.name for path in (tmp_path / "p").glob("*.m3u8") for listed_song in playlists.read(path)]
    assert sorted(written) == sorted(names)


def test_songs_of_a_playlist_have_the_paths_that_a_scan_of_their_folder_gives_them(made: World, tmp_path: Path) -> None:
    path = song(tmp_path / "music" / "a.flac", "hiss", 80)
    listing = tmp_path / "lists" / "evening.m3u8"
    listing.parent.mkdir()
    listing.write_text("../music/a.flac\n")
    done = here("library", "scan", listing, "--model", made.run, "--library", tmp_path / "library.db")
    assert done.code == 0, done.err
    assert [each["path"] for each in listed(tmp_path)] == [str(path)]
    path.unlink()
    write(tmp_path / "music" / "b.flac", sound("hiss", 81))
    assert "1 songs have no file any more" in scan(tmp_path, made).err


def test_a_second_scan_at_once_is_refused(made: World, folder: Path) -> None:
    with locks.file(folder / "library.db", by="library scan"):
        assert_refused(scan(folder, made), "is being written by another run: library scan, process")
    assert scan(folder, made).code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_a_killed_scan_goes_on_where_it_was(made: World, tmp_path: Path) -> None:
    for number in range(40):
        song(tmp_path / "music" / f"{number:02d}.flac", "hiss", 500 + number)
    place = tmp_path / "library.db"

    def some_are_done() -> bool:
        try:
            return place.exists() and query(place, "SELECT count(*) FROM predictions")[0][0] >= 5
        except Exception:  # its tables are being made
            return False

    killed = interrupted(
        "library", "scan", tmp_path / "music", "--model", made.run, "--library", place, when=some_are_done,
        number=signal.SIGKILL,
    )  # fmt: skip
    assert killed.code == -signal.SIGKILL
    [(before,)] = query(place, "SELECT count(*) FROM predictions")
    assert 5 <= before < 40
    done = scan(tmp_path, made)
    assert done.code == 0, done.err
    assert f"{40 - before} songs classified" in done.err
    assert query(place, "SELECT count(*), count(DISTINCT song) FROM predictions") == [(40, 40)]
    assert query(place, "SELECT count(*) FROM songs") == [(40,)]
    assert query(place, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_full_disk_is_said_and_what_was_done_before_is_kept(made: World, tmp_path: Path) -> None:
    for number in range(12):
        song(tmp_path / "music" / f"{number:02d}.flac", "hiss", 700 + number)
    place = tmp_path / "library.db"
    full = genrescope(
        "library", "scan", tmp_path / "music", "--model", made.run, "--library", place, largest_file=250_000
    )
    assert_refused(full, f"cannot write {place}", "What was written before is kept")
    [(before,)] = query(place, "SELECT count(*) FROM predictions")
    assert 0 < before < 12
    done = scan(tmp_path, made)
    assert (done.code, f"{12 - before} songs classified" in done.err) == (0, True), done.err
