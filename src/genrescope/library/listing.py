"""Songs of a library as rows: chosen by genre, confidence and state, as CSV and JSON Lines too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError, nearest
from genrescope.files import csv_line
from genrescope.library.doubt import doubts, margin
from genrescope.records import to_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from genrescope.library.albums import Pooled
    from genrescope.library.database import Library
    from genrescope.library.rows import Entry, StoredModel

COLUMNS = (
    "path", "artist", "title", "album", "album_artist", "tag_genres", "seconds", "genre", "confidence", "unknown",
    "labels", "warning", "doubts", "correction", "status", "missing", "sound_id",
)  # fmt: skip
"""The columns of a list of songs. Several genres in one cell are separated by `; `."""


@dataclass(frozen=True)
class Wanted:
    """Which songs are listed. By default those whose files are there.

    Attributes:
        genre: only songs of this genre: the correction's where there is one, else the prediction's.
        min_confidence: only predictions with at least this confidence.
        doubtful: only predictions with a reason to doubt them, the closest scores first.
        missing: only songs whose files are gone.
        failed: only songs that could not be classified.
    """

    genre: str | None = None
    min_confidence: float = 0.0
    doubtful: bool = False
    missing: bool = False
    failed: bool = False

    def of(self, entries: Iterable[Entry], model: StoredModel | None) -> list[Entry]:
        """Return the entries that are wanted, in their order."""
        chosen = [each for each in entries if self._is_wanted(each, model)]
        if self.doubtful:
            chosen.sort(key=lambda each: margin(each.prediction) if each.prediction else 0.0)
        return chosen

    def _is_wanted(self, entry: Entry, model: StoredModel | None) -> bool:
        found = entry.prediction
        if entry.song.missing != self.missing or (self.failed and entry.song.status == "ok"):
            return False
        if self.genre is not None and self.genre not in genres_of(entry):
            return False
        if self.min_confidence and (found is None or round(found.confidence, 6) < self.min_confidence):
            return False
        return not self.doubtful or (found is not None and model is not None and bool(doubts(found, model)))


def genres_of(entry: Entry) -> tuple[str, ...]:
    """Return the genres that count: the user's, else the one with the highest score, else none."""
    return entry.correction or ((entry.prediction.genre,) if entry.prediction else ())


def check_genre(library: Library, model: StoredModel | None, genre: str) -> None:
    """Refuse a genre that neither the model nor a correction knows.

    Raises:
        DataError: nobody knows it; it names the nearest one.
    """
    known = {*(model.labels if model else ()), *(name for names in library.corrections().values() for name in names)}
    if genre not in known:
        raise DataError(f"--genre {genre}: no genre of this library; {nearest(genre, sorted(known))}")


def facts(entry: Entry, model: StoredModel | None) -> dict[str, Any]:
    """Return what is known of a song as JSON-like values, by the names in `COLUMNS`."""
    song, found = entry.song, entry.prediction
    return {
        "path": str(song.path),
        "artist": song.artist,
        "title": song.title,
        "album": song.album,
        "album_artist": song.album_artist,
        "tag_genres": list(song.genres),
        "seconds": song.seconds,
        "genre": found.genre if found else None,
        "confidence": found.confidence if found else None,
        "unknown": found.unknown if found else None,
        "labels": list(found.labels) if found else [],
        "warning": found.warning if found else None,
        "doubts": list(doubts(found, model)) if found and model else [],
        "correction": list(entry.correction),
        "status": song.status,
        "missing": song.missing,
        "sound_id": song.sound_id,
    }


def lines(
    entries: Iterable[Entry],
    model: StoredModel | None,
    kind: str,
    *,
    means: Mapping[int, Pooled] | None = None,
    name: str = "album",
) -> Iterator[str]:
    """Yield songs as lines of `csv`, under a header, or of `jsonl`.

    Args:
        entries: the songs.
        model: whose predictions they have.
        kind: `csv` or `jsonl`.
        means: scores of a song's album or artist, by the song's number: two columns more.
        name: what these are the means of, as the columns' names begin.
    """
    more = [] if means is None else [f"{name}_genre", f"{name}_confidence"]
    if kind == "csv":
        yield csv_line([*COLUMNS, *more])
    for entry in entries:
        values = facts(entry, model)
        mean = (means or {}).get(entry.song.id)
        added = dict(zip(more, (mean.genre, round(mean.confidence, 6)) if mean else (None, None), strict=False))
        yield csv_row(values, list(added.values())) if kind == "csv" else to_line(values | added)


def csv_row(values: dict[str, Any], more: Sequence[object] = ()) -> str:
    """Return what `facts` returned, and more cells behind it, as a line of CSV."""
    return csv_line([*(_cell(values[name]) for name in COLUMNS), *map(_cell, more)])


def _cell(value: object) -> object:
    if isinstance(value, list):
        return "; ".join(value)
    return "" if value is None else value
