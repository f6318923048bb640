"""The ten invented styles of `genrescope.synth`, read from `styles.toml`."""

from __future__ import annotations

import importlib.resources
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "hirajoshi": (0, 2, 3, 7, 8),
}
"""Semitones above the tonic, by name."""


@dataclass(frozen=True)
class Style:
    """An invented style of music.

    A bar is written as a string with one sign for each step: `x` a stroke (of all chord tones), `o` a soft one,
    a digit a chord tone (1 the root, 3, 5, 7, 8 the octave), `-` the note is held, `.` silence.

    Attributes:
        idea: what it is, in one line.
        tempo: slowest and fastest, in beats per minute.
        beats: beats in a bar.
        grid: steps in a beat: 2 eighths, 3 triplets, 4 sixteenths.
        swing: how late every second step comes, as a share of a step.
        scale: a name in `SCALES`.
        progressions: chords of successive bars, as scale degrees from 0.
        chord: its tones, in scale steps above the root.
        drums: patterns by drum, one of which an artist takes.
        bass: patterns of the bass.
        comp: patterns of the chords.
        rhythms: patterns of the melody.
        leads: instruments of the melody, of which an artist takes one.
        harmony: instruments of the chords.
        basses: instruments of the bass.
        octave: semitones from the chords up to the melody.
        form: the order of sections: i introduction, A and B with the melody's first and second motif, V without melody,
            C without rhythm, G rhythm alone.
        levels: dB of drums, bass, chords and lead.
        room: reverberation in seconds, and its strength.
        loose: spread of the players' timing, in seconds.
        drive: dB of saturation.
    """

    idea: str
    tempo: tuple[float, float]
    beats: int
    grid: int
    swing: float
    scale: str
    progressions: tuple[tuple[int, ...], ...]
    chord: tuple[int, ...]
    drums: Mapping[str, tuple[str, ...]]
    bass: tuple[str, ...]
    comp: tuple[str, ...]
    rhythms: tuple[str, ...]
    leads: tuple[str, ...]
    harmony: tuple[str, ...]
    basses: tuple[str, ...]
    octave: int
    form: str
    levels: tuple[float, float, float, float]
    room: tuple[float, float]
    loose: float
    drive: float


def _style(values: dict[str, Any]) -> Style:
    drums = {drum: tuple(patterns) for drum, patterns in values["drums"].items()}
    progressions = tuple(tuple(map(int, degrees)) for degrees in values["progressions"])
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return Style(**values | lists | {"drums": drums, "progressions": progressions})


STYLES: dict[str, Style] = {
    name: _style(values)
    for name, values in tomllib.loads(
        (importlib.resources.files(__package__) / "styles.toml").read_text(encoding="utf-8")
    ).items()
}
"""The ten styles by name."""
