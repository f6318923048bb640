"""A tagged library becomes a data set: the whole way from files of every format to a store."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_support import assert_refused, genrescope, here, leftovers
from tag_support import ape, id3_1, id3_2_2, m4a_number, tagged, untagged

from genrescope.sources import genre_map, tagged_library
from genrescope.sources.data import read_data
from genrescope.sources.track_table import list_tracks
from genrescope.store.store import open_store

if TYPE_CHECKING:
    from cli_support import Done

BYTES_AS_NAMES = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text here, not bytes")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Give a library as collectors have it: every format, and tags by many hands."""
    root = tmp_path / "music"
    tagged(root / "a" / "trap.mp3", genre="Hip Hop/Rap; Trap", artist="The Roots feat. Guest", hz=300)
    tagged(root / "a" / "v23.mp3", version=3, genre=["Rock", "Pop"], artist="AC/DC", hz=310)
    tagged(root / "a" / "deutsch.flac", genre="Deutschrap", artist="Roots, The", title='Ein "Lied", kurz', hz=320)
    tagged(
        root / "b" / "klassik.ogg", genre="Klassik", artist="Solist", album_artist="Verschiedene Interpreten", hz=330
    )
    tagged(root / "b" / "jazz.opus", genre=["Unknown", "ジャズ"], artist="Ωmega", hz=340)
    tagged(root / "b" / "rnb.m4a", genre="R&B", artist="Various Artists", compilation=True, hz=350)
    tagged(root / "b" / "dnb.wma", genre="Drum & Bass", artist="Goldie", hz=360)
    tagged(root / "c" / "rock.wav", genre="Rock, Pop", artist="ac dc", hz=370)
    tagged(root / "c" / "рок.aiff", genre="Рок", artist="Кино", hz=380)
    tagged(root / "c" / "clasica.mp3", genre="Música clásica", artist="Solist", hz=390)
    id3_2_2(root / "d" / "v22.mp3", genre="(17)Rock", artist="X")
    id3_1(root / "d" / "v1.mp3", genre=189, artist="Y")
    ape(root / "d" / "ape.mp3", genre="Blues", artist="Z")
    m4a_number(root / "d" / "gnre.m4a", 8)
    tagged(root / "e" / "unmapped-1.mp3", genre="Oom-Pah; [bold]Skronk[/bold]", artist="Q")
    tagged(root / "e" / "unmapped-2.mp3", genre="oom pah", artist="Q")
    tagged(root / "e" / "unknown.mp3", genre="Unknown", artist="Q")
    tagged(root / "e" / "remix.mp3", genre="(RX)", artist="Q")
    untagged(root / "e" / "untagged.flac")
    (root / "e" / "letter.mp3").write_text("Dear reader, this is not music.\n" * 40)
    (root / "cover.jpg").write_bytes(b"picture")
    return root


EXPECTED = {
    "a/trap.mp3": ("hiphop", "roots"),
    "a/v23.mp3": ("rock", "ac dc"),
    "a/deutsch.flac": ("hiphop", "roots"),
    "b/klassik.ogg": ("classical", "solist"),
    "b/jazz.opus": ("jazz", "ωmega"),
    "b/rnb.m4a": ("soul-rnb", ""),
    "b/dnb.wma": ("electronic", "goldie"),
    "c/rock.wav": ("rock", "ac dc"),
    "c/рок.aiff": ("rock", "кино"),
    "c/clasica.mp3": ("classical", "solist"),
    "d/v22.mp3": ("rock", "x"),
    "d/v1.mp3": ("electronic", "y"),
    "d/ape.mp3": ("blues", "z"),
    "d/gnre.m4a": ("jazz", ""),
}


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def told(done: Done) -> str:
    assert "Traceback" not in done.err, done.err
    return " ".join(done.err.split())


# -- the whole way --------------------------------------------------------------------------------------------------


def test_a_library_becomes_a_data_set(music: Path, tmp_path: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in music.rglob("*") if path.is_file()}
    songs, words, lines = tmp_path / "songs.csv", tmp_path / "genres.toml", tmp_path / "unmapped.txt"
    done = genrescope("library", "dataset", music, "--map", words, "--out", songs, "--unmapped", lines)

    assert done.code == 1, done.err
    assert {
        name.removeprefix("music/"): (row["genre"], row["group"]) for name, row in rows_of(songs).items()
    } == EXPECTED
    assert rows_of(songs)["music/a/deutsch.flac"]["title"] == 'Ein "Lied", kurz'
    assert rows_of(songs)["music/a/trap.mp3"]["genre_tag"] == "Hip Hop/Rap; Trap"
    assert rows_of(songs)["music/b/jazz.opus"]["genre_tag"] == "Unknown; ジャズ"
    assert [line.split(": ")[0] for line in done.messages if line.startswith("skipped")] == [
        f"skipped {music}/e/letter.mp3"
    ]
    assert "14 of 20 files" in told(done)
    assert "3 without a genre, 2 whose genre is not in the map, 1 whose tags cannot be read" in told(done)
    table = [line.split() for line in done.out.splitlines()]
    assert ["rock", "4", "3"] in table
    assert ["Oom-Pah", "2"] in table
    assert ["[bold]Skronk[/bold]", "1"] in table
    assert words.read_text(encoding="utf-8") == genre_map.default_text()
    assert lines.read_text(encoding="utf-8").splitlines()[1:] == [
        '  "Oom-Pah",  # 2 songs',
        '  "[bold]Skronk[/bold]",  # 1 song',
    ]
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    assert leftovers(tmp_path) == []

    prepared = here("prepare", songs, "--out", tmp_path / "store", "--jobs", 1)
    assert prepared.code == 0, prepared.err
    store = open_store(tmp_path / "store")
    assert {track.path.removeprefix("music/"): (track.genre, track.group) for track in store.tracks} == EXPECTED


