"""Laws of sound that the way from file to image obeys."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from conftest import RATE, Samples, noise, pitch, tone, write
from hypothesis import given
from hypothesis import strategies as st

from genrescope import audio
from genrescope.features.logmel import LogMel, hz_to_mel, mel_filters, mel_to_hz
from genrescope.features.spec import LogMelSpec

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

pytestmark = pytest.mark.usefixtures("one_thread")
SPEC = LogMelSpec()
LOWEST, HIGHEST = (float(mel) for mel in hz_to_mel([SPEC.f_min, SPEC.f_max]))
EDGES = mel_to_hz(np.linspace(LOWEST, HIGHEST, SPEC.n_mels + 2))
CENTRES = EDGES[1:-1]


@functools.cache
def log_mel() -> LogMel:
    return LogMel()


def image(wave: Samples) -> npt.NDArray[np.float32]:
    result: npt.NDArray[np.float32] = log_mel()(torch.from_numpy(np.ascontiguousarray(wave))[None])[0].numpy()
    return result


def inner(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Leave out the frames that reach over the wave's ends."""
    return frames[2:-2]


def triangles_at(hz: float) -> npt.NDArray[np.float64]:
    """Return every band's weight at a frequency, each triangle of area one."""
    rising = (hz - EDGES[:-2]) / (EDGES[1:-1] - EDGES[:-2])
    falling = (EDGES[2:] - hz) / (EDGES[2:] - EDGES[1:-1])
    weights: npt.NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * 2 / (EDGES[2:] - EDGES[:-2])
    return weights


@given(hz=st.floats(60, 10_800))
def test_a_tone_is_loudest_in_the_band_whose_triangle_is_highest_there(hz: float) -> None:
    found = inner(image(tone(hz, level=0.5))).mean(axis=0)
    weights = triangles_at(hz)
    # A band is narrower than the window's main lobe below 1 kHz: the two best bands may change places there.
    best = set(np.argsort(weights)[-2:].tolist()) if hz < 1000 else {int(weights.argmax())}
    runner_up = np.sort(weights)[-2]
    if hz >= 1000 and runner_up > 0.8 * weights.max():
        best = set(np.argsort(weights)[-2:].tolist())  # between two bands either may win
    assert int(found.argmax()) in best


@pytest.mark.parametrize("band", [3, 10, 25, 40, 60, 80, 100, 120, 126])
def test_a_tone_at_the_centre_of_a_band_peaks_there(band: int) -> None:
    found = inner(image(tone(float(CENTRES[band]), level=0.5))).mean(axis=0)
    assert int(found.argmax()) == band


def test_a_rising_tone_never_lowers_its_band() -> None:
    peaks = [int(inner(image(tone(float(hz)))).mean(axis=0).argmax()) for hz in CENTRES[2::5]]
    assert peaks == sorted(peaks)


@given(seed=st.integers(0, 2**32 - 1), gain=st.floats(0.05, 100))
def test_gain_adds_twice_its_logarithm_to_every_band(seed: int, gain: float) -> None:
    wave = noise(0.5, seed=seed, level=0.05)
    power = np.exp(image(wave).astype(np.float64)) - SPEC.floor
    louder = np.exp(image((wave * np.float32(gain)).astype(np.float32)).astype(np.float64)) - SPEC.floor
    far = (power > 100 * SPEC.floor) & (louder > 100 * SPEC.floor)
    assert far.any()
    np.testing.assert_allclose(np.log(louder[far]) - np.log(power[far]), 2 * math.log(gain), atol=2e-4)


@given(seed=st.integers(0, 2**32 - 1), gain=st.floats(1.0, 50))
def test_louder_never_lowers_any_band(seed: int, gain: float) -> None:
    wave = noise(0.3, seed=seed, level=1e-3) + tone(700, seconds=0.3, level=0.01)
    assert (image((wave * np.float32(gain)).astype(np.float32)) >= image(wave) - 2e-4).all()


@given(hops=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
def test_a_shift_by_hops_shifts_frames(hops: int, seed: int) -> None:
    wave = noise(1, seed=seed)
    later = image(np.concatenate([np.zeros(hops * SPEC.hop, np.float32), wave]))
    np.testing.assert_allclose(inner(later[hops:]), inner(image(wave)), atol=1e-5)


def test_the_same_sound_twice_gives_the_same_frames_twice() -> None:
    period = noise(8 * SPEC.hop / RATE)
    frames = inner(image(np.tile(period, 5)))
    np.testing.assert_allclose(frames[8:16], frames[:8], atol=1e-5)


@given(samples=st.integers(1, 50_000))
def test_silence_is_flat_at_the_floor(samples: int) -> None:
    found = image(np.zeros(samples, np.float32))
    np.testing.assert_allclose(found, math.log(1e-6), atol=1e-6)
    assert found.min() == found.max()


def test_nothing_is_quieter_than_silence() -> None:
    for wave in (noise(1, level=1e-8), tone(50, level=1.0), np.full(RATE, 0.5, np.float32)):
        assert image(wave).min() >= math.log(1e-6) - 1e-6


def test_white_noise_is_level_across_bands() -> None:
    found = inner(image(noise(20, level=0.1))).astype(np.float64)
    power = np.log(np.exp(found).mean(axis=0))
    assert np.ptp(power[5:-3]) < 0.4
    expected = 0.1**2 * (torch.hamming_window(2048, dtype=torch.float64) ** 2).sum().item() * RATE / 2048 * 2048 / RATE
    hz_per_bin = RATE / SPEC.n_fft  # every triangle has area one in Hz, so its weights add up to a bin's width less
    assert np.exp(power[20:100]).mean() == pytest.approx(expected / hz_per_bin, rel=0.05)


def test_every_band_hears_something() -> None:
    filters = mel_filters(SPEC)
    assert (filters >= 0).all()
    assert (filters.max(axis=1) > 0).all()
    assert (np.count_nonzero(filters, axis=0) <= 2).all()


def test_a_sum_of_far_apart_tones_has_both_peaks() -> None:
    low, high = float(CENTRES[20]), float(CENTRES[90])
    found = inner(image(tone(low, level=0.3) + tone(high, level=0.3))).mean(axis=0)
    assert {20, 90} <= set(np.argsort(found)[-6:].tolist())


def test_the_sign_of_a_wave_is_not_heard() -> None:
    wave = noise(1)
    np.testing.assert_allclose(image(-wave), image(wave), atol=1e-6)


@given(rate=st.sampled_from([8000, 11_025, 16_000, 32_000, 44_100, 48_000, 96_000]), hz=st.floats(100, 3500))
def test_resampling_keeps_pitch_and_image(rate: int, hz: float) -> None:
    wave = audio.from_array(tone(hz, rate=rate), rate=rate)
    assert pitch(wave) == pytest.approx(hz, abs=0.5)
    there = inner(image(tone(hz)))
    loud = there > there.max() - 6
    np.testing.assert_allclose(inner(image(wave))[: len(there)][loud], there[loud], atol=0.02)


def test_what_lies_above_the_limit_does_not_fold_back() -> None:
    wave = audio.from_array(tone(14_000, rate=44_100, level=1.0), rate=44_100)
    assert np.abs(wave[2000:-2000]).max() < 1e-3


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_equal_channels_sound_like_one(tmp_path: Path, channels: int) -> None:
    wave: Any = tone(440, channels=channels)
    found = image(audio.decode(write(tmp_path / "tone.wav", wave, RATE, "FLOAT")))
    np.testing.assert_allclose(found, image(tone(440)), atol=1e-3)
