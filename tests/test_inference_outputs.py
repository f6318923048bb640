"""Files of predictions: a song once by whatever name, one model, no half rows, and what failed in a list."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import encode, tone

from genrescope import Failure, Prediction, WindowScores
from genrescope.errors import DataError
from genrescope.files import undefused
from genrescope.inference.outputs import KINDS, PredictionFile
from genrescope.inference.rows import RowSpec
from genrescope.inference.segment_files import opened
from genrescope.inference.songs import identity

SPEC = RowSpec(("jazz", "rock", "title"), model="f" * 16)
LINES = ("jsonl", "csv")
NAMES = ("song.mp3", 'a "quoted", name.mp3', "two\nlines.mp3", "音楽.mp3", "\x85\u2028.mp3", "-dash.mp3", "=1+1.mp3")


def prediction(path: Path | str, confidence: float = 0.75) -> Prediction:
    scores = {"jazz": confidence, "rock": 0.25, "title": 0.0}
    windows = (WindowScores(0.0, 2.0, "jazz", scores),)
    return Prediction(Path(path), str(path), "jazz", confidence, scores, windows, 2.0, "short")


def song(folder: Path, name: str = "song.mp3", content: bytes = b"music") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def add(out: Path, kind: str, *songs: Path, spec: RowSpec = SPEC, **options: Any) -> list[bool]:
    """Write songs that are not there yet, as `predict` does; return which were there."""
    with PredictionFile(out, kind, spec, **options) as file:
        there = [file.has(each, identity(each)) for each in songs]
        for each, is_there in zip(songs, there, strict=True):
            if not is_there:
                file.write(prediction(each), identity(each))
        return there


def stopped(out: Path, kind: str, one: Path) -> None:
    """Write a song, and be stopped before anything is tidied up."""
    with PredictionFile(out, kind, SPEC) as file:
        file.write(prediction(one), identity(one))
        raise KeyboardInterrupt


def rows(out: Path, kind: str) -> list[dict[str, Any]]:
    if kind == "parquet":
        from pyarrow import parquet

        found: list[dict[str, Any]] = parquet.read_table(out).to_pylist()
        return found
    if kind == "jsonl":
        return [json.loads(line) for line in out.read_text("utf-8", "surrogateescape").split("\n")[:-1]]
    with out.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return [{name: undefused(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_songs_that_stand_in_the_file_are_known_again(kind: str, name: str, tmp_path: Path) -> None:
    one, out = song(tmp_path, name), tmp_path / "genres"
    assert add(out, kind, one) == [False]
    before = out.read_bytes()
    assert add(out, kind, one) == [True]
    assert out.read_bytes() == before
    assert [row["path"] for row in rows(out, kind)] == [str(one)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_song_is_known_by_whatever_path_leads_to_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, out = song(tmp_path), tmp_path / "genres"
    (tmp_path / "link.mp3").symlink_to(one)
    os.link(one, tmp_path / "hard.mp3")
    monkeypatch.chdir(tmp_path)
    assert add(out, kind, Path("song.mp3")) == [False]
    assert add(out, kind, one, Path("./song.mp3"), tmp_path / "link.mp3", tmp_path / "hard.mp3") == [True] * 4
    assert [row["path"] for row in rows(out, kind)] == [str(one)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_song_that_was_renamed_has_its_new_path_and_was_not_classified_again(kind: str, tmp_path: Path) -> None:
    one, out = song(tmp_path), tmp_path / "genres"
    add(out, kind, one, song(tmp_path, "other.mp3"))
    moved = one.rename(tmp_path / "moved.mp3")
    assert add(out, kind, moved) == [True]
    assert [row["path"] for row in rows(out, kind)] == [str(moved), str(tmp_path / "other.mp3")]
    assert add(out, kind, moved) == [True]


@pytest.mark.parametrize("kind", KINDS)
def test_a_song_that_has_changed_is_classified_again_and_replaces_its_row(kind: str, tmp_path: Path) -> None:
    one, other, out = song(tmp_path), song(tmp_path, "other.mp3"), tmp_path / "genres"
    add(out, kind, one, other)
    song(tmp_path, content=b"other music")
    assert add(out, kind, one, other) == [False, True]
    assert [(row["path"], row["identity"]) for row in rows(out, kind)] == [
        (str(other), identity(other)), (str(one), identity(one)),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", LINES)
def test_a_row_that_was_superseded_goes_also_when_the_run_before_was_killed(kind: str, tmp_path: Path) -> None:
    one, out = song(tmp_path), tmp_path / "genres"
    add(out, kind, one)
    song(tmp_path, content=b"other music")
    with pytest.raises(KeyboardInterrupt):
        stopped(out, kind, one)
    assert len(rows(out, kind)) == 2
    assert add(out, kind, one) == [True]
    assert [row["identity"] for row in rows(out, kind)] == [identity(one)]


def test_where_files_have_no_lasting_numbers_path_size_and_time_identify_them(tmp_path: Path) -> None:
    one, out = song(tmp_path), tmp_path / "genres.csv"
    _, _, size, time = identity(one).split(":")
    with PredictionFile(out, "csv", SPEC) as file:
        file.write(prediction(one), f"7:1111:{size}:{time}")
        file.write(prediction(tmp_path / "gone.mp3"), f"7:0:{size}:{int(time) + 1}")
    (tmp_path / "link.mp3").symlink_to(one)
    copy = Path(shutil.copy2(one, tmp_path / "copy.mp3"))
    with PredictionFile(out, "csv", SPEC) as file:
        assert file.has(one, f"8:2222:{size}:{time}")
        assert file.has(tmp_path / "link.mp3", f"8:2222:{size}:{time}")
        assert not file.has(copy, identity(copy))
        assert not file.has(one, f"7:0:{size}:{int(time) + 1}"), "another path, and no number that is its own"
        assert not file.has(one, "")


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("name", ["b.mp3", "two\nlines, and more\n.mp3"])
def test_a_half_written_row_is_cut_off(kind: str, name: str, tmp_path: Path) -> None:
    out, (one, two) = tmp_path / "genres", (song(tmp_path, "a.mp3"), song(tmp_path, name))
    add(out, kind, one)
    first = out.stat().st_size
    add(out, kind, two)
    whole = out.read_bytes()
    for end in range(first, len(whole), 5):
        out.write_bytes(whole[:end])
        assert add(out, kind, one, two) == [True, False]
        assert out.read_bytes() == whole


@pytest.mark.parametrize("kind", LINES)
def test_a_beginning_that_was_half_written_is_begun_again(kind: str, tmp_path: Path) -> None:
    out, one = tmp_path / "genres", song(tmp_path)
    add(out, kind, one)
    whole = out.read_bytes()
    for end in (0, 5, 20, whole.index(b"\n")):
        out.write_bytes(whole[:end])
        assert add(out, kind, one) == [False]
        assert out.read_bytes() == whole


@pytest.mark.skipif(os.name == "nt", reason="Windows names are always text")
@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_is_not_text_can_be_written(kind: str, tmp_path: Path) -> None:
    one, out = song(tmp_path, os.fsdecode(b"caf\xe9.mp3")), tmp_path / "genres"
    assert add(out, kind, one) == [False]
    assert add(out, kind, one) == [True]
    one.write_bytes(b"other music")
    assert add(out, kind, one) == [False]
    (row,) = rows(out, kind)
    assert row["path"].endswith("caf\\xe9.mp3" if kind == "parquet" else "caf\udce9.mp3")


# -- one model, one set of columns --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_of_another_model_are_refused_and_replaced_where_that_is_asked_for(
    kind: str, tmp_path: Path
) -> None:
    one, out = song(tmp_path), tmp_path / "genres"
    add(out, kind, one)
    before = out.read_bytes()
    for other in (replace(SPEC, model="0" * 16), RowSpec(("folk",), model="0" * 16)):
        with pytest.raises(DataError, match=f"model {'f' * 16}; this is the model {'0' * 16}.*--replace"):
            PredictionFile(out, kind, other)
        assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["genres", "song.mp3"]
    assert add(out, kind, one, spec=replace(SPEC, model="0" * 16), replace=True) == [False]
    assert [row["model"] for row in rows(out, kind)] == ["0" * 16]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_other_columns_are_refused(kind: str, tmp_path: Path) -> None:
    one, out = song(tmp_path), tmp_path / "genres"
    add(out, kind, one)
    with pytest.raises(DataError, match="--top"):
        PredictionFile(out, kind, replace(SPEC, top=2))


def test_what_is_no_file_of_predictions_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "shopping.csv"
    for content in ("name,price\ntea,3\n", "path\n"):
        for kind in KINDS:
            out.write_text(content)
            with pytest.raises(DataError, match="something else"):
                add(out, kind, song(tmp_path), replace=True)
            assert out.read_text() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shopping.csv", "song.mp3"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_song_below_the_lowest_confidence_has_no_genre_but_its_scores(kind: str, tmp_path: Path) -> None:
    one, out = song(tmp_path), tmp_path / "genres"

    def read() -> tuple[str | None, float]:
        (row,) = rows(out, kind)
        return row["genre"] or None, float(row["confidence"])

    add(out, kind, one)
    assert read() == ("jazz", 0.75)
    for limit, genre in ((0.8, None), (0.8, None), (0.75, "jazz"), (0.9, None), (0.0, "jazz")):
        assert add(out, kind, one, spec=replace(SPEC, min_confidence=limit)) == [True], "nothing is computed again"
        assert read() == (genre, 0.75)


def test_a_label_may_have_the_name_of_what_a_record_holds(tmp_path: Path) -> None:
    one, out = song(tmp_path), tmp_path / "genres.csv"
    made = replace(prediction(one), genre="scores", scores={"scores": 0.75, "rock": 0.25})
    for limit, genre in ((0.8, ""), (0.5, "scores")):
        spec = RowSpec(("rock", "scores"), model="f" * 16, min_confidence=limit)
        with PredictionFile(out, "csv", spec) as file:
            if not file.has(one, identity(one)):
                file.write(made, identity(one))
        assert [row["genre"] for row in rows(out, "csv")] == [genre]


# -- what rows hold -----------------------------------------------------------------------------------------------


def test_columns_are_for_people_first(tmp_path: Path) -> None:
    out, one = tmp_path / "genres.csv", tmp_path / "song.flac"
    encode(one, tone(440.0), 22_050, "flac", tags={"artist": "Anna", "title": "=Song, one", "album": "1. Album"})
    add(out, "csv", one)
    (row,) = rows(out, "csv")
    assert list(row) == [
        "path", "artist", "title", "album", "genre", "confidence", "unknown", "seconds", "warning", "jazz", "rock",
        "title (score)", "identity", "model",
    ]  # fmt: skip
    assert list(row.values()) == [
        str(one), "Anna", "=Song, one", "1. Album", "jazz", "0.75", "False", "2.0", "short", "0.75", "0.25", "0.0",
        identity(one), "f" * 16,
    ]  # fmt: skip


def test_json_lines_hold_all_that_is_known_with_tags_identity_and_model(tmp_path: Path) -> None:
    one = song(tmp_path)
    add(tmp_path / "genres.jsonl", "jsonl", one)
    (row,) = rows(tmp_path / "genres.jsonl", "jsonl")
    tags = {"artist": "", "title": "", "album": ""}
    assert row == prediction(one).to_dict() | tags | {"identity": identity(one), "model": "f" * 16}


def test_parquet_has_types_and_row_groups_and_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet

    monkeypatch.setattr("genrescope.inference.arrow._ROWS", 4)
    out = tmp_path / "genres.parquet"
    with PredictionFile(out, "parquet", SPEC) as file:
        for number in range(10):
            one = song(tmp_path, f"{number}.mp3")
            file.write(prediction(one), identity(one))
        assert not out.exists()
    table = parquet.read_table(out)
    assert (table.num_rows, parquet.ParquetFile(out).num_row_groups) == (10, 3)
    types = {name: str(table.schema.field(name).type) for name in ("path", "confidence", "unknown", "rock", "model")}
    assert types == {"path": "string", "confidence": "double", "unknown": "bool", "rock": "double", "model": "string"}
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".mp3"] == ["genres.parquet"]


def test_a_stopped_run_of_parquet_goes_on_with_what_it_has(tmp_path: Path) -> None:
    out, songs = tmp_path / "genres.parquet", [song(tmp_path, f"{number}.mp3") for number in range(3)]
    add(out, "parquet", songs[0])
    before = out.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        stopped(out, "parquet", songs[1])
    assert out.read_bytes() == before
    assert add(out, "parquet", *songs) == [True, True, False]
    assert [row["path"] for row in rows(out, "parquet")] == list(map(str, songs))
    assert not (tmp_path / "genres.parquet.partial.jsonl").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_labels_alone_are_written_where_that_is_asked_for(kind: str, tmp_path: Path) -> None:
    one, out = song(tmp_path), tmp_path / "genres"
    add(out, kind, one, spec=replace(SPEC, top=2))
    (row,) = rows(out, kind)
    if kind == "jsonl":
        assert row["scores"] == row["windows"][0]["scores"] == {"jazz": 0.75, "rock": 0.25}
    else:
        scores = {name: str(row[name]) for name in list(row)[9:-2]}
        assert scores == {"genre_1": "jazz", "score_1": "0.75", "genre_2": "rock", "score_2": "0.25"}
    assert replace(SPEC, top=9).score_columns[-1] == "score_3"


# -- what failed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_songs_that_fail_are_listed_until_they_are_classified_or_gone(kind: str, tmp_path: Path) -> None:
    out, listed = tmp_path / "genres", tmp_path / "genres.failed.csv"
    listed = tmp_path / "genres.failed.csv"
    bad, worse, gone = (song(tmp_path, name) for name in ("bad.mp3", "two\nlines.mp3", "gone.mp3"))
    with PredictionFile(out, kind, SPEC) as file:
        assert file.failed is not None
        listed = file.failed.path
        for each in (bad, worse, gone, tmp_path / "never there.mp3"):
            file.fail(Failure(each, str(each), 'no "music", at all'))
        assert len(rows(listed, "csv")) == 4, "they are in the list at once"
    assert listed.name == "genres.failed.csv"
    assert {row["reason"] for row in rows(listed, "csv")} == {'no "music", at all'}
    gone.unlink()
    assert add(out, kind, bad) == [False]
    assert [row["path"] for row in rows(listed, "csv")] == [str(worse)]
    add(out, kind, worse)
    assert not listed.exists()


@pytest.mark.parametrize("name", ["bad.mp3", "two\nlines, and more\n.mp3"])
def test_a_half_written_row_of_the_list_is_cut_off_and_what_is_no_list_is_refused(name: str, tmp_path: Path) -> None:
    out, listed = tmp_path / "genres.csv", tmp_path / "genres.csv.failed.csv"
    songs = [song(tmp_path, "first.mp3"), song(tmp_path, name)]
    with PredictionFile(out, "csv", SPEC) as file:
        for each in songs:
            file.fail(Failure(each, str(each), "truncated"))
    whole = listed.read_bytes()
    for end in range(len(whole)):
        listed.write_bytes(whole[:end])
        add(out, "csv")
        left = [row["path"] for row in rows(listed, "csv")] if listed.exists() else []
        assert left == [str(each) for each in songs[: whole[:end].count(b",truncated\n")]]
    for content in ("song,reason\na.mp3,", "no list"):
        listed.write_text(content)
        with pytest.raises(DataError):
            add(out, "csv")
        assert listed.read_text() == content


def test_a_song_that_was_good_and_fails_now_has_no_row(tmp_path: Path) -> None:
    one, out = song(tmp_path), tmp_path / "genres.csv"
    add(out, "csv", one, song(tmp_path, "other.mp3"))
    with PredictionFile(out, "csv", SPEC) as file:
        file.fail(Failure(one, str(one), "truncated"))
    assert [Path(row["path"]).name for row in rows(out, "csv")] == ["other.mp3"]
    assert len(rows(tmp_path / "genres.csv.failed.csv", "csv")) == 1


# -- segments -----------------------------------------------------------------------------------------------------

TWO = Prediction(
    None, "", "jazz", 0.5, {"jazz": 0.5, "rock": 0.5},
    tuple(
        WindowScores(3.0 * place, 3.0 * place + 3, "", {"jazz": score, "rock": 1 - score})
        for place, score in enumerate([0.9] * 8 + [0.1] * 8)
    ), 48.0,
)  # fmt: skip


def segmented(out: Path, *songs: Path, model: str = "f" * 16, count: int | None = None) -> list[bool]:
    with opened(out, model, songs=count) as file:
        there = [file.has(each, identity(each)) for each in songs]
        for each, is_there in zip(songs, there, strict=True):
            if not is_there:
                file.write(replace(TWO, path=each), identity(each))
        return there


def test_a_table_of_segments_is_gone_on_with_and_a_song_of_which_rows_are_missing_is_done_again(tmp_path: Path) -> None:
    out, songs = tmp_path / "segments.csv", [song(tmp_path, f"two\nlines {number}.mp3") for number in range(2)]
    assert segmented(out, *songs) == [False, False]
    found = rows(out, "csv")
    assert list(found[0])[:5] == ["path", "start", "end", "genre", "confidence"]
    assert [(row["path"], row["start"], row["end"], row["genre"], row["confidence"]) for row in found[2:]] == [
        (str(songs[1]), "0.0", "24.0", "jazz", "0.9"), (str(songs[1]), "24.0", "48.0", "rock", "0.9"),
    ]  # fmt: skip
    whole = out.read_bytes()
    for end in (len(whole) - 1, len(whole) - 100, len(whole) // 2 + 90, len(whole) // 2):
        out.write_bytes(whole[:end])
        assert segmented(out, *songs)[1] is False
        assert rows(out, "csv") == found
    assert segmented(out, *songs) == [True, True]
    with pytest.raises(DataError, match="--replace"):
        segmented(out, *songs, model="0" * 16)


def test_labels_are_what_audacity_imports(tmp_path: Path) -> None:
    segmented(tmp_path / "labels.txt", song(tmp_path), count=1)
    assert (tmp_path / "labels.txt").read_text() == "0.000000\t24.000000\tjazz\n24.000000\t48.000000\trock\n"
    for count in (2, None):
        with pytest.raises(DataError, match=r"\.csv file or a folder"):
            segmented(tmp_path / "labels.txt", count=count)
    with pytest.raises(DataError, match=r"ends in \.csv"):
        segmented(tmp_path / "labels.xml", count=1)


def test_a_folder_has_labels_for_each_song_also_where_names_are_equal(tmp_path: Path) -> None:
    out, songs = tmp_path / "labels", [song(tmp_path, f"{album}/01.mp3") for album in "ab"]
    assert segmented(out, *songs, song(tmp_path, "02.mp3")) == [False] * 3
    names = ["01-2.txt", "01.txt", "02.txt", "segments.csv"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert segmented(out, *songs) == [True, True]
    songs[1].write_bytes(b"other music")
    assert segmented(out, *songs) == [True, False]
    assert sorted(path.name for path in out.iterdir()) == names
    longest = [song(tmp_path, f"{album}/{'é' * 125}.mp3") for album in "ab"]
    assert segmented(out, *longest) == [False, False]
    assert segmented(out, *longest) == [True, True]
    assert len(list(out.glob("é*.txt"))) == 2
    with pytest.raises(DataError, match="other things"):
        segmented(tmp_path / "a")
    with pytest.raises(DataError, match=r"ends in \.csv"):
        segmented(song(tmp_path, "file"))
