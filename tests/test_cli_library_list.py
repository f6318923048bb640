"""What is made of a library: lists, exports, albums, playlists, clips, similar songs and corrections."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
from cli_support import GENRES, assert_refused, here, leftovers, world
from library_support import ALBUMS, listed, query, retag, scan, scanned
from map_support import write_library

from genrescope import audio, extras, playlists
from genrescope.inference.loading import load
from genrescope.library import index
from genrescope.library.database import Library
from genrescope.library.scan import Scan

if TYPE_CHECKING:
    from cli_support import Done, World


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    return scanned(tmp_path_factory, tmp_path / "a")


def run(folder: Path, *arguments: object) -> Done:
    return here(*arguments, "--library", folder / "library.db")


def song_of(folder: Path, name: str) -> Path:
    return folder / "music" / name.partition("-")[0] / f"{name}.flac"


# -- list and export --------------------------------------------------------------------------------------------------


def test_filters_choose_what_they_say(folder: Path) -> None:
    every = listed(folder)
    genres = {each["genre"] for each in every}
    for genre in genres:
        chosen = listed(folder, "--genre", genre)
        assert [each["path"] for each in chosen] == [each["path"] for each in every if each["genre"] == genre]
    middle = sorted(each["confidence"] for each in every)[4]
    sure = listed(folder, "--min-confidence", middle)
    assert {each["path"] for each in sure} == {each["path"] for each in every if each["confidence"] >= middle}
    assert len(sure) in range(5, 9)
    doubtful = listed(folder, "--doubtful")
    assert {each["path"] for each in doubtful} == {each["path"] for each in every if each["doubts"]}
    assert_refused(run(folder, "library", "list", "--genre", "dronne"), 'did you mean "drone"?')


def test_the_table_has_what_csv_has_and_says_how_many_are_left(folder: Path) -> None:
    shown = run(folder, "library", "list", "--limit", 2)
    assert shown.code == 0
    assert str(song_of(folder, "drone-0")) in shown.out
    assert str(song_of(folder, "drone-2")) not in shown.out
    assert "9 songs, the first 2 shown" in shown.err
    assert shown.next == ["library", "export", "library.csv", "--library", str(folder / "library.db")]
    rows = list(csv.DictReader(io.StringIO(run(folder, "library", "list", "--format", "csv").out)))
    assert [row["path"] for row in rows] == [each["path"] for each in listed(folder)]
    assert (rows[0]["artist"], rows[0]["tag_genres"]) == ("The Drones", "drone")


def test_everything_is_exported_in_each_format(folder: Path) -> None:
    import pyarrow.parquet as pq

    run(folder, "correct", song_of(folder, "hiss-0"), "noise", "white noise")
    for ending in ("csv", "jsonl", "parquet"):
        done = run(folder, "library", "export", folder / f"e.{ending}")
        assert (done.code, done.out) == (0, ""), done.err
        assert "9 songs with the predictions of" in done.err
    lines = [json.loads(line) for line in (folder / "e.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = list(csv.DictReader((folder / "e.csv").read_text(encoding="utf-8").splitlines()))
    table = pq.read_table(folder / "e.parquet").to_pylist()
    with Library(folder / "library.db") as library:
        numbers, vectors = library.embeddings(library.model())
    [hiss] = query(folder / "library.db", "SELECT id FROM songs WHERE path LIKE '%hiss-0.flac'")
    for line, row, cells in zip(lines, rows, table, strict=True):
        assert line["path"] == row["path"] == cells["path"]
        assert set(line["scores"]) == set(GENRES)
        for genre, score in line["scores"].items():
            assert float(row[f"score {genre}"]) == pytest.approx(score) == pytest.approx(cells[f"score {genre}"])
        assert json.loads(cells["windows"]) == line["windows"] != []
        assert cells["embedding"] == pytest.approx(line["embedding"], abs=1e-6)
    corrected = next(line for line in lines if line["path"].endswith("hiss-0.flac"))
    assert corrected["correction"] == ["noise", "white noise"]
    np.testing.assert_allclose(corrected["embedding"], vectors[numbers.index(hiss[0])], atol=1e-6)
    assert_refused(run(folder, "library", "export", folder / "e.xml"), ".csv, .jsonl, .parquet")
    assert leftovers(folder) == []


def test_parquet_without_its_package_is_refused_before_any_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "pyarrow" else name)
    assert_refused(run(folder, "library", "export", folder / "e.parquet"), "genrescope[tables]")


# -- albums -----------------------------------------------------------------------------------------------------------


def test_an_album_has_the_mean_of_its_songs_and_each_keeps_its_own(folder: Path) -> None:
    done = run(folder, "library", "albums", "--out", folder / "albums.csv")
    assert done.code == 0, done.err
    assert all(title in done.out for title in ALBUMS.values())
    rows = list(csv.DictReader((folder / "albums.csv").read_text(encoding="utf-8").splitlines()))
    run(folder, "library", "export", folder / "e.jsonl")
    lines = {line["path"]: line for line in map(json.loads, (folder / "e.jsonl").read_text().splitlines())}
    for title in ALBUMS.values():
        songs = [row for row in rows if row["album"] == title]
        assert len(songs) == 3
        mean = {genre: np.mean([lines[row["path"]]["scores"][genre] for row in songs]) for genre in GENRES}
        best = max(mean, key=lambda genre: mean[genre])
        assert {row["album_genre"] for row in songs} == {best}
        assert float(songs[0]["album_confidence"]) == pytest.approx(mean[best], abs=1e-5)
        assert [row["genre"] for row in songs] == [lines[row["path"]]["genre"] for row in songs]
    beside = listed(folder, "--by-album")
    assert {each["album"]: each["album_genre"] for each in beside} == {row["album"]: row["album_genre"] for row in rows}
    assert "album's genre" in run(folder, "library", "list", "--by-album").out


def test_discs_are_one_album_and_compilations_none(made: World, folder: Path) -> None:
    music = folder / "music"
    for number in (0, 1):
        (music / "drone" / f"CD{number + 1}").mkdir()
        song_of(folder, f"drone-{number}").rename(music / "drone" / f"CD{number + 1}" / f"{number}.flac")
    for number, artist in enumerate(("A", "B", "C")):
        retag(song_of(folder, f"hiss-{number}"), artist=artist)
    retag(song_of(folder, "pulse-0"), albumartist="Various Artists")
    for number in (1, 2):
        retag(song_of(folder, f"pulse-{number}"), albumartist="Various Artists")
    assert scan(folder, made).code == 0
    run(folder, "library", "albums", "--out", folder / "albums.csv")
    rows = list(csv.DictReader((folder / "albums.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["album"], row["album_songs"]) for row in rows] == [("Long Notes", "3")] * 3
    assert {each["album_genre"] for each in listed(folder, "--by-album") if each["album"] == "White"} == {None}


def test_an_artist_s_mean_is_mixed_in_by_its_weight(folder: Path) -> None:
    own = {each["path"]: each for each in listed(folder)}
    none, half, whole = (listed(folder, "--by-artist", weight) for weight in (0, 0.5, 1))
    assert all(each["artist_genre"] == own[each["path"]]["genre"] for each in none)
    assert all(each["artist_confidence"] == pytest.approx(own[each["path"]]["confidence"], abs=1e-6) for each in none)
    for artist in {each["artist"] for each in whole}:
        assert (
            len({(each["artist_genre"], each["artist_confidence"]) for each in whole if each["artist"] == artist}) == 1
        )
    assert [each["artist_confidence"] for each in half] != [each["artist_confidence"] for each in whole]
    assert_refused(run(folder, "library", "list", "--by-album", "--by-artist", 0.5), "give one of them")


# -- playlists and clips ----------------------------------------------------------------------------------------------


def test_a_playlist_for_each_genre_and_an_old_one_goes(folder: Path) -> None:
    run(folder, "correct", song_of(folder, "drone-0"), "Dark/Ambient", "drone")
    done = run(folder, "library", "playlists", folder / "lists")
    assert done.code == 0, done.err
    assert song_of(folder, "drone-0") in map(Path.resolve, playlists.read(folder / "lists" / "Dark-Ambient.m3u8"))
    for genre in GENRES:
        expected = {each["path"] for each in listed(folder, "--genre", genre)}
        found = playlists.read(folder / "lists" / f"{genre}.m3u8") if expected else []
        assert {str(path.resolve()) for path in found} == expected
    (folder / "lists" / "mine.m3u8").write_text("mine")
    run(folder, "correct", song_of(folder, "drone-0"), "--remove")
    assert run(folder, "library", "playlists", folder / "lists").code == 0
    assert not (folder / "lists" / "Dark-Ambient.m3u8").exists()
    assert (folder / "lists" / "mine.m3u8").read_text() == "mine"


def test_playlists_are_not_put_among_other_things(folder: Path) -> None:
    before = sorted(path.name for path in (folder / "music").rglob("*"))
    assert_refused(run(folder, "library", "playlists", folder / "music"), "other things in it")
    assert sorted(path.name for path in (folder / "music").rglob("*")) == before


def test_clusters_hold_every_song_once_and_are_named(folder: Path) -> None:
    done = run(folder, "library", "playlists", folder / "lists", "--by", "cluster", "--clusters", 3)
    assert done.code == 0, done.err
    files = sorted((folder / "lists").glob("*.m3u8"))
    songs = [path.resolve() for file in files for path in playlists.read(file)]
    assert sorted(map(str, songs)) == sorted(each["path"] for each in listed(folder))
    assert 1 < len(files) <= 3
    assert all(any(genre in file.stem for genre in GENRES) for file in files)
    again = run(folder, "library", "playlists", folder / "again", "--by", "cluster", "--clusters", 3)
    assert again.out == done.out


def test_clips_are_cut_where_the_scores_are(folder: Path) -> None:
    path = song_of(folder, "hiss-1")
    before = path.read_bytes()
    done = run(folder, "library", "clips", path, folder / "clips", "--seconds", 3)
    assert done.code == 0, done.err
    written = [Path(line) for line in done.out.splitlines()]
    assert sorted(written) == sorted((folder / "clips").iterdir())
    assert [("clear" in each.name, "doubtful" in each.name) for each in written] == [(True, False), (False, True)]
    for each in written:
        samples, rate = soundfile.read(each)
        assert rate == 44_100
        assert len(samples) / rate == pytest.approx(3, abs=0.05)
        assert np.abs(samples).max() > 0.01
    assert path.read_bytes() == before
    several = run(folder, "library", "clips", path, song_of(folder, "drone-1"), folder / "wav", "--format", "wav")
    assert several.code == 0
    assert {each.suffix for each in (folder / "wav").iterdir()} == {".wav"}


def test_clips_of_what_is_not_there_are_refused(folder: Path, made: World) -> None:
    assert_refused(run(folder, "library", "clips", folder / "clips"), "give songs and a folder")
    assert_refused(run(folder, "library", "clips", made.songs()[0], folder / "clips"), "is not in", "library scan")
    assert not (folder / "clips").exists()


# -- similar ----------------------------------------------------------------------------------------------------------


def test_similar_ranks_by_the_cosine_of_standardised_embeddings(folder: Path) -> None:
    with Library(folder / "library.db") as library:
        numbers, vectors = library.embeddings(library.model())
        paths = {song.id: str(song.path) for song in library.songs()}
    scaled = (vectors - vectors.mean(0)) / np.maximum(vectors.std(0), 1e-6)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
    first = numbers.index(next(number for number, path in paths.items() if path == str(song_of(folder, "hiss-0"))))
    order = np.argsort(-(scaled @ scaled[first]))
    done = run(folder, "similar", song_of(folder, "hiss-0"), "--count", 4, "--playlist", folder / "s.m3u8")
    assert done.code == 0, done.err
    listed_songs = [str(path.resolve()) for path in playlists.read(folder / "s.m3u8")]
    assert listed_songs == [paths[numbers[place]] for place in order[:5]]
    shown = [line.split() for line in done.out.splitlines() if ".flac" in line]
    assert [row[-1] for row in shown] == listed_songs[1:]
    assert float(shown[0][0]) == pytest.approx(float(scaled[order[1]] @ scaled[first]), abs=0.006)


def test_similar_leaves_out_copies_and_on_request_the_artist(made: World, folder: Path) -> None:
    shutil.copyfile(song_of(folder, "hiss-0"), folder / "music" / "copy.flac")
    scan(folder, made)
    every = run(folder, "similar", song_of(folder, "hiss-0"), "--count", 50)
    assert every.out.count(".flac") == 8
    assert "copy.flac" not in every.out
    others = run(folder, "similar", song_of(folder, "hiss-0"), "--count", 50, "--other-artists")
    assert others.out.count(".flac") == 6
    assert "hiss" not in "".join(
        line.split()[-1].rpartition("/")[2] for line in others.out.splitlines() if ".flac" in line
    )


def test_a_file_that_is_not_in_the_library_is_embedded_on_the_spot(made: World, folder: Path) -> None:
    done = run(folder, "similar", made.songs("hiss")[5], "--count", 3)
    assert done.code == 0, done.err
    assert "has no embedding in the library; made now by" in done.err
    assert done.out.count(".flac") == 3
    assert_refused(run(folder, "similar", folder / "nowhere.mp3"), "no such file")
    assert_refused(run(folder, "similar", made.songs()[0], "--playlist", folder / "s.txt"), ".m3u8 or .m3u")


def test_a_song_is_embedded_from_the_windows_that_the_library_s_model_was_given(made: World, folder: Path) -> None:
    with Library(folder / "all.db", create=True) as library:
        classifier = load(made.run, device="cpu", windows="all", excerpt=5)
        Scan(library, classifier, name=str(made.run), jobs=0).run(sorted((folder / "music").rglob("*.flac")))
        assert library.model().choice == classifier.choice
    done = here("similar", made.songs("hiss")[5], "--count", 3, "--library", folder / "all.db")
    assert done.code == 0, done.err
    assert done.out.count(".flac") == 3


def test_a_large_library_is_indexed_with_its_recall_and_without_the_package_compared_one_by_one(
    made: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("usearch", reason="the extra `search` is not installed")
    exact = run(folder, "similar", song_of(folder, "hiss-0"), "--count", 4)
    monkeypatch.setattr(index, "EXACT", 5)
    first = run(folder, "similar", song_of(folder, "hiss-0"), "--count", 4)
    assert "indexed 9 songs; of the ten nearest songs the index finds 100.0 %" in first.err
    again = run(folder, "similar", song_of(folder, "hiss-0"), "--count", 4)
    assert "indexed" not in again.err
    files = [[line.split()[-1] for line in done.out.splitlines() if ".flac" in line] for done in (exact, first, again)]
    assert files[0] == files[1] == files[2]
    [held] = folder.glob("*.usearch")
    held.write_bytes(held.read_bytes()[:1000])
    mended = run(folder, "similar", song_of(folder, "hiss-0"), "--count", 4)
    assert (mended.out, "indexed" in mended.err) == (first.out, True), "it was damaged"
    song_of(folder, "drone-0").unlink()
    scan(folder, made)
    assert "indexed" in run(folder, "similar", song_of(folder, "hiss-0")).err, "songs have gone"
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    lacking = run(folder, "similar", song_of(folder, "hiss-0"), "--count", 4)
    assert (lacking.code, "pip install 'genrescope[search]'" in lacking.err) == (0, True)


def test_an_index_finds_the_songs_of_albums_that_lie_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("usearch", reason="the extra `search` is not installed")
    for name, value in (("_LINKS", 8), ("_ADDING", 16), ("_SEARCHING", 32)):  # so that 4,000 songs are many
        monkeypatch.setattr(index, name, value)
    random = np.random.default_rng(0)
    albums = random.normal(size=(40, 24)).repeat(100, axis=0) * 3
    embeddings = (albums + random.normal(size=albums.shape)).astype(np.float32)
    write_library(tmp_path / "l.db", tmp_path, embeddings, np.ones((4000, 1)), ["rock"])
    with Library(tmp_path / "l.db") as library:
        assert index.Index(library, library.model()).recall > 0.95


# -- corrections ------------------------------------------------------------------------------------------------------


def test_a_correction_survives_a_move_and_a_new_scan_and_counts_in_lists(made: World, folder: Path) -> None:
    path = song_of(folder, "pulse-1")
    done = run(folder, "correct", path, "Dub  Techno", "pulze")
    assert done.code == 0, done.err
    assert 'note: "pulze" is stored as given; did you mean "pulse"?' in done.err
    assert "Dub Techno" not in done.err
    moved = path.rename(folder / "music" / "elsewhere.flac")
    retag(moved, title="New")
    assert scan(folder, made, "--forget-missing").code == 0
    [found] = listed(folder, "--genre", "Dub Techno")
    assert (found["path"], found["correction"]) == (str(moved), ["Dub Techno", "pulze"])
    assert "0 corrections changed, 1 stood there already" in run(folder, "correct", moved, "Dub Techno", "pulze").err
    assert "0 in the library" in run(folder, "correct", moved, "--remove").err
    assert listed(folder, "--genre", found["genre"]) != []


def test_a_table_corrects_many_and_names_what_it_cannot_find(
    made: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = shutil.copyfile(made.songs()[7], folder / "outside.wav")
    table = folder / "right.csv"
    monkeypatch.setattr(audio, "sound_id", noted := Mock(wraps=audio.sound_id))
    table.write_text("path,genre\nmusic/drone/drone-0.flac,ambient; drone\noutside.wav,hiss\nnowhere.mp3,hiss\n")
    done = run(folder, "correct", "--csv", table)
    assert done.code == 1
    assert "skipped" in done.err
    assert "nowhere.mp3" in done.err
    assert "2 corrections changed" in done.err
    noted.assert_called_once_with(outside)
    with Library(folder / "library.db") as library:
        assert sorted(library.corrections().values()) == [("ambient", "drone"), ("hiss",)]
    assert query(folder / "library.db", "SELECT path FROM corrections WHERE genres = '[\"hiss\"]'") == [(str(outside),)]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "give SONG GENRE"),
        (("song.mp3",), "give SONG GENRE"),
        (("song.mp3", "rock", "--remove"), "give SONG GENRE"),
        (("song.mp3", "rock", "--csv", "x.csv"), "give SONG GENRE"),
        (("--csv", "empty.csv"), "has no rows"),
        (("--csv", "blank.csv"), "line 2: a path and a genre are needed"),
    ],
)
def test_corrections_that_cannot_be_are_refused(
    arguments: tuple[str, ...], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.csv").write_text("path,genre\n")
    (tmp_path / "blank.csv").write_text("path,genre\nsong.mp3, \n")
    assert_refused(here("correct", *arguments, "--library", tmp_path / "l.db"), word)
    assert not (tmp_path / "l.db").exists()
