"""The commands tag and untag as they are typed: the dry run, writing, its faults, a kill in the middle, undoing."""

from __future__ import annotations

import csv
import io
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_support import Done, assert_refused, genrescope, here, interrupted, lines_of, world
from tag_support import FORMATS, tagged, untagged
from tagging_support import predictions

from genrescope.tags import journal as journals
from genrescope.tags.read import read
from genrescope.tags.verify import values_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    """Write songs of all formats: without a genre, with a generic one, and with one that counts."""
    kinds: tuple[list[str], ...] = ([], ["Other"], ["My own"])
    return [
        tagged(tmp_path / "music" / f"{number:02d}{suffix}", title="T", genre=kinds[number % 3])
        if kinds[number % 3]
        else untagged(tmp_path / "music" / f"{number:02d}{suffix}")
        for number, suffix in enumerate(FORMATS)
    ]


def tag(songs: Sequence[Path], *options: object, **scores: float) -> Done:
    """Tag songs by a file of predictions."""
    folder = songs[0].parent.parent
    return here("tag", "--predictions", predictions(folder / "p.jsonl", songs, scores), *options)


def contents(songs: Sequence[Path]) -> dict[Path, bytes]:
    return {song: song.read_bytes() for song in songs}


# -- what is shown and written ------------------------------------------------------------------------------------


def test_a_dry_run_shows_all_and_changes_nothing(songs: list[Path]) -> None:
    before = contents(songs)
    done = tag(songs, "--all", "--count", 2)
    assert done.code == 0, done.err
    assert "Hip-Hop 0.90, Pop 0.60" in done.out
    for why in ("write: no genre", "write: generic", "keep: has a genre"):
        assert why in done.out
    assert f"{len(songs)} songs: 6 to write, 2 kept" in done.err
    assert "this was a dry run" in done.err
    assert contents(songs) == before
    assert sorted(each.name for each in songs[0].parent.iterdir()) == [song.name for song in songs]
    assert done.next[-1] == "--write"


def test_songs_that_keep_their_genre_are_counted_only(songs: list[Path]) -> None:
    done = tag(songs)
    assert "keep:" not in done.out
    assert "2 kept" in done.err
    rows = list(csv.DictReader(io.StringIO(tag(songs, "--format", "csv").out)))
    assert len(rows) == 6
    assert rows[0]["proposed"] == "Hip-Hop"
    assert {row["confidence"] for row in rows} == {"0.9000"}
    assert {row["why"] for row in rows} == {"no genre", "generic"}


def test_what_the_dry_run_says_next_writes_and_untag_restores(songs: list[Path]) -> None:
    before = contents(songs)
    done = here(*tag(songs, "--count", 2).next)
    assert done.code == 0, done.err
    assert done.out.count("written: ") == 6
    for number, song in enumerate(songs):
        kept = number % 3 == 2
        assert read(song).genres == (("My own",) if kept else ("Hip-Hop", "Pop"))
        assert values_of(song, "GENRESCOPE_MODEL") == (() if kept else ("0123456789abcdef",))
        assert values_of(song, "GENRESCOPE_CONFIDENCE") == (() if kept else ("0.90", "0.60"))
    word, journal = done.next
    assert word == "untag"
    assert f"journal: {journal}" in done.err
    undone = here(*done.next)
    assert (undone.code, undone.out) == (0, "")
    assert "6 songs restored, 0 were as before already, 0 not possible" in undone.err
    assert contents(songs) == before
    again = here("untag", journal)
    assert "0 songs restored, 6 were as before already" in again.err
    assert again.next == ["tag", str(songs[0].parent)]


def test_where_nothing_is_left_to_write_the_same_songs_are_shown_all_then_replaced(songs: list[Path]) -> None:
    tag(songs, "--write")
    kept = tag(songs, "--write", rock=0.9)
    assert kept.next[-1] == "--all"
    assert "--write" not in kept.next
    every = here(*kept.next)
    assert every.out.count("keep: has a genre") == len(songs)
    assert every.next == [*kept.next, "--replace"]
    assert here(*every.next).out.count("write: replaces") == len(songs)


