"""Every front end keeps the same promises, and a file's frames are those of its waveform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from conftest import noise, write

from genrescope import audio
from genrescope.errors import AudioError
from genrescope.features.front_end import frames_of, make, stored
from genrescope.features.kaldi import Kaldi
from genrescope.features.logmel import LogMel
from genrescope.features.spec import KaldiSpec, LogMelSpec, Spec, WaveSpec
from genrescope.features.wave import Wave

if TYPE_CHECKING:
    from pathlib import Path

SPECS = (LogMelSpec(), LogMelSpec(compression="log10"), KaldiSpec(), WaveSpec())
each_spec = pytest.mark.parametrize("spec", SPECS, ids=["log", "log10", "kaldi", "wave"])


def test_each_kind_has_its_module() -> None:
    assert [type(make(spec)) for spec in SPECS] == [LogMel, LogMel, Kaldi, Wave]
    assert [make(spec).spec for spec in SPECS] == list(SPECS)


@each_spec
@pytest.mark.parametrize("samples", [1, 399, 5000, 50_000])
def test_a_wave_has_the_frames_that_its_numbers_say(spec: Spec, samples: int) -> None:
    rate = spec.sample_rate
    waves = torch.from_numpy(np.stack([noise(samples / rate, rate=rate, seed=seed) for seed in (1, 2)]))
    found = make(spec).forward(waves)
    assert found.shape == (2, spec.frames(waves.shape[1]), spec.width)
    assert found.dtype == torch.float32
    streamed = np.concatenate(list(make(spec).stream([waves[1].numpy()])))
    np.testing.assert_allclose(streamed, found[1], rtol=0, atol=1e-5)


@each_spec
def test_silence_has_the_value_that_its_numbers_say(spec: Spec) -> None:
    np.testing.assert_allclose(make(spec).forward(torch.zeros(1, 4000)), spec.silence, atol=1e-5)


@each_spec
@pytest.mark.parametrize("shape", [(4000,), (1, 0), (1, 2, 4000)])
def test_other_shapes_are_refused(spec: Spec, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"accepted is \(batch, samples\)"):
        make(spec).forward(torch.zeros(shape))


@each_spec
def test_the_frames_of_a_file_are_those_of_its_wave(spec: Spec, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(2.5, rate=44_100), 44_100)
    frames, samples = frames_of(path, make(spec))
    wave = audio.decode(path, rate=spec.sample_rate)
    assert samples == len(wave)
    assert frames.dtype == spec.dtype
    expected = make(spec).forward(torch.from_numpy(wave)[None])[0].numpy()
    np.testing.assert_allclose(frames, expected, rtol=1e-3 if spec.dtype == "float16" else 0, atol=1e-3)


def test_a_wave_is_stored_as_it_is() -> None:
    wave = noise(0.1)
    np.testing.assert_array_equal(stored([wave[:100], wave[100:]], make(WaveSpec()))[:, 0], wave)
    assert stored([], make(WaveSpec())).shape == (0, 1)


def test_what_cannot_be_decoded_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(AudioError):
        frames_of(tmp_path / "a.wav", make(LogMelSpec()))
