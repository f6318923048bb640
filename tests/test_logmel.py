"""The front end equals librosa's within 1e-4 on every kind of sound, in batches, in pieces and on every device."""

from __future__ import annotations

import dataclasses
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
from genrescope.logmel import LogMel, LogMelSpec, hz_to_mel, mel_filters, mel_to_hz

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

TOLERANCE = 1e-4


@functools.cache
def log_mel() -> LogMel:
    return LogMel()


def ours(wave: Samples) -> npt.NDArray[np.float32]:
    result: npt.NDArray[np.float32] = log_mel()(torch.from_numpy(np.ascontiguousarray(wave))[None])[0].numpy()
    return result


def librosas(wave: Samples, **options: Any) -> npt.NDArray[np.float64]:
    """Compute the definition in double precision with the peer that everybody knows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wave shorter than a frame is worth a warning to it
        import librosa

        power = librosa.feature.melspectrogram(y=wave.astype(np.float64), sr=RATE, window="hamming", **options)
    result: npt.NDArray[np.float64] = np.log(power + 1e-6).T
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


@pytest.mark.parametrize("name", SOUNDS)
def test_log_mel_equals_librosa(name: str) -> None:
    np.testing.assert_allclose(ours(SOUNDS[name]), librosas(SOUNDS[name]), rtol=0, atol=TOLERANCE)


@pytest.mark.real
def test_log_mel_of_real_clips_equals_librosa(real_clips: Path) -> None:
    paths = sorted((real_clips / "genres").glob("*/*.0000[0-2].*"))[::2][:12]
    assert len(paths) == 12
    for path in paths:
        wave = audio.decode(path)
        np.testing.assert_allclose(ours(wave), librosas(wave), rtol=0, atol=TOLERANCE, err_msg=path.name)


@given(
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(1, 6000),
    level=st.floats(1e-6, 1.0),
    hz=st.floats(1, 11_025),
    strength=st.floats(0, 1),
)
def test_any_wave_of_any_length_equals_librosa(
    seed: int, samples: int, level: float, hz: float, strength: float
) -> None:
    wave = noise(samples / RATE, seed=seed, level=level) + tone(hz, seconds=samples / RATE, level=strength)
    np.testing.assert_allclose(ours(wave), librosas(wave), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("seed", "samples", "level", "hz", "strength"),
    [
        (8_055_101, 219, 0.0625, 10_529.0, 0.75),
        (1_553_182_714, 554, 0.002_893_649, 5819.688_541, 0.355_349_117),
        (2_146_450_830, 874, 0.001_248_133, 5699.395_265, 0.888_980_658),
    ],
)
def test_a_treble_over_faint_noise_equals_librosa(
    *, seed: int, samples: int, level: float, hz: float, strength: float
) -> None:
    """The pre-emphasis lifts the treble: its rounding is largest, and may drown what is faint."""
    wave = noise(samples / RATE, seed=seed, level=level) + tone(hz, seconds=samples / RATE, level=strength)
    np.testing.assert_allclose(ours(wave), librosas(wave), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    "options",
    [
        {"n_mels": 40},
        {"n_fft": 1024, "hop": 256},
        {"f_min": 50.0, "f_max": 8000.0},
        {"n_fft": 512, "hop": 512, "n_mels": 64},
    ],
)
def test_other_numbers_equal_librosa_too(options: dict[str, Any]) -> None:
    wave = noise(1) + tone(300)
    names = {"n_mels": "n_mels", "n_fft": "n_fft", "hop": "hop_length", "f_min": "fmin", "f_max": "fmax"}
    expected = librosas(wave, **{names[name]: value for name, value in options.items()})
    found = LogMel(LogMelSpec(**options))(torch.from_numpy(wave)[None])[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


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
    joined = torch.cat(list(log_mel().stream(pieces)))
    assert joined.shape == (LogMelSpec().frames(total), 128)
    np.testing.assert_allclose(joined.numpy(), ours(wave), rtol=0, atol=2e-5)


def test_a_stream_of_single_samples_equals_the_whole() -> None:
    wave = noise(1500 / RATE)
    joined = torch.cat(list(log_mel().stream(np.split(wave, len(wave)))))
    np.testing.assert_allclose(joined.numpy(), ours(wave), rtol=0, atol=2e-5)


def test_a_long_wave_is_worked_through_in_blocks_without_seams() -> None:
    wave = sweep(seconds=60)  # many blocks of frames
    np.testing.assert_allclose(ours(wave), librosas(wave), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("samples", [1, 2, 100, 511, 512, 513, 1024, 2047, 2048, 2049])
def test_a_wave_shorter_than_a_frame_has_all_its_frames(samples: int) -> None:
    wave = noise(samples / RATE)
    found = ours(wave)
    assert found.shape == (LogMelSpec().frames(samples), 128)
    np.testing.assert_allclose(found, librosas(wave), rtol=0, atol=TOLERANCE)


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
        found = LogMel().to(name)(torch.from_numpy(wave).to(name)[None])[0].cpu().numpy()
        np.testing.assert_allclose(found, librosas(wave), rtol=0, atol=TOLERANCE)


def test_no_weights_are_learnt_or_saved() -> None:
    assert list(log_mel().parameters()) == []
    assert log_mel().state_dict() == {}


# -- the numbers ------------------------------------------------------------------------------------------------


@given(samples=st.integers(0, 10**7))
def test_frames_are_one_more_than_whole_hops(samples: int) -> None:
    assert LogMelSpec().frames(samples) == samples // 512 + 1


def test_a_clip_of_gtzan_has_1292_frames_and_a_window_lasts_almost_three_seconds() -> None:
    spec = LogMelSpec()
    assert spec.frames(30 * RATE) == 1292
    assert spec.seconds(128) == pytest.approx(2.97, abs=0.005)
    assert spec.silence == pytest.approx(np.log(1e-6))


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"window": "hann"}, 'accepted is "hamming"'),
        ({"n_fft": 2000}, "multiple of hop"),
        ({"n_fft": 511, "hop": 511}, "even multiple"),
        ({"f_max": 12_000.0}, "half the rate"),
        ({"f_min": -1.0}, "f_min"),
        ({"f_min": 500.0, "f_max": 400.0}, "f_min < f_max"),
        ({"floor": 0.0}, "positive"),
        ({"n_mels": 0}, "n_mels"),
        ({"hop": 0}, "hop"),
        ({"hop": -512}, "hop"),
        ({"n_fft": 0}, "n_fft"),
        ({"floor": float("nan")}, "floor"),
    ],
)
def test_contradicting_numbers_are_refused(numbers: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LogMelSpec(**numbers)


def test_any_other_number_gives_another_fingerprint() -> None:
    others: dict[str, Any] = {
        "sample_rate": 44_100, "n_fft": 4096, "hop": 1024, "n_mels": 64, "f_min": 10.0, "f_max": 8000.0, "floor": 1e-5,
    }  # fmt: skip
    fields = {field.name for field in dataclasses.fields(LogMelSpec)}
    assert fields == {*others, "window"}
    prints = {LogMelSpec(**{name: value}).fingerprint for name, value in others.items()}
    assert len(prints | {LogMelSpec().fingerprint}) == len(others) + 1
    assert LogMelSpec().fingerprint == LogMelSpec().fingerprint
