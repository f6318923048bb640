"""One recipe over several seeds: `train --seeds` and what it leaves."""

from __future__ import annotations

import json
import re
import shutil
import statistics
from typing import TYPE_CHECKING

import pytest
from cli_support import assert_refused, here, interrupted, world

from genrescope import splits
from genrescope.results import read_evaluation

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import World

QUICK = ("--recipe", "pooled-svm", "--set", "classifier.frames=64", "--set", "classifier.copies=0", "--device", "cpu")
NAME = "pooled-svm-frames-64-copies-0"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


def test_each_seed_has_its_run_and_their_mean_and_range_are_shown(made: World, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    options = (*QUICK, "--split", "random")
    done = here("train", made.store, *options, "--seeds", "0,1,2", "--out", out)
    assert done.code == 0, done.err
    runs = [out / NAME / f"seed-{seed}" for seed in range(3)]
    scores = [read_evaluation(run / "evaluation.json") for run in runs]
    assert {score.data.part for score in scores} == {"test"}
    values = [100 * score.headline.value for score in scores]
    for seed, (value, run) in enumerate(zip(values, runs, strict=True)):
        assert re.search(rf"^ {seed} .* {value:.1f} % .*{re.escape(str(run))}", done.out, re.MULTILINE)
    last = done.out.splitlines()[-1]
    assert last == (
        f"mean over 3 seeds {statistics.fmean(values):.1f} %, range {min(values):.1f} to {max(values):.1f} %"
    )
    assert done.next == ["predict", str(runs[0]), "SONG"]
    one = here("train", made.store, *options, "--seed", 2, "--out", tmp_path / "one")
    assert one.code == 0, one.err
    alone, among = (splits.read(run / "split.csv").parts for run in (tmp_path / "one", runs[2]))
    assert alone == among


def test_more_seeds_are_added_and_what_is_done_is_not_done_again(made: World, tmp_path: Path) -> None:
    command = ("train", made.store, *QUICK, "--split", made.split, "--out", tmp_path / "runs", "--part", "validation")
    assert here(*command, "--seeds", "0").code == 0
    assert_refused(here(*command, "--seeds", "0,1"), "holds runs already", "--resume")
    more = here(*command, "--seeds", "0,1", "--resume")
    assert more.code == 0, more.err
    assert [line.partition(": ")[0] for line in more.messages if ", seed" in line] == [f"{NAME}, seed 1"]
    assert "mean over 2 seeds" in more.out
    other = here(*command, "--seeds", "0", "--resume", "--set", "classifier.kernel=linear")
    assert other.code == 0, other.err  # another recipe has another folder
    assert (
        read_evaluation(tmp_path / "runs" / NAME / "seed-1" / "evaluation-validation" / "evaluation.json").data.part
        == "validation"
    )
    assert more.next == ["evaluate", str(tmp_path / "runs" / NAME / "seed-0")]


def test_seeds_are_cross_validated(made: World, tmp_path: Path) -> None:
    done = here("train", made.store, *QUICK, "--folds", 2, "--seeds", "3,4", "--out", tmp_path / "runs", "--quiet")
    assert (done.code, done.err) == (0, "")
    found = json.loads((tmp_path / "runs" / "study.json").read_text(encoding="utf-8"))["experiments"][0]
    assert (found["folds"], found["seeds"], found["part"]) == (2, [3, 4], None)


def test_paths_are_taken_from_the_working_folder(made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made.store, "store")
    shutil.copy(made.split, "split.csv")
    (tmp_path / "mine.toml").write_text('extends = "pooled-svm"\nclassifier.frames = 64\n', encoding="utf-8")
    options = ("--recipe", "mine", "--split", "split.csv", "--seeds", "5", "--out", "runs")
    done = here("train", "store", *options, "--set", "classifier.copies=0")
    assert done.code == 0, done.err
    assert (tmp_path / "runs" / "mine-copies-0" / "seed-5" / "model.safetensors").exists()


def test_an_interrupted_run_is_gone_on_with(made: World, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    command = ("train", made.store, *QUICK, "--split", made.split, "--seeds", "0,1,2", "--out", out)
    first = out / NAME / "seed-0" / "evaluation.json"
    stopped = interrupted(*command, when=first.exists)
    assert stopped.code == 130
    assert stopped.err.rstrip().endswith("--resume")
    assert "--seeds 0,1,2" in stopped.err
    assert here(*command, "--resume").code == 0
    assert len(list((out / NAME).glob("seed-*/evaluation.json"))) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seeds", "0;1"), ["accepted are whole numbers, as 0,1,2"]),
        (("--seeds", "0,1", "--seed", 3), ["--seed and --seeds"]),
        (("--part", "test"), ["--part", "genrescope evaluate"]),
        (("--seeds", "0", "--part", "nowhere"), ["nowhere"]),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    made: World, tmp_path: Path, options: tuple[object, ...], words: list[str]
) -> None:
    assert_refused(here("train", made.store, *QUICK, *options, "--out", tmp_path / "x"), *words)
    assert not (tmp_path / "x").exists()
