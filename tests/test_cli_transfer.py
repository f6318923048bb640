"""The command transfer: scores that every other command reads, on the tracks and splits of all others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import transfer_support as networks
from cli_support import assert_refused, genrescope, here, leftovers
from transfer_support import ARTISTS, GENRES, TRACKS, assert_refused_last, music

from genrescope.store.prepare import prepare

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store of two genres with artists; only features may be added to it."""
    root = tmp_path_factory.mktemp("transfer")
    prepare(str(music(root / "music")), root / "store", jobs=1)
    return root / "store"


@pytest.fixture(scope="module")
def ast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a network that hears 1.28 s at once."""
    return networks.ast(tmp_path_factory.mktemp("networks") / "tiny-ast")


@pytest.fixture(scope="module")
def folds(store: Path, ast: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a cross-validation of a probe; nothing in it may be changed."""
    out = tmp_path_factory.mktemp("folds") / "ast"
    done = here("transfer", store, "--network", ast, "--folds", 2, "--out", out)
    assert done.code == 0, done.err
    assert "tiny-ast + linear: stratified-group (seed 0, 2 folds)" in done.out
    assert "all tracks" in done.out
    assert "audit: no track, duplicate or artist on two sides" in done.err
    assert "tiny-ast: 16 tracks heard, 0 kept, 0 skipped" in done.err
    assert str(out / "report.html") in done.err
    return out


def test_folds_leave_what_train_leaves(store: Path, folds: Path) -> None:
    result = json.loads((folds / "crossval.json").read_text())
    assert [row["id"] for row in result["tracks"]] == sorted(row["id"] for row in result["tracks"])
    assert len(result["tracks"]) == len(GENRES) * ARTISTS * TRACKS
    assert {row["windows"] for row in result["tracks"]} == {3}
    assert result["verdict"] == "vote"
    assert result["accuracy"]["vote"]["value"] > 0.9  # a drone and noise, by any ears
    assert "interval_by_groups" in result["accuracy"]["vote"]
    assert result["model"]["recipe"]["network"]["layer"] == "mean"
    assert any("it may have heard these tracks" in note for note in result["notes"])
    names = {path.name for path in (folds / "fold-1").iterdir()}
    assert names == {"recipe.toml", "run.json", "split.csv", "probe.safetensors"}
    run = json.loads((folds / "fold-1" / "run.json").read_text())
    assert (run["status"], run["tracks"], run["windows"]) == ("finished", 8, 24)
    assert run["store"] == str(store)
    assert "tiny-ast" in (folds / "report.html").read_text()
    assert (folds / "figures" / "confusion.png").exists()
    assert leftovers(folds) == []


def test_a_second_layer_hears_nothing_again_and_is_held_against_the_first(
    store: Path, ast: Path, folds: Path, tmp_path: Path
) -> None:
    other = tmp_path / "layer-0"
    done = here("transfer", store, "--network", ast, "--folds", 2, "--layer", 0, "--kernel", "rbf", "--out", other)
    assert done.code == 0, done.err
    assert "tiny-ast: 0 tracks heard, 16 kept, 0 skipped" in done.err
    compared = here("compare", folds, other, "--compute", "--out", tmp_path / "compare")
    assert compared.code == 0, compared.err
    assert "tiny-ast + rbf" in compared.out
    assert "16 tracks of 8 artists" in compared.out
    told = json.loads((tmp_path / "compare" / "compare.json").read_text())
    assert all(entry["milliseconds"] > 0 for entry in told["entries"])
    table = here("recipes", folds, other)
    assert table.code == 0, table.err
    assert "| `tiny-ast + linear` | 2 | stratified-group (2 folds) | 8, 16 |" in table.out


def test_it_is_held_against_a_model_of_our_own_on_the_same_folds(store: Path, folds: Path, tmp_path: Path) -> None:
    own = tmp_path / "svm"
    trained = here(
        "train", store, "--recipe", "pooled-svm", "--set", "classifier.frames=64", "--folds", 2, "--out", own
    )
    assert trained.code == 0, trained.err
    assert (own / "split.csv").read_bytes() == (folds / "split.csv").read_bytes()
    done = here("compare", own, folds, "--out", tmp_path / "compare")
    assert done.code == 0, done.err
    assert "against pooled-svm" in done.out


