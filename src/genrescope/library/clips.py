"""Clips for review: the windows of a song with the clearest and the most doubtful scores, cut as files of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.files import replacing, safe_name

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.inference.prediction import WindowScores
    from genrescope.library.rows import Entry

RATE = 44_100
"""Samples per second of clips, which are mono."""

FORMATS = ("flac", "wav")
_LONGEST = 60  # letters of a song's title in a file name


@dataclass(frozen=True)
class Clip:
    """A segment of a song that is worth listening to.

    Attributes:
        kind: `clear` or `doubtful`.
        start: where it begins, in seconds.
        end: where it ends, in seconds.
        scores: its window's two highest, with their labels.
    """

    kind: str
    start: float
    end: float
    scores: tuple[tuple[str, float], ...]


def choose(entry: Entry, *, count: int = 1, seconds: float = 10.0) -> list[Clip]:
    """Return the clearest and the most doubtful windows of a song, each within a clip of some seconds.

    A window is clear where its highest score is far above the second, and doubtful where it is near. Silent windows do
    not count, and no window is both.

    Args:
        entry: a song whose prediction has its windows.
        count: clips of each kind.
        seconds: length of a clip; a window that is longer is taken whole.
    """
    found = entry.prediction
    if found is None:
        return []
    ranked = sorted((each for each in found.windows if not each.silent), key=_margin, reverse=True)
    clear = ranked[: min(count, (len(ranked) + 1) // 2)]
    doubtful = ranked[len(clear) :][-count:]
    kinds = [*(("clear", each) for each in clear), *(("doubtful", each) for each in reversed(doubtful))]
    return [_clip(kind, window, found.seconds, seconds) for kind, window in kinds]


def cut(entry: Entry, clip: Clip, folder: Path, *, kind: str = "flac") -> Path:
    """Write a clip as a file and return its path, such as `Artist - Title 01m05s doubtful rock 0.41, blues 0.39.flac`.

    Args:
        entry: the song.
        clip: one that `choose` returned.
        folder: where it goes.
        kind: `flac` or `wav`, mono, 44.1 kHz, 16 bits.

    Raises:
        AudioError: the song cannot be read any more.
        OutputError: the file cannot be written.
    """
    import soundfile

    wave = audio.decode(entry.song.path, rate=RATE, offset=clip.start, duration=clip.end - clip.start)
    path = folder / f"{_name(entry, clip)}.{kind}"
    with replacing(path) as temporary, temporary.open("wb") as file:  # libsndfile takes no name that is not UTF-8
        soundfile.write(file, wave.clip(-1, 1), RATE, format=kind.upper(), subtype="PCM_16")
    return path


def _margin(window: WindowScores) -> float:
    first, *others = sorted(window.scores.values(), reverse=True)
    return first - others[0] if others else first


def _clip(kind: str, window: WindowScores, length: float, seconds: float) -> Clip:
    """Put a window into the middle of a clip that lies within its song."""
    seconds = max(seconds, window.end - window.start)
    start = max(0.0, min((window.start + window.end - seconds) / 2, length - seconds))
    top = sorted(window.scores.items(), key=lambda item: -item[1])[:2]
    return Clip(kind, start, min(start + seconds, length), tuple(top))


def _name(entry: Entry, clip: Clip) -> str:
    song = entry.song
    title = f"{song.artist} - {song.title}" if song.artist and song.title else song.path.stem
    minutes, seconds = divmod(int(clip.start), 60)
    scores = ", ".join(f"{label} {score:.2f}" for label, score in clip.scores)
    name = f"{title[:_LONGEST]} ({song.id}) {minutes:02d}m{seconds:02d}s {clip.kind} {scores}"
    return safe_name(name)
