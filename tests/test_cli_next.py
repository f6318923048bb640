"""Each command ends with the next one to type: it can be pasted into a shell, and it works."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from cli_support import Done, here, world

from genrescope.cli import console

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import World

QUICK = ("--recipe", "pooled-svm", "--set", "classifier.frames=64", "--set", "classifier.copies=0")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


def follow(done: Done, *options: object, song: Path | None = None) -> Done:
    """Type what a command has said is next."""
    assert done.code == 0, done.err
    return here(*(str(song) if word == "SONG" else word for word in done.next), *options)


def test_from_music_to_predictions_every_next_command_works(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made.music, "my music")
    checked = here("check", "my music", "--genres", "drone,hiss", "--jobs", 1)
    assert checked.next == ["prepare", "my music", "--genres", "drone,hiss", "--out", "store"]
    assert "next: genrescope prepare 'my music' --genres drone,hiss --out store" in checked.err
    prepared = follow(checked, "--jobs", 1)
    assert prepared.next == ["train", "store", "--out", "runs/first"]
    trained = follow(prepared, *QUICK)
    assert trained.next == ["evaluate", "runs/first"]
    scored = follow(trained)
    assert scored.next == ["predict", "runs/first", "SONG"]
    song = made.songs()[0]
    shown = follow(scored, song=song)
    assert shown.next == ["predict", "runs/first", str(song), "--out", "genres.csv"]
    written = follow(shown)
    assert written.next == ["evaluate", "runs/first"]
    assert (tmp_path / "genres.csv").exists()


def test_a_split_is_trained_on_and_a_folder_that_is_taken_is_not_offered(made: World, tmp_path: Path) -> None:
    store, split = shutil.copytree(made.store, tmp_path / "store"), tmp_path / "my split.csv"
    (tmp_path / "runs" / "first").mkdir(parents=True)
    halves = here("split", "make", store, "--method", "random", "--folds", 2, "--out", split)
    assert halves.next == [
        "train", str(store), "--split", str(split), "--folds", "2", "--out", str(tmp_path / "runs" / "first-2"),
    ]  # fmt: skip
    trained = follow(halves, *QUICK)
    assert trained.next == ["predict", str(tmp_path / "runs" / "first-2"), "SONG"]
    assert "drone" in follow(trained, song=made.songs()[0]).out


def test_a_clean_split_is_trained_on_and_for_one_that_leaks_another_is_made(made: World, tmp_path: Path) -> None:
    clean = here("split", "audit", made.store, "random", "--seed", 3)
    assert clean.next[:6] == ["train", str(made.store), "--split", "random", "--seed", "3"]
    windows = [f"{song.name}.{number},{part}" for song in made.songs() for number, part in enumerate(("train", "test"))]
    (tmp_path / "windows.csv").write_text("\n".join(["file,part", *windows]), encoding="utf-8")
    leaks = here("split", "audit", made.store, tmp_path / "windows.csv")
    assert (leaks.code, leaks.next[:4]) == (1, ["split", "make", str(made.store), "--out"])


def test_where_there_is_no_test_part_another_that_was_held_out_is_scored(made: World, tmp_path: Path) -> None:
    split = tmp_path / "split.csv"
    here("split", "make", made.store, "--shares", "train=0.5,validation=0.5", "--method", "random", "--out", split)
    trained = here("train", made.store, *QUICK, "--split", split, "--out", tmp_path / "run")
    assert trained.next == ["evaluate", str(tmp_path / "run"), "--part", "validation"]


def test_comparing_leads_to_the_better_run(made: World, tmp_path: Path) -> None:
    run = shutil.copytree(made.run, tmp_path / "network")
    svm = tmp_path / "svm"
    here("evaluate", run)
    here("train", made.store, *QUICK, "--split", made.split, "--out", svm)
    here("evaluate", svm)
    done = here("compare", run, svm, "--out", tmp_path / "compare")
    assert done.next[0] == "robustness"
    assert done.next[1] in (str(run), str(svm))


def test_nothing_is_said_when_quiet_nor_to_a_program_that_reads_stdout(made: World) -> None:
    assert here("split", "audit", made.store, "random", "--quiet").err == ""
    assert here("predict", made.run, made.songs()[0], "--format", "jsonl").err == ""


def test_commands_that_are_steps_of_another_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with console.steps_of_one_command():
        console.next_step("check", "music", quiet=False)
    console.next_step("check", "my music", os.curdir, quiet=False)
    assert capsys.readouterr().err == "next: genrescope check 'my music' .\n"
