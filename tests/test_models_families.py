"""Every family: as large and as costly as it says, for windows of any length, at any level."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from genrescope.models import registry
from genrescope.models.ensemble import NetworkAndSVM, SoftVoting
from genrescope.models.inputs import FLOOR, Normalise
from genrescope.models.mgcc import MGCC
from genrescope.models.pooled import PooledSVM

STATED = re.compile(r"(?:([\d,]+) parameters at ten genres, |\D)([\d.]+) GFLOP for (\d+) frames")
FIXED = ("mgcc", "mgcc-small")
"""Networks whose dense layers take windows of one length."""

FITTED = ("pooled-svm", "network-and-svm")
"""What has as many numbers as it is fitted to."""

NAMES = [name for name in registry.names() if name not in ("published", "listener")]
"""Networks that take log-mels; those that hold networks of others take what those do, and have tests of their own."""

BANDS = {"musicnn": 96}
"""Bands that a network was made for, where they are not 128; its weights are others', and it has tests of its own."""

ANY_LENGTH = [name for name in NAMES if name not in (*FIXED, *BANDS, "network-and-svm")]
LEVELLED = [name for name in ANY_LENGTH if name != "pooled-svm"]
"""Networks that begin with `Normalise`."""


def fresh(name: str, genres: int = 4, *, seed: int = 0, **options: Any) -> nn.Module:
    """Return a network that has something to say, also where all its numbers are fitted."""
    torch.manual_seed(seed)
    model = registry.create(name, genres, **({"vectors": 3} if name in FITTED else {}), **options)
    for svm in (each for each in model.modules() if isinstance(each, PooledSVM)):
        with torch.no_grad():
            for parameter in (svm.vectors, svm.weights, svm.bias):
                parameter.copy_(torch.randn_like(parameter))
            svm.gamma.fill_(1e-4)
    return model


def music(count: int = 3, frames: int = 128, *, seed: int = 0) -> Tensor:
    """Return log-mels with more bass than treble and a beat."""
    rng = np.random.default_rng(seed)
    beat = 1.5 * np.sin(np.arange(frames) / 3.5)
    levels = np.linspace(-1, -9, 128)[:, None] + beat + rng.normal(0, 1.5, (count, 1, 128, frames))
    return torch.from_numpy(levels).float()


# -- what is stated -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_is_as_large_and_as_costly_as_it_says(name: str) -> None:
    registry.names()
    stated = STATED.search(registry._VARIANTS[name].__doc__ or "")
    assert stated is not None, f"{name} does not state its size and its cost"
    parameters, gigaflops, frames = stated.groups()
    with torch.device("meta"), FlopCounterMode(display=False) as counted:
        model = registry.create(name, 10).eval()
        model(torch.zeros(1, 1, BANDS.get(name, 128), int(frames)))
    if parameters:
        assert registry.count_parameters(model) == int(parameters.replace(",", ""))
    else:
        assert name in FITTED  # its size depends on what it is fitted to
    digits = len(gigaflops.replace(".", "").lstrip("0"))
    assert float(f"{counted.get_total_flops() / 1e9:.{digits}g}") == float(gigaflops)


def test_an_svm_has_as_many_numbers_a_vector_as_it_says() -> None:
    words = registry._VARIANTS["pooled-svm"].__doc__ or ""
    one, four = (registry.create("pooled-svm", 10, vectors=vectors) for vectors in (1, 4))
    assert registry.count_parameters(four) - registry.count_parameters(one) == 3 * (855 + 10)
    assert "vectors of 855 numbers" in words


# -- what they take -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ANY_LENGTH)
@pytest.mark.parametrize("frames", [128, 200, 256, 430])
def test_windows_of_several_lengths_are_taken(name: str, frames: int) -> None:
    model = fresh(name).eval()
    with torch.inference_mode():
        logits = model(music(2, frames))
    assert logits.shape == (2, 4)
    assert logits.isfinite().all()
    assert not torch.equal(logits[0], logits[1])


@pytest.mark.parametrize("name", FIXED)
def test_the_published_network_takes_one_length(name: str) -> None:
    with torch.device("meta"):
        model = registry.create(name, 4).eval()
        assert model(torch.zeros(2, 1, 128, 128)).shape == (2, 4)
        with pytest.raises(RuntimeError):
            model(torch.zeros(2, 1, 128, 256))


