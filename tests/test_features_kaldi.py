"""Kaldi's filterbank is the one that Hugging Face's feature extractor for AST computes."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from conftest import Samples, noise, tone
from hypothesis import given
from hypothesis import strategies as st

from genrescope import audio
from genrescope.features.kaldi import Kaldi, kaldi_filters
from genrescope.features.spec import KaldiSpec

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

RATE = 16_000
MUSIC = 1e-3
"""Largest difference for music and noise."""
ANY = 2e-2
"""Largest difference for any signal up to full scale: pre-emphasis doubles a treble tone and its rounding."""


@functools.cache
def kaldi() -> Kaldi:
    return Kaldi()


def ours(wave: Samples) -> npt.NDArray[np.float32]:
    result: npt.NDArray[np.float32] = kaldi()(torch.from_numpy(wave)[None])[0].numpy()
    return result


def extractors(wave: Samples, frames: int) -> npt.NDArray[np.float32]:
    """Return what transformers computes; it fills to `max_length` with zeros, which are left out."""
    import transformers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its lowest bands are narrower than a bin, and hold nothing
        extractor: Any = transformers.ASTFeatureExtractor(max_length=frames)
    result: npt.NDArray[np.float32] = extractor(wave, sampling_rate=RATE, return_tensors="np")["input_values"][0]
    return result


def assert_equal(wave: Samples, tolerance: float = MUSIC) -> None:
    found = ours(wave)
    assert found.shape == (KaldiSpec().frames(len(wave)), 128)
    np.testing.assert_allclose(found, extractors(wave, len(found)), rtol=0, atol=tolerance)


@pytest.mark.parametrize("level", [0.3, 1e-2, 1e-4])
def test_noise_equals_the_extractor(level: float) -> None:
    assert_equal(noise(3, rate=RATE, level=level))


@given(samples=st.integers(400, 9000), hz=st.floats(20, 8000), level=st.floats(0, 1), offset=st.floats(-0.3, 0.3))
def test_a_tone_in_noise_equals_the_extractor(samples: int, hz: float, level: float, offset: float) -> None:
    wave = noise(samples / RATE, rate=RATE, level=1e-3) + tone(hz, rate=RATE, seconds=samples / RATE, level=level)
    assert_equal((wave + np.float32(offset)).astype(np.float32), ANY)


@pytest.mark.real
def test_real_clips_equal_the_extractor(real_clips: Path) -> None:
    paths = sorted((real_clips / "genres").glob("*/*.0000[0-2].*"))[::3][:8]
    assert len(paths) == 8
    for path in paths:
        assert_equal(audio.decode(path, rate=RATE))


def test_silence_is_flat() -> None:
    found = ours(np.zeros(5000, np.float32))
    np.testing.assert_allclose(found, KaldiSpec().silence, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 399])
def test_a_wave_shorter_than_a_frame_is_filled_with_silence(samples: int) -> None:
    wave = noise(samples / RATE, rate=RATE)
    found = ours(wave)
    assert found.shape == (1, 128)
    np.testing.assert_array_equal(found, ours(np.pad(wave, (0, 400 - samples))))
    np.testing.assert_allclose(np.concatenate(list(kaldi().stream([wave]))), found, atol=1e-5)


@given(sizes=st.lists(st.integers(0, 1500), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_a_stream_equals_the_whole_whatever_its_pieces(sizes: list[int], seed: int) -> None:
    total = sum(sizes) or 1
    wave = noise(total / RATE, rate=RATE, seed=seed)
    joined = np.concatenate(list(kaldi().stream(np.split(wave, np.cumsum(sizes)[:-1]))))
    assert joined.shape == (KaldiSpec().frames(total), 128)
    np.testing.assert_allclose(joined, ours(wave), rtol=0, atol=1e-5)


def test_filters_are_triangles_of_height_one_on_the_mel_scale() -> None:
    filters = kaldi_filters(KaldiSpec(n_mels=20))
    assert filters.shape == (20, 257)
    assert (np.count_nonzero(filters, axis=0) <= 2).all()
    inner = filters[:, (filters[0].argmax()) : filters[-1].argmax()].sum(axis=0)
    np.testing.assert_allclose(inner, 1, atol=1e-9)  # neighbours add up to one on a scale where they are even


def test_other_numbers_change_what_they_name() -> None:
    wave = torch.from_numpy(noise(1, rate=RATE))[None]
    plain = kaldi()(wave)
    shifted = Kaldi(KaldiSpec(mean=0.0, std=0.5))(wave)
    np.testing.assert_allclose(shifted.numpy(), plain.numpy() * 2 * 4.5689974 - 4.2677393, atol=1e-4)
    assert Kaldi(KaldiSpec(hop=80, n_mels=64))(wave).shape == (1, 196, 64)
    assert not torch.allclose(Kaldi(KaldiSpec(pre_emphasis=0.0))(wave), plain, atol=0.05)
