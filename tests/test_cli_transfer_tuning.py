"""The command transfer --fine-tune: folds, resumption, bad files, and runs that compare and recipes read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import transfer_support as networks
from cli_support import here, leftovers
from transfer_support import assert_refused_last, music

from genrescope.store.prepare import prepare
from genrescope.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.usefixtures("one_thread")
FEW = ("--fine-tune", "--epochs", 3, "--rate", 0.01, "--batch", 4)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store of two genres with artists; only features and waves may be added to it."""
    root = tmp_path_factory.mktemp("transfer")
    prepare(str(music(root / "music")), root / "store", jobs=1)
    return root / "store"


@pytest.fixture(scope="module")
def ast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a network that hears 1.28 s at once."""
    return networks.ast(tmp_path_factory.mktemp("networks") / "tiny-ast")


@pytest.fixture(scope="module")
def folds(store: Path, ast: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a cross-validation of a fine-tuning; nothing in it may be changed."""
    out = tmp_path_factory.mktemp("folds") / "tuned"
    done = here("transfer", store, "--network", ast, *FEW, "--freeze", 1, "--folds", 2, "--out", out)
    assert done.code == 0, done.err
    assert "tiny-ast fine-tuned: stratified-group (seed 0, 2 folds)" in done.out
    assert "tiny-ast: 16 tracks decoded, 0 kept, 0 skipped; waves in" in done.err
    assert "fold 2 of 2" in done.err
    assert "epoch   3/3  loss" in done.err
    return out


def test_folds_leave_what_all_others_leave(store: Path, folds: Path) -> None:
    result = json.loads((folds / "crossval.json").read_text())
    assert len(result["tracks"]) == 16
    assert {row["windows"] for row in result["tracks"]} == {3}
    assert result["model"]["recipe"]["tuning"] == {"freeze": 1, "clip": 1.0}
    assert any("it may have heard these tracks" in note for note in result["notes"])
    names = {path.name for path in (folds / "fold-1").iterdir()}
    assert names == {"recipe.toml", "run.json", "split.csv", "history.csv", "tuned.safetensors"}
    run = json.loads((folds / "fold-1" / "run.json").read_text())
    assert (run["status"], run["tracks"], run["epochs"], run["store"]) == ("finished", 8, 3, str(store))
    assert run["milliseconds"] > 0
    assert leftovers(folds) == []
    assert (store / "transfer" / "wave-16000" / "index.csv").exists()


def test_it_is_held_against_a_probe_of_the_same_network(store: Path, ast: Path, folds: Path, tmp_path: Path) -> None:
    probe = tmp_path / "probe"
    assert here("transfer", store, "--network", ast, "--folds", 2, "--out", probe).code == 0
    compared = here("compare", probe, folds, "--compute", "--out", tmp_path / "compare")
    assert compared.code == 0, compared.err
    assert "tiny-ast fine-tuned" in compared.out
    table = here("recipes", probe, folds)
    assert table.code == 0, table.err
    changed = "tuning.freeze = 1, schedule.max_rate = 0.01, training.epochs = 3, training.batch_size = 4"
    assert f"`tiny-ast fine-tuned`, {changed} | 2 | stratified-group (2 folds)" in table.out


def test_an_interrupted_run_is_resumed_and_comes_out_the_same(
    store: Path, ast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("transfer", store, "--network", ast, *FEW, "--split", "stratified-group", "--out")
    whole = here(*arguments, tmp_path / "whole")
    assert whole.code == 0, whole.err
    assert "validation loss" in whole.err
    with monkeypatch.context() as patched:
        write = RunFolder.write_history

        def stop(folder: RunFolder, history: Sequence[Any]) -> None:
            write(folder, history)
            if len(history) == 2:
                raise KeyboardInterrupt

        patched.setattr(RunFolder, "write_history", stop)
        torn = here(*arguments, tmp_path / "torn")
    assert torn.code == 130
    assert "interrupted; nothing is lost. Go on with: genrescope transfer" in torn.err
    assert not (tmp_path / "torn" / "tuned.safetensors").exists()
    assert_refused_last(here(*arguments, tmp_path / "torn"), "go on with it by --resume")
    done = here(*arguments, tmp_path / "torn", "--resume")
    assert (done.code, done.out) == (0, whole.out)
    one, other = ((tmp_path / name / "tuned.safetensors").read_bytes() for name in ("whole", "torn"))
    assert one == other
    again = here(*arguments, tmp_path / "torn", "--resume")
    assert (again.code, again.out) == (0, whole.out)
    assert "epoch" not in again.err
    page = (tmp_path / "whole" / "report.html").read_text()
    assert "tiny-ast fine-tuned" in page
    assert (tmp_path / "whole" / "figures" / "curves.png").exists()
    done = here("predict", tmp_path / "whole", tmp_path / "whole" / "split.csv")
    assert_refused_last(done, "holds a fine-tuned published network", "genrescope transfer has scored it")


def test_a_bad_file_is_named_and_the_rest_is_scored(ast: Path, tmp_path: Path) -> None:
    listing = music(tmp_path / "music")
    prepare(str(listing), tmp_path / "store", jobs=1)
    (tmp_path / "music" / "hiss-0" / "0.wav").write_bytes(b"no music")
    out = tmp_path / "out"
    done = here("transfer", tmp_path / "store", "--network", ast, *FEW, "--folds", 2, "--out", out, "--quiet")
    assert done.code == 1
    assert done.messages == ["skipped hiss-0/0.wav: it has changed since the store was prepared"]
    assert len(json.loads((out / "crossval.json").read_text())["tracks"]) == 15


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--fine-tune", "--kernel", "rbf"), ("--kernel is of the probe", "leave out one of the two")),
        (("--fine-tune", "--c", 1), ("--c is of the probe",)),
        (("--epochs", 3), ("--epochs is of fine-tuning; give --fine-tune too",)),
        (("--rate", 0.1), ("--rate is of fine-tuning",)),
        (("--batch", 2), ("--batch is of fine-tuning",)),
        (("--freeze", 0), ("--freeze is of fine-tuning",)),
        (("--fine-tune", "--rate", 0), ("--rate 0; accepted are positive numbers",)),
        (("--fine-tune", "--freeze", 3), ("--freeze 3; tiny-ast has 2 layers, so accepted are 0 to 2",)),
        (("--fine-tune", "--freeze", -1), ("--freeze -1;",)),
        (("--fine-tune", "--layer", 7), ("tiny-ast has no layer 7",)),
        (("--fine-tune", "--part", "tset"), ("tset",)),
    ],
)
def test_refusals(store: Path, ast: Path, tmp_path: Path, options: tuple[object, ...], words: tuple[str, ...]) -> None:
    done = here("transfer", store, "--network", ast, "--out", tmp_path / "out", *options)
    assert_refused_last(done, *words)
    assert not (tmp_path / "out").exists()