def test_what_was_unmapped_maps_once_its_line_is_pasted(music: Path, tmp_path: Path) -> None:
    songs, words, lines = tmp_path / "songs.csv", tmp_path / "genres.toml", tmp_path / "unmapped.txt"
    arguments = ("library", "dataset", music, "--map", words, "--out", songs, "--unmapped", lines)
    assert "genres.toml written" in told(here(*arguments))
    pasted = "[genres]\npolka = [\n" + lines.read_text(encoding="utf-8") + "]\n"
    words.write_text(pasted, encoding="utf-8")
    again = here(*arguments)
    assert "written:" not in told(again)
    assert words.read_text(encoding="utf-8") == pasted, "a map that is there is only read"
    assert {Path(name).name: row["genre"] for name, row in rows_of(songs).items()} == {
        "unmapped-1.mp3": "polka", "unmapped-2.mp3": "polka",
    }  # fmt: skip
    assert '"Hip Hop/Rap"' in lines.read_text(encoding="utf-8")


def test_a_library_is_data_by_itself(music: Path) -> None:
    root, tracks = read_data(f"library:{music}")
    assert root == music
    assert {track.id: (track.genre, track.group) for track in tracks} == EXPECTED


def test_without_a_map_the_default_is_used_and_nothing_else_is_written(music: Path, tmp_path: Path) -> None:
    done = here("library", "dataset", music, "--out", tmp_path / "songs.csv", "--quiet")
    assert [line for line in done.messages if not line.startswith("skipped")] == []
    assert len(rows_of(tmp_path / "songs.csv")) == len(EXPECTED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "songs.csv"]


def test_all_is_well_where_every_file_can_be_read(tmp_path: Path) -> None:
    tagged(tmp_path / "music" / "a.flac", genre="Rock", artist="A")
    done = here("library", "dataset", tmp_path / "music", "--out", tmp_path / "songs.csv")
    assert (done.code, leftovers(tmp_path)) == (0, [])
    assert "not in the map" not in done.out


# -- paths and names ------------------------------------------------------------------------------------------------


