"""Beginning from a trunk: exactly its tensors are taken over, what began from it says so, all else is refused."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from cli_support import assert_refused, here, world
from pretrain_support import (
    CONTRASTIVE,
    FAMILIES,
    StopError,
    all_of,
    heard,
    learnt,
    same,
    stop_after,
    tiny_store,
    weights,
)
from safetensors.torch import load_file

from genrescope import modelfile
from genrescope.errors import DataError, ModelFileError, RecipeError
from genrescope.evaluation.compare import compare
from genrescope.evaluation.facts import settings
from genrescope.models import registry, trunk
from genrescope.research import collect
from genrescope.training import loop, run_folder, setup
from genrescope.training import trunk as trunks
from genrescope.training.pretrain import pretrain

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.splits import Split
    from genrescope.store.store import Store


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return tiny_store(tmp_path_factory.mktemp("pretrain"))


@pytest.fixture(scope="module")
def split(store: Store) -> Split:
    return all_of(store)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a finished pre-training on music."""
    return pretrain(heard(), tmp_path_factory.mktemp("begun") / "run", device="cpu", jobs=1)


# -- beginning from a trunk -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_is_its_trunk_and_its_classifier(name: str) -> None:
    model = registry.create(name, 3).eval()
    images = torch.randn(2, 1, 128, 128)
    features = model.embed(images)  # type: ignore[operator]
    assert features.shape == (2, model.width)
    assert torch.equal(model.classifier(features), model(images))  # type: ignore[operator]
    kept = trunk.trunk_tensors(model)
    assert {each.partition(".")[0] for each in model.state_dict().keys() - kept.keys()} == {"classifier", "normalise"}
    assert trunk.with_head(name, lambda width: torch.nn.Linear(width, 5))(images).shape == (2, 5)


@pytest.mark.parametrize("name", ["mgcc-small", "pooled-svm"])
def test_a_network_without_a_trunk_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="has no trunk that another head could stand on"):
        trunk.with_head(name, lambda width: torch.nn.Linear(width, 5))


def test_exactly_the_trunk_is_taken_over(begun: Path, store: Store) -> None:
    taken = trunks.read(begun, learnt(), store.spec)
    made = [
        loop._set_up(learnt(), store, list(store.tracks), ["jazz", "rock"], seed=3, device="cpu", trunk=each)[0]
        for each in (None, taken)
    ]
    fresh, grown = (state.model.state_dict() for state in made)
    for name, tensor in grown.items():
        source = fresh if name.startswith(("classifier.", "normalise.")) else taken.tensors
        assert torch.equal(tensor, source[name]), name
    assert not torch.equal(fresh["features.0.0.weight"], grown["features.0.0.weight"])
    mean = torch.zeros(128)
    alone = registry.create("vgg-16", 2)
    setup.measure_inputs(alone, lambda: setup.whole_tracks(store, store.tracks))
    assert torch.equal(grown["normalise.mean"], alone.state_dict()["normalise.mean"])
    assert not torch.equal(grown["normalise.mean"], mean)


def test_a_run_notes_what_it_began_from_and_resumes_no_other(
    begun: Path, store: Store, split: Split, tmp_path: Path
) -> None:
    its = learnt(training__epochs=2)
    loop.train(store, its, split, tmp_path / "whole", device="cpu", init_from=begun)
    with pytest.raises(StopError):
        loop.train(store, its, split, tmp_path / "torn", device="cpu", init_from=begun, on_epoch=stop_after(1))
    for other in (None, pretrain(heard(training__epochs=1), tmp_path / "other", device="cpu", jobs=1, seed=9)):
        with pytest.raises(DataError, match="began from another network"):
            loop.train(store, its, split, tmp_path / "torn", device="cpu", init_from=other, resume=True)
    loop.train(store, its, split, tmp_path / "torn", device="cpu", init_from=begun, resume=True)
    one, other_run = (load_file(tmp_path / name / modelfile.FILE_NAME) for name in ("whole", "torn"))
    assert same(one, other_run)
    noted = run_folder.read_run(tmp_path / "whole")["init_from"]
    assert noted["digest"] == run_folder.read_run(begun)["digest"]
    assert (noted["model"], noted["task"], noted["recipe"]) == ("vgg-16", "synth", "pretrain-synth")


def test_a_committees_network_begins_from_the_trunk(begun: Path, store: Store, split: Split, tmp_path: Path) -> None:
    still = learnt(
        schedule__base_rate=1e-12, schedule__max_rate=1e-12, optimizer__momentum=0.0, optimizer__weight_decay=0.0,
        classifier__kernel="linear", classifier__frames=64,
    )  # fmt: skip
    loop.train(store, still, split, tmp_path / "run", device="cpu", init_from=begun)
    kept, taken = load_file(tmp_path / "run" / modelfile.FILE_NAME), weights(begun)
    for name in ("features.0.0.weight", "features.4.0.weight"):
        assert torch.allclose(kept[f"network.{name}"], taken[name], atol=1e-6)
    assert any(name.startswith("machine.") for name in kept)


