"""The artists and the players of `genrescope.synth`: what an artist keeps from song to song, and what is played."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from genrescope.synth.studio import Hit, Note, Sound, Studio
from genrescope.synth.styles import SCALES, STYLES, Style
from genrescope.synth.voices import DRUMS, VOICES, Drum, Voice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# What sounds in each kind of section: d light drums, D all drums, b bass, c chords, l lead, L its second motif.
_LAYERS = {"i": "dc", "A": "Dbcl", "B": "DbcL", "V": "Dbc", "C": "cl", "G": "Db"}
_ENERGY = {"i": 0.7, "A": 0.85, "B": 1.0, "V": 0.85, "C": 0.7, "G": 0.95}
# What a style can take over from another one and still have its own rhythms, drums, scale and chords.
_LENT = ("tempo", "leads", "harmony", "basses", "levels", "room", "drive")
_LIGHT = frozenset(["hat", "shaker", "brush", "rim", "wood", "frame", "ride", "chime"])
_T = TypeVar("_T")


# -- artists ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Artist:
    """What one artist keeps from song to song.

    Attributes:
        tempo: slowest and fastest, in beats per minute.
        keys: favourite tonics, in semitones above C.
        progressions: chords of successive bars, one of which a song takes.
        drums: the pattern of each drum.
        bass: the pattern of the bass.
        comp: patterns of the chords.
        rhythms: patterns of the melody.
        sound: instruments, levels and studio.
    """

    tempo: tuple[float, float]
    keys: tuple[int, ...]
    progressions: tuple[tuple[int, ...], ...]
    drums: Mapping[str, str]
    bass: str
    comp: tuple[str, ...]
    rhythms: tuple[str, ...]
    sound: Sound


@functools.lru_cache(maxsize=64)
def artist_of(name: str, number: int, seed: int, crossover: float = 0.0) -> Artist:
    """Return a style's artist by number: the same for the same seed and crossover."""
    style, rng = _crossed(name, generator(seed, name, number, "crossover"), crossover), generator(seed, name, number)
    slow, fast = style.tempo
    middle = rng.uniform(0.15, 0.85)
    band = {"lead": style.leads, "chords": style.harmony, "bass": style.basses}
    parts = ("drums", "bass", "chords", "lead")
    return Artist(
        tempo=(slow + (fast - slow) * (middle - 0.15), slow + (fast - slow) * (middle + 0.15)),
        keys=_some(rng, tuple(range(12)), 3),
        progressions=_some(rng, style.progressions, 2),
        drums={drum: _one(rng, patterns) for drum, patterns in style.drums.items()},
        bass=_one(rng, style.bass),
        comp=_some(rng, style.comp, 2),
        rhythms=_some(rng, style.rhythms, 2),
        sound=Sound(
            voices={part: _own_voice(VOICES[_mostly_first(rng, choice)], rng) for part, choice in band.items()},
            kit={drum: _own_drum(DRUMS[drum], rng) for drum in style.drums},
            levels={part: level + rng.uniform(-2, 2) for part, level in zip(parts, style.levels, strict=True)},
            studio=_own_studio(style, rng),
        ),
    )


def _crossed(name: str, rng: np.random.Generator, share: float) -> Style:
    """Return the style with some of its traits taken over from others, each with a chance of `share`."""
    others = [style for other, style in STYLES.items() if other != name]
    taken = {trait: getattr(_one(rng, others), trait) for trait in _LENT if rng.random() < share}
    return dataclasses.replace(STYLES[name], **taken)


_VARIED = {
    "attack": 1.8, "release": 1.6, "decay": 1.6, "slope": 1.25, "damping": 1.6, "even": 1.8, "unison": 2.0,
    "vibrato": 2.0, "breath": 2.0, "index": 1.6,
}  # fmt: skip
"""How many times as much or as little an artist's instrument may have of each trait."""


def _own_voice(voice: Voice, rng: np.random.Generator) -> Voice:
    traits = {name: getattr(voice, name) * _factor(rng, most) for name, most in _VARIED.items()}
    return dataclasses.replace(voice, **traits | {"even": min(1.0, traits["even"])})


