"""The log-mel is librosa's: within 1e-3 for any signal, in batches and in pieces."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from conftest import RATE, Samples, noise, sweep, tone
from hypothesis import given
from hypothesis import strategies as st

from genrescope import audio
from genrescope.features.logmel import LogMel, hz_to_mel, mel_filters, mel_to_hz
from genrescope.features.spec import LogMelSpec

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

CLOSE = 1e-3
"""Largest difference for any signal up to full scale."""


@functools.cache
def log_mel() -> LogMel:
    return LogMel()


def ours(wave: Samples) -> npt.NDArray[np.float32]:
    result: npt.NDArray[np.float32] = log_mel()(torch.from_numpy(np.ascontiguousarray(wave))[None])[0].numpy()
    return result


def librosas(wave: Samples, spec: LogMelSpec | None = None) -> npt.NDArray[np.float64]:
    """Compute the definition in double precision with the peer that everybody knows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wave shorter than a frame is worth a warning to it
        import librosa

        spec = spec or LogMelSpec()
        power = librosa.feature.melspectrogram(
            y=wave.astype(np.float64), sr=spec.sample_rate, n_fft=spec.n_fft, hop_length=spec.hop, window=spec.window,
            n_mels=spec.n_mels, fmin=spec.f_min, fmax=spec.f_max,
        ).T  # fmt: skip
    log = spec.compression == "log"
    result: npt.NDArray[np.float64] = np.log(power + spec.floor) if log else np.log10(1 + spec.gain * power)
    return result


def computed(wave: Samples, spec: LogMelSpec) -> npt.NDArray[np.float32]:
    result: npt.NDArray[np.float32] = LogMel(spec)(torch.from_numpy(wave)[None])[0].numpy()
    return result


def fast_sweep(level: float) -> Samples:
    """Return a sweep from 20 Hz to 11 kHz, even in octaves."""
    time = np.arange(3 * RATE) / RATE
    octaves = np.log(11_000 / 20)
    phase = 2 * np.pi * 20 * 3 / octaves * (np.exp(time / 3 * octaves) - 1)
    result: Samples = (level * np.sin(phase)).astype(np.float32)
    return result


def click(place: int) -> Samples:
    wave = np.zeros(RATE, np.float32)
    wave[place] = 1
    return wave


SOUNDS: dict[str, Samples] = {
    "white noise": noise(3, level=0.3),
    "quiet noise": noise(3, level=1e-4),
    "loud sweep": fast_sweep(1.0),
    "quiet sweep": fast_sweep(1e-3),
    "bass under quiet treble": tone(50, level=0.9) + tone(9000, level=1e-4),
    "bass alone": tone(40, level=1.0),
    "on a bin": tone(RATE / 2048 * 40, level=1.0),
    "middle": tone(440, level=0.5),
    "treble": tone(10_900, level=1.0),
    "click": click(10_000),
    "click at the start": click(0),
    "click at the end": click(RATE - 1),
    "DC": np.ones(RATE, np.float32),
    "square wave": np.sign(tone(100)).astype(np.float32),
    "silence": np.zeros(RATE, np.float32),
    "clipped": np.clip(noise(1, level=3.0), -1, 1),
}


