"""The command transfer: runs that every other command reads, on the tracks and splits of all others."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import transfer_support as networks
from cli_support import assert_refused, genrescope, here, leftovers
from transfer_support import ARTISTS, GENRES, TRACKS, assert_refused_last, music

from genrescope.store.prepare import prepare
from genrescope.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.usefixtures("one_thread")
FEW = ("--fine-tune", "--epochs", 2, "--rate", 0.01, "--batch", 4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store of two genres with artists; only embeddings and waves may be added to it."""
    root = tmp_path_factory.mktemp("transfer")
    prepare(str(music(root / "music")), root / "store", jobs=0)
    return root / "store"


@pytest.fixture(scope="module")
def ast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a network that takes 1.26 s at once."""
    return networks.ast(tmp_path_factory.mktemp("networks") / "tiny-ast")


@pytest.fixture(scope="module")
def folds(store: Path, ast: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a cross-validation of a probe; nothing in it may be changed."""
    out = tmp_path_factory.mktemp("folds") / "ast"
    done = here("transfer", store, "--network", ast, "--folds", 2, "--out", out)
    assert done.code == 0, done.err
    assert "tiny-ast + linear: stratified-group (seed 0, 2 folds)" in done.out
    assert "all tracks" in done.out
    assert "audit: no track, duplicate or artist in two parts" in done.err
    assert "tiny-ast: embeddings of 16 tracks computed, 0 kept, 0 skipped; in " in done.err
    assert str(out / "report.html") in done.err
    assert done.next == ["predict", str(out), "SONG"]
    return out


