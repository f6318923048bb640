"""How good similar songs are: `python -m benchmarks.similar LIBRARY DATA`.

LIBRARY is a `library.db` of the files of DATA, whose genres and artists are known, as `gtzan:FOLDER`. For each song the
ten nearest others are looked at: how many have its genre, how many its artist, and how many its genre where songs of
its own artist are left out. Copies of its own sound never count. With each share comes that of songs drawn at random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.libraries import asked_for, share
from genrescope.library.similar import Space

if TYPE_CHECKING:
    import numpy.typing as npt

    from benchmarks.libraries import Labelled, Numbers

NEIGHBOURS = 10


def main() -> None:
    songs = asked_for("similar", __doc__)
    raw = songs.embeddings / np.linalg.norm(songs.embeddings, axis=1, keepdims=True)
    space = Space(range(len(raw)), songs.embeddings)
    print(f"{len(raw)} songs, {len(set(songs.artist[songs.known]))} artists known, of {songs.known.sum()} songs")
    for name, vectors in (("standardised", space.vectors), ("as they are", raw)):
        print(f"embeddings {name}:")
        for what, found, chance in _shares(songs, vectors @ vectors.T):
            print(f"  {what}: {share(found, songs.artist)}; at random {100 * chance.mean():.1f} %")


def _shares(songs: Labelled, similar: npt.NDArray[np.float32]) -> list[tuple[str, Numbers, Numbers]]:
    """Return what is shared, each song's share among its neighbours, and among all that may be neighbours."""
    same_sound = songs.sound[:, None] == songs.sound
    same_genre = songs.genre[:, None] == songs.genre
    same_artist = (songs.artist[:, None] == songs.artist) & songs.known & songs.known[:, None]
    others = ~same_sound & ~same_artist
    return [
        ("same genre", *_of(similar, same_genre, ~same_sound)),
        ("same artist", *_of(similar, same_artist, ~same_sound)),
        ("same genre among other artists", *_of(similar, same_genre, others)),
    ]


def _of(
    similar: npt.NDArray[np.float32], shared: npt.NDArray[np.bool_], allowed: npt.NDArray[np.bool_]
) -> tuple[Numbers, Numbers]:
    order = np.argsort(np.where(allowed, -similar, np.inf), axis=1, kind="stable")[:, :NEIGHBOURS]
    return np.take_along_axis(shared, order, axis=1).mean(axis=1), (shared & allowed).sum(axis=1) / allowed.sum(axis=1)


if __name__ == "__main__":
    main()
