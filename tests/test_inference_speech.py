"""Speech: what is taken for it and what is not, at any rate and in pieces of any size."""

from __future__ import annotations

import numpy as np
import pytest
from cli_support import GENRES, sound
from conftest import RATE
from live_support import spoken

from genrescope.features.speech_measures import NAMES, measures
from genrescope.inference.speech import BEGINS, WEIGHTS, Speech, logits


def shown(wave: np.ndarray, rate: int, *, size: int | None = None) -> list[bool | None]:
    """Return what is said after each second."""
    speech, size = Speech(rate), size or len(wave)
    pieces = [wave[first : first + size] for first in range(0, len(wave), size)]
    assert sum(len(piece) for piece in speech.passing(pieces)) == len(wave)
    return [speech.at(float(second)) for second in range(1, len(wave) // rate + 1)]


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_speech_is_said_after_six_seconds_at_any_rate_and_level(rate: int) -> None:
    wave = spoken(rate, seconds=10)
    assert shown(wave, rate) == [None] * 5 + [True] * 5
    assert shown(0.1 * wave, rate) == [None] * 5 + [True] * 5
    assert shown(wave, rate, size=rate // 5) == shown(wave, rate)


@pytest.mark.parametrize("genre", GENRES)
def test_a_tone_a_beat_and_noise_are_no_speech(genre: str) -> None:
    assert shown(sound(genre, 3, seconds=8), RATE) == [None] * 5 + [False] * 3


def test_after_silence_nothing_is_known_until_six_seconds_have_been_heard() -> None:
    wave = np.concatenate([spoken(RATE, seconds=8), np.zeros(4 * RATE, np.float32), spoken(RATE, seconds=8, seed=1)])
    found = shown(wave, RATE)
    assert found[5:8] == [True] * 3
    assert found[11:14] == [None] * 3
    assert found[-1] is True


def test_where_the_bands_would_not_fit_nothing_is_said() -> None:
    assert shown(spoken(8_000, seconds=8), 8_000) == [None] * 8


def test_measures_are_named_weighted_and_free_of_level() -> None:
    wave = spoken(16_000, seconds=3)[None]
    found = measures(wave, 16_000)
    assert found.shape == (1, len(NAMES)) == (1, len(WEIGHTS))
    assert measures(0.1 * wave, 16_000) == pytest.approx(found, rel=0.05, abs=0.1)
    assert logits(wave, 16_000)[0] > BEGINS
    named = dict(zip(NAMES, found[0].tolist(), strict=True))
    assert named["low_energy"] > 0.3
    assert named["range_95_5"] > 30
