"""A data set of synthesised music: audio files, and a table that lists them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from genrescope import files, workers
from genrescope.audio import SAMPLE_RATE
from genrescope.errors import DataError, OutputError
from genrescope.extras import require
from genrescope.synth.songs import artist_name, compose, refuse_unknown
from genrescope.synth.styles import STYLES

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

_BLOCK = 1 << 16  # samples: libsndfile's Vorbis encoder runs out of stack when it is given minutes at once
_FORMATS = {".ogg": ("OGG", "VORBIS"), ".flac": ("FLAC", "PCM_16"), ".wav": ("WAV", "PCM_16")}


@dataclass(frozen=True)
class Collection:
    """What a data set holds.

    Attributes:
        artists: number of artists of each style, 1 to 400.
        tracks: number of tracks of each artist, at least 1.
        seconds: length of each track.
        seed: as in `compose`.
        crossover: as in `compose`.
        styles: names in `STYLES`; None takes all.
        suffix: `.flac`, `.ogg` or `.wav`. Every ogg file is given another serial number, so only of the others
            are the bytes the same each time.

    Raises:
        DataError: there is no such style or suffix, or a number is out of range.
    """

    artists: int = 8
    tracks: int = 3
    seconds: float = 9.0
    seed: int = 0
    crossover: float = 0.0
    styles: Sequence[str] | None = None
    suffix: str = ".flac"

    def __post_init__(self) -> None:
        if self.suffix not in _FORMATS:
            raise DataError(f'suffix "{self.suffix}"; accepted are {", ".join(_FORMATS)}')
        if self.artists < 1 or self.tracks < 1 or not self.chosen:
            told = f"{self.artists} artists, {self.tracks} tracks of {len(self.chosen)} styles"
            raise DataError(f"{told}; each must be 1 or more")
        for style in self.chosen:
            refuse_unknown(style, self.artists - 1, self.tracks - 1, self.crossover)

    @property
    def chosen(self) -> list[str]:
        """The styles, each once."""
        return list(STYLES if self.styles is None else dict.fromkeys(self.styles))


class _Song(NamedTuple):
    """A track to write, at `path` inside the folder."""

    style: str
    artist: int
    track: int
    path: str


def write_dataset(
    folder: str | os.PathLike[str],
    collection: Collection,
    *,
    jobs: int = 1,
    on_track: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write tracks as `<folder>/<style>/<style>-aAA-tTT.flac`, and last `tracks.csv`, which lists them all.

    Files that are there already are kept, so an interrupted run goes on where it stopped. `synth.json` remembers seed,
    length and crossover, so that music of two kinds cannot be mixed in one folder.

    Args:
        folder: where to; it is made if need be.
        collection: what is written.
        jobs: number of processes.
        on_track: called with the number of finished tracks and of all tracks, after each.

    Returns:
        The number of tracks listed.

    Raises:
        DataError: the folder holds music of another seed or length.
        OutputError: a file cannot be written.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "synthesised music")
    root = Path(folder)
    _remember(root, collection)
    plan = [
        _Song(style, artist, track, f"{style}/{style}-a{artist:02d}-t{track:02d}{collection.suffix}")
        for style in collection.chosen
        for artist in range(collection.artists)
        for track in range(collection.tracks)
    ]
    for done, _ in enumerate(_written(root, collection, plan, jobs), start=1):
        on_track(done, len(plan))
    lines = [(song.path, song.style, artist_name(song.style, song.artist)) for song in plan]
    files.write_text(root / "tracks.csv", "".join(map(files.csv_line, [("path", "genre", "group"), *lines])))
    return len(plan)


def _remember(root: Path, collection: Collection) -> None:
    """Note what music the folder holds, or check that it holds this."""
    kind = {"seed": collection.seed, "seconds": collection.seconds}
    kind |= {"crossover": collection.crossover} if collection.crossover else {}
    note = root / "synth.json"
    if not note.exists():
        files.write_json(note, kind)
    elif (held := json.loads(note.read_text(encoding="utf-8"))) != kind:
        told = ", ".join(f"{name} {value}" for name, value in held.items())
        raise DataError(f"{root} holds music of {told}; choose another folder for other music, or remove it")


def _written(root: Path, collection: Collection, plan: Sequence[_Song], jobs: int) -> Iterator[_Song]:
    there = {song: (root / song.path).exists() for song in plan}
    yield from (song for song in plan if there[song])
    missing = [song for song in plan if not there[song]]
    yield from workers.results(missing, partial(_writer, root, collection), jobs=jobs, crashed=_crashed)


def _writer(root: Path, collection: Collection) -> Callable[[_Song], _Song]:
    return partial(_write, root, collection)


def _crashed(song: _Song, _: str) -> _Song:
    raise OutputError(
        f"{song.path} cannot be written: the process that synthesised it was killed (out of memory, perhaps)"
    )


def _write(root: Path, collection: Collection, song: _Song) -> _Song:
    import soundfile

    wave = compose(
        song.style, artist=song.artist, track=song.track,
        seconds=collection.seconds, seed=collection.seed, crossover=collection.crossover,
    )  # fmt: skip
    container, coding = _FORMATS[collection.suffix]
    with (
        files.replacing(root / song.path) as temporary,
        soundfile.SoundFile(temporary, "w", SAMPLE_RATE, 1, coding, format=container) as file,
    ):
        for first in range(0, len(wave), _BLOCK):
            file.write(wave[first : first + _BLOCK])
    return song
