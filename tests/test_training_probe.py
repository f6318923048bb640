"""The probe: an SVM on embeddings, which leaves a model file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
import transfer_support as networks

from genrescope import modelfile
from genrescope.errors import DataError
from genrescope.models.published import Published
from genrescope.models.svm import OneVsRestSVM
from genrescope.store import embeddings
from genrescope.store.prepare import prepare
from genrescope.training import probe
from genrescope.training.job import Job
from genrescope.training.run_folder import read_run
from genrescope.training.train import train

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.models.published import Body
    from genrescope.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Body:
    """Give a HuBERT with windows of 1 s."""
    root = tmp_path_factory.mktemp("networks")
    networks.hubert(root / "hubert")
    return networks.opened(root, "hubert")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give two genres of eight tracks; only embeddings may be added to it."""
    root = tmp_path_factory.mktemp("store")
    return prepare(str(networks.music(root / "music")), root / "store", jobs=0).store


def fitted(store: Store, body: Body, out: Path, **options: Any) -> tuple[modelfile.Model, dict[str, Any]]:
    """Fit a probe; return its model file, and the embeddings that it was fitted to."""
    recipe = probe.recipe_of(body.spec, layer="mean", **options)
    found = embeddings.extract(store, body).found
    job = Job(store, recipe, networks.by_hand(store), out, device="cpu", pairs=())
    return modelfile.load(train(job, learner=probe.ProbeLearner(recipe, body, found))), found


@pytest.mark.parametrize("kernel", probe.KERNELS)
def test_a_probe_learns_and_leaves_the_model_file_of_all_others(
    store: Store, body: Body, tmp_path: Path, kernel: str
) -> None:
    model, found = fitted(store, body, tmp_path / "run", kernel=kernel, c=10.0)
    assert model.path == tmp_path / "run" / modelfile.FILE_NAME
    assert (model.header.model, model.header.labels) == ("published", networks.GENRES)
    assert (model.header.front_end, model.header.windows) == (body.spec.spec, body.spec.windows)
    assert (model.header.recipe["probe"]["kernel"], model.header.recipe["probe"]["c"]) == (kernel, 10.0)
    assert model.header.recipe["name"] == f"hubert + {kernel}"
    assert "hubert" in model.header.weights.licence
    assert model.header.requires == ()
    assert isinstance(model.network, Published)
    assert isinstance(model.network.head, OneVsRestSVM)
    held_out = [track for track in store.tracks if networks.by_hand(store).parts[track.id] == "test"]
    for track in held_out:
        logits = model.network.head(torch.from_numpy(found[track.id]))
        assert networks.GENRES[int(logits.mean(dim=0).argmax())] == track.genre  # a drone and noise
    run = read_run(tmp_path / "run")
    assert (run["status"], run["tracks"], run["windows"], run["network_revision"]) == ("finished", 8, 24, "")


def test_the_network_of_a_folder_is_copied_as_it_was(store: Store, body: Body, tmp_path: Path) -> None:
    model, _ = fitted(store, body, tmp_path / "run")
    copied = {name: value for name, value in model.network.state_dict().items() if name.startswith("body.")}
    published = body.state_dict(prefix="body.")
    assert copied.keys() == published.keys()
    for name, value in published.items():
        assert torch.equal(copied[name], value)


def test_each_kernel_has_a_c_of_its_own(body: Body) -> None:
    costs = [probe.recipe_of(body.spec, layer="1", kernel=kernel).probe.c for kernel in ("linear", "rbf")]
    assert costs == [0.01, 10.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "ploy"}, 'no kernel called "ploy"'),
        ({"kernel": "rbf", "c": -1.0}, "--c -1; accepted are positive"),
        ({"c": float("nan")}, "--c nan; accepted are positive"),
    ],
)
def test_bad_options_of_the_probe_are_refused(body: Body, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        probe.recipe_of(body.spec, layer="mean", **options)
