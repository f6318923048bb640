"""Synthesised music in ten invented styles, for the demonstration and the tests.

Each style has its own tempo, metre, scale, harmony, rhythms, instruments and feel; each of its artists has a sound:
instruments, tuning, habits, room, noise and loudness. Styles share cues, so no one cue gives a style away; artists
are easy to recognise, so a split that lets an artist stand on both sides flatters a classifier, here as in real life.

It proves nothing about real music: a score reached on these styles says that the machinery works, and no more.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.audio import SAMPLE_RATE
from genrescope.errors import DataError, nearest
from genrescope.synth.band import Band, artist_of, generator, sections
from genrescope.synth.studio import Hit, Note, perform
from genrescope.synth.styles import STYLES

if TYPE_CHECKING:
    from genrescope.audio import Wave

MAX_ARTISTS = 400
"""A style's artists have the numbers from 0 up to, but not including, this."""


@dataclass(frozen=True)
class Score:
    """What is played in a track, before anything sounds.

    Attributes:
        tempo: beats per minute.
        tonic: MIDI pitch of the scale's first step.
        notes: the pitched notes.
        hits: the strokes of the drums.
    """

    tempo: float
    tonic: int
    notes: tuple[Note, ...]
    hits: tuple[Hit, ...]


def compose(
    style: str,
    *,
    artist: int = 0,
    track: int = 0,
    seconds: float = 30.0,
    seed: int = 0,
    crossover: float = 0.0,
    sample_rate: int = SAMPLE_RATE,
) -> Wave:
    """Compose and play a track. The same arguments give the same wave.

    Args:
        style: a name in `STYLES`.
        artist: which of the style's artists, from 0 to 399.
        track: which of the artist's tracks, from 0.
        seconds: length; the form of the song fits itself to it.
        seed: another seed gives other artists and other songs.
        crossover: how likely each of an artist's instruments, tempo, mix and room is another style's, from 0 to 1: how
            hard the styles are to distinguish.
        sample_rate: samples per second, from 8,000 to 96,000.

    Returns:
        float32 of shape (samples,), mono, its peak at most 0.95.

    Raises:
        DataError: there is no such style or artist, or a number is out of range.

    Example:
        >>> compose("tidebell", seconds=0.5).shape
        (11025,)
        >>> compose("tidebel")
        Traceback (most recent call last):
            ...
        genrescope.errors.DataError: no style called "tidebel"; did you mean "tidebell"?
    """
    if not 8_000 <= sample_rate <= 96_000:
        raise DataError(f"sample rate {sample_rate}; accepted is 8000 to 96000 samples per second")
    played = score(style, artist=artist, track=track, seconds=seconds, seed=seed, crossover=crossover)
    sound = artist_of(style, artist, seed, crossover).sound
    rng = generator(seed, style, artist, track, "sound")
    shift = float(rng.normal(0, 1))  # no two days in a studio sound quite alike
    sound = dataclasses.replace(
        sound,
        levels={part: level + rng.normal(0, 0.7) for part, level in sound.levels.items()},
        studio=dataclasses.replace(sound.studio, loudness=sound.studio.loudness + shift),
    )
    return perform(played.notes, played.hits, sound, seconds=seconds, rng=rng, rate=sample_rate)


def score(
    style: str, *, artist: int = 0, track: int = 0, seconds: float = 30.0, seed: int = 0, crossover: float = 0.0
) -> Score:
    """Write what `compose` plays; the arguments are the same.

    Raises:
        DataError: there is no such style or artist, or a number is out of range.

    Example:
        >>> slow, fast = STYLES["brassgale"].tempo
        >>> slow <= score("brassgale").tempo <= fast
        True
    """
    refuse_unknown(style, artist, track, crossover)
    if not 0 < seconds < math.inf:
        raise DataError(f"{seconds} seconds; accepted is a positive number")
    sound = artist_of(style, artist, seed, crossover)
    band = Band(STYLES[style], sound, generator(seed, style, artist, track, "score"))
    bars = math.ceil(seconds / band.bar_seconds)
    for bar, letter in enumerate(sections(STYLES[style].form, bars)):
        band.play(bar, letter)
    return Score(
        band.tempo,
        band.tonic,
        tuple(sorted((note for note in band.notes if note.start < seconds), key=lambda note: note.start)),
        tuple(sorted((hit for hit in band.hits if hit.start < seconds), key=lambda hit: hit.start)),
    )


def artist_name(style: str, artist: int) -> str:
    """Name an artist; no two artists of any style share a name.

    Raises:
        DataError: there is no such style or artist.

    Example:
        >>> artist_name("emberwalk", 0), artist_name("emberwalk", 1)
        ('Zamino', 'Limirum')
    """
    refuse_unknown(style, artist, 0)
    # An odd factor and a shift each permute the numbers below 4096: neighbours get names that are not alike.
    number = (list(STYLES).index(style) * MAX_ARTISTS + artist + 777) * 2731 % 4096
    number = (number ^ number >> 5) * 1237 % 4096
    syllables = ["ba", "lo", "mi", "su", "te", "ra", "ke", "no", "vi", "du", "za", "fe", "go", "li", "pa", "rum"]
    return "".join(syllables[number >> shift & 15] for shift in (8, 4, 0)).capitalize()


def refuse_unknown(style: str, artist: int, track: int, crossover: float = 0.0) -> None:
    """Refuse what no track can be made of.

    Raises:
        DataError: there is no such style or artist, or a number is out of range.
    """
    if style not in STYLES:
        raise DataError(f'no style called "{style}"; {nearest(style, STYLES)}')
    if not 0 <= artist < MAX_ARTISTS or track < 0:
        raise DataError(
            f"artist {artist}, track {track}; accepted are artists 0 to {MAX_ARTISTS - 1} and tracks from 0"
        )
    if not 0 <= crossover <= 1:
        raise DataError(f"crossover {crossover}; accepted is 0 (each style its own) to 1")