def test_another_architecture_is_refused_by_both_names(begun: Path, store: Store) -> None:
    with pytest.raises(RecipeError, match=r'trunk of "vgg-16", but recipe mgcc trains "bands-8"'):
        trunks.read(begun, learnt(model__name="bands-8"), store.spec)
    other = dataclasses.replace(store.spec, n_mels=64)
    with pytest.raises(DataError, match="prepare the store anew"):
        trunks.read(begun, learnt(), other)


def test_what_is_no_trunk_is_refused(begun: Path, store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"holds no trunk\.safetensors"):
        trunks.read(tmp_path, learnt(), store.spec)
    modelfile.save_tensors(tmp_path / modelfile.TRUNK_NAME, {"a": torch.zeros(1)}, {"b": "c"})
    with pytest.raises(ModelFileError, match="no trunk of genrescope"):
        trunks.read(tmp_path, learnt(), store.spec)
    taken = trunks.read(begun, learnt(), store.spec)
    short = dataclasses.replace(taken, tensors=dict(list(taken.tensors.items())[1:]))
    with pytest.raises(RecipeError, match="is missing there and"):
        short.begin(registry.create("vgg-16", 2))
    with pytest.raises(ModelFileError, match="knows no genres yet"):
        modelfile.load(begun)


# -- the command line---------------------------------------------------------------------------------------------


def options(changes: dict[str, Any]) -> list[str]:
    return [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]


def test_the_command_pre_trains_and_train_begins_from_it_in_every_fold(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])
    made = world(tmp_path_factory)
    done = here(
        "pretrain", made.store, "--recipe", "pretrain-contrastive", "--split", made.split, "--parts", "train",
        "--out", tmp_path / "heard", "--device", "cpu", *options(CONTRASTIVE),
    )  # fmt: skip
    assert (done.code, done.out.strip()) == (0, str(tmp_path / "heard")), done.err
    assert "epoch   2/2  loss" in done.err
    assert "partner" in done.err
    assert run_folder.read_run(tmp_path / "heard")["parts"] == ["train"]
    common = (
        "train", made.store, "--recipe", "mgcc", "--folds", 2, "--device", "cpu", "--set", "model.name=vgg-16", "--set",
        "training.epochs=1", "--out",
    )  # fmt: skip
    done = here(*common, tmp_path / "folds", "--init-from", tmp_path / "heard")
    assert done.code == 0, done.err
    digests = [run_folder.read_run(tmp_path / "folds" / f"fold-{n}")["init_from"]["digest"] for n in (1, 2)]
    assert digests == [json.loads((tmp_path / "heard" / "run.json").read_text())["digest"]] * 2
    assert here(*common, tmp_path / "cold").code == 0
    compared = compare([str(tmp_path / name) for name in ("cold", "folds")], tmp_path / "compare")
    told = f"pretrain-contrastive {digests[0][:8]}"
    assert [entry.name for entry in compared.result.entries] == ["mgcc", f"mgcc, init_from={told}"]
    rows = collect.rows([tmp_path / "cold", tmp_path / "folds"])
    begun = {collect.changes(settings(row.scored[0].result.model)).get("init_from") for row in rows}
    assert begun == {None, told}


def test_what_does_not_go_together_is_refused(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    made, out = world(tmp_path_factory), tmp_path / "run"
    wrong = [
        (("train", made.store, "--recipe", "pretrain-synth"), ("learns no genres", "genrescope pretrain")),
        (("pretrain", "--recipe", "default"), ("learns genres", "genrescope train", "pretrain-synth")),
        (("pretrain", made.store, "--recipe", "pretrain-synth"), ("leave out the store",)),
        (("pretrain", "--recipe", "pretrain-contrastive"), ("learns from a store", "genrescope pretrain STORE")),
        (("pretrain", "--recipe", "pretrain-contrastive", "--split", made.split), ("name the store",)),
        (("pretrain", "--recipe", "pretrain-synth", "--set", "model.name=mgcc"), ('model "mgcc" has no trunk',)),
        (("train", made.store, "--recipe", "mgcc", "--init-from", made.run), ("holds no trunk.safetensors",)),
    ]
    for words, told in wrong:
        assert_refused(here(*words, "--out", out), *told)
        assert not out.exists()


def test_a_study_begins_from_a_trunk_beside_it(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    from genrescope.research import experiments

    made = world(tmp_path_factory)
    text = f'[defaults]\nstore = "{made.store}"\nrecipe = "mgcc"\nset = {{ model.name = "vgg-16" }}\n'
    text += '[[experiment]]\nname = "cold"\n[[experiment]]\nname = "warm"\ninit_from = "run"\n'
    file = begun.parent / "study.toml"
    file.write_text(text)
    cold, warm = experiments.read(file, begun.parent / "out")
    assert (cold.init_from, warm.init_from) == (None, begun)
    assert cold.identity != warm.identity
    file.write_text(text.replace('"mgcc"', '"pretrain-synth"'))
    with pytest.raises(DataError, match="learns no genres"):
        experiments.read(file, begun.parent / "out")