def test_untag_names_the_folder_of_all_songs(tmp_path: Path) -> None:
    from genrescope.cli.tag import _folder

    assert _folder([tmp_path / "a" / "1.mp3", tmp_path / "b" / "c" / "2.mp3"]) == tmp_path
    assert _folder([Path("/a/1.mp3"), Path("/b/2.mp3")]) == Path("/a")
    assert _folder([]) == Path("PATH")


def test_a_second_run_keeps_what_the_first_has_written(songs: list[Path]) -> None:
    assert tag(songs, "--write").code == 0
    again = tag(songs, "--write", rock=0.9)
    assert "8 kept" in again.err
    replaced = tag(songs, "--write", "--replace", rock=0.9)
    assert "8 written" in replaced.err
    assert {read(song).genres for song in songs} == {("Rock",)}


def test_a_custom_field_is_written_beside_the_genre(songs: list[Path]) -> None:
    before = [read(song).genres for song in songs]
    assert tag(songs, "--write", "--field", "PREDICTED", "--no-provenance").code == 0
    assert [read(song).genres for song in songs] == before
    assert {values_of(song, "PREDICTED") for song in songs} == {("Hip-Hop",)}
    assert {values_of(song, "GENRESCOPE_SOURCE") for song in songs} == {()}
    assert "8 kept" in tag(songs, "--field", "PREDICTED").err


def test_unknown_songs_and_low_scores_are_not_tagged(songs: list[Path]) -> None:
    folder = songs[0].parent.parent
    done = here("tag", "--predictions", predictions(folder / "u.jsonl", songs, unknown=True), "--write")
    assert "skip: unknown to the model" in done.out
    assert "6 without a proposal" in done.err
    low = tag(songs, "--write", "--min-confidence", "0.3", "--min-confidence", "hiphop=0.95", "--count", 2)
    assert "Pop 0.60" in low.out
    assert "Hip-Hop" not in low.out
    assert (folder / "data" / "genrescope" / "journals").is_dir()


def test_a_map_is_printed_edited_and_used(songs: list[Path]) -> None:
    template = here("tag", "--template")
    assert template.code == 0
    assert 'hiphop = "Hip-Hop"' in template.out
    path = songs[0].parent / "genres.toml"
    path.write_text(template.out.replace('"Hip-Hop"', '["Rap", "Hip-Hop"]') + '\nhipphop = "X"\n')
    done = tag(songs, "--map", path)
    assert "Rap 0.90, Hip-Hop 0.90" in done.out
    assert f"note: {path} names labels that the model does not have:" in done.err
    assert "hipphop" in done.err


