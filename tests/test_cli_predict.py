"""The command predict: what it takes, what it leaves, how it goes on, and what it says."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest
from cli_support import (
    GENRES,
    PATIENCE,
    TRACKS,
    assert_refused,
    command,
    environment,
    genrescope,
    here,
    interrupted,
    lines_of,
    sound,
    world,
)
from conftest import write

import genrescope as package
from genrescope import modelfile
from genrescope.cli.prediction_outputs import Table
from genrescope.files import undefused
from genrescope.inference.prediction import Prediction
from genrescope.inference.rows import FIRST, LAST, RowSpec

if TYPE_CHECKING:
    from cli_support import Done, World


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture
def music(made: World, tmp_path: Path) -> Path:
    """Return a folder of its own with the songs of a genre."""
    return shutil.copytree(made.music / "drone", tmp_path / "music")


def rows(out: Path | str) -> list[dict[str, str]]:
    """Return the rows of a CSV file, or of CSV text."""
    text = out if isinstance(out, str) else out.read_bytes().decode("utf-8", "surrogateescape")
    found = csv.DictReader(io.StringIO(text, newline=""))
    return [{name: undefused(cell) for name, cell in row.items()} for row in found]


def fed(text: bytes, *arguments: object) -> Done:
    """Run predict with some text that comes through a pipe on stdin; it fits into the pipe."""
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    with os.fdopen(reader) as stdin, mock.patch.object(sys, "stdin", stdin):
        return here("predict", *arguments)


# -- the table and the lines --------------------------------------------------------------------------------------


def test_a_table_shows_the_best_genres(made: World) -> None:
    done = here("predict", made.run, *made.songs()[:2], "--top", 2)
    assert done.code == 0
    assert [str(song) in done.out for song in made.songs()[:2]] == [True, True]
    row = next(line for line in done.out.splitlines() if "drone-00.wav" in line)
    assert re.search(r"(drone|hiss|pulse)\s+\d+\.\d %\s+(drone|hiss|pulse) \d+ %\s+1\s*$", row)


def test_names_in_brackets_stand_in_the_table_as_they_are(
    made: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table's library would take them for its own marks."""
    monkeypatch.setenv("COLUMNS", "200")
    scores = {"[unsorted]": 0.6, "[/b]": 0.4}
    header = modelfile.load(made.run).header.model_copy(update={"labels": tuple(scores)})
    with Table(2, header, RowSpec(header.labels)) as writer:
        for name, genre, warning in (("[live] song.mp3", "[unsorted]", "[bold]short"), ("song.mp3", "[/b]", None)):
            writer.write(Prediction(Path(name), name, genre, 0.6, scores, (), 3.0, warning))
    shown = capsys.readouterr().out
    for text in ("[live] song.mp3", "[unsorted]", "[/b]", "[bold]short"):
        assert text in shown


def test_a_table_in_a_pipe_keeps_a_song_on_one_line(made: World, tmp_path: Path) -> None:
    """Whoever pipes it into a pager or a search has no width of 80 characters in mind."""
    song = tmp_path / ("a long name " * 12) / "song.wav"
    write(song, package.decode(made.songs()[0]))
    done = genrescope("predict", made.run, song, env={"COLUMNS": ""})
    assert str(song) in done.out


