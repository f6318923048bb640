"""Synthesised music in ten invented styles, for the demonstration and the tests.

Each style has its own tempo, metre, scale, harmony, rhythms, instruments and feel; each of its artists has a sound:
instruments, tuning, habits, room, noise and loudness. Styles share cues, so no one cue gives a style away; artists
are easy to recognise, so a split that lets an artist stand on both sides flatters a classifier, here as in real life.

It proves nothing about real music: a score reached on these styles says that the machinery works, and no more.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from genrescope import files, workers
from genrescope.audio import SAMPLE_RATE
from genrescope.errors import DataError, OutputError, nearest
from genrescope.synth.band import Band, artist_of, generator, sections
from genrescope.synth.studio import Hit, Note, perform
from genrescope.synth.styles import SCALES, STYLES, Style

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from genrescope.audio import Wave

__all__ = ["MAX_ARTISTS", "SCALES", "STYLES", "Score", "Style", "artist_name", "compose", "score", "write_dataset"]

MAX_ARTISTS = 400
"""A style's artists have the numbers from 0 up to, but not including, this."""

_BLOCK = 1 << 16  # samples: libsndfile's Vorbis encoder runs out of stack when it is given minutes at once
_FORMATS = {".ogg": ("OGG", "VORBIS"), ".flac": ("FLAC", "PCM_16"), ".wav": ("WAV", "PCM_16")}


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
            hard the styles are to tell apart.
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
    sound = artist_of(style, artist, seed, crossover)
    rng = generator(seed, style, artist, track, "sound")
    shift = float(rng.normal(0, 1))  # no two days in a studio sound quite alike
    return perform(
        played.notes,
        played.hits,
        voices=sound.voices,
        kit=sound.kit,
        levels={part: level + rng.normal(0, 0.7) for part, level in sound.levels.items()},
        studio=dataclasses.replace(sound.studio, loudness=sound.studio.loudness + shift),
        seconds=seconds,
        rng=rng,
        rate=sample_rate,
    )


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
    _check(style, artist, track, crossover)
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
    _check(style, artist, 0)
    # An odd factor and a shift each permute the numbers below 4096: neighbours get names that are not alike.
    number = (list(STYLES).index(style) * MAX_ARTISTS + artist + 777) * 2731 % 4096
    number = (number ^ number >> 5) * 1237 % 4096
    syllables = ["ba", "lo", "mi", "su", "te", "ra", "ke", "no", "vi", "du", "za", "fe", "go", "li", "pa", "rum"]
    return "".join(syllables[number >> shift & 15] for shift in (8, 4, 0)).capitalize()


# -- a data set -------------------------------------------------------------------------------------------------