def test_only_songs_that_need_it_are_classified(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = world(tmp_path_factory)
    music = tmp_path / "music"
    shutil.copytree(made.music / "drone", music)
    first, second, *_ = sorted(music.iterdir())
    shutil.copy(tagged(tmp_path / "own.wav", genre="Mine"), first)
    done = here("tag", made.run, music, "--write")
    assert done.code == 0, done.err
    assert read(first).genres == ("Mine",)
    assert read(second).genres[0] in ("drone", "hiss", "pulse")
    name, fingerprint = values_of(second, "GENRESCOPE_MODEL")[0].split(" ")
    assert (name, len(fingerprint)) == (made.run.name, 16)
    assert values_of(second, "GENRESCOPE_SOURCE")[0].startswith("genrescope ")


def test_a_library_gives_its_predictions_and_corrections(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made, library = world(tmp_path_factory), tmp_path / "library.db"
    music = tmp_path / "music"
    shutil.copytree(made.music / "drone", music)
    first, second, *_ = sorted(music.iterdir())
    assert here("library", "scan", music, "--library", library, "--model", made.run).code == 0
    assert here("correct", first, "Ambient", "--library", library).code == 0
    done = here("tag", "--library", library, "--write")
    assert done.code == 0, done.err
    assert read(first).genres == ("Ambient",)
    assert read(second).genres[0] in ("drone", "hiss", "pulse")
    assert_refused(here("tag", "--library", library, made.songs("hiss")[0]), "other songs")


@pytest.mark.parametrize("source", ["library", "predictions"])
def test_a_folder_that_cannot_be_read_is_named_whatever_the_source(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    made, library, music = world(tmp_path_factory), tmp_path / "library.db", tmp_path / "music"
    shutil.copytree(made.music / "drone", music)
    if source == "library":
        assert here("library", "scan", music, "--library", library, "--model", made.run).code == 0
        given = ("--library", library)
    else:
        given = ("--predictions", predictions(tmp_path / "p.jsonl", music.iterdir()))
    (music / "closed").mkdir()
    whole = os.scandir

    def scandir(folder: Path) -> object:
        if folder == music / "closed":
            raise PermissionError(13, "Permission denied")
        return whole(folder)

    monkeypatch.setattr("genrescope.audio.formats.os.scandir", scandir)
    done = here("tag", *given, music)
    assert done.code == 1, done
    assert f"skipped {music / 'closed'}: cannot be looked into: Permission denied" in done.err


# -- faults -------------------------------------------------------------------------------------------------------


def test_what_cannot_be_written_is_named_and_the_rest_goes_on(songs: list[Path]) -> None:
    read_only, linked, video, broken = (songs[0].parent / name for name in ("ro.flac", "ln.ogg", "v.mka", "b.mp3"))
    untagged(read_only).chmod(0o444)
    (songs[0].parent / "twin.bin").hardlink_to(untagged(linked))
    untagged(video)
    broken.write_bytes(b"")
    before = contents([read_only, linked, video, broken])
    done = tag([*songs, *before, songs[0].parent / "missing.mp3"], "--write")
    assert done.code == 1
    for path, why in zip(before, ("it is read-only", "it has 2 names", "tags of Matroska", "it is empty"), strict=True):
        assert f"refused {path}: {why}" in done.err
        assert path.name not in done.out
    assert "6 written, 2 kept, 5 not possible" in done.err
    assert contents(list(before)) == before
    assert "written: no genre" in tag([linked], "--write", "--break-links").out
    assert read(linked).genres == ("Hip-Hop",)


def test_why_a_file_is_refused_is_short_and_stands_once(songs: list[Path]) -> None:
    cut, video = songs[0].parent / "cut.mp3", songs[0].parent / "clip.avi"
    cut.write_bytes(b"Dear reader, this is not music.\n" * 40)
    video.write_bytes(b"RIFF" + (400).to_bytes(4, "little") + b"AVI " + bytes(396))
    done = tag([*songs, cut, video])
    for path in (cut, video):
        assert f"refused {path}: its tags cannot be written" in done.err
        assert path.name not in done.out
    assert "mutagen" not in done.err
    assert max(map(len, done.out.splitlines())) < len(str(songs[0])) + 80
    rows = {row["path"]: row for row in csv.DictReader(io.StringIO(tag([*songs, cut], "--format", "csv").out))}
    assert (rows[str(cut)]["action"], rows[str(cut)]["why"][:9]) == ("refuse", "its tags ")


def test_nothing_that_can_be_written_ends_with_two(songs: list[Path]) -> None:
    songs[0].chmod(0o444)
    assert tag(songs[:1], "--write").code == 2
    assert_refused(here("tag"), "no song was given")
    assert_refused(here("tag", "--predictions", songs[0].parent / "none.jsonl"), "no such file")
    assert_refused(tag(songs, "--min-confidence", "hipop=0.5"), 'did you mean "hiphop"?')
    assert_refused(tag(songs, "--field", "A=B"), "custom field")
    assert_refused(here("untag", songs[0]), "no journal")
    assert_refused(
        here("tag", "--predictions", songs[0].parent.parent / "p.jsonl", untagged(songs[0].parent / "n.mp3")),
        "other songs",
    )


def test_a_full_disk_stops_single_files_and_nothing_is_lost(tmp_path: Path, songs: list[Path]) -> None:
    large, small = songs[6], songs[1]
    assert large.stat().st_size > 40_000 > small.stat().st_size
    before = large.read_bytes()
    done = genrescope(
        "tag", "--predictions", predictions(tmp_path / "p.jsonl", [large, small]), "--write", "--journal",
        tmp_path / "j.jsonl", largest_file=40_000,
    )  # fmt: skip
    assert done.code == 1
    assert f"refused {large}: file: File too large" in done.err
    assert large.read_bytes() == before
    assert read(small).genres == ("Hip-Hop",)
    assert sorted(path.name for path in large.parent.iterdir()) == [song.name for song in songs]
    assert len(journals.read(tmp_path / "j.jsonl")) == 1


def test_a_journal_that_cannot_be_written_stops_all(songs: list[Path]) -> None:
    before = contents(songs)
    done = tag(songs, "--write", "--journal", songs[0] / "journal.jsonl")
    assert done.code == 2
    assert "cannot write" in done.err
    assert contents(songs) == before


def test_what_was_changed_since_is_named_and_left(songs: list[Path]) -> None:
    done = tag(songs, "--write")
    songs[0].write_bytes(b"mine now")
    songs[1].unlink()
    undone = here(*done.next)
    assert undone.code == 1
    assert f"refused {songs[0]}: it was changed since" in undone.err
    assert f"refused {songs[1]}: file: No such file" in undone.err
    assert "4 songs restored, 0 were as before already, 2 not possible" in undone.err
    assert songs[0].read_bytes() == b"mine now"


# -- a kill -------------------------------------------------------------------------------------------------------


def test_a_killed_run_damages_nothing_and_the_next_goes_on(tmp_path: Path) -> None:
    songs = [tagged(tmp_path / "music" / f"{n:02d}{FORMATS[n % 8]}", genre="Other") for n in range(40)]
    before, journal = contents(songs), tmp_path / "journal.jsonl"
    command = ("tag", "--predictions", predictions(tmp_path / "p.jsonl", songs), "--write", "--journal", journal)
    killed = interrupted(*command, when=lambda: lines_of(journal) >= 15, number=signal.SIGKILL)
    assert killed.code == -signal.SIGKILL
    entries = {entry.path: entry for entry in journals.read(journal)}
    changed = [song for song in songs if song.read_bytes() != before[song]]
    assert 0 < len(changed) < 40
    assert set(changed) <= set(entries)
    assert {read(song).genres for song in changed} == {("Hip-Hop",)}
    assert sum(not entry.ended for entry in entries.values()) <= 1
    for song in changed:
        assert len(song.read_bytes()) == entries[song].after.size
    done = genrescope(*command)
    assert done.code == 0, done.err
    assert f"{40 - len(changed)} written, {len(changed)} kept" in done.err
    assert not list(songs[0].parent.glob(".*"))
    undone = genrescope("untag", journal)
    assert undone.code == 0, undone.err
    assert contents(songs) == before


def test_an_interrupted_run_names_its_journal(tmp_path: Path) -> None:
    songs = [tagged(tmp_path / "music" / f"{n:02d}.flac", genre="Other") for n in range(60)]
    journal = tmp_path / "journal.jsonl"
    command = ("tag", "--predictions", predictions(tmp_path / "p.jsonl", songs), "--write", "--journal", journal)
    done = interrupted(*command, when=lambda: lines_of(journal) >= 5)
    assert done.code == 130
    assert f"So far: genrescope untag {journal}" in done.err
    assert not list(songs[0].parent.glob(".*"))
    assert all(entry.ended for entry in journals.read(journal)[:-1])


def test_a_killed_untag_goes_on(tmp_path: Path) -> None:
    songs = [tagged(tmp_path / "music" / f"{n:02d}.flac", genre="Other") for n in range(30)]
    before, journal = contents(songs), tmp_path / "journal.jsonl"
    assert tag(songs, "--write", "--journal", journal).code == 0
    stamp = songs[20].stat().st_ino
    interrupted("untag", journal, when=lambda: songs[20].stat().st_ino != stamp, number=signal.SIGKILL)
    assert any(song.read_bytes() == before[song] for song in songs)
    done = genrescope("untag", journal)
    assert done.code == 0, done.err
    assert contents(songs) == before
    assert not list(songs[0].parent.glob(".*"))


def test_a_link_and_its_file_are_one_song(songs: list[Path]) -> None:
    link = songs[0].parent / "link.mp3"
    link.symlink_to(songs[0])
    done = tag([songs[0], link], "--write")
    assert "1 song: 1 written" in done.err
    assert link.is_symlink()
