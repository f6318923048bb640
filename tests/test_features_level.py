"""How loud frames are: every front end tells the same of the same sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import noise, sweep, tone

from genrescope.features.front_end import make, stored
from genrescope.features.level import levels, silent_windows
from genrescope.features.spec import KaldiSpec, LogMelSpec, WaveSpec

if TYPE_CHECKING:
    from conftest import Samples

    from genrescope.features.spec import Spec

MUSICNN = LogMelSpec(16_000, 512, 256, 96, f_max=8000, window="hann", compression="log10")
SPECS: list[Spec] = [LogMelSpec(), MUSICNN, KaldiSpec(), WaveSpec(16_000)]


def frames_of(sound: Samples, spec: Spec) -> np.ndarray:
    return stored([sound.astype(np.float32)], make(spec))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}-{spec.width}")
@pytest.mark.parametrize("decibel", [-6, -20, -40, -60])
def test_the_level_is_that_of_the_sound(spec: Spec, decibel: int) -> None:
    rate = spec.sample_rate
    amplitude = 10 ** (decibel / 20)
    white = noise(2.0, rate=rate, level=amplitude)
    pure = tone(440, rate=rate, seconds=2.0, level=amplitude * np.sqrt(2))
    for sound in (white, pure):
        found = 20 * np.log10(np.median(levels(frames_of(sound, spec), spec)))
        assert found == pytest.approx(decibel, abs=2.0)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}-{spec.width}")
def test_windows_without_sound_are_silent(spec: Spec) -> None:
    rate = spec.sample_rate
    music, length = sweep(rate=rate, seconds=4), spec.frames(2 * rate)
    starts = [0, spec.frames(6 * rate)]
    for quiet in (np.zeros(6 * rate), noise(6.0, rate=rate, level=1e-4), tone(440, rate=rate, seconds=6, level=1e-4)):
        frames = frames_of(np.concatenate([music, quiet]), spec)
        assert silent_windows(frames, starts, length, spec).tolist() == [False, True]
    faint = frames_of(np.concatenate([music, noise(6.0, rate=rate, level=3e-3)]), spec)
    assert not silent_windows(faint, starts, length, spec).any()
