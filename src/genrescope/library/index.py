"""An index of a large library's embeddings: approximate nearest neighbours (HNSW, by usearch), its recall measured.

It lies beside `library.db`, is read without the embeddings themselves, and is made again when the songs have changed.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope import extras
from genrescope.files import replacing, write_json
from genrescope.library.similar import Space, standardised

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.library.database import Library
    from genrescope.library.rows import StoredModel
    from genrescope.library.similar import Ranking, Vectors

EXACT = 100_000
"""Up to so many songs every one is compared, and no index is needed."""

_SAMPLE = 200  # songs whose neighbours are found both ways
_DEPTH = 10  # neighbours that are compared
_LINKS = 32  # of each song to others
_ADDING, _SEARCHING = 128, 256  # candidates that are kept: more find more, and take longer


@dataclass(frozen=True)
class Facts:
    """What is kept beside an index.

    Attributes:
        stamp: number of embeddings, the last of them, and the sum of their songs' numbers: another when they change.
        mean: of each number of an embedding.
        scale: one by its standard deviation.
        recall: share of the ten true nearest neighbours that the index finds, over a sample of songs.
    """

    stamp: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    recall: float


class Index:
    """The nearest songs of a large library, nearly all of them, without comparing every one.

    Args:
        library: the library.
        model: whose embeddings are compared.

    Attributes:
        recall: share of the ten true nearest neighbours that it finds, over a sample of songs.
        is_new: whether it was made now.
    """

    def __init__(self, library: Library, model: StoredModel) -> None:
        path = library.path.with_name(f"{library.path.name}.{model.fingerprint}.usearch")
        stamp = _stamp(library, model)
        facts = _read(path)
        self._index = _empty(model.width)
        self.is_new = facts is None or facts.stamp != stamp or not _opened(self._index, path)
        if self.is_new or facts is None:
            facts = self._make(Space.of(library, model), stamp, path)
        self.recall = facts.recall
        self._mean, self._scale = np.asarray(facts.mean, np.float32), np.asarray(facts.scale, np.float32)

    def ranked(self, embedding: Vectors, count: int) -> list[tuple[int, float]]:
        """Return the numbers of songs nearest to an embedding (width,), and their similarity."""
        found = self._index.search(standardised(embedding[None], self._mean, self._scale)[0], count)
        return [(int(key), 1 - float(value)) for key, value in zip(found.keys, found.distances, strict=True)]

    def _make(self, space: Space, stamp: tuple[int, ...], path: Path) -> Facts:
        """Index all songs, and write the index and what is kept beside it."""
        order = np.random.default_rng(0).permutation(len(space.songs))  # album by album, links would stay within albums
        self._index.add(space.songs[order], space.vectors[order])
        facts = Facts(stamp, tuple(space.mean.tolist()), tuple(space.scale.tolist()), self._recall(space))
        with replacing(path) as temporary:
            self._index.save(str(temporary))
        write_json(_beside(path), asdict(facts))
        return facts

    def _recall(self, space: Space) -> float:
        """Return the share of true neighbours found, over songs drawn at random."""
        drawn = np.random.default_rng(0).choice(len(space.songs), min(_SAMPLE, len(space.songs)), replace=False)
        exact, _ = space.nearest(space.vectors[drawn], _DEPTH)
        found = self._index.search(space.vectors[drawn], exact.shape[1]).keys
        shares = [
            np.isin(space.songs[true], keys).mean() for true, keys in zip(exact, np.atleast_2d(found), strict=True)
        ]
        return round(float(np.mean(shares)), 4)


def ranking_of(library: Library, model: StoredModel, *, on_note: Callable[[str], None]) -> Ranking:
    """Return what finds similar songs: exact up to 100,000 songs, by an index beyond where usearch is installed.

    Args:
        library: the library.
        model: whose embeddings are compared.
        on_note: called with what the user should know: that an index was made, and its recall, or that it is missing.

    Raises:
        DataError: the model gave no embeddings.
    """
    [row] = library.rows("SELECT count(*) FROM embeddings WHERE model = ?", [model.id])
    if row[0] <= EXACT:
        return Space.of(library, model)
    if extras.missing("search"):
        on_note(
            f"{row[0]:,} songs are compared one by one; an index is faster beyond {EXACT:,}: pip install "
            "'genrescope[search]'"
        )
        return Space.of(library, model)
    index = Index(library, model)
    if index.is_new:
        on_note(f"indexed {row[0]:,} songs; of the ten nearest songs the index finds {100 * index.recall:.1f} %")
    return index


def _empty(width: int) -> Any:
    from usearch.index import Index as Hnsw

    return Hnsw(
        ndim=width, metric="cos", dtype="f16", connectivity=_LINKS, expansion_add=_ADDING, expansion_search=_SEARCHING
    )


def _opened(index: Any, path: Path) -> bool:
    """Open an index where it lies; return whether it is there and whole."""
    try:
        index.view(str(path))
    except RuntimeError:
        return False
    return True


def _stamp(library: Library, model: StoredModel) -> tuple[int, ...]:
    """Return numbers that change when embeddings come or go."""
    [row] = library.rows(
        "SELECT count(*), coalesce(max(e.rowid), 0), coalesce(sum(e.song), 0) FROM embeddings e "
        "JOIN songs s ON s.id = e.song WHERE e.model = ? AND s.missing = 0",
        [model.id],
    )
    return tuple(row)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _read(path: Path) -> Facts | None:
    """Return what is kept beside an index; None where there is none, or it is damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        held = json.loads(_beside(path).read_text(encoding="utf-8"))
        return Facts(tuple(held["stamp"]), tuple(held["mean"]), tuple(held["scale"]), float(held["recall"]))
    return None
