"""Whatever is wrong with what the user gives, the command line says it in one line and leaves nothing half-written.

The real program runs: in a process of its own (`genrescope`) wherever that could make a difference, as for signals,
full disks, worker processes and names that are not text; and in this one (`here`) where only the answer counts, because
each new process spends seconds on loading torch.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cli_support import (
    SMALL,
    assert_refused,
    genrescope,
    here,
    interrupted,
    leftovers,
    lines_of,
    sound,
    world,
    write_music,
)
from conftest import write

if TYPE_CHECKING:
    from cli_support import Done, World

FULL_DISK = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to a group of processes")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """Give a data set of one good file in each of two genres, and many kinds of bad ones."""
    root = tmp_path / "spoilt"
    good = write(root / "drone" / "good.wav", sound("drone", 0))
    write(root / "hiss" / "good.wav", sound("hiss", 0))
    broken = np.concatenate([sound("drone", 1), np.full(100, np.nan, dtype=np.float32)])
    write(root / "drone" / "nan.wav", broken, subtype="FLOAT")
    (root / "drone" / "empty.wav").touch()
    (root / "hiss" / "letter.mp3").write_text("Dear reader,\nthis is not music.\n" * 40)
    (root / "hiss" / "cut.wav").write_bytes(good.read_bytes()[:90_000])
    (root / "hiss" / "zeros.flac").write_bytes(bytes(5000))
    return root


BAD = ("cut.wav", "empty.wav", "letter.mp3", "nan.wav", "zeros.flac")


def skipped(done: Done) -> list[str]:
    """Return the names of the files that a command said it skipped, in the order it said so."""
    return [Path(line.split(": ")[0]).name for line in done.messages if line.startswith("skipped ")]


# -- data ---------------------------------------------------------------------------------------------------------


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert_refused(genrescope("prepare", tmp_path / "nowhere", "--out", tmp_path / "store"), "nowhere", "no such")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "music" / "rock").mkdir(parents=True)
    (tmp_path / "music" / "rock" / "cover.jpg").write_bytes(b"picture")
    assert_refused(here("prepare", tmp_path / "music", "--out", tmp_path / "store"), "no audio found", ".wav")
    assert not (tmp_path / "store").exists()


def test_a_folder_without_genre_folders_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "music" / "song.wav", sound("drone", 0))
    assert_refused(here("prepare", tmp_path / "music", "--out", tmp_path / "store"), "song.wav", "folder")
    assert not (tmp_path / "store").exists()


def test_a_song_in_place_of_a_data_set_is_refused(tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", sound("drone", 0))
    assert_refused(here("prepare", song, "--out", tmp_path / "store"), "song.wav", "table")


def test_an_unknown_card_is_refused_and_the_nearest_named(tmp_path: Path) -> None:
    assert_refused(here("prepare", f"gtzam:{tmp_path}", "--out", tmp_path / "store"), "gtzam", '"gtzan"')
    assert_refused(here("datasets", "show", "gtzam"), "gtzam", '"gtzan"')


def test_an_unknown_genre_is_refused_and_the_nearest_named(made: World, tmp_path: Path) -> None:
    done = here("prepare", made.music, "--out", tmp_path / "store", "--genres", "drone,hisss")
    assert_refused(done, '"hisss"', '"hiss"')
    assert not (tmp_path / "store").exists()


def test_an_empty_list_of_genres_is_refused(made: World, tmp_path: Path) -> None:
    assert_refused(here("prepare", made.music, "--out", tmp_path / "store", "--genres", ","), "genre")
    assert not (tmp_path / "store").exists()


def test_a_store_is_not_written_where_it_cannot_be(made: World, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    assert_refused(here("prepare", made.music, "--out", file), "file")
    assert_refused(here("prepare", made.music, "--out", file / "store", "--jobs", 1), "file")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    assert_refused(here("prepare", made.music, "--out", other), "other")
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    assert file.read_text() == "mine"


def test_bad_files_are_named_once_and_skipped(spoilt: Path, tmp_path: Path) -> None:
    done = genrescope("prepare", spoilt, "--out", tmp_path / "store")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert sorted(skipped(done)) == sorted(BAD)
    assert done.out == ""
    with (tmp_path / "store" / "index.csv").open(newline="") as file:
        status = {Path(row["path"]).name: row["status"] for row in csv.DictReader(file)}
    assert {name for name, its in status.items() if its != "ok"} == set(BAD)
    assert "0 bytes" in status["empty.wav"]
    assert "non-finite" in status["nan.wav"]
    assert "truncated" in status["cut.wav"]
    assert leftovers(tmp_path) == []


def test_bad_files_are_named_once_when_quiet(spoilt: Path, tmp_path: Path) -> None:
    done = here("prepare", spoilt, "--out", tmp_path / "store", "--jobs", 1, "--quiet")
    assert done.code == 1
    assert sorted(skipped(done)) == sorted(BAD)
    assert len(done.messages) == len(BAD)


def test_a_data_set_of_bad_files_only_is_refused(spoilt: Path, tmp_path: Path) -> None:
    for good in spoilt.rglob("good.wav"):
        good.unlink()
    done = here("prepare", spoilt, "--out", tmp_path / "store", "--jobs", 1)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert done.messages[-1].startswith("error: ")
    assert "none of its 5 files could be used" in done.messages[-1]
    assert not (tmp_path / "store").exists()


@pytest.mark.real
def test_the_corrupt_clip_of_gtzan_is_named_and_skipped(real_clips: Path, made: World, tmp_path: Path) -> None:
    corrupt = real_clips / "faulty" / "jazz.00054.wav"
    if not corrupt.is_file():
        pytest.skip("the corrupt clip jazz.00054.wav is not here")
    jazz = tmp_path / "gtzan" / "jazz"
    jazz.mkdir(parents=True)
    shutil.copyfile(corrupt, jazz / corrupt.name)
    write(jazz / "jazz.00055.wav", sound("drone", 0))
    done = genrescope("prepare", f"gtzan:{tmp_path / 'gtzan'}", "--out", tmp_path / "store")
    assert done.code == 1
    assert skipped(done) == ["jazz.00054.wav"]
    predicted = here("predict", made.run, corrupt)
    assert predicted.code == 2
    assert skipped(predicted) == ["jazz.00054.wav"]


def test_unicode_and_spaces_in_names_go_the_whole_way(tmp_path: Path) -> None:
    home = tmp_path / "Mí música 音楽 & co"
    names = {"drone": "Ünïcödé genre", "hiss": "ジャズ [live]"}
    for genre, folder in names.items():
        for number in range(4):
            write(home / "in put" / folder / f"0{number} - naïve «song» 曲.wav", sound(genre, number))
    prepared = here("prepare", home / "in put", "--out", home / "the store", "--jobs", 1)
    assert prepared.code == 0, prepared.err
    trained = here("train", home / "the store", *SMALL, "--out", home / "a run")
    assert trained.code == 0, trained.err
    assert trained.out.strip() == str(home / "a run")
    evaluated = here("evaluate", home / "a run")
    assert evaluated.code == 0, evaluated.err
    assert "Warning" not in evaluated.err
    out = home / "genres of songs.jsonl"
    predicted = genrescope("predict", home / "a run", home / "in put", "--out", out)
    assert predicted.code == 0, predicted.err
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {Path(each["path"]).parent.name for each in found} == set(names.values())
    assert {genre for each in found for genre in each["scores"]} == set(names.values())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a file's name be anything but text")
def test_a_name_that_is_not_unicode_stops_nothing(made: World, tmp_path: Path) -> None:
    """Collections from the days of Latin-1 have them."""
    root = tmp_path / "music"
    write_music(root, genres=("drone", "hiss"), tracks=1)
    odd = root / "drone" / os.fsdecode(b"caf\xe9.wav")
    shutil.copyfile(root / "drone" / "drone-00.wav", odd)
    prepared = here("prepare", root, "--out", tmp_path / "store", "--jobs", 1)
    assert "Traceback" not in prepared.err, prepared.err
    assert prepared.code in (0, 1)
    assert (tmp_path / "store" / "store.json").exists()
    for kind, run in (("jsonl", here), ("table", genrescope)):
        predicted = run("predict", made.run, root, "--format", kind)
        assert "Traceback" not in predicted.err, predicted.err
        assert predicted.code in (0, 1)
        assert "hiss-00.wav" in predicted.out


# -- splits and recipes -------------------------------------------------------------------------------------------


def test_a_genre_of_one_track_cannot_be_stratified(tmp_path: Path) -> None:
    root = write_music(tmp_path / "music", genres=("drone",), tracks=4)
    write(root / "hiss" / "only.wav", sound("hiss", 0))
    assert here("prepare", root, "--out", tmp_path / "store", "--jobs", 1).code == 0
    split = here("split", "make", tmp_path / "store", "--method", "stratified", "--out", tmp_path / "split.csv")
    assert_refused(split, '"hiss"', "1 track", "--genres")
    assert not (tmp_path / "split.csv").exists()
    trained = here("train", tmp_path / "store", *SMALL, "--out", tmp_path / "run")
    assert_refused(trained, '"hiss"', "1 track")
    assert not (tmp_path / "run").exists()


def test_one_genre_alone_cannot_be_trained(made: World, tmp_path: Path) -> None:
    prepared = here("prepare", made.music, "--out", tmp_path / "store", "--genres", "hiss", "--jobs", 1)
    assert prepared.code == 0
    done = here("train", tmp_path / "store", *SMALL, "--out", tmp_path / "run")
    assert_refused(done, "one genre only", '"hiss"', "two or more")
    assert not (tmp_path / "run").exists()


TRAINING_MISTAKES = {
    "an unknown recipe": (["--recipe", "mgc"], ['"mgc"', '"mgcc"']),
    "a recipe file that is not there": (["--recipe", "my.toml"], ["my.toml"]),
    "an unknown key": (["--recipe", "mgcc", "--set", "training.epoch=3"], ['"training.epoch"', '"training.epochs"']),
    "a change without a value": (["--recipe", "mgcc", "--set", "training.epochs"], ["key=value"]),
    "a value of another type": (["--recipe", "mgcc", "--set", "training.epochs=many"], ["training.epochs", "'many'"]),
    "a value out of range": (["--recipe", "mgcc", "--set", "model.dropout=1.5"], ["model.dropout", "1.5"]),
    "an unknown choice": (["--recipe", "mgcc", "--set", "windows.train=some"], ["windows.train", "'all'"]),
    "an unknown model": (["--recipe", "mgcc", "--set", "model.name=mgcc-smal"], ['"mgcc-smal"', '"mgcc-small"']),
    "an unknown split": (["--recipe", "mgcc", "--split", "stratifed"], ['"stratifed"', '"stratified"']),
    "an unknown part": (["--recipe", "mgcc", "--parts", "trian"], ['"trian"', '"train"']),
    "an unknown device": (["--recipe", "mgcc", "--device", "gpu"], ['"gpu"', "cuda"]),
}


@pytest.mark.parametrize("mistake", TRAINING_MISTAKES)
def test_a_mistake_in_training_is_refused_before_anything_is_written(mistake: str, made: World, tmp_path: Path) -> None:
    options, words = TRAINING_MISTAKES[mistake]
    done = here("train", made.store, *options, "--out", tmp_path / "run", "--quiet")
    assert_refused(done, *words)
    assert not (tmp_path / "run").exists()


def test_an_unknown_split_method_is_refused_and_the_nearest_named(made: World, tmp_path: Path) -> None:
    done = here("split", "make", made.store, "--method", "stratifid", "--out", tmp_path / "split.csv")
    assert_refused(done, '"stratifid"', '"stratified"')
    wrong = here(
        "split", "make", made.store, "--method", "random", "--shares", "train=0.8", "--out", tmp_path / "s.csv"
    )
    assert_refused(wrong, "add up to 1")
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_store_is_not_trained_on(tmp_path: Path) -> None:
    assert_refused(here("train", tmp_path, *SMALL, "--out", tmp_path / "run"), "store.json", "genrescope prepare")


def test_a_run_is_not_overwritten(made: World) -> None:
    before = (made.run / "model.safetensors").stat()
    assert_refused(here("train", made.store, *SMALL, "--out", made.run), "holds a run already", "--resume")
    assert_refused(here("train", made.store, *SMALL, "--out", made.run, "--resume"), "another recipe", "--out")
    assert (made.run / "model.safetensors").stat() == before


# -- model files --------------------------------------------------------------------------------------------------


def bad_model(kind: str, made: World, path: Path) -> Path:
    whole = (made.run / "model.safetensors").read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    if kind == "foreign":
        from safetensors.numpy import save_file

        save_file({"weight": np.zeros(4, dtype=np.float32)}, path, metadata={"format": "pt"})
    elif kind == "no tensors":
        text = b'{"notes": "a header that describes no tensors"}'
        path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(64))
    elif kind == "newer":
        header = json.loads(whole[8 : 8 + length])
        own = json.loads(header["__metadata__"]["genrescope"]) | {"format": 99}
        header["__metadata__"]["genrescope"] = json.dumps(own)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + whole[8 + length :])
    else:
        contents = {
            "empty": b"",
            "cut in the header": whole[: length // 2],
            "cut in the weights": whole[:-100_000],
            "random bytes": np.random.default_rng(0).bytes(5000),
            "a song": made.songs()[0].read_bytes(),
        }
        path.write_bytes(contents[kind])
    return path


BAD_MODELS = {
    "empty": "not a safetensors file",
    "cut in the header": "cut short",
    "cut in the weights": "truncated",
    "random bytes": "not a safetensors file",
    "a song": "not a safetensors file",
    "foreign": "not one of genrescope's",
    "no tensors": "model.safetensors",
    "newer": "newer genrescope",
}


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_a_bad_model_file_is_refused(kind: str, made: World, tmp_path: Path) -> None:
    model = bad_model(kind, made, tmp_path / "model.safetensors")
    out = tmp_path / "genres.jsonl"
    assert_refused(here("predict", model, made.songs()[0], "--out", out), str(model), BAD_MODELS[kind])
    assert not out.exists()


def test_a_run_folder_without_a_model_is_refused(made: World, tmp_path: Path) -> None:
    shutil.copyfile(made.run / "run.json", tmp_path / "run.json")
    assert_refused(here("predict", tmp_path, made.songs()[0]), "holds no model.safetensors", "--resume")
    assert_refused(here("evaluate", tmp_path), "holds no model.safetensors")
    assert_refused(here("predict", tmp_path / "nothing", made.songs()[0]), "no such model file")


# -- evaluation ---------------------------------------------------------------------------------------------------


def test_a_part_that_the_split_lacks_is_refused(made: World) -> None:
    assert_refused(here("evaluate", made.run, "--part", "tests"), '"tests"', '"test"')
    assert not (made.run / "evaluation.json").exists()


def test_data_of_unknown_genres_cannot_be_scored(made: World, tmp_path: Path) -> None:
    write(tmp_path / "music" / "polka" / "song.wav", sound("drone", 0))
    done = here("evaluate", made.run, "--data", tmp_path / "music", "--out", tmp_path / "results", "--jobs", 1)
    assert_refused(done, "polka", "drone, hiss, pulse")
    assert not (tmp_path / "results").exists()


def test_bad_files_among_data_that_is_scored_are_named(made: World, spoilt: Path, tmp_path: Path) -> None:
    done = here(
        "evaluate", made.run, "--data", spoilt, "--out", tmp_path / "results", "--jobs", 1, "--quiet"
    )  # fmt: skip
    assert "Traceback" not in done.err
    assert [name for name in BAD if name not in done.err] == []
    assert done.code == 1


def test_a_model_without_a_run_needs_data(made: World, tmp_path: Path) -> None:
    model = shutil.copyfile(made.run / "model.safetensors", tmp_path / "model.safetensors")
    assert_refused(here("evaluate", model), "--data")


# -- prediction ---------------------------------------------------------------------------------------------------


def test_bad_songs_among_good_ones_are_named(made: World, spoilt: Path) -> None:
    done = genrescope("predict", made.run, spoilt, "--format", "jsonl", "--quiet")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert sorted(skipped(done)) == sorted(BAD)
    assert {Path(json.loads(line)["path"]).name for line in done.out.splitlines()} == {"good.wav"}


def test_only_bad_songs_are_a_failure(made: World, spoilt: Path, tmp_path: Path) -> None:
    for good in spoilt.rglob("good.wav"):
        good.unlink()
    done = here("predict", made.run, spoilt)
    assert done.code == 2
    assert done.out == ""
    assert sorted(skipped(done)) == sorted(BAD)
    assert "5 of 5 files could not be used" in done.messages[-1]
    assert_refused(here("predict", made.run, tmp_path / "nothing.wav"), "nothing.wav", "no such file")
    (tmp_path / "silent").mkdir()
    assert_refused(here("predict", made.run, tmp_path / "silent"), "no audio found")


FOREIGN = {
    "another table": ("x.csv", "name,price\ntea,3\n"),
    "the header of another table": ("x.csv", "name,price\n"),
    "predictions of another model": ("x.csv", "path,genre,confidence,seconds,uncertain,rock,folk\n"),
    "a table with no line end": ("x.csv", "name,price"),
    "other lines": ("x.jsonl", '{"name": "tea"}\n[1, 2]\n'),
    "prose": ("x.jsonl", "Dear diary,\n"),
    "an object with no line end": ("x.jsonl", '{"mine": "all of it"}'),
    "bytes": ("x.jsonl", "\x00\x01\n"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_file_that_holds_something_else_is_not_touched(what: str, made: World, tmp_path: Path) -> None:
    name, content = FOREIGN[what]
    (tmp_path / name).write_text(content)
    done = here("predict", made.run, made.songs()[0], "--out", tmp_path / name)
    assert (tmp_path / name).read_text() == content
    assert_refused(done, name, "--out")


def test_an_out_file_of_no_known_kind_is_refused(made: World, tmp_path: Path) -> None:
    for name, options in (("genres.txt", []), ("genres", []), ("genres.csv", ["--format", "table"])):
        done = here("predict", made.run, made.songs()[0], "--out", tmp_path / name, *options)
        assert_refused(done, ".jsonl or .csv")
    assert list(tmp_path.iterdir()) == []


# -- a full disk --------------------------------------------------------------------------------------------------


@FULL_DISK
def test_a_disk_that_fills_while_preparing_costs_nothing_that_was_done(made: World, tmp_path: Path) -> None:
    store = tmp_path / "store"
    full = genrescope("prepare", made.music, "--out", store, "--jobs", 1, "--quiet", largest_file=300_000)
    assert_refused(full, "cannot write", str(store), "Free some space")
    assert not (store / "store.json").exists()
    kept = lines_of(store / "journal.jsonl") - 1
    assert kept > 0
    again = here("prepare", made.music, "--out", store, "--jobs", 1)
    assert again.code == 0
    assert f"{24 - kept} computed, {kept} kept" in again.err
    assert (store / "logmel.npy").read_bytes() == (made.store / "logmel.npy").read_bytes()
    assert leftovers(tmp_path) == []
    assert sorted(path.name for path in store.iterdir()) == ["index.csv", "logmel.npy", "store.json", "tracks.csv"]


@FULL_DISK
def test_a_disk_that_fills_while_training_leaves_no_half_file(made: World, tmp_path: Path) -> None:
    run = tmp_path / "run"
    full = genrescope("train", made.store, *SMALL, "--out", run, "--quiet", largest_file=1_000_000)
    assert_refused(full, "cannot write", str(run), "Free some space")
    assert leftovers(run) == []
    assert not (run / "model.safetensors").exists()
    assert not (run / "checkpoint" / "last.safetensors").exists()
    again = here("train", made.store, *SMALL, "--out", run, "--resume")
    assert again.code == 0, again.err
    assert epochs_of(run) == [1, 2]


@FULL_DISK
def test_a_disk_that_fills_while_predicting_is_gone_on_from(made: World, tmp_path: Path) -> None:
    out = tmp_path / "genres.jsonl"
    full = genrescope("predict", made.run, made.music / "drone", "--out", out, "--quiet", largest_file=1000)
    assert_refused(full, "cannot write", str(out), "Free some space")
    again = here("predict", made.run, made.music / "drone", "--out", out)
    assert again.code == 0, again.err
    assert [json.loads(line)["path"] for line in out.read_text().splitlines()] == list(map(str, made.songs()))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_device_that_is_full_is_said_to_be(made: World) -> None:
    for kind, run in (("jsonl", genrescope), ("csv", here)):
        done = run("predict", made.run, made.songs()[0], "--format", kind, "--out", "/dev/full")
        assert_refused(done, "cannot write /dev/full", "No space left")


# -- interruptions ------------------------------------------------------------------------------------------------


def epochs_of(run: Path) -> list[int]:
    with (run / "history.csv").open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def assert_can_go_on(done: Done, *words: str) -> None:
    """It was interrupted: code 130, and one line on how to go on."""
    assert "Traceback" not in done.err, done.err
    assert done.code == 130, done
    assert len([line for line in done.messages if "interrupted" in line]) == 1
    for word in words:
        assert word in done.err


@SIGNALS
def test_preparing_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    seed = write(tmp_path / "seed.wav", np.tile(sound("hiss", 0), 6))
    for number in range(40):
        path = tmp_path / "music" / ("drone", "hiss")[number % 2] / f"{number:03d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(seed)
    store = tmp_path / "store"
    journal = store / "journal.jsonl"
    done = interrupted("prepare", tmp_path / "music", "--out", store, "--jobs", 2, when=lambda: lines_of(journal) > 3)
    assert_can_go_on(done, "Run the same command again")
    assert not (store / "store.json").exists()
    kept = lines_of(journal) - 1
    assert 0 < kept < 40
    again = here("prepare", tmp_path / "music", "--out", store, "--jobs", 1)
    assert again.code == 0, again.err
    assert f"{40 - kept} computed, {kept} kept" in again.err
    assert sorted(path.name for path in store.iterdir()) == ["index.csv", "logmel.npy", "store.json", "tracks.csv"]


LONG = (*SMALL[:-1], "training.epochs=6")


@SIGNALS
def test_training_goes_on_where_it_was_interrupted(made: World, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin = ("train", made.store, *LONG, "--split", made.split, "--out", run)
    done = interrupted(*begin, when=lambda: lines_of(run / "history.csv") > 2)
    assert_can_go_on(done, "--resume", str(run))
    assert not (run / "model.safetensors").exists()
    assert leftovers(run) == []
    assert_refused(here(*begin), "--resume")
    before = epochs_of(run)
    again = here(*begin, "--resume")
    assert again.code == 0, again.err
    told = [int(line.split()[1].split("/")[0]) for line in again.messages if line.startswith("epoch")]
    assert epochs_of(run) == [1, 2, 3, 4, 5, 6]
    # The kill may fall between the checkpoint, which counts, and the history, which tells.
    assert told in ([*range(len(before) + 1, 7)], [*range(len(before) + 2, 7)])
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    assert not (run / "checkpoint").exists()


@SIGNALS
def test_training_goes_on_after_it_was_killed(made: World, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin = ("train", made.store, *LONG, "--split", made.split, "--out", run)
    done = interrupted(*begin, when=lambda: lines_of(run / "history.csv") > 1, number=signal.SIGKILL)
    assert done.code == -signal.SIGKILL
    again = here(*begin, "--resume")
    assert again.code == 0, again.err
    assert epochs_of(run) == [1, 2, 3, 4, 5, 6]
    assert json.loads((run / "run.json").read_text())["resumed"] == 1
    assert leftovers(run) == []
    assert here("predict", run, made.songs()[0]).code == 0
