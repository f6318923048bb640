"""Albums and artists as a whole: the mean of their songs' scores, beside what each song has of its own."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.files import csv_line, write_text
from genrescope.library.similar import artist_of
from genrescope.tags.artists import artist_key, plain, words

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from pathlib import Path

    from genrescope.inference.prediction import Prediction
    from genrescope.library.rows import Entry, Song

_DISC = re.compile(r"(cd|dis[ck]|disque|vol|volume)[ ._-]*\d+", re.IGNORECASE)
_SHARE = 0.5  # of the songs that an album's artist must have, where no album artist is given


@dataclass(frozen=True)
class Pooled:
    """The mean of several songs' scores (soft voting).

    Attributes:
        genre: the label with the highest mean.
        confidence: this mean.
        scores: by label, the highest first.
        songs: how many songs were averaged.
    """

    genre: str
    confidence: float
    scores: dict[str, float]
    songs: int


@dataclass(frozen=True)
class Album:
    """An album: songs of one folder with one album tag.

    Attributes:
        title: the album's name, as the first song's tags have it.
        artist: its artist.
        folder: where it lies.
        entries: its songs with predictions.
        pooled: the mean of their scores.
    """

    title: str
    artist: str
    folder: Path
    entries: tuple[Entry, ...]
    pooled: Pooled

    @property
    def agreeing(self) -> int:
        """How many songs have the album's genre by themselves."""
        return sum(
            entry.prediction is not None and entry.prediction.genre == self.pooled.genre for entry in self.entries
        )


def albums(entries: Iterable[Entry]) -> list[Album]:
    """Find the albums of a library.

    An album is a folder and an album tag; the folders of its discs (`CD 1`) count as one. Songs without an album tag
    belong to none, nor do compilations: those that the tags call so, those whose album artist is "Various Artists",
    and those without an album artist by several artists, none of whom has half of the songs.
    """
    held = _groups((each for each in entries if each.prediction is not None), lambda each: _key(each.song))
    return [_album(songs) for songs in held.values() if not _is_compilation([each.song for each in songs])]


def pooled(predictions: Sequence[Prediction]) -> Pooled:
    """Return the mean of scores of one model."""
    labels = list(predictions[0].scores)
    means = {label: sum(each.scores[label] for each in predictions) / len(predictions) for label in labels}
    return _ranked(means, len(predictions))


def by_album(entries: Iterable[Entry]) -> dict[int, Pooled]:
    """Return the album's mean for each song that belongs to one, by the song's number."""
    return {entry.song.id: album.pooled for album in albums(entries) for entry in album.entries}


def by_artist(entries: Iterable[Entry], *, weight: float) -> dict[int, Pooled]:
    """Return each song's scores drawn towards the mean of its artist, by the song's number.

    Args:
        entries: songs; those without an artist or a prediction are left out.
        weight: of the artist's mean, in [0, 1]; the song's own scores have the rest. With 0 nothing changes, with 1 all
            songs of an artist have the same scores.
    """
    known = (each for each in entries if each.prediction is not None)
    found = {}
    for songs in _groups(known, lambda each: artist_of(each.song)).values():
        mean = pooled([each.prediction for each in songs if each.prediction])
        for each in songs:
            if each.prediction is not None:
                found[each.song.id] = shrunk(each.prediction.scores, mean, weight=weight)
    return found


def shrunk(scores: dict[str, float], mean: Pooled, *, weight: float) -> Pooled:
    """Return scores between a song's own (weight 0) and a mean (weight 1)."""
    mixed = {label: (1 - weight) * score + weight * mean.scores[label] for label, score in scores.items()}
    return _ranked(mixed, mean.songs)


def _ranked(scores: dict[str, float], songs: int) -> Pooled:
    ranked = dict(sorted(scores.items(), key=lambda item: -item[1]))
    genre = next(iter(ranked))
    return Pooled(genre, ranked[genre], ranked, songs)


def write(found: Iterable[Album], path: Path) -> None:
    """Write a row for each song of albums as CSV: its own genre, and its album's, whole or not at all."""
    columns = ["album", "artist", "path", "genre", "confidence", "album_genre", "album_confidence", "album_songs"]
    lines = [csv_line(columns)]
    for album in found:
        mean = [album.pooled.genre, round(album.pooled.confidence, 6), album.pooled.songs]
        for entry in album.entries:
            own = [entry.prediction.genre, entry.prediction.confidence] if entry.prediction else ["", ""]
            lines.append(csv_line([album.title, album.artist, str(entry.song.path), *own, *mean]))
    write_text(path, "".join(lines))


def _groups(entries: Iterable[Entry], key: Callable[[Entry], Hashable]) -> dict[Hashable, list[Entry]]:
    """Sort songs by a key; those without one are left out."""
    found: dict[Hashable, list[Entry]] = {}
    for entry in entries:
        if held := key(entry):
            found.setdefault(held, []).append(entry)
    return found


def _key(song: Song) -> tuple[Path, str, str] | None:
    """Return what the songs of an album share; None where there is no album tag."""
    title = " ".join(words(song.album)) or plain(song.album).strip()
    return (_folder(song.path), title, artist_key(song.album_artist)) if title else None


def _folder(path: Path) -> Path:
    return path.parent.parent if _DISC.fullmatch(path.parent.name) else path.parent


def _is_compilation(songs: Sequence[Song]) -> bool:
    if any(song.compilation for song in songs):
        return True
    if named := next((song.album_artist for song in songs if song.album_artist), ""):
        return not artist_key(named)
    artists = Counter(filter(None, map(artist_of, songs)))
    return len(artists) > 1 and max(artists.values()) < _SHARE * len(songs)


def _album(entries: Sequence[Entry]) -> Album:
    first = entries[0].song
    artist = first.album_artist or Counter(entry.song.artist for entry in entries).most_common(1)[0][0]
    mean = pooled([entry.prediction for entry in entries if entry.prediction])
    return Album(first.album, artist, _folder(first.path), tuple(entries), mean)