def test_a_split_leaves_one_run_with_its_scores(store: Path, ast: Path, tmp_path: Path) -> None:
    arguments = ("transfer", store, "--network", ast, "--split", "stratified", "--seed", 3, "--out", tmp_path / "run")
    done = here(*arguments)
    assert done.code == 0, done.err
    assert "tiny-ast + linear, seed 3: test of stratified (seed 3)" in done.out
    result = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert result["data"]["part"] == "test"
    assert result["model"]["seed"] == 3
    assert result["model"]["parameters"] > 1000
    refused = here(*arguments)
    assert_refused(refused, "holds a run already; go on with it by --resume")
    assert "tiny-ast" not in refused.err  # nothing was loaded or heard for it
    before = (tmp_path / "run" / "probe.safetensors").stat().st_mtime_ns
    again = here(*arguments, "--resume")
    assert (again.code, again.out) == (0, done.out)
    assert (tmp_path / "run" / "probe.safetensors").stat().st_mtime_ns == before


def test_a_cross_validation_is_resumed_by_its_flag_only(store: Path, ast: Path, folds: Path) -> None:
    before = (folds / "crossval.json").read_bytes()
    arguments = ("transfer", store, "--network", ast, "--folds", 2, "--out", folds)
    assert_refused(here(*arguments), "go on with it by --resume")
    assert here(*arguments, "--resume").code == 0
    assert (folds / "crossval.json").read_bytes() == before


def test_a_bad_file_is_named_and_the_rest_is_scored(ast: Path, tmp_path: Path) -> None:
    listing = music(tmp_path / "music")
    prepare(str(listing), tmp_path / "store", jobs=1)
    (tmp_path / "music" / "hiss-0" / "0.wav").write_bytes(b"no music")
    out = tmp_path / "out"
    done = here("transfer", tmp_path / "store", "--network", ast, "--folds", 2, "--out", out, "--quiet")
    assert done.code == 1
    assert done.messages == ["skipped hiss-0/0.wav: it has changed since the store was prepared"]
    result = json.loads((out / "crossval.json").read_text())
    assert len(result["tracks"]) == 15
    assert any("hiss-0/0.wav could not be heard" in note for note in result["notes"])
    split = tmp_path / "split.csv"
    rows = [f"{row['id']},{'test' if row['group'].endswith('-1') else 'train'}" for row in result["tracks"]]
    split.write_text("\n".join(["id,part", "hiss-0/0.wav,test", *rows]) + "\n")
    again = here("transfer", tmp_path / "store", "--network", ast, "--split", split, "--out", tmp_path / "run", "-q")
    assert again.code == 1
    scored = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert {row["group"] for row in scored["tracks"]} == {"drone-1", "hiss-1"}


def test_a_probe_is_no_model_file(folds: Path) -> None:
    done = here("predict", folds / "fold-1", folds / "split.csv")
    assert_refused(done, "holds a probe on a published network", "genrescope transfer has scored it")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--network", "./nowhere"), ("./nowhere: no such folder",)),
        (("--network", "AST", "--layer", 7), ("tiny-ast has no layer 7", "to 2")),
        (("--network", "AST", "--window", 2), ("a window of 2 s", "from 1 to 1.28 s")),
        (("--network", "AST", "--kernel", "polynomial"), ('no kernel called "polynomial"', "linear, rbf")),
        (("--network", "AST", "--c", 0), ("--c 0; accepted are positive",)),
        (("--network", "AST", "--folds", 2, "--part", "validation"), ("with --folds", "leave out --parts and --part")),
        (("--network", "AST", "--part", "tset"), ("tset",)),
        (("--network", "AST", "--cache", "FILE"), ("is a file; --cache names a folder",)),
        (("--network", "AST", "--data", "./nowhere", "--cache", "NEW"), ("./nowhere: no such folder or file",)),
    ],
)
def test_refusals(store: Path, ast: Path, tmp_path: Path, options: tuple[object, ...], words: tuple[str, ...]) -> None:
    places = {"AST": ast, "FILE": tmp_path / "file", "NEW": tmp_path / "new"}
    (tmp_path / "file").write_text("")
    done = here("transfer", store, "--out", tmp_path / "out", *(places.get(str(each), each) for each in options))
    assert_refused_last(done, *words)
    assert not (tmp_path / "out").exists()


def test_without_the_extra_nothing_else_is_asked_for(store: Path, ast: Path, tmp_path: Path) -> None:
    (tmp_path / "transformers.py").write_text("raise ImportError('not installed')")
    done = genrescope(
        "transfer", store, "--network", ast, "--out", tmp_path / "out", env={"PYTHONPATH": _with(tmp_path)}
    )
    assert_refused(done, "transfer needs transformers, an extra: pip install 'genrescope[transfer]'")


def _with(folder: Path) -> str:
    import os

    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
