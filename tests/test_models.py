"""Every network trains all of itself; the published one has the published shapes and numbers."""

from __future__ import annotations

import importlib.metadata
import math
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from torch import Tensor, nn

from genrescope.errors import RecipeError
from genrescope.models import registry
from genrescope.models.mgcc import MGCC, CNTKBatchNorm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLE = [
    ("Conv2d", (64, 128, 128)),
    ("MaxPool2d", (64, 64, 64)),
    ("Conv2d", (128, 64, 64)),
    ("MaxPool2d", (128, 32, 32)),
    ("Conv2d", (256, 32, 32)),
    ("Linear", (512,)),
    ("Linear", (512,)),
    ("Linear", (10,)),
]
"""The published table: layer and output."""


def published() -> MGCC:
    with torch.device("meta"):
        return cast("MGCC", registry.create("mgcc", 10))


def layers(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if not list(module.children())]


def test_mgcc_has_the_published_shape_after_every_layer() -> None:
    model, found = published(), []
    for layer in layers(model):
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.Linear):
            layer.register_forward_hook(
                lambda module, _, output: found.append((type(module).__name__, tuple(output.shape[1:])))
            )
    model(torch.zeros(2, 1, 128, 128, device="meta"))
    assert found == TABLE


def test_mgcc_has_the_published_number_of_parameters() -> None:
    assert registry.count_parameters(published()) == 134_856_138


def test_mgcc_has_the_published_layers_in_order() -> None:
    names = [type(layer).__name__ for layer in layers(published())]
    block = ["Conv2d", "BatchNorm2d", "ReLU"]
    assert names == [
        *block, "MaxPool2d", *block, "MaxPool2d", *block, "Flatten", "Linear", "Dropout", "Linear", "Dropout", "Linear",
    ]  # fmt: skip


def test_convolutions_have_no_bias_and_dense_layers_have_one() -> None:
    for layer in layers(published()):
        if isinstance(layer, nn.Conv2d):
            assert layer.bias is None
            assert (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (1, 1), (1, 1))
        if isinstance(layer, nn.MaxPool2d):
            assert (layer.kernel_size, layer.stride, layer.padding) == (3, 2, 1)
        if isinstance(layer, nn.Linear):
            assert layer.bias is not None
        if isinstance(layer, nn.Dropout):
            assert layer.p == 0.5


def test_dense_layers_have_no_activation_between_them() -> None:
    torch.manual_seed(0)
    classifier = MGCC(3, filters=(2, 2, 4), dense=8).eval().classifier
    a, b = torch.randn(1, 4, 32, 32), torch.randn(1, 4, 32, 32)
    zero = classifier(torch.zeros_like(a))
    torch.testing.assert_close(classifier(a + b) - zero, classifier(a) + classifier(b) - 2 * zero)


@pytest.fixture(scope="module")
def small() -> MGCC:
    torch.manual_seed(0)
    return cast("MGCC", registry.create("mgcc-small", 10))


def test_convolutions_begin_he_normal(small: MGCC) -> None:
    for layer in layers(small):
        if isinstance(layer, nn.Conv2d):
            expected = math.sqrt(2 / (9 * layer.in_channels))
            count = layer.weight.numel()
            assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=4 / math.sqrt(2 * count))
            assert abs(float(layer.weight.detach().mean())) < 4 * expected / math.sqrt(count)
            if count > 4000:  # a normal has a tail: one value in 370 lies beyond three deviations
                assert float(layer.weight.detach().abs().max()) > 3 * expected


def test_dense_layers_begin_glorot_uniform_with_zero_biases(small: MGCC) -> None:
    for layer in layers(small):
        if isinstance(layer, nn.Linear):
            limit = math.sqrt(6 / (layer.in_features + layer.out_features))
            weight = layer.weight.detach()
            assert 0.99 * limit < float(weight.abs().max()) <= limit
            assert float(weight.std()) == pytest.approx(limit / math.sqrt(3), rel=0.05)
            assert not layer.bias.any()


def test_batch_norm_begins_as_the_identity(small: MGCC) -> None:
    for layer in layers(small):
        if isinstance(layer, nn.BatchNorm2d):
            state = layer.state_dict()
            assert (state["weight"] == 1).all()
            assert (state["bias"] == 0).all()
            assert (state["running_mean"] == 0).all()
            assert (state["running_var"] == 1).all()


def test_the_small_variant_has_its_stated_number_of_parameters(small: MGCC) -> None:
    assert registry.count_parameters(small) == 8_429_946


def test_every_filter_of_a_layer_is_drawn_by_itself(small: MGCC) -> None:
    first = next(layer for layer in layers(small) if isinstance(layer, nn.Conv2d))
    assert len(torch.unique(first.weight.detach().flatten(1), dim=0)) == first.out_channels


def test_statistics_forget_as_cntk_s_do() -> None:
    norm = CNTKBatchNorm(1, samples=50.0).train()
    images = [torch.full((batch, 1, 2, 2), value) for batch, value in ((4, 3.0), (8, 5.0), (2, -1.0))]
    expected = 3.0  # the first batch sets them
    for number, batch in enumerate(images):
        norm(batch + torch.tensor([[-1.0, 1.0], [-1.0, 1.0]]))
        if number:
            expected += (1 - math.exp(-len(batch) / 50)) * (float(batch[0, 0, 0, 0]) - expected)
        assert float(norm.state_dict()["running_mean"]) == pytest.approx(expected, rel=1e-5)
    norm.eval()(images[2])
    assert float(norm.state_dict()["running_mean"]) == pytest.approx(expected, rel=1e-5)


