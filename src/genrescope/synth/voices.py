"""The instruments of `genrescope.synth`: pitched voices and drums, a note at a time.

A tone is a table lookup: one cycle is computed for every few hundredths of a second from the strength of each
harmonic, so a string may darken while it rings, and no harmonic ever lies above half the sample rate. A drum is a
falling sine beside a burst of filtered noise. All is numpy; nothing loops over samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from genrescope.audio import Wave

_HOP = 512  # samples between two spectra of a tone: 23 ms, well under what an ear or a log-mel frame resolves
_TABLE = 1024  # samples in a table of one cycle; nearest lookup leaves noise 55 dB below the tone


@dataclass(frozen=True)
class Voice:
    """A pitched instrument.

    Attributes:
        attack: seconds until full strength.
        release: seconds that a note rings after its end.
        decay: seconds in which a held note falls to 37 %; 0 holds it.
        slope: harmonic h has the strength h ** -slope; 1 is a bright saw, 3 is nearly a sine.
        opening: added to the slope at the note's start and gone soon after; negative starts bright and closes.
        damping: how much faster each higher harmonic dies, per second.
        even: strength of the even harmonics; 0 is hollow, as a square wave or a clarinet.
        bars: strengths of the first harmonics that replace the slope, as the drawbars of an organ.
        unison: cents between three players; 0 is one player.
        vibrato: depth in cents.
        tremolo: depth of the swelling and ebbing, 0 to 1.
        breath: strength of the noise of breath or bow.
        drive: overdrive; 0 is clean.
        ratio: modulator's frequency over the tone's, for a bell by frequency modulation; 0 is a table voice.
        index: depth of that modulation.
    """

    attack: float = 0.005
    release: float = 0.08
    decay: float = 0.0
    slope: float = 1.5
    opening: float = 0.0
    damping: float = 0.0
    even: float = 1.0
    bars: tuple[float, ...] = ()
    unison: float = 0.0
    vibrato: float = 0.0
    tremolo: float = 0.0
    breath: float = 0.0
    drive: float = 0.0
    ratio: float = 0.0
    index: float = 0.0


VOICES: dict[str, Voice] = {
    "string": Voice(0.002, 0.12, 0.7, 1.0, damping=0.9),
    "lute": Voice(0.002, 0.08, 0.35, 1.3, damping=0.6, even=0.6),
    "mallet": Voice(0.002, 0.15, 0.22, bars=(1, 0, 0, 0.45, 0, 0, 0, 0, 0, 0.2), damping=1.5),
    "organ": Voice(0.012, 0.06, 0.0, bars=(1, 0.9, 0.6, 0.7, 0, 0.35, 0, 0.4), tremolo=0.15),
    "pad": Voice(0.35, 0.5, 0.0, 1.7, opening=1.0, unison=14.0),
    "choir": Voice(0.2, 0.4, 0.0, bars=(1, 0.7, 0.9, 0.3, 0.1, 0.15, 0.1), unison=20.0, vibrato=10.0),
    "brass": Voice(0.04, 0.07, 0.0, 1.0, opening=1.6, vibrato=6.0),
    "flute": Voice(0.06, 0.09, 0.0, bars=(1, 0.45, 0.15, 0.06), vibrato=22.0, breath=0.16),
    "reed": Voice(0.03, 0.06, 0.0, 0.9, even=0.25, vibrato=14.0, breath=0.08),
    "bow": Voice(0.07, 0.09, 0.0, 1.2, vibrato=20.0, breath=0.10, unison=5.0),
    "saw": Voice(0.004, 0.06, 0.6, 1.0, opening=-0.3, unison=10.0),
    "square": Voice(0.004, 0.05, 0.5, 1.0, even=0.05),
    "fuzz": Voice(0.006, 0.06, 1.6, 0.9, drive=4.0, unison=6.0),
    "keys": Voice(0.003, 0.12, 0.9, ratio=1.0, index=1.4, tremolo=0.1),
    "bell": Voice(0.002, 0.9, 0.9, ratio=3.5, index=1.6),
    "pan": Voice(0.004, 0.2, 0.28, ratio=2.0, index=1.1),
    "finger": Voice(0.006, 0.05, 0.6, 1.6, damping=0.8),
    "upright": Voice(0.012, 0.06, 0.35, 2.2, damping=0.5, breath=0.05),
    "sub": Voice(0.012, 0.08, 0.0, bars=(1, 0.25, 0.08)),
    "growl": Voice(0.004, 0.04, 0.4, 1.0, opening=-0.5, drive=1.5),
}


def tone(voice: Voice, frequency: float, seconds: float, *, rate: int) -> Wave:
    """Play one note.

    Args:
        voice: the instrument.
        frequency: Hz, under half of `rate`.
        seconds: how long it is held; the release follows.
        rate: samples per second.

    Returns:
        float32 of shape (samples,), near [-1, 1]; it begins and ends at zero.
    """
    count = max(2, int((seconds + voice.release) * rate))
    time = np.arange(count, dtype=np.float64) / rate
    cycles = frequency * time
    if voice.vibrato:
        # Frequency f (1 + d sin wt), integrated; an ear hears the shift by a constant as nothing.
        depth = voice.vibrato / 1200 * math.log(2)
        cycles -= frequency * depth / (2 * np.pi * 5.5) * np.cos(2 * np.pi * 5.5 * time)
    wave = _bell(voice, cycles, time) if voice.ratio else _looked_up(voice, cycles, frequency, rate)
    if voice.drive:
        wave = np.tanh((1 + voice.drive) * wave)
    if voice.breath:
        wave = wave + voice.breath * _hiss(count)
    return (wave * _envelope(voice, time, seconds)).astype(np.float32)


def _bell(voice: Voice, cycles: npt.NDArray[np.float64], time: npt.NDArray[np.float64]) -> Wave:
    """Chowning's bell: one sine shakes the phase of another, less and less."""
    turns = (2 * np.pi * (cycles % 1.0)).astype(np.float32)
    shaking = (2 * np.pi * (cycles * voice.ratio % 1.0)).astype(np.float32)
    index = (voice.index * np.exp(-2.5 * time / max(voice.decay, 0.1))).astype(np.float32)
    bell: Wave = np.float32(0.8) * np.sin(turns + index * np.sin(shaking))
    return bell


