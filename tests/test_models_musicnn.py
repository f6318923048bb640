"""musicnn: its shapes, the ways to compute it, and that it is what TensorFlow computes with the published weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from musicnn_support import weights
from torch import Tensor, nn

from genrescope import audio
from genrescope.errors import ModelFileError
from genrescope.features.front_end import frames_of, make
from genrescope.modelfile import load, shelf
from genrescope.models import largest_response
from genrescope.models.musicnn import BANDS, FRAMES, FRONT_END, POOLED, Musicnn, from_tensorflow

if TYPE_CHECKING:
    from genrescope.modelfile import Model

pytestmark = pytest.mark.usefixtures("one_thread")
REFERENCE = Path(__file__).parent / "data" / "musicnn_reference.csv"


@pytest.fixture(scope="module")
def network() -> Musicnn:
    return from_tensorflow(weights())


def windows(count: int = 2, frames: int = FRAMES, *, seed: int = 0) -> Tensor:
    """Return frames as loud as music's, between 0 and 5."""
    rng = np.random.default_rng(seed)
    levels = np.linspace(4, 1, BANDS)[:, None] + rng.normal(0, 0.7, (count, 1, BANDS, frames))
    return torch.from_numpy(levels.clip(0)).float()


def plain(network: Musicnn, images: Tensor) -> Tensor:
    """Compute the network with convolutions: with a gradient there is no other way."""
    with torch.enable_grad():
        logits: Tensor = network(images)
    assert logits.requires_grad
    return logits.detach()


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processor have no bfloat16."""
    monkeypatch.setattr(largest_response, "has_bfloat16", lambda: False)


# -- shapes -----------------------------------------------------------------------------------------------------------


def test_shapes_and_widths_are_those_of_the_publication(network: Musicnn) -> None:
    images = windows()
    with torch.inference_mode():
        assert network.local(images).shape == (2, 753, FRAMES)
        assert network.pool(images).shape == (2, POOLED) == (2, 1506)
        assert network.embed(images).shape == (2, network.width) == (2, 200)
        assert network(images).shape == (2, 50)
    state = network.state_dict()
    numbers = sum(value.numel() for name, value in state.items() if not name.startswith("signs") and value.ndim)
    assert numbers == 792_079 == sum(array.size for array in weights().values())


@pytest.mark.parametrize("frames", [1, 31, 32, 33, 93, 187, 400])
@pytest.mark.usefixtures("single")
def test_windows_of_other_lengths_are_taken(network: Musicnn, frames: int) -> None:
    images = windows(2, frames)
    with torch.inference_mode():
        logits = network(images)
    assert logits.shape == (2, 50)
    torch.testing.assert_close(logits, plain(network, images), rtol=0, atol=1e-4)


def test_a_window_is_scored_the_same_in_any_batch(network: Musicnn) -> None:
    images = windows(3)
    with torch.inference_mode():
        together, alone = network(images), torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-2)
    assert float((together[0] - together[1]).abs().max()) > 0.1


def test_a_missing_variable_is_named() -> None:
    tensors = weights()
    del tensors["dense/bias"]
    with pytest.raises(KeyError, match="dense/bias"):
        from_tensorflow(tensors)


# -- the fast way -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("single")
@given(
    length=st.integers(1, 40),
    width=st.one_of(st.integers(1, BANDS), st.just(BANDS)),
    count=st.integers(1, 150),
    batch=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_products_are_the_convolution(length: int, width: int, count: int, batch: int, seed: int) -> None:
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(seed)
        layer, padded = nn.Conv2d(1, 5, (length, width)), torch.rand(batch, 1, count + length - 1, BANDS)
        found = largest_response.compute(padded, layer)
        torch.testing.assert_close(found, layer(padded).amax(dim=3), rtol=0, atol=1e-5)


def test_in_bfloat16_a_response_is_off_by_its_rounding_only(network: Musicnn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(largest_response, "has_bfloat16", lambda: True)
    layer = network.front[0]
    assert isinstance(layer, nn.Conv2d)
    padded = windows(1, 40).transpose(2, 3).contiguous()
    with torch.inference_mode():
        found, exact = largest_response.compute(padded, layer), layer(padded).amax(dim=3)
    assert float((found - exact).abs().max()) < 2e-2 * float(exact.abs().max())
    assert not torch.equal(found, exact)  # it was bfloat16


@pytest.mark.usefixtures("single")
def test_norms_of_negative_scale_come_before_the_maximum() -> None:
    """The original: convolution, ReLU, norm, maximum. Ours takes the maximum first, and sees to the signs."""
    tensors = weights(seed=3)
    network, image = from_tensorflow(tensors), windows(1, 40)
    assert (tensors["batch_normalization_1/gamma"] < 0).sum() > 50
    with torch.inference_mode():
        found = network.local(image)[:, :204]
        whole = network.input_norm(image).transpose(2, 3)
        kernel = torch.from_numpy(tensors["conv2d/kernel"]).permute(3, 2, 0, 1)
        responses = F.conv2d(F.pad(whole, (0, 0, 3, 3)), kernel, torch.from_numpy(tensors["conv2d/bias"])).relu()
        gamma, beta, mean, variance = (
            torch.from_numpy(tensors[f"batch_normalization_1/{name}"])[:, None, None]
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        normed = (responses - mean) / (variance + 1e-3).sqrt() * gamma + beta
    torch.testing.assert_close(found, normed.amax(dim=3), rtol=0, atol=1e-4)


# -- TensorFlow -------------------------------------------------------------------------------------------------------


def reference() -> list[tuple[str, str, int, list[float]]]:
    """Return model, clip, patch and the tags' probabilities by TensorFlow."""
    with REFERENCE.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [(model, clip, int(patch), [float(score) for score in scores]) for model, clip, patch, *scores in rows]