@pytest.mark.parametrize("name", LEVELLED)
def test_a_step_may_hold_one_window(name: str) -> None:
    model = fresh(name).train()
    model(music(1)).sum().backward()


@pytest.mark.parametrize("name", ANY_LENGTH)
@pytest.mark.parametrize("decibels", [-20.0, 12.0])
def test_a_softer_recording_is_the_same_music(name: str, decibels: float) -> None:
    model, images = fresh(name).eval(), music(frames=256)
    with torch.inference_mode():
        power = 10 ** (decibels / 10) * (images.double().exp() - FLOOR).clamp(min=0)
        change = model((power + FLOOR).log().float()) - model(images)
        other = model(music(frames=256, seed=1)) - model(images)
    assert float(change.abs().max()) < 0.02 * max(1.0, float(other.abs().max()))


@pytest.mark.parametrize("name", ANY_LENGTH)
def test_the_same_window_gives_the_same_logits(name: str) -> None:
    model, images = fresh(name).eval(), music()
    with torch.inference_mode():
        assert torch.equal(model(images), model(images))
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    model(images)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", ANY_LENGTH)
def test_every_parameter_matters(name: str) -> None:
    """A gradient that is only rounding belongs to a parameter that is taken away again."""
    model, images, truth = fresh(name).train(), music(4), torch.arange(4)
    if isinstance(model, PooledSVM):
        model.eval()
    nn.functional.cross_entropy(model(images), truth).backward()  # type: ignore[no-untyped-call]
    sizes = {}
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        sizes[key] = float(parameter.grad.abs().max())
    largest = max(sizes.values())
    assert [key for key, size in sizes.items() if size < 1e-7 * largest] == []


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", LEVELLED)
def test_a_network_learns_a_handful_of_windows_by_heart(name: str) -> None:
    model, images, truth = fresh(name, dropout=0.0).train(), music(4, 32), torch.arange(4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(6):
        loss = nn.functional.cross_entropy(model(images), truth)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


# -- embeddings and ensembles -----------------------------------------------------------------------------------------


def with_embeddings(name: str) -> bool:
    with torch.device("meta"):
        return hasattr(registry.create(name, 4), "embed")


EMBEDDING = [name for name in NAMES if with_embeddings(name)]


def test_every_network_gives_embeddings() -> None:
    assert EMBEDDING == NAMES


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", [name for name in EMBEDDING if name != "mgcc"])  # at its full size 0.5 GB
def test_embeddings_have_the_width_that_is_stated(name: str) -> None:
    model, images = fresh(name).eval(), music(3)
    with torch.inference_mode():
        found = model.embed(images)  # type: ignore[operator]
    assert found.shape == (3, model.width)
    assert found.isfinite().all()
    assert not torch.equal(found[0], found[1])


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", [name for name in EMBEDDING if name != "mgcc"])
def test_logits_and_embeddings_of_one_pass_are_those_of_two(name: str) -> None:
    model, images = fresh(name).eval(), music(3)
    both = getattr(model, "logits_and_embeddings", None)
    if both is None:
        assert name == "network-and-svm"
        return
    with torch.inference_mode():
        logits, embedded = both(images)
        assert torch.equal(logits, model(images))
        assert torch.equal(embedded, model.embed(images))  # type: ignore[operator]


def test_the_published_network_has_embeddings_of_its_dense_layer() -> None:
    with torch.device("meta"):
        model = registry.create("mgcc", 10).eval()
        assert isinstance(model, MGCC)
        assert model.embed(torch.zeros(3, 1, 128, 128)).shape == (3, model.width)
        assert model.width == 512


def test_network_and_svm_are_averaged_in_logarithms() -> None:
    images = music(3, 256)
    model = fresh("network-and-svm", frames=128, share=0.25).eval()
    assert isinstance(model, NetworkAndSVM)
    with torch.inference_mode():
        pieces = [images[..., :128], images[..., 128:]]
        of_network = torch.stack([model.network(piece) for piece in pieces]).softmax(dim=2).mean(dim=0)
        wanted = 0.75 * of_network.log() + 0.25 * model.svm(images).log_softmax(dim=1)
        torch.testing.assert_close(model(images), wanted, rtol=1e-4, atol=1e-5)
        embedded = torch.stack([model.network.embed(piece) for piece in pieces]).mean(dim=0)  # type: ignore[operator]
        torch.testing.assert_close(model.embed(images), embedded, rtol=1e-4, atol=1e-5)
        with pytest.raises(ValueError, match="200 frames; the network's pieces have 128"):
            model(music(1, 200))


def members(count: int = 3) -> list[nn.Module]:
    """Return networks that are sure of different things."""
    made = [fresh("pooled-svm", seed=seed).eval() for seed in range(count)]
    for number, each in enumerate(made):
        each.get_parameter("sharpness").data.fill_(1.0 + number)
    return made


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_soft_vote_is_the_mean_of_probabilities(*, exclusive: bool) -> None:
    voters, temperatures, images = members(), (1.0, 0.5, 3.0), music(4)
    model = SoftVoting(voters, temperatures=temperatures, exclusive=exclusive).eval()

    def probabilities(logits: Tensor) -> Tensor:
        return logits.softmax(dim=1) if exclusive else logits.sigmoid()

    with torch.inference_mode():
        each = [probabilities(voter(images) / by) for voter, by in zip(voters, temperatures, strict=True)]
        found = probabilities(model(images))
        embedded = model.embed(images)
        torch.testing.assert_close(embedded, torch.cat([voter.embed(images) for voter in voters], dim=1))  # type: ignore[operator]
    assert float((each[0] - each[1]).abs().max()) > 0.01
    torch.testing.assert_close(found, torch.stack(each).mean(dim=0), rtol=1e-4, atol=1e-5)
    assert embedded.shape == (4, model.width) == (4, 3 * 855)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_soft_vote_of_networks_that_are_wholly_sure_is_finite(*, exclusive: bool) -> None:
    layer = nn.Linear(1, 2)
    layer.bias.data.copy_(torch.tensor([1e4, -1e4]))
    sure = nn.Sequential(nn.Flatten(), layer)
    logits = SoftVoting([sure, sure], temperatures=(1.0, 1.0), exclusive=exclusive)(torch.zeros(1, 1, 1, 1)).detach()
    assert logits.isfinite().all()
    assert float(logits[0, 0] - logits[0, 1]) > 20


# -- what they do first ---------------------------------------------------------------------------------------------


@given(
    lengths=st.lists(st.integers(1, 80), min_size=1, max_size=5),
    bands=st.integers(2, 20),
    seed=st.integers(0, 1000),
)
def test_normalise_measures_what_numpy_does(lengths: list[int], bands: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pieces = [rng.normal(rng.normal(-6, 3), 2, (frames, bands)).astype(np.float16) for frames in lengths]
    module = Normalise(bands)
    module.measure(torch.from_numpy(piece) for piece in pieces)
    power = [np.maximum(np.exp(piece.astype(np.float64)) - 1e-6, 0) for piece in pieces]
    whole = np.concatenate([np.log(each / max(each.mean(), 1e-11) + 1e-5) for each in power])
    np.testing.assert_allclose(module.mean.numpy(), whole.mean(axis=0), rtol=1e-4, atol=1e-4)
    assert float(module.scale) == pytest.approx(max(1e-3, np.sqrt(whole.var(axis=0).mean())), rel=1e-3)


def test_normalised_music_has_unit_variance_and_no_level() -> None:
    images = music(20, 200)
    module = Normalise()
    module.measure(image[0].T for image in images)
    found = module(images)
    assert float(found.std()) == pytest.approx(1, abs=1e-3)
    assert float(found.mean(dim=(0, 3)).abs().max()) < 0.01  # no band stands out of the data set
    loud = (20 * (images.double().exp() - FLOOR).clamp(min=0) + FLOOR).log().float()
    torch.testing.assert_close(module(loud), found, rtol=0, atol=0.02)


def test_silence_and_music_that_never_changes_can_be_measured() -> None:
    module = Normalise(8)
    module.measure([torch.full((10, 8), -13.8), torch.full((5, 8), -13.8)])
    assert float(module.scale) == pytest.approx(1e-3)
    assert module(torch.full((1, 1, 8, 4), -13.8)).isfinite().all()