def test_csv_has_a_column_for_every_genre(made: World) -> None:
    done = here("predict", made.run, *made.songs()[:2], "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert list(rows[0]) == [*FIRST, *GENRES, *LAST]
    assert [row["path"] for row in rows] == list(map(str, made.songs()[:2]))
    for row in rows:
        assert sum(float(row[genre]) for genre in GENRES) == pytest.approx(1, abs=1e-5)
        assert float(row["confidence"]) == max(float(row[genre]) for genre in GENRES)
        assert row["warning"] == ""


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_predict_goes_on_with_its_file(ending: str, made: World, tmp_path: Path) -> None:
    out = tmp_path / f"genres.{ending}"
    first = here("predict", made.run, *made.songs()[:2], "--out", out)
    assert first.messages[-1] == f"2 songs written to {out}"
    short = out.read_bytes()
    second = here("predict", made.run, made.music / "drone", "--out", out)
    assert second.messages[-1] == f"{TRACKS - 2} songs written to {out}, 2 were there already"
    whole = out.read_bytes()
    assert ending == "parquet" or whole.startswith(short)
    third = here("predict", made.run, made.music / "drone", "--out", out)
    assert third.code == 0
    assert third.messages == [f"0 songs written to {out}, {TRACKS} were there already"]
    assert out.read_bytes() == whole
    if ending == "parquet":
        return
    out.write_bytes(whole[:-10])
    here("predict", made.run, made.music / "drone", "--out", out)
    assert out.read_bytes() == whole


def test_a_bad_song_is_tried_again(made: World, tmp_path: Path) -> None:
    song = tmp_path / "music" / "song.wav"
    song.parent.mkdir()
    song.write_bytes(b"still being copied")
    out = tmp_path / "genres.csv"
    first = here("predict", made.run, made.songs()[0], song.parent, "--out", out)
    assert first.code == 1
    assert first.messages[-2].startswith(f"skipped {song}: FFmpeg: ")
    assert first.messages[-1] == (
        f"1 of 2 files could not be used; the next run tries them again. All of them: {out}.failed.csv"
    )
    assert f"{song},FFmpeg: " in (tmp_path / "genres.csv.failed.csv").read_text()
    write(song, package.decode(made.songs()[1]))
    again = here("predict", made.run, made.songs()[0], song.parent, "--out", out)
    assert (again.code, again.messages) == (0, [f"1 song written to {out}, 1 were there already"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["genres.csv", "music"]


# -- what it takes ------------------------------------------------------------------------------------------------


def test_files_folders_and_playlists_are_taken_together_and_each_song_once(
    made: World, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = sorted(music.iterdir())[:2]
    (tmp_path / "link.wav").symlink_to(first)
    (tmp_path / "mine.m3u8").write_text(f"#EXTM3U\nmusic/{first.name}\nno such song.mp3\n{made.songs('hiss')[0]}\n")
    done = here("predict", made.run, "music", second, "mine.m3u8", "link.wav", "--format", "csv")
    assert done.code == 1
    assert done.messages[0] == "skipped no such song.mp3: file: no such file"
    assert [Path(row["path"]).name for row in rows(done.out)] == [
        *(path.name for path in sorted(music.iterdir())), "hiss-00.wav",
    ]  # fmt: skip


def test_paths_come_from_stdin_as_lines_or_between_nul_bytes(made: World, music: Path, tmp_path: Path) -> None:
    odd = music / "two\nlines.wav"
    shutil.copy(made.songs("hiss")[0], odd)
    first = made.songs()[0]
    listed = fed(f"{music}\n{first}\nmissing.mp3\n".encode(), made.run, "-", first, "--format", "csv")
    assert listed.code == 1
    assert "skipped missing.mp3: file: no such file" in listed.messages
    assert [row["path"] for row in rows(listed.out)] == list(map(str, [first, *sorted(music.iterdir())]))
    separated = fed(f"{odd}\0{first}".encode(), made.run, "-", "--out", tmp_path / "genres.csv")
    assert separated.code == 0
    assert {row["path"] for row in rows(tmp_path / "genres.csv")} == {str(odd), str(first)}


def test_no_path_from_stdin_is_an_error(made: World) -> None:
    done = fed(b"\n", made.run, "-")
    assert (done.code, done.out) == (2, "")
    assert done.messages[-1].startswith("error: -: no path came from stdin")


def test_ctrl_c_ends_it_while_paths_are_waited_for(made: World, tmp_path: Path) -> None:
    out = tmp_path / "genres.jsonl"
    with subprocess.Popen(
        command("predict", made.run, "-", "--out", out), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(), start_new_session=True,
    ) as running:  # fmt: skip
        assert running.stdin is not None
        names = [str(song) for genre in GENRES for song in made.songs(genre)]
        running.stdin.write(("\n".join(names) + "\n").encode())
        running.stdin.flush()
        give_up = time.monotonic() + PATIENCE
        while lines_of(out) < 1 and time.monotonic() < give_up:
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(30) == 130  # stdin is open still
    assert lines_of(out) > 0
    again = here("predict", made.run, made.music, "--out", out)
    assert again.code == 0
    assert len(out.read_text().splitlines()) == len(names)


# -- --out --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_relative_and_an_absolute_path_a_link_and_a_new_name_give_a_song_once(
    ending: str, made: World, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / f"genres.{ending}"
    here("predict", made.run, "music", "--out", f"genres.{ending}")
    monkeypatch.chdir(music)
    (tmp_path / "linked").symlink_to(music)
    for way in (music, ".", "../music", tmp_path / "linked"):
        assert here("predict", made.run, way, "--out", out).messages == [
            f"0 songs written to {out}, {TRACKS} were there already"
        ]
    (music / "drone-03.wav").rename(music / "renamed.wav")
    (music / "drone-04.wav").write_bytes(made.songs("hiss")[0].read_bytes())
    done = here("predict", made.run, music, "--out", out)
    assert done.messages[-1] == f"1 song written to {out}, {TRACKS - 1} were there already"
    found = {Path(row["path"]).name: row["genre"] for row in table_of(out)}
    assert found.keys() == {path.name for path in music.iterdir()}
    assert len(table_of(out)) == TRACKS
    assert found["drone-04.wav"] == package.load(made.run).predict(music / "drone-04.wav").genre


def table_of(out: Path) -> list[dict[str, Any]]:
    if out.suffix == ".parquet":
        from pyarrow import parquet

        found: list[dict[str, Any]] = parquet.read_table(out).to_pylist()
        return found
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in out.read_text().splitlines()]
    return list(rows(out))


def test_another_model_s_file_is_refused_with_both_fingerprints(made: World, music: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "other.safetensors", tmp_path / "genres.csv"
    model = modelfile.load(made.run)
    modelfile.save(other, model.network, model.header.model_copy(update={"temperature": 2.0}))
    here("predict", made.run, music, "--out", out)
    before = out.read_bytes()
    ours, theirs = package.load(made.run).fingerprint, package.load(other).fingerprint
    done = here("predict", other, music, "--out", out)
    assert_refused(done, f"the model {ours}", f"the model {theirs}", "another", "--replace")
    assert out.read_bytes() == before
    assert here("predict", other, music, "--out", out, "--replace").code == 0
    assert {row["model"] for row in rows(out)} == {theirs}


def test_two_runs_on_one_file_are_refused_clearly(made: World, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "genres.csv"
    with subprocess.Popen(
        command("predict", made.run, "-", "--out", out), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment(),
    ) as running:  # fmt: skip
        give_up = time.monotonic() + PATIENCE
        while not out.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        assert_refused(
            here("predict", made.run, music, "--out", out), str(out), f"another run: predict, process {running.pid}"
        )
        running.communicate(str(music).encode())
    assert len(rows(out)) == TRACKS


def test_a_kill_in_the_middle_costs_nothing_and_gives_no_song_twice(made: World, tmp_path: Path) -> None:
    out = tmp_path / "genres.parquet"
    journal = tmp_path / "genres.parquet.partial.jsonl"
    torn = interrupted(
        "predict", made.run, made.music, "--out", out, when=lambda: lines_of(journal) > 3, number=signal.SIGKILL
    )
    assert torn.code == -signal.SIGKILL
    assert not out.exists()
    again = here("predict", made.run, made.music, "--out", out)
    assert again.code == 0
    assert int(re.findall(r", (\d+) were there already", again.err)[0]) > 3
    assert [row["path"] for row in table_of(out)] == [str(song) for genre in GENRES for song in made.songs(genre)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["genres.parquet"]


def test_many_failures_are_named_in_part_and_listed_as_a_whole(made: World, music: Path, tmp_path: Path) -> None:
    for number in range(30):
        (music / f"bad {number:02d}.mp3").write_bytes(b"junk" * number)
    out = tmp_path / "genres.csv"
    done = here("predict", made.run, music, "--out", out)
    assert done.code == 1
    assert len([line for line in done.messages if line.startswith("skipped ")]) == 20
    assert f"30 of {30 + TRACKS} files could not be used" in done.messages[-1]
    assert [Path(row["path"]).name for row in rows(tmp_path / "genres.csv.failed.csv")] == [
        f"bad {number:02d}.mp3" for number in range(30)
    ]
    for bad in music.glob("bad *"):
        bad.unlink()
    assert here("predict", made.run, music, "--out", out).code == 0
    assert not (tmp_path / "genres.csv.failed.csv").exists()


def test_parquet_goes_into_a_file_and_needs_its_packages(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_refused(here("predict", made.run, made.songs()[0], "--format", "parquet"), "--out FILE.parquet")
    monkeypatch.setattr("genrescope.extras.find_spec", lambda module: None if module == "pyarrow" else object())
    out = tmp_path / "genres.parquet"
    assert_refused(here("predict", made.run, made.songs()[0], "--out", out), "pyarrow", "'genrescope[tables]'")
    assert list(tmp_path.iterdir()) == []


# -- options ------------------------------------------------------------------------------------------------------


def test_below_the_lowest_confidence_a_song_has_no_genre(made: World, tmp_path: Path) -> None:
    songs = [*made.songs()[:3], *made.songs("hiss")[:3]]
    plain = rows(here("predict", made.run, *songs, "--format", "csv").out)
    ordered = sorted(float(row["confidence"]) for row in plain)
    limit = (ordered[2] + ordered[3]) / 2
    done = here("predict", made.run, *songs, "--format", "csv", "--min-confidence", limit)
    assert f"3 of 6 songs are below --min-confidence {limit:g}: no genre, their scores are kept" in done.err
    for row, whole in zip(rows(done.out), plain, strict=True):
        assert row == whole | {"genre": whole["genre"] if float(whole["confidence"]) >= limit else ""}
    shown = here("predict", made.run, *songs, "--min-confidence", limit).out
    assert shown.count("unknown (nearest: ") == 3
    assert_refused_by_usage(here("predict", made.run, songs[0], "--min-confidence", 1.5), "--min-confidence")


def assert_refused_by_usage(done: Done, option: str) -> None:
    assert done.code == 2
    assert "Usage: " in done.err
    assert option in done.err


def test_the_best_genres_alone_are_written_where_that_is_asked_for(made: World) -> None:
    song = made.songs()[0]
    whole = rows(here("predict", made.run, song, "--format", "csv").out)[0]
    (best,) = rows(here("predict", made.run, song, "--format", "csv", "--top", 2).out)
    assert list(best) == [*FIRST, "genre_1", "score_1", "genre_2", "score_2", *LAST]
    assert best["genre_1"] == whole["genre"]
    assert best["score_2"] == whole[best["genre_2"]]
    assert len(json.loads(here("predict", made.run, song, "--format", "jsonl", "--top", 2).out)["scores"]) == 2


@pytest.mark.parametrize("windows", ["none", "0", "-1", "1.5", ""])
def test_a_number_of_windows_that_is_none_is_refused(windows: str, made: World) -> None:
    assert_refused(here("predict", made.run, made.songs()[0], f"--windows={windows}"), "--windows", "or all")


def test_windows_jobs_and_excerpts_are_taken(made: World) -> None:
    options = ("--windows", "all", "--jobs", 1, "--excerpt", 30, "--format", "csv")
    assert here("predict", made.run, made.songs()[0], *options).code == 0
    assert_refused_by_usage(here("predict", made.run, made.songs()[0], "--excerpt", 0), "--excerpt")


# -- segments -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mix(made: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a song of two genres that the run tells apart, 24 s each."""
    path = tmp_path_factory.mktemp("mix") / "mix.wav"
    return write(path, np.concatenate([sound("hiss", 0, seconds=24.0), sound("drone", 0, seconds=24.0)]))


def test_segments_are_labels_of_audacity_a_table_or_a_folder(made: World, mix: Path, tmp_path: Path) -> None:
    done = here("predict", made.run, mix, "--segments", tmp_path / "mix.txt")
    assert done.code == 0, done.err
    assert "note: --segments uses all windows of each song" in done.messages
    assert f"segments of 1 song written to {tmp_path / 'mix.txt'}" in done.messages
    labels = [line.split("\t") for line in (tmp_path / "mix.txt").read_text().splitlines()]
    found = package.load(made.run).predict(mix).segments()
    assert labels == [[f"{part.start:.6f}", f"{part.end:.6f}", part.genre] for part in found]
    here("predict", made.run, mix, made.songs()[0], "--segments", tmp_path / "all.csv")
    table = [row for row in rows(tmp_path / "all.csv") if row["path"] == str(mix)]
    assert [float(row["end"]) for row in table] == pytest.approx([part.end for part in found], abs=1e-3)
    here("predict", made.run, mix, made.songs()[0], "--segments", tmp_path / "labels")
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["drone-00.txt", "mix.txt", "segments.csv"]
    assert (tmp_path / "labels" / "mix.txt").read_bytes() == (tmp_path / "mix.txt").read_bytes()
    assert_refused(here("predict", made.run, made.music, "--segments", tmp_path / "x.txt"), ".csv file or a folder")
    both = ("--out", tmp_path / "one.csv", "--segments", tmp_path / "labels" / ".." / "one.csv")
    assert_refused(here("predict", made.run, mix, *both), "are one file; give two")
    assert not (tmp_path / "one.csv").exists()


def test_segments_and_predictions_are_written_together_and_gone_on_with(
    made: World, music: Path, tmp_path: Path
) -> None:
    out, segments = tmp_path / "genres.csv", tmp_path / "segments.csv"
    here("predict", made.run, music, "--out", out, "--windows", "all")
    both = here("predict", made.run, music, "--out", out, "--segments", segments)
    assert f"0 songs written to {out}, {TRACKS} were there already" in both.messages
    assert f"segments of {TRACKS} songs written to {segments}" in both.messages
    assert len(rows(out)) == len({row["path"] for row in rows(segments)}) == TRACKS
    before = segments.read_bytes()
    again = here("predict", made.run, music, "--out", out, "--segments", segments)
    assert f"segments of 0 songs written to {segments}, {TRACKS} were there already" in again.messages
    assert segments.read_bytes() == before


# -- what it says -------------------------------------------------------------------------------------------------


def test_a_summary_counts_songs_speed_and_genres(made: World, tmp_path: Path) -> None:
    done = here("predict", made.run, made.music, "--out", tmp_path / "genres.csv")
    (line,) = (line for line in done.messages if "songs/s" in line)
    found = re.fullmatch(r"24 songs in \d+\.\d s, \d+\.\d songs/s: (.*)", line)
    assert found is not None
    counts = {name: int(count) for name, count in (part.rsplit(" ", 1) for part in found[1].split(", "))}
    written = [row["genre"] for row in rows(tmp_path / "genres.csv")]
    assert counts == {genre: written.count(genre) for genre in set(written)}


def test_a_long_table_is_shown_in_parts(
    made: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrescope.cli.prediction_outputs._ROWS", 3)
    header = modelfile.load(made.run).header
    scores = dict.fromkeys(header.labels, 0.3)
    with Table(2, header, RowSpec(header.labels)) as table:
        for number in range(7):
            table.write(Prediction(None, f"song {number}", "drone", 0.3, scores, (), 3.0))
            shown = capsys.readouterr().out
            assert [f"song {place}" in shown for place in range(7)] == [
                number % 3 == 2 and number - 2 <= place <= number for place in range(7)
            ]
    assert "song 6" in capsys.readouterr().out
