"""The studio of `genrescope.synth`: from the notes of a score to a mixed recording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from genrescope.synth.voices import Drum, Voice, drum, tone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genrescope.audio import Wave


@dataclass(frozen=True)
class Studio:
    """How a recording sounds, whatever is played.

    Attributes:
        tuning: cents from concert pitch.
        tilt: dB per octave around 1 kHz; positive is bright.
        bump: centre in Hz and height in dB of a resonance.
        low: Hz; nothing much below.
        high: Hz; nothing much above.
        reverb: seconds until the room falls silent (60 dB).
        wet: strength of the room beside the direct sound.
        hiss: dB of the noise, relative to full scale.
        crackle: clicks per second, as of an old record.
        squash: 0 leaves the dynamics alone, 1 flattens them.
        drive: dB of saturation above clean tape.
        loudness: dB of the mean power, relative to full scale.
    """

    tuning: float = 0.0
    tilt: float = 0.0
    bump: tuple[float, float] = (1000.0, 0.0)
    low: float = 30.0
    high: float = 11000.0
    reverb: float = 1.0
    wet: float = 0.2
    hiss: float = -80.0
    crackle: float = 0.0
    squash: float = 0.3
    drive: float = 3.0
    loudness: float = -17.0


class Note(NamedTuple):
    """A pitched note: its part, seconds from the start, seconds held, MIDI pitch, velocity 0 to 1."""

    part: str
    start: float
    seconds: float
    pitch: int
    velocity: float


class Hit(NamedTuple):
    """A stroke: the drum, seconds from the start, velocity 0 to 1."""

    drum: str
    start: float
    velocity: float


@dataclass(frozen=True)
class Sound:
    """What a score is played and recorded with.

    Attributes:
        voices: the instrument of each part: lead, chords, bass.
        kit: the drums by name.
        levels: dB of each part, and of `"drums"`.
        studio: the recording's sound.
    """

    voices: Mapping[str, Voice]
    kit: Mapping[str, Drum]
    levels: Mapping[str, float]
    studio: Studio


def perform(
    notes: Sequence[Note], hits: Sequence[Hit], sound: Sound, *, seconds: float, rng: np.random.Generator, rate: int
) -> Wave:
    """Play a score and mix it.

    Args:
        notes: of the parts that `sound` has voices for.
        hits: of the drums in its kit.
        sound: instruments, levels and studio.
        seconds: length of the result.
        rng: source of every noise.
        rate: samples per second.

    Returns:
        float32 of shape (samples,), its peak at most 0.95.
    """
    count = max(1, round(seconds * rate))
    dry, sent = np.zeros(count, np.float32), np.zeros(count, np.float32)  # bass and kick stay out of the room
    strokes = {name: [drum(kind, rng=rng, rate=rate) for _ in range(3)] for name, kind in sorted(sound.kit.items())}
    gain = 0.7 * 10 ** (sound.levels["drums"] / 20)
    for turn, hit in enumerate(hits):
        bus = dry if hit.drum == "kick" else sent
        _add(bus, strokes[hit.drum][turn % 3], hit.start, gain * hit.velocity, rate)
    tones: dict[tuple[str, int, int], Wave] = {}  # the same note of the same length is computed once
    for note in notes:
        key = (note.part, note.pitch, round(note.seconds * 1000))
        if key not in tones:
            hertz = 440 * 2 ** ((note.pitch - 69) / 12 + sound.studio.tuning / 1200)
            tones[key] = tone(sound.voices[note.part], hertz, note.seconds, rate=rate)
        gain = 0.3 * 10 ** (sound.levels[note.part] / 20)
        _add(dry if note.part == "bass" else sent, tones[key], note.start, gain * note.velocity, rate)
    return master(dry, sent, sound.studio, rng=rng, rate=rate)


def _add(bus: Wave, sound: Wave, start: float, gain: float, rate: int) -> None:
    first = max(0, round(start * rate))
    part = bus[first : first + len(sound)]
    part += np.float32(gain) * sound[: len(part)]


def master(dry: Wave, sent: Wave, studio: Studio, *, rng: np.random.Generator, rate: int) -> Wave:
    """Mix two buses: room and equaliser in one convolution, then dynamics, saturation, noise and fades.

    Args:
        dry: float32 of shape (samples,), the parts that stay out of the room.
        sent: the same of the others.
        studio: the recording's sound.
        rng: source of the room and the noise.
        rate: samples per second.

    Returns:
        float32 of shape (samples,), its peak at most 0.95.
    """
    count = len(dry)
    room = _room(studio, rng, rate)
    from scipy.fft import next_fast_len

    size: int = next_fast_len(count + len(room), real=True)
    spectrum = np.fft.rfft(sent, size)
    spectrum *= 1 + np.fft.rfft(room, size)
    spectrum += np.fft.rfft(dry, size)
    spectrum *= _equaliser(studio, size, rate)
    wave = np.fft.irfft(spectrum, size)[:count].astype(np.float32)
    wave = _squashed(wave, studio.squash, rate)
    wave *= np.float32(10 ** ((studio.drive - 16) / 20) / (_rms(wave) + 1e-6))
    wave = np.tanh(wave)
    wave *= np.float32(10 ** (studio.loudness / 20) / (_rms(wave) + 1e-6))
    wave += _surface(count, studio, rng, rate)
    wave -= wave.mean()
    wave *= np.float32(0.95 / max(0.95, float(np.abs(wave).max())))
    return _faded(wave, rate)


def _room(studio: Studio, rng: np.random.Generator, rate: int) -> Wave:
    """A room's answer: noise that dies away, its treble twice as fast."""
    count = max(8, int(min(studio.reverb, 4.0) * rate))
    t = np.arange(count, dtype=np.float32) / np.float32(rate)
    bright = rng.standard_normal(count, dtype=np.float32)
    dark = np.cumsum(bright - np.mean(bright)) / np.float32(12)
    fall = np.exp(-t * np.float32(6.9 / studio.reverb))
    room = (bright * fall * fall + (dark - dark.mean()) * fall * np.float32(0.1)) * (t > 0.012)
    scale = studio.wet / (math.sqrt(float(np.sum(room * room))) + 1e-9)
    return np.asarray(room * np.float32(scale), np.float32)


