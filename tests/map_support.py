"""Libraries of made-up songs for maps: names, predictions and embeddings without any sound."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope.library.database import Library, now, to_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
    "techno",
    "folk",
)
WIDTH = 24
_FIRST = ("Velvet", "Northern", "Paper", "Silver", "Quiet", "Broken", "Golden", "Electric", "Lonely", "Distant")
_SECOND = ("Harbour", "Lanterns", "Parade", "Foxes", "Avenue", "Orchard", "Satellites", "Canyon", "Mirrors", "Tides")
_TITLES = ("Letters", "Midnight", "Rain", "Summer", "River", "Shadow", "Window", "Garden", "Fire", "Morning", "Stone")
_ENDINGS = ("Song", "Waltz", "Blues", "Again", "in Blue", "for Two", "at Dawn", "Street", "Machine", "of Glass")


def artist(number: int) -> str:
    """Return a made-up name: 100 of them."""
    return f"{_FIRST[number % 10]} {_SECOND[number // 10 % 10]}"


def title(number: int) -> str:
    """Return a made-up title: 1,100 of them, then with a number behind it."""
    name = f"{_TITLES[number % 11]} {_ENDINGS[number // 11 % 10]}"
    return name if number < 110 else f"{name} {number // 110 + 1}"


def vectors(songs: int, *, seed: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return a genre for each song, (songs,), and embeddings (songs, WIDTH): a cloud for each genre."""
    random = np.random.default_rng(seed)
    genre = random.integers(len(GENRES), size=songs)
    centres = random.normal(size=(len(GENRES), WIDTH)) * 1.4
    return genre, (centres[genre] + random.normal(size=(songs, WIDTH))).astype(np.float32)


def write_library(
    path: Path,
    music: Path,
    embeddings: npt.NDArray[np.float32],
    scores: npt.NDArray[np.floating[Any]],
    labels: Sequence[str],
    *,
    tags: Sequence[Sequence[str]] = (),
    sounds: Sequence[str] = (),
    files: Sequence[str] = (),
) -> Path:
    """Write a library of songs that need not be there.

    Args:
        path: the library's file.
        music: the folder that the songs are said to lie in.
        embeddings: (songs, width); a width of 0 for a model that gives none.
        scores: (songs, labels).
        labels: of the model.
        tags: genres that the files' tags say; by default none.
        sounds: `sound_id` of each; by default all differ.
        files: names of the first files; the others are `0007.mp3` and so on.
    """
    with Library(path, create=True) as library, library.writing() as rows:
        rows.execute(
            "INSERT INTO models VALUES (1, 'feedfacefeedface', 'genres', ?, 0, '{}', ?, ?, ?)",
            [json.dumps(labels), '{"seconds": 3, "most": 10, "excerpt": null}', embeddings.shape[1], now()],
        )
        for song, (vector, row) in enumerate(zip(embeddings, scores, strict=True)):
            name = files[song] if song < len(files) else f"{song:05d}.mp3"
            values = [
                song + 1, to_text(music / artist(song // 20) / name), str(song),
                sounds[song] if sounds else f"{song:032x}",
                artist(song // 20), title(song), f"Album {song // 10}", json.dumps(tags[song] if tags else []), now(),
            ]  # fmt: skip
            rows.execute(
                "INSERT INTO songs (id, path, device, inode, size, mtime_ns, sound_id, seconds, artist, title, album, "
                "genres, scanned) VALUES (?, CAST(? AS TEXT), '1', ?, 1, 1, ?, 180.5, ?, ?, ?, ?, ?)",
                values,
            )
            best = int(row.argmax())
            rows.execute(
                "INSERT INTO predictions VALUES (?, 1, ?, ?, ?, NULL, ?, ?, '[]', '{}')",
                [
                    song + 1, labels[best], float(row[best]), int(row[best] < 0.2), json.dumps([labels[best]]),
                    json.dumps([round(float(score), 6) for score in row]),
                ],
            )  # fmt: skip
            if len(vector):
                rows.execute("INSERT INTO embeddings VALUES (?, 1, ?)", [song + 1, vector.astype("<f4").tobytes()])
    return path


def scores_of(genre: npt.NDArray[np.int64], *, seed: int = 1) -> npt.NDArray[np.float64]:
    """Return scores (songs, genres) whose highest is the song's genre, between 0.4 and 1."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0, 0.38, size=(len(genre), len(GENRES)))
    scores[np.arange(len(genre)), genre] = random.uniform(0.4, 1, size=len(genre))
    return scores


def made_up_library(path: Path, music: Path, songs: int, *, files: Sequence[str] = ()) -> Path:
    """Write a library of songs of twelve genres; every 25th is another copy of the one before it."""
    genre, embeddings = vectors(songs)
    copies = np.arange(25, songs, 25)
    embeddings[copies] = embeddings[copies - 1]
    genre[copies] = genre[copies - 1]
    sounds = [f"{song - 1 if song in copies else song:032x}" for song in range(songs)]
    tags = [[GENRES[(genre[song] + (song % 10 == 3)) % len(GENRES)].title()] for song in range(songs)]
    return write_library(path, music, embeddings, scores_of(genre), GENRES, tags=tags, sounds=sounds, files=files)
