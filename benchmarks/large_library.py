"""What similar songs cost in a large library: `python -m benchmarks.large_library LIBRARY [--songs 200000]`.

A library of made-up songs is written: the embeddings of LIBRARY with noise, half a standard deviation of each number,
so that as many songs lie around each of its songs, one after another as albums do. Times are those of reading the
embeddings and of a query, exact and by the index, and of making the index; its recall is that which `similar` shows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from genrescope.library.database import Library
from genrescope.library.index import Index
from genrescope.library.similar import Space

if TYPE_CHECKING:
    from collections.abc import Callable

    from genrescope.library.rows import StoredModel

Result = TypeVar("Result")
NOISE = 0.5
QUERIES = 50


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_library", description=__doc__)
    parser.add_argument("library", type=Path)
    parser.add_argument("--songs", type=int, default=200_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder) / "library.db", create=True) as large:
        with Library(chosen.library) as small:
            _fill(large, small, chosen.songs)
        model = large.model()
        _, asked = large.embeddings(model, songs=range(1, chosen.songs + 1, chosen.songs // QUERIES))
        space, seconds = _timed(lambda: Space.of(large, model))
        print(f"exact: {seconds:.1f} s to read {chosen.songs:,} embeddings; {_query(space, asked):.4f} s a query")
        index, seconds = _timed(lambda: Index(large, model))
        print(f"index: made in {seconds:.0f} s; recall {100 * index.recall:.1f} %")
        index, seconds = _timed(lambda: Index(large, model))
        print(f"index: {seconds:.1f} s to open; {_query(index, asked):.4f} s a query")


def _fill(large: Library, small: Library, songs: int) -> None:
    """Write songs with embeddings and without anything else."""
    model: StoredModel = small.model()
    _, embeddings = small.embeddings(model)
    random = np.random.default_rng(0)
    scale = NOISE * embeddings.std(axis=0)
    with large.writing() as rows:
        rows.execute(
            "INSERT INTO models VALUES (1, ?, ?, '[]', 0, '{}', ?, ?, '')",
            [model.fingerprint, model.name, '{"most": null, "excerpt": null}', model.width],
        )
        for song in range(songs):
            vector = embeddings[song * len(embeddings) // songs] + scale * random.standard_normal(model.width)
            rows.execute(
                "INSERT INTO songs (id, path, device, inode, size, mtime_ns, scanned) VALUES (?, ?, '', ?, 1, 1, '')",
                [song + 1, f"/music/album {song // 10}/{song}.mp3", str(song)],
            )
            rows.execute("INSERT INTO embeddings VALUES (?, 1, ?)", [song + 1, vector.astype("<f4").tobytes()])


def _query(ranking: Space | Index, asked: Any) -> float:
    _, seconds = _timed(lambda: [ranking.ranked(embedding, 40) for embedding in asked])
    return seconds / len(asked)


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


if __name__ == "__main__":
    main()
