"""What a library holds, as values: songs, models, and songs with their predictions and corrections."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope.audio import FileKey
from genrescope.features.placement import Choice
from genrescope.inference.prediction import Prediction, WindowScores

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True)
class Song:
    """A song of a library.

    Attributes:
        id: its number in the library; it never changes.
        path: its file, absolute.
        key: the file as it was when it was last read.
        sound_id: identifies its sound, whatever its tags and its place; empty where the file could not be read.
        seconds: its length; None where it was not classified.
        artist: as all that follows, what the tags say; empty where they say nothing.
        title: of the song.
        album: of the song.
        album_artist: of the album.
        compilation: whether the tags call the album a compilation.
        genres: the genres of the tags.
        scanned: when the file was last read, ISO 8601.
        status: `ok`, or the reason why it could not be classified.
        missing: whether there is no such file any more.
    """

    id: int
    path: Path
    key: FileKey
    sound_id: str
    seconds: float | None
    artist: str
    title: str
    album: str
    album_artist: str
    compilation: bool
    genres: tuple[str, ...]
    scanned: str
    status: str
    missing: bool


@dataclass(frozen=True)
class StoredModel:
    """A model that classified songs of a library.

    Attributes:
        id: its number in the library.
        fingerprint: 16 hexadecimal digits, as `Classifier.fingerprint`.
        name: as the scan was given it.
        labels: what it knows, in the order of stored scores.
        exclusive: whether the scores of a song add up to 1.
        thresholds: by label, the score from which it counts; none where the model has no thresholds.
        width: numbers of an embedding; 0 where it gives none.
        choice: which of a song's windows it scored.
    """

    id: int
    fingerprint: str
    name: str
    labels: tuple[str, ...]
    exclusive: bool
    thresholds: dict[str, float]
    width: int
    choice: Choice


@dataclass(frozen=True)
class Entry:
    """All that is known of a song under one model.

    Attributes:
        song: the song.
        prediction: what the model made of it; None where it did not classify it. `windows` is empty unless asked for.
        correction: its genres as the user has corrected them; empty where they were not.
    """

    song: Song
    prediction: Prediction | None
    correction: tuple[str, ...] = ()


def to_song(row: sqlite3.Row) -> Song:
    """Return the song of a row of `songs`."""
    return Song(
        id=row["id"], path=Path(row["path"]),
        key=FileKey(int(row["device"]), int(row["inode"]), row["size"], row["mtime_ns"]),
        sound_id=row["sound_id"] or "", seconds=row["seconds"], artist=row["artist"], title=row["title"],
        album=row["album"], album_artist=row["album_artist"], compilation=bool(row["compilation"]),
        genres=tuple(json.loads(row["genres"])), scanned=row["scanned"], status=row["status"],
        missing=bool(row["missing"]),
    )  # fmt: skip


def to_model(row: sqlite3.Row) -> StoredModel:
    """Return the model of a row of `models`."""
    windows = json.loads(row["windows"])
    return StoredModel(
        id=row["id"], fingerprint=row["fingerprint"], name=row["name"], labels=tuple(json.loads(row["labels"])),
        exclusive=bool(row["exclusive"]), thresholds=json.loads(row["thresholds"]), width=row["width"],
        choice=Choice(windows["most"], windows["excerpt"]),
    )  # fmt: skip


def to_entry(row: sqlite3.Row, model: StoredModel | None) -> Entry:
    """Return the entry of a row of songs, predictions and corrections joined."""
    song = to_song(row)
    prediction = None if model is None or row["genre"] is None else _prediction(row, song, model.labels)
    return Entry(song, prediction, tuple(json.loads(row["correction"] or "[]")))


def _prediction(row: sqlite3.Row, song: Song, labels: tuple[str, ...]) -> Prediction:
    scores = dict(zip(labels, json.loads(row["scores"]), strict=True))
    return Prediction(
        song.path, str(song.path), row["genre"], row["confidence"],
        dict(sorted(scores.items(), key=lambda item: -item[1])), _windows(row["windows"], labels), song.seconds or 0.0,
        row["warning"], bool(row["unknown"]), tuple(json.loads(row["labels"])), json.loads(row["tags"]),
    )  # fmt: skip


def _windows(held: str | None, labels: tuple[str, ...]) -> tuple[WindowScores, ...]:
    found: list[list[Any]] = json.loads(held or "[]")
    return tuple(
        WindowScores(start, end, labels[int(np.argmax(row))], dict(zip(labels, row, strict=True)), bool(silent))
        for start, end, silent, row in found
    )