def _own_drum(drum: Drum, rng: np.random.Generator) -> Drum:
    shift = _factor(rng, 1.3)
    return drum._replace(
        frequency=drum.frequency * _factor(rng, 1.3),
        ring=drum.ring * _factor(rng, 1.6),
        snap=drum.snap * _factor(rng, 1.8),
        noise=drum.noise * _factor(rng, 1.5),
        band=(drum.band[0] * shift, drum.band[1] * shift),
    )


def _own_studio(style: Style, rng: np.random.Generator) -> Studio:
    room, wet = style.room
    return Studio(
        tuning=float(rng.uniform(-45, 45)),
        tilt=float(rng.uniform(-1.1, 1.1)),
        bump=(float(rng.uniform(300, 5000)), float(rng.uniform(-4, 6))),
        low=30 * _factor(rng, 1.8),
        high=float(rng.choice((6000, 8000, 10000, 11000))) * _factor(rng, 1.15),
        reverb=room * _factor(rng, 1.7),
        wet=wet * _factor(rng, 1.8),
        hiss=float(rng.uniform(-82, -60)),
        crackle=float(rng.choice((0, 0, 0, 6, 15))),
        squash=float(rng.uniform(0, 0.7)),
        drive=style.drive + float(rng.uniform(0, 3)),
        loudness=float(rng.uniform(-18, -15)),
    )


# -- the players ------------------------------------------------------------------------------------------------


def sections(form: str, bars: int) -> Iterator[str]:
    """Yield the section of each bar: sections of 1, 2 or 4 bars, as many as let the whole form fit."""
    length = max(size for size in (1, 2, 4) if size == 1 or size * len(form) <= bars)
    for bar in range(bars):
        section = bar // length
        # After the first time through, the introduction does not come again.
        yield form[section] if section < len(form) else form[1:][(section - len(form)) % (len(form) - 1)]


class _Step(NamedTuple):
    """A sign of a pattern: where it stands, how many steps it lasts, and what it says."""

    at: int
    length: int
    sign: str


@functools.lru_cache(maxsize=256)
def _steps(pattern: str) -> tuple[_Step, ...]:
    starts = [at for at, sign in enumerate(pattern) if sign not in ".-"]
    ends = [next((end for end in range(at + 1, len(pattern)) if pattern[end] != "-"), len(pattern)) for at in starts]
    return tuple(_Step(at, end - at, pattern[at]) for at, end in zip(starts, ends, strict=True))