def test_paths_outside_the_table_s_folder_are_absolute(music: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "lists" / "deep" / "songs.csv"
    here("library", "dataset", music, "--out", elsewhere)
    tracks = list_tracks(elsewhere)
    assert len(tracks) == len(EXPECTED)
    assert all(Path(track.id).is_absolute() and track.path.is_file() for track in tracks)


def test_a_relative_folder_gives_the_same_table(music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here("library", "dataset", music, "--out", tmp_path / "one.csv")
    monkeypatch.chdir(music / "a")
    here("library", "dataset", "..", "--out", "../../two.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@BYTES_AS_NAMES
def test_odd_names_come_through_to_the_store(tmp_path: Path) -> None:
    names = [
        " blank first.flac", "caf\udce9.flac", 'quote"comma,.flac', "new\nline.flac", "#hash.flac", "tab\t.flac",
        "carriage\rreturn.flac", "кириллица.flac", "back\\slash.flac", "a: b.flac",
    ]  # fmt: skip
    for number, name in enumerate(names):
        tagged(tmp_path / name, genre="Rock", artist=f"A {number}", hz=200 + 10 * number)
    done = genrescope("library", "dataset", tmp_path, "--out", tmp_path / "songs.csv")
    assert done.code == 0, done.err
    tracks = list_tracks(tmp_path / "songs.csv")
    assert sorted(os.fsencode(track.path) for track in tracks) == sorted(os.fsencode(tmp_path / name) for name in names)
    assert all(track.path.is_file() for track in tracks)
    prepared = here("prepare", tmp_path / "songs.csv", "--out", tmp_path / "store", "--jobs", 1)
    assert prepared.code == 0, prepared.err
    assert len(open_store(tmp_path / "store").tracks) == len(names)


@BYTES_AS_NAMES
def test_the_name_of_a_file_keeps_its_bytes_where_other_cells_are_read_as_text(tmp_path: Path) -> None:
    tagged(tmp_path / "caf\udce9.flac", genre="Rock")
    (tmp_path / "songs.csv").write_bytes(b"path,genre,group\ncaf\xe9.flac,rock,B\xe9\n")
    [track] = list_tracks(tmp_path / "songs.csv")
    assert (track.path.name, track.group) == ("caf\udce9.flac", "B\xe9")
    assert track.path.is_file()


# -- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_or_has_no_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, word in (("nowhere", "no such folder"), ("empty", "no audio found")):
        assert_refused(
            here("library", "dataset", tmp_path / folder, "--map", tmp_path / "m.toml", "--out", tmp_path / "s.csv"),
            word,
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty"]


def test_a_faulty_map_is_refused_and_nothing_written(music: Path, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('[genres]\nrock = ["Hard Rock"]\nmetal = ["hard-rock"]\n', encoding="utf-8")
    done = here("library", "dataset", music, "--map", tmp_path / "m.toml", "--out", tmp_path / "s.csv")
    assert_refused(done, '"hard-rock"', '"rock"', '"metal"')
    assert not (tmp_path / "s.csv").exists()


def test_a_library_without_a_known_genre_is_refused_with_its_words_listed(tmp_path: Path) -> None:
    tagged(tmp_path / "music" / "a.mp3", genre="Skronk")
    done = here("library", "dataset", tmp_path / "music", "--out", tmp_path / "s.csv", "--unmapped", tmp_path / "u.txt")
    assert done.code == 2
    assert done.messages[-1].startswith("error: ")
    assert "none of its 1 files has a genre that the map knows" in told(done)
    assert ["Skronk", "1"] in [line.split() for line in done.out.splitlines()]
    assert '"Skronk",' in (tmp_path / "u.txt").read_text(encoding="utf-8")
    assert not (tmp_path / "s.csv").exists()
    assert_refused(here("prepare", f"library:{tmp_path / 'music'}", "--out", tmp_path / "store"), "none of its 1 files")


def test_nothing_of_the_user_s_is_written_over(music: Path, tmp_path: Path) -> None:
    song = music / "a" / "trap.mp3"
    (tmp_path / "thesis.csv").write_text("mine", encoding="utf-8")
    (tmp_path / "u.txt").write_text("mine", encoding="utf-8")
    before = song.read_bytes()
    for arguments in (
        ("--out", song),
        ("--out", tmp_path / "new.mp3"),
        ("--out", tmp_path / "thesis.csv"),
        ("--out", tmp_path / "s.csv", "--unmapped", tmp_path / "u.txt"),
        ("--out", tmp_path / "s.csv", "--unmapped", tmp_path / "s.csv"),
        ("--out", tmp_path / "s.csv", "--map", tmp_path / "s.csv"),
        ("--out", tmp_path / "s.csv", "--map", tmp_path / "new.flac"),
        ("--out", music),
    ):
        assert_refused(here("library", "dataset", music, *arguments), "name")
    assert song.read_bytes() == before
    assert (tmp_path / "thesis.csv").read_text() == (tmp_path / "u.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "thesis.csv", "u.txt"]


def test_a_table_of_songs_may_be_written_again(music: Path, tmp_path: Path) -> None:
    here("library", "dataset", music, "--out", tmp_path / "s.csv")
    before = (tmp_path / "s.csv").read_bytes()
    assert here("library", "dataset", music, "--out", tmp_path / "s.csv").code == 1
    assert (tmp_path / "s.csv").read_bytes() == before


def test_many_unmapped_words_are_shown_in_part(tmp_path: Path) -> None:
    tagged(tmp_path / "music" / "rock.mp3", genre="Rock")
    tagged(tmp_path / "music" / "many.mp3", genre=[f"Foo{number}" for number in range(30)])
    done = here("library", "dataset", tmp_path / "music", "--out", tmp_path / "s.csv", "--unmapped", tmp_path / "u.txt")
    assert done.out.count("Foo") == 20
    assert "10 more" in done.out
    assert (tmp_path / "u.txt").read_text().count("Foo") == 30


def test_every_file_is_counted_once(music: Path) -> None:
    seen: list[int] = []
    files = tagged_library.look_through(music).files
    found = tagged_library.scan(files, genre_map.load(), on_file=lambda done, _: seen.append(done))
    assert seen == list(range(1, len(files) + 1))
    assert len(found.songs) + found.without_genre + found.without_match + len(found.failed) == found.files == len(files)


# -- groups when preparing --------------------------------------------------------------------------------------------


def test_prepare_takes_groups_from_where_it_is_told(music: Path, tmp_path: Path) -> None:
    songs, store = tmp_path / "songs.csv", tmp_path / "store"
    here("library", "dataset", music, "--out", songs)
    for source, group in (("path:*/{group}/*", "a"), ("tags", "roots"), ("none", "")):
        done = here("prepare", songs, "--out", store, "--groups", source, "--jobs", 1)
        assert done.code == 0, done.err
        assert {t.group for t in open_store(store).tracks if t.path == "music/a/trap.mp3"} == {group}
        assert ("note: 2 of 14 tracks have no group in tags" in told(done)) == (source == "tags")
    refused = here("prepare", songs, "--out", store, "--groups", "column:titel")
    assert_refused(refused, "has no column titel", "genre_tag")