# -- every registered network -----------------------------------------------------------------------------------


def variants() -> list[str]:
    """Leave out the full-size published network, the small one at four times the width, and what is not trained."""
    return [name for name in log_mel_variants() if name not in ("mgcc", "pooled-svm", "network-and-svm")]


def log_mel_variants() -> list[str]:
    """Leave out those that hold networks of others, which take what they were made for and have tests of their own."""
    return [name for name in registry.names() if name not in ("published", "listener")]


@pytest.mark.parametrize("name", variants())
def test_a_network_trains_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    model = registry.create(name, 4).train()
    images = torch.randn(4, 1, 128, 128)
    nn.functional.cross_entropy(model(images), torch.tensor([0, 1, 2, 3])).backward()  # type: ignore[no-untyped-call]
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


@pytest.mark.parametrize("name", log_mel_variants())
@pytest.mark.parametrize("genres", [2, 10])
def test_a_network_gives_a_logit_for_every_genre(name: str, genres: int) -> None:
    with torch.device("meta"):
        model = registry.create(name, genres)
    assert model(torch.zeros(3, 1, 128, 128, device="meta")).shape == (3, genres)


@pytest.mark.parametrize("name", variants())
def test_a_network_in_evaluation_judges_each_image_by_itself(name: str) -> None:
    torch.manual_seed(0)
    model = registry.create(name, 3).eval()
    images = torch.randn(3, 1, 128, 128)
    with torch.inference_mode():
        together = model(images)
        alone: Tensor = torch.cat([model(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", variants())
def test_the_same_seed_draws_the_same_network(name: str) -> None:
    states: list[dict[str, Any]] = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(registry.create(name, 3).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not all(torch.equal(states[0][key], states[2][key]) for key in states[0])


@pytest.mark.parametrize("name", registry.names())
def test_a_variant_tells_what_it_is(name: str) -> None:
    registry.names()
    words = registry._VARIANTS[name].__doc__
    assert words
    assert len(words.splitlines()[0]) > 20


def test_an_unknown_network_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match='no model called "mgcc-smal"; did you mean "mgcc-small"'):
        registry.create("mgcc-smal", 10)
    with pytest.raises(RecipeError, match=r"one of: .*mgcc, mgcc-small"):
        registry.create("zzz", 10)


def test_an_option_that_a_network_does_not_take_is_told() -> None:
    with pytest.raises(RecipeError, match="does not accept"):
        registry.create("mgcc-small", 10, depth=3)
    with pytest.raises(RecipeError, match="does not accept"):
        registry.create("mgcc-small", 10, dropout=1.5)


# -- networks of one's own ----------------------------------------------------------------------------------------


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give a registry that is forgotten again, and that looks for entry points again."""
    registry.names()
    monkeypatch.setattr(registry, "_VARIANTS", dict(registry._VARIANTS))
    registry._load_all.cache_clear()
    yield
    registry._load_all.cache_clear()


def entry_point(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Make another package's entry point be found."""
    entry = importlib.metadata.EntryPoint("mine", value, registry.ENTRY_POINTS)

    def entry_points(*, group: str) -> list[importlib.metadata.EntryPoint]:
        assert group == "genrescope.models"
        return [entry]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def my_network(labels: int, *, width: int = 4) -> nn.Module:
    """A network of one's own: the mean of each band, and a layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d((width, 1)), nn.Flatten(), nn.Linear(width, labels))


@pytest.mark.usefixtures("own_registry")
def test_a_network_of_ones_own_is_made_by_its_name() -> None:
    assert registry.register(my_network) is my_network
    assert "my-network" in registry.names()
    made = registry.create("my-network", 5, width=8)
    assert made(torch.zeros(2, 1, 128, 128)).shape == (2, 5)
    with pytest.raises(RecipeError, match='model "my-network" does not accept'):
        registry.create("my-network", 5, depth=8)
    assert registry.register(my_network) is my_network  # a module may be imported again


@pytest.mark.usefixtures("own_registry")
def test_a_network_of_another_package_is_made_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = """
from torch import nn
from genrescope.models.registry import register
@register
def another_network(labels):
    return nn.Sequential(nn.Flatten(), nn.Linear(4, labels))
"""
    (tmp_path / "another_package.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RecipeError, match='no model called "another-network"'):
        registry.create("another-network", 3)
    registry._load_all.cache_clear()
    entry_point(monkeypatch, "another_package")
    assert registry.create("another-network", 3)(torch.zeros(2, 1, 2, 2)).shape == (2, 3)
    monkeypatch.delitem(sys.modules, "another_package")


@pytest.mark.usefixtures("own_registry")
def test_two_functions_of_one_name_are_refused() -> None:
    def vgg_16(labels: int) -> nn.Module:
        return nn.Linear(1, labels)

    before = registry._VARIANTS["vgg-16"]
    with pytest.raises(ValueError, match=r'"vgg-16" is registered already, by genrescope\.models\.vgg; choose another'):
        registry.register(vgg_16)
    assert registry._VARIANTS["vgg-16"] is before


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(
    ("value", "words"),
    [("no_such_package.networks", "ModuleNotFoundError"), ("math:no_such_name", "AttributeError")],
)
def test_a_broken_package_is_named(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    entry_point(monkeypatch, value)
    with pytest.raises(RecipeError, match=rf'entry point "mine" \({value}\) cannot be loaded: {words}.*uninstall'):
        registry.create("vgg-16", 10)