def _looked_up(voice: Voice, cycles: npt.NDArray[np.float64], frequency: float, rate: int) -> Wave:
    """Look each sample up in the tables of `_cycles`: one player, or three that are slightly out of tune."""
    tables = _cycles(voice, len(cycles), frequency, rate)
    row = (np.arange(len(cycles)) // _HOP % len(tables)) * _TABLE
    spread = 2 ** (voice.unison / 1200) - 1
    wave = np.zeros(len(cycles), np.float32)
    players = (-spread, 0.0, spread) if spread else (0.0,)
    for player, detuning in enumerate(players):
        position = (cycles * ((1 + detuning) * _TABLE) + player * 0.37 * _TABLE).astype(np.int64)
        wave += tables.ravel()[row + (position & (_TABLE - 1))]
    wave *= np.float32(1 / math.sqrt(len(players)))
    return wave


def _cycles(voice: Voice, count: int, frequency: float, rate: int) -> Wave:
    """Compute one cycle for every hop: (hops, _TABLE), or (1, _TABLE) where the sound does not change."""
    highest = max(1, min(60, int(0.45 * rate / frequency)))
    number = np.arange(1, highest + 1)
    moves = voice.damping or voice.opening
    time = (np.arange(-(-count // _HOP)) * _HOP / rate if moves else np.zeros(1))[:, None]
    if voice.bars:
        strength = np.zeros(highest)
        strength[: len(voice.bars)] = voice.bars[:highest]
    else:
        strength = np.where(number % 2 == 0, voice.even, 1.0)
    slope = (0.0 if voice.bars else voice.slope) + voice.opening * np.exp(-time / 0.09)
    levels = strength * np.exp(-slope * np.log(number) - voice.damping * time * (number - 1))
    spectrum = np.zeros((len(time), _TABLE // 2 + 1), np.complex64)
    # Phases that grow with the square of the number spread the energy over the cycle: no spikes.
    spectrum[:, 1 : highest + 1] = levels * np.exp(0.7j * number**2)
    cycles = np.fft.irfft(spectrum).astype(np.float32)
    return cycles * np.float32(0.7 / max(float(np.abs(cycles[0]).max()), float(np.abs(cycles[-1]).max()), 1e-9))


def _envelope(voice: Voice, time: npt.NDArray[np.float64], seconds: float) -> Wave:
    """Rise, decay and release; it ends at exactly zero, so a note cannot click."""
    t = time.astype(np.float32)
    envelope: Wave = np.minimum(t / np.float32(max(voice.attack, 1e-3)), 1)
    left = np.clip((t[-1] - t) / np.float32(max(t[-1] - seconds, 1e-3)), 0, 1)
    envelope *= left * left
    if voice.decay:
        envelope *= np.exp(-t / np.float32(voice.decay))
    if voice.tremolo:
        envelope *= 1 - np.float32(voice.tremolo) * (0.5 + 0.5 * np.sin(np.float32(2 * np.pi * 5.2) * t))
    return envelope


def _hiss(count: int) -> Wave:
    """Dull noise, the same for every note: a note's sound must not depend on the notes before it."""
    noise = np.random.default_rng(7).standard_normal(count + 4, dtype=np.float32)
    dull: Wave = 0.05 * (noise[:-4] + 3 * noise[1:-3] + 3 * noise[2:-2] + noise[3:-1])
    return dull


# -- drums ------------------------------------------------------------------------------------------------------


class Drum(NamedTuple):
    """A drum: a falling sine and a burst of noise."""

    frequency: float  # Hz, where the sine comes to rest
    drop: float  # how many times higher it starts
    ring: float  # seconds in which it falls to 37 %
    skin: float  # its strength
    noise: float  # strength of the noise
    snap: float  # seconds in which the noise falls to 37 %
    band: tuple[float, float]  # Hz: the noise between them


DRUMS: dict[str, Drum] = {
    "kick": Drum(52, 3.5, 0.13, 1.0, 0.15, 0.008, (800, 5000)),
    "snare": Drum(185, 1.4, 0.07, 0.5, 0.7, 0.09, (700, 9000)),
    "clap": Drum(900, 1.0, 0.01, 0.1, 0.8, 0.08, (800, 4500)),
    "brush": Drum(200, 1.2, 0.05, 0.15, 0.5, 0.14, (1500, 8000)),
    "hat": Drum(8000, 1.0, 0.02, 0.05, 0.5, 0.025, (6000, 11000)),
    "open": Drum(8000, 1.0, 0.05, 0.05, 0.4, 0.18, (5500, 11000)),
    "ride": Drum(4300, 1.0, 0.12, 0.02, 0.3, 0.18, (4000, 10500)),
    "shaker": Drum(6000, 1.0, 0.02, 0.0, 0.4, 0.045, (3500, 9000)),
    "rim": Drum(1700, 1.0, 0.012, 0.6, 0.3, 0.008, (1500, 6000)),
    "wood": Drum(820, 1.05, 0.035, 0.8, 0.1, 0.01, (600, 3000)),
    "conga": Drum(240, 1.15, 0.11, 0.8, 0.2, 0.02, (500, 3000)),
    "frame": Drum(95, 1.6, 0.16, 0.9, 0.3, 0.03, (300, 2500)),
    "tom": Drum(120, 1.5, 0.2, 0.9, 0.15, 0.03, (300, 3000)),
    "chime": Drum(3150, 1.0, 0.35, 0.2, 0.05, 0.1, (5000, 9000)),
}


def drum(kind: Drum, *, rng: np.random.Generator, rate: int) -> Wave:
    """Strike a drum once: float32 of shape (samples,), near [-1, 1], ending at zero."""
    longest = max(kind.ring * (kind.skin > 0), kind.snap)
    count = max(16, int(5 * longest * rate))
    t = np.arange(count, dtype=np.float32) / np.float32(rate)
    # The frequency f (1 + (drop - 1) exp(-t / s)), integrated.
    settle = 0.03
    cycles = kind.frequency * (t + (kind.drop - 1) * settle * (1 - np.exp(-t / settle)))
    wave = kind.skin * np.sin(2 * np.pi * cycles) * np.exp(-t / kind.ring)
    wave += kind.noise * _band_noise(count, kind.band, rng, rate) * np.exp(-t / kind.snap)
    edges = np.minimum(np.minimum(t * 1000, 1), (count - 1 - np.arange(count)) / (0.1 * count))
    return np.asarray(wave * edges, np.float32)


def _band_noise(count: int, band: tuple[float, float], rng: np.random.Generator, rate: int) -> Wave:
    spectrum = np.fft.rfft(rng.standard_normal(count, dtype=np.float32))
    hz = np.fft.rfftfreq(count, 1 / rate)
    spectrum *= 1 / (1 + (band[0] / np.maximum(hz, 1)) ** 6) / (1 + (hz / band[1]) ** 6)
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / (3 * noise.std() + 1e-9), np.float32)
