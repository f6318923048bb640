"""Measures by which speech differs from music, after Scheirer and Slaney (1997): all of changes in time, none of level.

Speech has syllables and gaps between words: its level falls far and often, its low bands change most, and no moment
is like the one half a second later. Music is denser, and it has a beat.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope.features.spec import LogMelSpec

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

SECONDS = 3.0
"""Length of the sound that is measured at a time."""

LOWEST_RATE = 14_000
"""Samples per second that the bands need, up to 7 kHz."""

_FRAMES = 100  # a second
_BANDS, _GROUP = 32, 8
_EDGE = 3  # frames at either end, which reach beyond the sound
_DECIBELS = 10 / np.log(10)
_BELOW, _BAND_BELOW = 50 / _DECIBELS, 60 / _DECIBELS  # what is further below the loudest moments counts as that far
_RATES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # changes per second: edges of the bands of the modulation spectrum
_BEAT = slice(25, 110)  # frames from one beat to the next: 55 to 240 beats per minute

NAMES = (
    "low_energy", "range_95_5", "range_95_25", "deviation_0", "deviation_1", "deviation_2", "deviation_3", "flux",
    "flux_variation", "centroid_variation", "alike_after_100_ms", "alike_after_500_ms", "shape_variation",
    "together_0_3", "together_1_2", "changes_0.5_1", "changes_1_2", "changes_2_4", "changes_4_8", "changes_8_16",
    "beat_low", "beat",
)  # fmt: skip
"""Of the measures, in their order; numbers are those of four groups of bands, the lowest first."""


def spec_of(rate: int) -> LogMelSpec:
    """Return the front end of the measures: 32 bands, 100 frames a second, at any rate of `LOWEST_RATE` and more."""
    return LogMelSpec(
        rate, 2 * round(0.016 * rate), round(rate / _FRAMES), _BANDS, f_min=50.0, f_max=7000.0, window="hann",
        floor=1e-8,
    )  # fmt: skip


def measures(waves: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """Return float32 of shape (batch, measures), in the order of `NAMES`.

    Args:
        waves: float32 of shape (batch, samples), `SECONDS` long each.
        rate: samples per second, `LOWEST_RATE` at least.

    Example:
        >>> noise = np.random.default_rng(0).normal(0, 0.1, (1, 48_000)).astype(np.float32)
        >>> found = dict(zip(NAMES, measures(noise, 16_000)[0].tolist(), strict=True))
        >>> found["low_energy"], found["range_95_5"] < 5
        (0.0, True)
    """
    from genrescope.features.front_end import make

    bands: Floats = make(spec_of(rate)).forward(waves)[:, _EDGE:-_EDGE]
    power: Floats = np.exp(bands)
    energy: Floats = np.log(power.sum(axis=2) + 1e-7)
    loud = np.percentile(energy, 95, axis=1)
    energy = np.maximum(energy, loud[:, None] - _BELOW)
    bands = np.maximum(bands, (loud - _BAND_BELOW)[:, None, None])
    groups = bands.reshape(*bands.shape[:2], -1, _GROUP).mean(axis=3)
    columns = [
        *_of_level(power, energy), *_DECIBELS * groups.std(axis=1).T, *_of_flux(bands), _centroid(power).std(axis=1),
        *_of_shape(bands), _together(groups, 0, 3), _together(groups, 1, 2), *_of_changes(energy), *_of_beat(bands),
    ]  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float32)


def _of_level(power: Floats, energy: Floats) -> list[Floats]:
    """Return the share of frames of less than half the mean amplitude, and how far the level falls, in dB."""
    amplitude = np.sqrt(power.sum(axis=2))
    low = (amplitude < 0.5 * amplitude.mean(axis=1, keepdims=True)).mean(axis=1)
    p5, p25, p95 = np.percentile(energy, [5, 25, 95], axis=1)
    return [low, _DECIBELS * (p95 - p5), _DECIBELS * (p95 - p25)]


def _of_flux(bands: Floats) -> list[Floats]:
    """Return the logarithm of the mean change from frame to frame, and how much that varies."""
    flux = _DECIBELS * np.abs(np.diff(bands, axis=1)).mean(axis=2)
    mean = flux.mean(axis=1) + 1e-6
    return [np.log(mean), flux.std(axis=1) / mean]


def _centroid(power: Floats) -> Floats:
    """Return the mean band of each frame, weighted by power."""
    mean: Floats = power @ np.arange(_BANDS, dtype=np.float32) / power.sum(axis=2)
    return mean


def _of_shape(bands: Floats) -> list[Floats]:
    """Return how alike spectra are after 0.1 and 0.5 seconds (cosines), and how much their shape varies, in dB."""
    shape = bands - bands.mean(axis=2, keepdims=True)
    length = np.sqrt(np.square(shape).sum(axis=2)) + 1e-6
    alike = [
        ((shape[:, lag:] * shape[:, :-lag]).sum(axis=2) / (length[:, lag:] * length[:, :-lag])).mean(axis=1)
        for lag in (_FRAMES // 10, _FRAMES // 2)
    ]
    return [*alike, _DECIBELS * shape.std(axis=1).mean(axis=1)]


def _together(groups: Floats, first: int, second: int) -> Floats:
    """Return the correlation of two groups of bands."""
    centred = groups - groups.mean(axis=1, keepdims=True)
    spread = groups.std(axis=1) + 1e-3
    together: Floats = (centred[..., first] * centred[..., second]).mean(axis=1) / (
        spread[:, first] * spread[:, second]
    )
    return together


def _of_changes(energy: Floats) -> list[Floats]:
    """Return the logarithm of each band's share in the modulation spectrum of the level."""
    centred = _DECIBELS * (energy - energy.mean(axis=1, keepdims=True))
    spectrum = np.square(np.abs(np.fft.rfft(centred * np.hanning(centred.shape[1]), axis=1)))
    rates = np.fft.rfftfreq(centred.shape[1], 1 / _FRAMES)
    total = spectrum[:, rates >= _RATES[0]].sum(axis=1) + 1e-3
    pairs = itertools.pairwise(_RATES)
    return [np.log((spectrum[:, (rates >= low) & (rates < high)].sum(axis=1) + 1e-3) / total) for low, high in pairs]


def _of_beat(bands: Floats) -> list[Floats]:
    """Return how regularly sounds begin, of the lowest bands and of all: the autocorrelation at the best beat."""
    begun = np.maximum(np.diff(bands, axis=1), 0)
    found = []
    for part in (begun[..., :6], begun):
        onset = part.mean(axis=2)
        onset = onset - onset.mean(axis=1, keepdims=True)
        spectrum = np.square(np.abs(np.fft.rfft(onset, n=2 * onset.shape[1], axis=1)))
        alike = np.fft.irfft(spectrum, axis=1)
        found.append(alike[:, _BEAT].max(axis=1) / (alike[:, 0] + 1e-6))
    return found