def write_dataset(
    folder: str | os.PathLike[str],
    *,
    artists: int = 8,
    tracks: int = 3,
    seconds: float = 9.0,
    seed: int = 0,
    crossover: float = 0.0,
    styles: Sequence[str] | None = None,
    suffix: str = ".flac",
    jobs: int = 1,
    on_track: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write tracks as `<folder>/<style>/<style>-aAA-tTT.flac`, and last `tracks.csv`, which lists them all.

    Files that are there already are kept, so an interrupted run goes on where it stopped. `synth.json` remembers seed,
    length and crossover, so that music of two kinds cannot be mixed in one folder.

    Args:
        folder: where to; it is made if need be.
        artists: number of artists of each style, 1 to 400.
        tracks: number of tracks of each artist, at least 1.
        seconds: length of each track.
        seed: as in `compose`.
        crossover: as in `compose`.
        styles: names in `STYLES`; None takes all.
        suffix: `.flac`, `.ogg` or `.wav`. Every ogg file is given another serial number, so only of the others
            are the bytes the same each time.
        jobs: number of processes.
        on_track: called with the number of finished tracks and of all tracks, after each.

    Returns:
        The number of tracks listed.

    Raises:
        DataError: there is no such style or suffix, a number is out of range, or the folder holds music of another
            seed or length.
        OutputError: a file cannot be written.
    """
    chosen = list(STYLES if styles is None else dict.fromkeys(styles))
    if suffix not in _FORMATS:
        raise DataError(f'suffix "{suffix}"; accepted are {", ".join(_FORMATS)}')
    if artists < 1 or tracks < 1 or jobs < 1 or not chosen:
        raise DataError(
            f"{artists} artists, {tracks} tracks, {jobs} jobs of {len(chosen)} styles; each must be 1 or more"
        )
    for style in chosen:
        _check(style, artists - 1, tracks - 1, crossover)
    root = Path(folder)
    _remember(root, {"seed": seed, "seconds": seconds} | ({"crossover": crossover} if crossover else {}))
    plan = [
        _Job(style, artist, track, seconds, seed, crossover, f"{style}/{style}-a{artist:02d}-t{track:02d}{suffix}")
        for style in chosen
        for artist in range(artists)
        for track in range(tracks)
    ]
    for done, _ in enumerate(_written(root, plan, jobs), start=1):
        on_track(done, len(plan))
    _list(root, plan)
    return len(plan)


def _remember(root: Path, kind: dict[str, float]) -> None:
    """Note what music the folder holds, or check that it holds this.

    Raises:
        DataError: it holds another.
    """
    note = root / "synth.json"
    if not note.exists():
        files.write_json(note, kind)
    elif (held := json.loads(note.read_text(encoding="utf-8"))) != kind:
        told = ", ".join(f"{name} {value}" for name, value in held.items())
        raise DataError(f"{root} holds music of {told}; choose another folder for other music, or remove it")


class _Job(NamedTuple):
    """A track to write, at `path` inside the folder."""

    style: str
    artist: int
    track: int
    seconds: float
    seed: int
    crossover: float
    path: str


def _written(root: Path, plan: Sequence[_Job], jobs: int) -> Iterator[_Job]:
    """Write what is missing, in this process or in others; yield each track that is there."""
    there = {job: (root / job.path).exists() for job in plan}
    yield from (job for job in plan if there[job])
    missing = [job for job in plan if not there[job]]
    yield from workers.results(missing, partial(_writer, root), jobs=jobs, crashed=_crashed)


def _writer(root: Path) -> Callable[[_Job], _Job]:
    return partial(_write, root)


def _crashed(job: _Job) -> _Job:
    raise OutputError(
        f"{job.path} cannot be written: the process that synthesised it was killed (out of memory, perhaps)"
    )


def _write(root: Path, job: _Job) -> _Job:
    import soundfile

    wave = compose(
        job.style, artist=job.artist, track=job.track, seconds=job.seconds, seed=job.seed, crossover=job.crossover
    )
    container, coding = _FORMATS[Path(job.path).suffix]
    with (
        files.replacing(root / job.path) as temporary,
        soundfile.SoundFile(temporary, "w", SAMPLE_RATE, 1, coding, format=container) as file,
    ):
        for first in range(0, len(wave), _BLOCK):
            file.write(wave[first : first + _BLOCK])
    return job


def _list(root: Path, plan: Sequence[_Job]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "genre", "group"))
    writer.writerows((job.path, job.style, artist_name(job.style, job.artist)) for job in plan)
    files.write_text(root / "tracks.csv", text.getvalue())


def _check(style: str, artist: int, track: int, crossover: float = 0.0) -> None:
    if style not in STYLES:
        raise DataError(f'no style called "{style}"; {nearest(style, STYLES)}')
    if not 0 <= artist < MAX_ARTISTS or track < 0:
        raise DataError(
            f"artist {artist}, track {track}; accepted are artists 0 to {MAX_ARTISTS - 1} and tracks from 0"
        )
    if not 0 <= crossover <= 1:
        raise DataError(f"crossover {crossover}; accepted is 0 (each style its own) to 1")