@pytest.fixture(scope="module")
def tuned(store: Path, ast: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a cross-validation of a fine-tuning; nothing in it may be changed."""
    out = tmp_path_factory.mktemp("folds") / "tuned"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("genrescope.reports.figures.draw", lambda *_: [])  # nobody waits for them
        done = here("transfer", store, "--network", ast, *FEW, "--freeze", 1, "--folds", 2, "--out", out)
    assert done.code == 0, done.err
    assert "tiny-ast fine-tuned: stratified-group (seed 0, 2 folds)" in done.out
    assert "tiny-ast: waves of 16 tracks computed, 0 kept, 0 skipped; in " in done.err
    assert "fold 2 of 2" in done.err
    assert "epoch   2/2  loss" in done.err
    return out


# -- a probe ----------------------------------------------------------------------------------------------------


def test_folds_leave_what_train_leaves(store: Path, folds: Path) -> None:
    result = json.loads((folds / "crossval.json").read_text())
    assert [row["id"] for row in result["tracks"]] == sorted(row["id"] for row in result["tracks"])
    assert len(result["tracks"]) == len(GENRES) * ARTISTS * TRACKS
    assert {row["windows"] for row in result["tracks"]} == {2}
    assert result["verdict"] == "vote"
    assert result["accuracy"]["vote"]["value"] > 0.9  # a drone and noise
    assert "interval_by_groups" in result["accuracy"]["vote"]
    assert result["model"]["recipe"]["network"]["layer"] == "mean"
    assert any("these tracks may be in its training data" in note for note in result["notes"])
    names = {path.name for path in (folds / "fold-1").iterdir()}
    assert names == {"recipe.toml", "run.json", "split.csv", "model.safetensors"}
    run = json.loads((folds / "fold-1" / "run.json").read_text())
    assert (run["status"], run["tracks"], run["windows"]) == ("finished", 8, 16)
    assert run["store"] == str(store)
    assert "tiny-ast" in (folds / "report.html").read_text()
    assert (folds / "figures" / "confusion.png").exists()
    assert leftovers(folds) == []


def test_a_second_layer_computes_nothing_again_and_is_held_against_the_first(
    store: Path, ast: Path, folds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])  # nobody waits for them
    other = tmp_path / "layer-0"
    done = here("transfer", store, "--network", ast, "--folds", 2, "--layer", 0, "--kernel", "rbf", "--out", other)
    assert done.code == 0, done.err
    assert "tiny-ast: embeddings of 0 tracks computed, 16 kept, 0 skipped" in done.err
    compared = here("compare", folds, other, "--out", tmp_path / "compare")
    assert compared.code == 0, compared.err
    assert "tiny-ast + rbf" in compared.out
    assert "16 tracks of 8 artists" in compared.out
    table = here("recipes", folds, other)
    assert table.code == 0, table.err
    assert "| `tiny-ast + linear` | 2 | stratified-group (2 folds) | 8, 16 |" in table.out


def test_it_is_held_against_a_model_of_our_own_on_the_same_folds(
    store: Path, folds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])  # nobody waits for them
    own = tmp_path / "svm"
    trained = here(
        "train", store, "--recipe", "pooled-svm", "--set", "classifier.frames=64", "--folds", 2, "--out", own
    )
    assert trained.code == 0, trained.err
    assert (own / "split.csv").read_bytes() == (folds / "split.csv").read_bytes()
    done = here("compare", own, folds, "--out", tmp_path / "compare")
    assert done.code == 0, done.err
    assert "against pooled-svm" in done.out


def test_a_split_leaves_one_run_that_predicts_and_is_scored_again(
    store: Path, ast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])  # nobody waits for them
    run = tmp_path / "run"
    arguments = ("transfer", store, "--network", ast, "--split", "stratified", "--seed", 3, "--out", run)
    done = here(*arguments)
    assert done.code == 0, done.err
    assert "tiny-ast + linear, seed 3: test of stratified (seed 3)" in done.out
    result = json.loads((run / "evaluation.json").read_text())
    assert (result["data"]["part"], result["model"]["seed"]) == ("test", 3)
    assert result["model"]["parameters"] > 1000
    songs = [store.parent / "music" / row["id"] for row in result["tracks"]]
    predicted = here("predict", run, *songs, "--format", "jsonl")
    assert predicted.code == 0, predicted.err
    for line, row in zip(predicted.out.splitlines(), result["tracks"], strict=True):
        told = json.loads(line)
        assert told["genre"] == row["vote"]
        for label, score in row["scores"].items():
            assert told["scores"][label] == pytest.approx(score, abs=1.1e-6)
    refused = here(*arguments)
    assert_refused(refused, "holds a run already; go on with it by --resume")
    assert "tiny-ast" not in refused.err  # nothing was loaded or computed for it
    again = here(*arguments, "--resume")
    assert (again.code, again.out) == (0, done.out)
    scored = here("evaluate", run, "--part", "test")
    assert (scored.code, scored.out) == (0, done.out)


def test_a_probe_is_scored_on_other_music_and_on_changed_sound(store: Path, folds: Path, tmp_path: Path) -> None:
    listing = store.parent / "music" / "songs.csv"
    done = here("evaluate", folds / "fold-1", "--data", listing, "--out", tmp_path / "other", "--jobs", 1)
    assert done.code == 0, done.err
    told = json.loads((tmp_path / "other" / "evaluation.json").read_text())
    assert len(told["tracks"]) == 16
    out = tmp_path / "robustness"
    changed = here("robustness", folds, "--conditions", "noise-10", "--tracks", 4, "--jobs", 1, "--out", out)
    assert changed.code == 0, changed.err
    robust = json.loads((out / "robustness.json").read_text())
    assert [condition["name"] for condition in robust["conditions"]] == ["unchanged", "noise-10"]
    rows = {row["id"]: row for row in json.loads((folds / "crossval.json").read_text())["tracks"]}
    for row in robust["tracks"]:
        own = rows[row["id"]]
        assert row["predicted"]["unchanged"] == own["vote"]
        assert row["confidence"]["unchanged"] == pytest.approx(own["scores"][own["vote"]], abs=1.1e-6)


def test_a_cross_validation_is_resumed_by_its_flag_only(store: Path, ast: Path, folds: Path) -> None:
    before = (folds / "crossval.json").read_bytes()
    arguments = ("transfer", store, "--network", ast, "--folds", 2, "--out", folds)
    assert_refused(here(*arguments), "go on with it by --resume")
    assert here(*arguments, "--resume").code == 0
    assert (folds / "crossval.json").read_bytes() == before


@pytest.mark.parametrize("options", [(), FEW])
def test_a_bad_file_is_named_and_the_rest_is_scored(
    ast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[object, ...]
) -> None:
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])  # nobody waits for them
    listing = music(tmp_path / "music")
    prepare(str(listing), tmp_path / "store", jobs=0)
    (tmp_path / "music" / "hiss-0" / "0.wav").write_bytes(b"no music")
    split = tmp_path / "split.csv"
    parts = {"0": "test", "1": "test"}
    rows = [line.split(",") for line in listing.read_text().splitlines()[1:]]
    split.write_text("\n".join(["id,part", *(f"{row[0]},{parts.get(row[2][-1], 'train')}" for row in rows)]) + "\n")
    arguments = ("--network", ast, *options, "--split", split, "--out", tmp_path / "run", "--quiet")
    done = here("transfer", tmp_path / "store", *arguments)
    assert done.code == 1
    assert done.messages == ["skipped hiss-0/0.wav: it has changed since the store was prepared"]
    result = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert len(result["tracks"]) == 7
    assert any("hiss-0/0.wav could not be used" in note for note in result["notes"])


# -- fine-tuning ------------------------------------------------------------------------------------------------


def test_the_folds_of_a_fine_tuning_leave_what_all_others_leave(store: Path, tuned: Path) -> None:
    result = json.loads((tuned / "crossval.json").read_text())
    assert len(result["tracks"]) == 16
    assert {row["windows"] for row in result["tracks"]} == {2}
    assert result["model"]["recipe"]["tuning"] == {"freeze": 1, "clip": 1.0}
    assert any("these tracks may be in its training data" in note for note in result["notes"])
    names = {path.name for path in (tuned / "fold-1").iterdir()}
    assert names == {"recipe.toml", "run.json", "split.csv", "history.csv", "tensorboard", "model.safetensors"}
    run = json.loads((tuned / "fold-1" / "run.json").read_text())
    assert (run["status"], run["tracks"], run["epochs"], run["store"]) == ("finished", 8, 2, str(store))
    assert leftovers(tuned) == []
    assert (store / "transfer" / "wave-16000" / "index.csv").exists()


def test_a_fine_tuning_is_held_against_a_probe_of_the_same_network(folds: Path, tuned: Path, tmp_path: Path) -> None:
    compared = here("compare", folds, tuned, "--compute", "--out", tmp_path / "compare")
    assert compared.code == 0, compared.err
    assert "tiny-ast fine-tuned" in compared.out
    told = json.loads((tmp_path / "compare" / "compare.json").read_text())
    assert [entry["milliseconds"] > 0 for entry in told["entries"]] == [True, True]
    table = here("recipes", folds, tuned)
    assert table.code == 0, table.err
    changed = "tuning.freeze = 1, schedule.max_rate = 0.01, training.epochs = 2, training.batch_size = 4"
    assert f"`tiny-ast fine-tuned`, {changed} | 2 | stratified-group (2 folds)" in table.out


def test_an_interrupted_fine_tuning_is_resumed_and_comes_out_the_same(
    store: Path, ast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("transfer", store, "--network", ast, *FEW, "--split", "stratified-group", "--out")
    whole = here(*arguments, tmp_path / "whole")
    assert whole.code == 0, whole.err
    assert "  validation " in whole.err
    assert "tiny-ast fine-tuned" in (tmp_path / "whole" / "report.html").read_text()
    assert (tmp_path / "whole" / "figures" / "curves.png").exists()
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])  # nobody waits for them again
    with monkeypatch.context() as patched:
        write = RunFolder.write_history

        def stop(folder: RunFolder, history: Sequence[Any]) -> None:
            write(folder, history)
            raise KeyboardInterrupt

        patched.setattr(RunFolder, "write_history", stop)
        torn = here(*arguments, tmp_path / "torn")
    assert torn.code == 130
    assert "interrupted; nothing is lost. Go on with: genrescope transfer" in torn.err
    assert not (tmp_path / "torn" / "model.safetensors").exists()
    assert_refused_last(here(*arguments, tmp_path / "torn"), "go on with it by --resume")
    done = here(*arguments, tmp_path / "torn", "--resume")
    assert (done.code, done.out) == (0, whole.out)
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "torn"))
    assert one == other
    scored = here("evaluate", tmp_path / "whole", "--part", "test")
    assert (scored.code, scored.out) == (0, whole.out)


# -- refusals ---------------------------------------------------------------------------------------------------


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
        (("--network", "AST", "--fine-tune", "--kernel", "rbf"), ("--kernel is of the probe", "leave out one")),
        (("--network", "AST", "--fine-tune", "--c", 1), ("--c is of the probe",)),
        (("--network", "AST", "--epochs", 3), ("--epochs is of fine-tuning; give --fine-tune too",)),
        (("--network", "AST", "--rate", 0.1), ("--rate is of fine-tuning",)),
        (("--network", "AST", "--batch", 2), ("--batch is of fine-tuning",)),
        (("--network", "AST", "--freeze", 0), ("--freeze is of fine-tuning",)),
        (("--network", "AST", "--fine-tune", "--rate", 0), ("--rate 0; accepted are positive numbers",)),
        (("--network", "AST", "--fine-tune", "--freeze", 3), ("--freeze 3; tiny-ast has 2 layers", "are 0 to 2")),
        (("--network", "AST", "--fine-tune", "--freeze", -1), ("--freeze -1;",)),
        (("--network", "AST", "--fine-tune", "--layer", 7), ("tiny-ast has no layer 7",)),
        (("--network", "AST", "--fine-tune", "--part", "tset"), ("tset",)),
    ],
)
def test_refusals(store: Path, ast: Path, tmp_path: Path, options: tuple[object, ...], words: tuple[str, ...]) -> None:
    places = {"AST": ast, "FILE": tmp_path / "file", "NEW": tmp_path / "new"}
    (tmp_path / "file").write_text("")
    done = here("transfer", store, "--out", tmp_path / "out", *(places.get(str(each), each) for each in options))
    assert_refused_last(done, *words)
    assert not (tmp_path / "out").exists()


def test_no_option_lets_code_of_others_run(store: Path, tmp_path: Path) -> None:
    folder = networks.mert(tmp_path / "mert", deepnorm=True)
    arguments = ("transfer", store, "--network", folder, "--out", tmp_path / "out")
    assert_refused(here(*arguments), "more than a HuBERT", "Python code, which genrescope never runs")
    assert here(*arguments, "--trust-remote-code").code == 2


def test_without_the_extra_nothing_else_is_asked_for(store: Path, ast: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['transformers'] = None")
    done = genrescope(
        "transfer", store, "--network", ast, "--out", tmp_path / "out", env={"PYTHONPATH": _with(tmp_path)}
    )
    assert_refused(done, "a published network needs transformers, an extra: pip install 'genrescope[transfer]'")


def _with(folder: Path) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