@pytest.fixture(scope="module")
def published() -> dict[str, Model]:
    """Give the published networks where they lie on this machine's shelf."""
    found = {name: path for name in ("musicnn-msd", "musicnn-mtt") if (path := shelf.path_of(name))}
    if len(found) < 2:
        pytest.skip("the published weights are not on the shelf: genrescope models get musicnn-msd")
    try:
        return {name: load(path) for name, path in found.items()}
    except ModelFileError as error:
        pytest.skip(f"the published weights cannot be read: {error}")


def test_the_reference_is_complete() -> None:
    rows = reference()
    assert {model for model, *_ in rows} == {"musicnn-msd", "musicnn-mtt"}
    assert len({clip for _, clip, *_ in rows}) == 2
    assert all(len(scores) == 50 and 0 < min(scores) < max(scores) < 1 for *_, scores in rows)
    assert len(rows) >= 8


@pytest.mark.real
@pytest.mark.parametrize("name", ["musicnn-msd", "musicnn-mtt"])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_tags_of_real_clips_are_those_of_tensorflow(
    name: str, bfloat16: bool, published: dict[str, Model], real_clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(largest_response, "has_bfloat16", lambda: bfloat16)
    model = published[name]
    assert model.header.front_end == FRONT_END
    frames: dict[str, Any] = {}
    for clip in {clip for _, clip, *_ in reference()}:
        frames[clip], _ = frames_of(real_clips / "genres" / clip, make(model.header.front_end))
        assert frames[clip].dtype == np.float32
    rows = [row for row in reference() if row[0] == name]
    patches = [frames[clip][FRAMES * patch : FRAMES * (patch + 1)] for _, clip, patch, _ in rows]
    with torch.inference_mode():
        found = model.network(torch.from_numpy(np.stack(patches)).transpose(1, 2)[:, None]).sigmoid().numpy()
    np.testing.assert_allclose(found, [scores for *_, scores in rows], rtol=0, atol=2e-2 if bfloat16 else 1e-4)


@pytest.mark.real
def test_frames_in_half_precision_would_not_do(published: dict[str, Model], real_clips: Path) -> None:
    """Why frames of this compression are kept in float32: guards the choice, and the tolerance above."""
    model, clip = published["musicnn-msd"], reference()[0][1]
    wave = audio.decode(real_clips / "genres" / clip, rate=16_000)
    frames = make(model.header.front_end).forward(torch.from_numpy(wave)[None])[0]
    images = frames[: 4 * FRAMES].reshape(4, FRAMES, BANDS).transpose(1, 2)[:, None]
    network = model.network
    assert isinstance(network, Musicnn)
    fine, rough = (plain(network, each).sigmoid() for each in (images, images.half().float()))
    assert float((fine - rough).abs().max()) > 1e-4