class Band:
    """The players of one track: each call of `play` adds a bar to `notes` and `hits`."""

    def __init__(self, style: Style, artist: Artist, rng: np.random.Generator) -> None:
        self.style, self.artist, self.rng = style, artist, rng
        self.notes: list[Note] = []
        self.hits: list[Hit] = []
        self.tempo = float(rng.uniform(*artist.tempo))
        self.tonic = 48 + (_one(rng, artist.keys) + 7) % 12 - 4
        self.bar_seconds = style.beats * 60 / self.tempo
        self._step = 60 / self.tempo / style.grid
        self._scale = SCALES[style.scale]
        self._progression = _one(rng, artist.progressions)
        self._comp = _one(rng, artist.comp)
        self._motifs = {part: self._motif() for part in "lL"}

    def play(self, bar: int, letter: str) -> None:
        """Play a bar of the section that `letter` names."""
        root = self._progression[bar % len(self._progression)]
        size = len(self._scale)
        root = (root + size // 2) % size - size // 2  # the nearest octave
        layers, energy = _LAYERS[letter], _ENERGY[letter]
        if "d" in layers or "D" in layers:
            self._play_drums(bar, energy, light="d" in layers)
        if "b" in layers:
            self._play_pattern("bass", self.artist.bass, bar, root - size, energy)
        if "c" in layers:
            self._play_pattern("chords", self._comp, bar, root, 0.9 * energy)
        for motif in "lL":
            if motif in layers:
                self._play_lead(self._motifs[motif][bar % 2], bar, root, energy)

    def _play_drums(self, bar: int, energy: float, *, light: bool) -> None:
        for drum, pattern in self.artist.drums.items():
            if light and drum not in _LIGHT:
                continue
            for step in _steps(pattern):
                if step.sign == "o" and self.rng.random() < 0.15:
                    continue  # soft strokes are left out at times
                strength = energy * (1.0 if step.sign == "x" else 0.5)
                self.hits.append(Hit(drum, self._when(bar, step.at), self._touch(strength)))
        if not light and bar % 4 == 3 and self.rng.random() < 0.7:
            self._fill(bar, energy)

    def _fill(self, bar: int, energy: float) -> None:
        """Lead over to the next section: the last beat is filled on one drum, louder and louder."""
        drum = _one(self.rng, [name for name in self.artist.drums if name not in {"kick", "chime", "open"}])
        last = self.style.beats * self.style.grid
        for turn, at in enumerate(range(last - self.style.grid, last)):
            self.hits.append(Hit(drum, self._when(bar, at), self._touch(energy * (0.6 + 0.1 * turn))))

    def _play_pattern(self, part: str, pattern: str, bar: int, root: int, energy: float) -> None:
        """Play the bass or the chords: `x` is all tones of the chord, a digit one."""
        for step in _steps(pattern):
            tones = self.style.chord if step.sign in "xo" else (self._tone_of(step.sign),)
            strength = energy * (0.6 if step.sign == "o" else 1.0) * (1.0 if step.at == 0 else 0.9)
            for tone in tones:
                self._add(part, bar, step, root + tone, self._touch(strength) / math.sqrt(len(tones)))

    def _tone_of(self, digit: str) -> int:
        return len(self._scale) if digit == "8" else int(digit) - 1

    def _play_lead(self, motif: list[tuple[_Step, int]], bar: int, root: int, energy: float) -> None:
        """Play a bar of a motif over the chord's root, at times with a note left out or another one."""
        octave = self.style.octave // 12 * len(self._scale)
        for step, offset in motif:
            chance = self.rng.random()
            if chance < 0.06 and step.at:
                continue
            turn = int(self.rng.choice((-1, 1))) if chance > 0.9 and step.at % self.style.grid else 0
            accent = 1.0 if step.at % self.style.grid == 0 else 0.8
            self._add("lead", bar, step, octave + root + offset + turn, self._touch(energy * accent))

    def _motif(self) -> list[list[tuple[_Step, int]]]:
        """Invent two bars of melody: a walk over the scale that meets the chord on the beat and comes home."""
        rng, motif = self.rng, []
        place = int(rng.choice((0, 2, 4)))
        for _ in range(2):
            line = []
            for step in _steps(_one(rng, self.artist.rhythms)):
                place += int(rng.choice((-2, -1, -1, 0, 1, 1, 2, 3)))
                place = min(max(place, -2), len(self._scale) + 2)
                if step.at % self.style.grid == 0:
                    place = min(self.style.chord, key=lambda tone: abs(tone - place))
                line.append((step, place))
            motif.append(line)
        step, _ = motif[1][-1]
        motif[1][-1] = (step, 0)
        return motif

    def _add(self, part: str, bar: int, step: _Step, degree: int, velocity: float) -> None:
        octave, within = divmod(degree, len(self._scale))
        pitch = self.tonic + 12 * octave + self._scale[within]
        seconds = 0.93 * step.length * self._step
        self.notes.append(Note(part, self._when(bar, step.at), seconds, pitch, velocity))

    def _when(self, bar: int, at: int) -> float:
        """Return when a step comes, in seconds: swung, and as loosely as people play."""
        late = self.style.swing if at % 2 else 0.0
        loose = self.rng.normal(0, self.style.loose)
        return max(0.0, float(bar * self.bar_seconds + (at + late) * self._step + loose))

    def _touch(self, strength: float) -> float:
        return float(np.clip(strength * self.rng.normal(1, 0.08), 0.05, 1.2))


# -- chance -----------------------------------------------------------------------------------------------------


def generator(*key: object) -> np.random.Generator:
    """Return a generator that depends on `key` alone: the same on every machine and in every process."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(int.from_bytes(digest, "little"))))


def _one(rng: np.random.Generator, choices: Sequence[_T]) -> _T:
    return choices[int(rng.integers(len(choices)))]


def _mostly_first(rng: np.random.Generator, choices: Sequence[_T]) -> _T:
    return choices[0] if rng.random() < 0.45 else _one(rng, choices)


def _some(rng: np.random.Generator, choices: Sequence[_T], count: int) -> tuple[_T, ...]:
    picked = rng.permutation(len(choices))[:count]
    return tuple(choices[int(index)] for index in picked)


def _factor(rng: np.random.Generator, most: float) -> float:
    """Draw a factor between 1 / most and most, evenly on the logarithmic scale."""
    return float(most ** rng.uniform(-1, 1))
