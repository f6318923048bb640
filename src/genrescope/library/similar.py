"""Similar songs: the nearest by embedding, found exactly in small libraries and by an index in large ones.

Embeddings are standardised, each number by its mean and standard deviation over the library, and compared by the
cosine of the angle between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from genrescope.errors import DataError
from genrescope.tags.artists import main_artist

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from genrescope.library.database import Library
    from genrescope.library.rows import Entry, Song, StoredModel

    Vectors = npt.NDArray[np.float32]

_TINY = 1e-6
_SPARE = 20  # songs that are asked for beyond those wanted: copies and the artist's own may be among them


@dataclass(frozen=True)
class Neighbour:
    """A song that is similar to another.

    Attributes:
        entry: the song with its prediction and correction.
        similarity: cosine of the angle between the standardised embeddings, in [-1, 1].
    """

    entry: Entry
    similarity: float


class Ranking(Protocol):
    """What finds the nearest songs."""

    def ranked(self, embedding: Vectors, count: int) -> list[tuple[int, float]]:
        """Return the numbers of the songs nearest to an embedding (width,), and their similarity."""


class Space:
    """The standardised embeddings of a library.

    Args:
        songs: the songs' numbers in the library.
        embeddings: float32 (songs, width), as the model gave them.

    Attributes:
        songs: the same numbers.
        mean: of each number of an embedding, float32 (width,).
        scale: one by its standard deviation, float32 (width,).
        vectors: float32 (songs, width), standardised, of length 1.
    """

    def __init__(self, songs: Sequence[int], embeddings: Vectors) -> None:
        self.songs = np.asarray(songs, dtype=np.int64)
        self.mean = embeddings.mean(axis=0)
        self.scale = 1 / np.maximum(embeddings.std(axis=0), _TINY)
        self.vectors: Vectors = self.standardised(embeddings)

    @classmethod
    def of(cls, library: Library, model: StoredModel) -> Space:
        """Read the embeddings that a model gave the songs of a library.

        Raises:
            DataError: it gave none.
        """
        songs, embeddings = library.embeddings(model) if model.width else ([], np.empty((0, 0), np.float32))
        if not len(songs):
            raise DataError(
                f"{model.name} gives no embeddings, so similar songs and clusters cannot be found; scan with another "
                "model: genrescope library scan FOLDER --model genres"
                if not model.width
                else f"{library.path} holds no embeddings by {model.name}"
            )
        return cls(songs, embeddings)

    def standardised(self, embeddings: Vectors) -> Vectors:
        """Return embeddings (songs, width) standardised as the library's, each of length 1."""
        return standardised(embeddings, self.mean, self.scale)

    def ranked(self, embedding: Vectors, count: int) -> list[tuple[int, float]]:
        """Return the numbers of the songs nearest to an embedding (width,), and their similarity."""
        places, values = self.nearest(self.standardised(embedding[None]), count)
        return [(int(self.songs[place]), float(value)) for place, value in zip(places[0], values[0], strict=True)]

    def nearest(self, vectors: Vectors, count: int) -> tuple[npt.NDArray[np.int64], Vectors]:
        """Return the nearest songs of standardised vectors (queries, width): every one is compared.

        Returns:
            Places in `songs`, and similarities, both (queries, count), the most similar first.
        """
        similar = vectors @ self.vectors.T
        count = min(count, len(self.songs))
        best = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(similar, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        return np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)


def standardised(embeddings: Vectors, mean: Vectors, scale: Vectors) -> Vectors:
    """Return embeddings (songs, width) with mean 0 and deviation 1 in each number, then each of length 1."""
    made = (embeddings - mean) * scale
    made /= np.maximum(np.linalg.norm(made, axis=-1, keepdims=True), _TINY)
    return np.asarray(made, dtype=np.float32)


def find(
    library: Library,
    model: StoredModel,
    ranking: Ranking,
    embedding: Vectors,
    *,
    count: int,
    sound_id: str = "",
    other_than: str = "",
) -> list[Neighbour]:
    """Return the songs most similar to one.

    Args:
        library: where they are.
        model: whose embeddings are compared, and whose predictions come with the songs.
        ranking: finds the nearest.
        embedding: of the song that is asked about, float32 (width,).
        count: how many songs are wanted.
        sound_id: of that song: it and its copies do not count.
        other_than: an artist whose songs do not count, as `artist_of` returns it; empty where all count.
    """
    asked, found = count + _SPARE, list[Neighbour]()
    while True:
        ranked = ranking.ranked(embedding, asked)
        entries = {each.song.id: each for each in library.entries(model, songs=[song for song, _ in ranked])}
        nearest = [Neighbour(entries[song], similarity) for song, similarity in ranked if song in entries]
        found = [each for each in nearest if _counts(each.entry.song, sound_id, other_than)][:count]
        if len(found) == count or len(ranked) < asked:
            return found
        asked *= 4


def _counts(song: Song, sound_id: str, other_than: str) -> bool:
    is_copy = bool(sound_id) and song.sound_id == sound_id
    return not is_copy and not (other_than and artist_of(song) == other_than)


def artist_of(song: Song) -> str:
    """Return the artist that a song counts under; empty where it has none."""
    return main_artist(song.artist, song.album_artist, compilation=song.compilation)
