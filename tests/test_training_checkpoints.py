"""Averaged weights, early stopping and AdamW: worked out by hand, and the same after every interruption."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn
from training_support import dealt, linear, small_store, trained

from genrescope import modelfile
from genrescope.features.placement import WindowSpec
from genrescope.models import registry
from genrescope.training import recipe, run_folder
from genrescope.training.checkpoints import TrainingState, make_optimizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.features.placement import Padding
    from genrescope.splits import Split
    from genrescope.store.store import Store
    from genrescope.training.progress import Epoch
    from genrescope.training.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")


def settings(**changes: Any) -> Recipe:
    return recipe.load("mgcc", {key.replace("__", "."): value for key, value in changes.items()})


def state_of(model: nn.Module, **changes: Any) -> TrainingState:
    return TrainingState(model, settings(**changes), "cpu")


def set_to(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


def value(model: nn.Module) -> float:
    return float(next(model.parameters()).detach().flatten()[0])


# -- averaged weights -----------------------------------------------------------------------------------------------


def test_without_an_average_the_network_itself_is_judged() -> None:
    model = nn.Linear(2, 1)
    state = state_of(model)
    state.after_step()
    assert state.judged is model


@given(decay=st.floats(0.01, 0.999), values=st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_the_average_is_that_of_the_formula(decay: float, values: list[float]) -> None:
    """`a = d a + (1 - d) w` after every step, from the first weights, with `d = min(decay, (1 + n) / (10 + n))`."""
    model = nn.Linear(2, 1, bias=False)
    set_to(model, 1.0)
    state, expected = state_of(model, training__weight_average=decay), 1.0
    for number, each in enumerate(values, start=1):
        set_to(model, each)
        state.after_step()
        its = min(decay, (1 + number) / (10 + number))
        expected = its * expected + (1 - its) * each
        assert value(model) == pytest.approx(each, rel=1e-6)
    assert value(state.judged) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_average_of_still_weights_is_those_weights() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))
    state = state_of(model, training__weight_average=0.99)
    for _ in range(5):
        state.after_step()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state.judged.state_dict()[name])


def test_the_average_takes_statistics_and_counts_of_batch_norm_along_and_needs_no_gradient() -> None:
    model = nn.BatchNorm2d(1).train()
    state = state_of(model, training__weight_average=0.5)
    before = float(state.judged.state_dict()["running_mean"])
    model(torch.full((4, 1, 2, 2), 3.0) + torch.randn(4, 1, 2, 2))
    state.after_step()
    now, kept = float(model.state_dict()["running_mean"]), state.judged.state_dict()
    decay = 2 / 11
    assert float(kept["running_mean"]) == pytest.approx(decay * before + (1 - decay) * now)
    assert int(kept["num_batches_tracked"]) == 1
    assert not any(parameter.requires_grad for parameter in state.judged.parameters())


# -- the optimizer --------------------------------------------------------------------------------------------------


def test_decay_shrinks_weights_and_lets_biases_and_norms_be() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    set_to(model, 2.0)
    wanted = settings(optimizer__name="adamw", optimizer__weight_decay=0.5, schedule__name="constant")
    optimizer = make_optimizer(model, wanted, "cpu")
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        shrunk = name in ("0.weight", "3.weight")
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, 1.9 if shrunk else 2.0))


def test_the_first_steps_of_adamw_are_those_of_the_formula() -> None:
    weight = nn.Linear(1, 1, bias=False)
    set_to(weight, 1.0)
    optimizer = make_optimizer(
        weight, settings(optimizer__name="adamw", optimizer__weight_decay=0.1, optimizer__momentum=0.8), "cpu"
    )
    w, m, v, rate = 1.0, 0.0, 0.0, 0.01
    for number, gradient in enumerate((0.5, -2.0, 1.0), start=1):
        next(weight.parameters()).grad = torch.full((1, 1), gradient)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        m, v = 0.8 * m + 0.2 * gradient, 0.999 * v + 0.001 * gradient**2
        step = (m / (1 - 0.8**number)) / (math.sqrt(v / (1 - 0.999**number)) + 1e-8)
        w = w * (1 - rate * 0.1) - rate * step
        assert value(weight) == pytest.approx(w, rel=1e-5)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_checkpoint_gives_back_all_that_counts(name: str) -> None:
    changes: dict[str, Any] = {"optimizer__name": name, "training__weight_average": 0.9}

    def fresh(seed: int) -> TrainingState:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
        return state_of(model.to(memory_format=torch.channels_last), **changes)  # type: ignore[call-overload]

    def steps(state: TrainingState, count: int) -> None:
        for number in range(count):
            torch.manual_seed(number)
            state.model(torch.randn(4, 2, 4, 4)).square().mean().backward()
            state.optimizer.step()
            state.optimizer.zero_grad()
            state.after_step()

    one, other = fresh(0), fresh(1)
    steps(one, 3)
    other.load({key: tensor.clone() for key, tensor in one.tensors().items()})
    for state in (one, other):
        steps(state, 3)
    found, expected = other.tensors(), one.tensors()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    for before, after in zip(one.optimizer.state.values(), other.optimizer.state.values(), strict=True):
        assert {key: each.stride() for key, each in before.items()} == {k: each.stride() for k, each in after.items()}


# -- whole runs -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _linear(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.names()
    monkeypatch.setitem(registry._VARIANTS, "linear", linear)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def split(store: Store) -> Split:
    return dealt(store, ("train", "train", "train", "validation"))


EVERYTHING: dict[str, Any] = {
    "model__name": "linear", "model__dropout": 0.3, "windows__train": "random", "windows__crops": 2,
    "windows__balance": "genres", "training__batch_size": 4, "training__epochs": 5,
    "training__weight_average": 0.9, "optimizer__name": "adamw",
    "schedule__name": "one-cycle", "schedule__max_rate": 0.02, "augment__semitones": 1.0,
    "augment__equaliser_db": 3.0, "augment__noise": 0.5, "augment__time_mask": 0.1,
    "augment__mixup": 0.4,
}  # fmt: skip


class _StopError(Exception):
    pass


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / modelfile.FILE_NAME)


def same(left: Path, right: Path) -> bool:
    one, other = weights(left), weights(right)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def history(folder: Path) -> list[Epoch]:
    return [dataclasses.replace(row, seconds=0, windows_per_second=0) for row in run_folder.read_history(folder)]


def stopping(at: set[int]) -> Callable[[object], None]:
    """Return a callback that stops the run at these calls."""
    calls = 0

    def stop(_: object) -> None:
        nonlocal calls
        calls += 1
        if calls in at:
            raise _StopError

    return stop


def test_a_run_with_everything_on_ends_the_same_however_often_it_was_torn(
    store: Store, split: Split, tmp_path: Path
) -> None:
    wanted = settings(**EVERYTHING)
    trained(store, wanted, split, tmp_path / "whole", seed=2)
    torn = stopping({1, 4, 9, 14})  # in the first epoch, and in the middle of later ones
    for _ in range(4):
        with pytest.raises(_StopError):
            trained(store, wanted, split, tmp_path / "torn", seed=2, resume=True, on_step=torn)
    ended = stopping({1})  # between two epochs
    with pytest.raises(_StopError):
        trained(store, wanted, split, tmp_path / "torn", seed=2, resume=True, on_epoch=ended)
    trained(store, wanted, split, tmp_path / "torn", seed=2, resume=True)
    assert same(tmp_path / "torn", tmp_path / "whole")
    assert history(tmp_path / "torn") == history(tmp_path / "whole")


def test_the_averaged_network_is_the_one_that_is_kept_and_scored(store: Store, split: Split, tmp_path: Path) -> None:
    plain = {"model__name": "linear", "training__epochs": 2, "training__batch_size": 4, "schedule__max_rate": 0.05}
    seen: list[dict[str, Tensor]] = []
    step = TrainingState.after_step

    def noted(state: TrainingState) -> None:
        step(state)
        seen.append({name: tensor.clone() for name, tensor in state.model.state_dict().items()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingState, "after_step", noted)
        trained(store, settings(**plain, training__weight_average=0.5), split, tmp_path / "averaged")
    torch.manual_seed(0)
    expected = {name: tensor.double() for name, tensor in linear(3).state_dict().items()}
    for number, each in enumerate(seen, start=1):
        decay = min(0.5, (1 + number) / (10 + number))
        expected = {name: decay * expected[name] + (1 - decay) * tensor for name, tensor in each.items()}
    for name, tensor in weights(tmp_path / "averaged").items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-4, atol=1e-6)
    trained(store, settings(**plain), split, tmp_path / "plain")
    for name, tensor in weights(tmp_path / "plain").items():
        assert torch.equal(tensor, seen[-1][name])  # averaging does not disturb the training itself
    losses = [[row.validation_loss for row in history(tmp_path / name)] for name in ("averaged", "plain")]
    assert losses[0] != losses[1]
    averaged, plain_run = (run_folder.read_run(tmp_path / name)["parameters"] for name in ("averaged", "plain"))
    assert averaged == plain_run == sum(parameter.numel() for parameter in linear(3).parameters())


def test_windows_longer_than_every_track_are_trained_on(store: Store, split: Split, tmp_path: Path) -> None:
    paddings: tuple[Padding, ...] = ("silence", "repeat")
    for padding in paddings:
        changes = {"model.name": "vgg-16", "windows.train": "random", "windows.frames": 400, "training.epochs": 1,
                   "windows.padding": padding, "windows.overlap": 0.5, "evaluation.verdict": "vote"}  # fmt: skip
        done = trained(store, recipe.load("mgcc", changes), split, tmp_path / padding)
        header = modelfile.read_header(done)
        assert header.windows == WindowSpec(400, 200, padding)
        assert all(row.validation_loss is not None for row in history(done))


def test_a_finished_run_whose_model_file_was_cut_is_trained_again(store: Store, split: Split, tmp_path: Path) -> None:
    wanted = settings(model__name="linear", training__epochs=2, training__batch_size=4)
    run = trained(store, wanted, split, tmp_path / "run")
    held = (run / modelfile.FILE_NAME).read_bytes()
    for damaged in (held[:-8], held[:100], b"", bytes(len(held))):
        (run / modelfile.FILE_NAME).write_bytes(damaged)
        trained(store, wanted, split, run, resume=True)
        assert (run / modelfile.FILE_NAME).read_bytes() == held