def _equaliser(studio: Studio, size: int, rate: int) -> Wave:
    """Gain of each bin of an FFT of `size`: tilt, resonance and the two ends; nothing at all at 0 Hz."""
    hz = np.fft.rfftfreq(size, 1 / rate).astype(np.float32)
    hz[0] = 1e-3
    octaves = np.clip(np.log2(hz / 1000), -5, 4)
    centre = np.float32(math.log2(studio.bump[0] / 1000))
    decibels = studio.tilt * octaves + studio.bump[1] * np.exp(-2 * (octaves - centre) ** 2)
    ends = (1 + (studio.low / hz) ** 4) * (1 + (hz / studio.high) ** 8)
    gains = np.exp(decibels * np.float32(math.log(10) / 20)) / np.sqrt(ends)
    return np.asarray(gains, np.float32)


def _squashed(wave: Wave, amount: float, rate: int) -> Wave:
    """Compress: follow the level in blocks of 20 ms and take back a share of its movement."""
    block = max(1, rate // 50)
    padded = np.zeros(-(-len(wave) // block) * block, np.float32)
    padded[: len(wave)] = wave
    level = np.sqrt(np.mean(padded.reshape(-1, block) ** 2, axis=1))
    floor = 0.2 * float(level.max()) + 1e-6  # quiet ends are left quiet
    gain = np.maximum(level, floor) ** (-0.7 * amount)
    gains = np.interp(np.arange(len(wave)), (np.arange(len(gain)) + 0.5) * block, gain)
    return np.asarray(wave * gains, np.float32)


def _surface(count: int, studio: Studio, rng: np.random.Generator, rate: int) -> Wave:
    """The noise of the medium: steady hiss and, on an old record, crackle."""
    noise = rng.standard_normal(count, dtype=np.float32) * np.float32(10 ** (studio.hiss / 20))
    clicks = int(rng.poisson(studio.crackle * count / rate))
    noise[rng.integers(0, count, clicks)] += rng.normal(0, 0.04, clicks).astype(np.float32)
    return noise


def _faded(wave: Wave, rate: int) -> Wave:
    """Fade in over 10 ms and out over half a second, or a fifth of what is shorter."""
    for seconds, part in ((0.01, wave), (0.5, wave[::-1])):
        length = max(1, min(int(seconds * rate), len(wave) // 5))
        part[:length] *= np.linspace(0, 1, length, dtype=np.float32)
    return wave


def _rms(wave: Wave) -> float:
    return math.sqrt(float(np.mean(np.square(wave))))