MUSICNN = LogMelSpec(16_000, 512, 256, 96, f_max=8000, window="hann", compression="log10")
SPECS = {
    "default": LogMelSpec(),
    "hann": LogMelSpec(window="hann"),
    "log10": LogMelSpec(compression="log10"),
    "musicnn": MUSICNN,
    "few bands": LogMelSpec(n_mels=40),
    "many bands": LogMelSpec(n_mels=200, f_min=40),
    "short frames": LogMelSpec(n_fft=1024, hop=256),
    "part of the range": LogMelSpec(f_min=50, f_max=8000),
    "frames side by side": LogMelSpec(n_fft=512, hop=512, n_mels=64),
    "hop is no part of n_fft": LogMelSpec(n_fft=1000, hop=441),
    "long frames": LogMelSpec(n_fft=16_384, hop=4096),
}


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("window", ["hamming", "hann"])
def test_log_mel_of_any_signal_equals_librosa(window: str, name: str) -> None:
    spec = LogMelSpec(window=window)
    np.testing.assert_allclose(computed(SOUNDS[name], spec), librosas(SOUNDS[name], spec), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("name", SPECS)
def test_log_mel_of_noise_equals_librosa(name: str) -> None:
    for level in (0.3, 1e-3):
        wave = noise(3, rate=SPECS[name].sample_rate, level=level)
        np.testing.assert_allclose(computed(wave, SPECS[name]), librosas(wave, SPECS[name]), rtol=0, atol=CLOSE)


@pytest.mark.real
@pytest.mark.parametrize("name", ["default", "hann", "log10", "musicnn"])
def test_log_mel_of_real_clips_equals_librosa(name: str, real_clips: Path) -> None:
    paths = sorted((real_clips / "genres").glob("*/*.0000[0-2].*"))[::2][:12]
    assert len(paths) == 12
    spec = SPECS[name]
    for path in paths:
        wave = audio.decode(path, rate=spec.sample_rate)
        np.testing.assert_allclose(computed(wave, spec), librosas(wave, spec), rtol=0, atol=CLOSE, err_msg=path.name)


@given(
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(1, 6000),
    level=st.floats(1e-6, 0.5),
    hz=st.floats(1, 11_025),
    strength=st.floats(0, 1),
    spec=st.sampled_from([SPECS["default"], SPECS["hann"], SPECS["log10"]]),
)
def test_any_wave_of_any_length_equals_librosa(
    *, seed: int, samples: int, level: float, hz: float, strength: float, spec: LogMelSpec
) -> None:
    wave = noise(samples / RATE, seed=seed, level=level) + tone(hz, seconds=samples / RATE, level=strength)
    np.testing.assert_allclose(computed(wave, spec), librosas(wave, spec), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("window", ["hamming", "hann"])
def test_a_loud_treble_tone_leaves_the_quiet_bass_alone(window: str) -> None:
    """The last stage of a real transform may mirror a tone's rounding into the bass, by 7e-3 in some libraries."""
    spec, generator = LogMelSpec(window=window), np.random.default_rng(0)
    for hz in generator.uniform(9900, 11_025, 60):
        wave = tone(float(hz), level=1.0)
        np.testing.assert_allclose(computed(wave, spec), librosas(wave, spec), rtol=0, atol=CLOSE, err_msg=f"{hz} Hz")


@pytest.mark.parametrize("options", [{}, {"n_mels": 40}, {"n_fft": 1024, "hop": 256}, {"f_min": 30.0, "f_max": 7600.0}])
def test_filters_equal_librosa(options: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import librosa

        spec = LogMelSpec(**options)
        expected = librosa.filters.mel(
            sr=RATE, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.f_min, fmax=spec.f_max, dtype=np.float64
        )
    np.testing.assert_allclose(mel_filters(spec), expected, rtol=0, atol=1e-8)


@given(hz=st.floats(0, 24_000))
def test_mel_scale_has_an_inverse(hz: float) -> None:
    assert float(mel_to_hz(hz_to_mel(hz))) == pytest.approx(hz, abs=1e-6)


def test_a_batch_equals_its_waves_one_by_one() -> None:
    waves = torch.from_numpy(np.stack([noise(2, seed=seed, level=10.0**-seed) for seed in range(4)]))
    whole = log_mel()(waves)
    for wave, result in zip(waves, whole, strict=True):
        assert torch.equal(log_mel()(wave[None])[0], result)


@given(sizes=st.lists(st.integers(0, 4000), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_a_stream_equals_the_whole_whatever_its_pieces(sizes: list[int], seed: int) -> None:
    total = sum(sizes) or 1
    wave = noise(total / RATE, seed=seed)
    pieces = np.split(wave, np.cumsum(sizes)[:-1])
    joined = np.concatenate(list(log_mel().stream(pieces)))
    assert joined.shape == (LogMelSpec().frames(total), 128)
    np.testing.assert_allclose(joined, ours(wave), rtol=0, atol=2e-5)


def test_a_stream_of_single_samples_equals_the_whole() -> None:
    wave = noise(1500 / RATE)
    joined = np.concatenate(list(log_mel().stream(np.split(wave, len(wave)))))
    np.testing.assert_allclose(joined, ours(wave), rtol=0, atol=2e-5)


def test_a_long_wave_is_worked_through_in_blocks_without_seams() -> None:
    wave = sweep(seconds=60)  # many blocks of frames
    np.testing.assert_allclose(ours(wave), librosas(wave), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("samples", [1, 2, 100, 511, 512, 513, 1024, 2047, 2048, 2049])
def test_a_wave_shorter_than_a_frame_has_all_its_frames(samples: int) -> None:
    wave = noise(samples / RATE)
    found = ours(wave)
    assert found.shape == (LogMelSpec().frames(samples), 128)
    np.testing.assert_allclose(found, librosas(wave), rtol=0, atol=CLOSE)


def test_double_precision_waves_give_single_precision_images() -> None:
    wave = torch.from_numpy(noise(1).astype(np.float64))[None]
    found = log_mel()(wave)
    assert found.dtype == torch.float32
    assert torch.equal(found, log_mel()(wave.float()))


def test_the_wave_given_is_left_as_it_was() -> None:
    wave = torch.from_numpy(noise(1))[None]
    before = wave.clone()
    log_mel()(wave)
    assert torch.equal(wave, before)


def test_waves_that_are_not_contiguous_are_read_right() -> None:
    stereo = torch.from_numpy(np.stack([noise(1, seed=1), noise(1, seed=2)], axis=1))
    assert torch.equal(log_mel()(stereo.T), log_mel()(stereo.T.contiguous()))


@pytest.mark.parametrize("shape", [(22_050,), (1, 0), (1, 2, 22_050)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"accepted is \(batch, samples\)"):
        log_mel()(torch.zeros(shape))


def test_every_device_of_this_machine_agrees() -> None:
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    names = [name for name, there in present.items() if there]
    if not names:
        pytest.skip("this machine has no device but the CPU")
    wave = SOUNDS["bass under quiet treble"]
    for name in names:
        on_device = log_mel()(torch.from_numpy(wave).to(name)[None])
        assert on_device.device.type == name
        found = on_device[0].cpu().numpy()
        np.testing.assert_allclose(found, librosas(wave), rtol=0, atol=CLOSE)


def test_an_array_and_a_tensor_have_the_same_images() -> None:
    wave = noise(1)[None]
    found = log_mel()(wave)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, log_mel()(torch.from_numpy(wave)).numpy())
