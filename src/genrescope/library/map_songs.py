"""What a map of a library shows: where each song stands, which are near it, and which deserve a second look."""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genrescope.errors import DataError
from genrescope.library import layout
from genrescope.library.listing import genres_of
from genrescope.library.neighbours import neighbours
from genrescope.library.similar import Space
from genrescope.linked import linked
from genrescope.models.tag_genres import named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from genrescope.library.database import Library
    from genrescope.library.rows import Entry, StoredModel
    from genrescope.linked import Node
    from genrescope.progress import Progress

    Numbers = npt.NDArray[np.int64]
    Report = Callable[[str, Progress[None]], None]

MOST = 100_000
"""Songs that one page can show."""

NEAR = 10
"""Neighbours that a page shows of each song."""

SAME = 0.995
"""Cosine from which two songs count as near-duplicates. Of 354 clips of GTZAN, copies with other names have 0.999 and
more, all other pairs 0.988 and less (model `genres`)."""

_BETWEEN = re.compile(r"[/;,|]")


@dataclass(frozen=True)
class SongMap:
    """A map of songs.

    Attributes:
        entries: the songs, each with a prediction.
        model: what classified them.
        places: float32 (songs, 2), in [0, 1].
        near: places in `entries` of the most similar songs, int64 (songs, neighbours), the nearest first.
        copies: int64 (songs,): 0, or a number that all copies and near-duplicates of one recording share.
        left_out: how many songs have no prediction or no embedding by this model.
    """

    entries: tuple[Entry, ...]
    model: StoredModel
    places: npt.NDArray[np.float32]
    near: Numbers
    copies: Numbers
    left_out: int


def make_map(
    library: Library, model: StoredModel, *, under: Path | None = None, on_step: Report = lambda *_: None
) -> SongMap:
    """Place the songs of a library on a map.

    Args:
        library: the library.
        model: whose predictions and embeddings are shown.
        under: a folder, absolute: only songs below it.
        on_step: called with the name of the work and how much of it is done.

    Raises:
        DataError: there are no embeddings, or more songs than a page can show.
    """
    space = Space.of(library, model)
    present = [each for each in library.entries(model) if not each.song.missing and _is_below(each, under)]
    place_of = {int(song): place for place, song in enumerate(space.songs)}
    entries = tuple(each for each in present if each.prediction and each.song.id in place_of)
    _check(len(entries), library, under)
    vectors = space.vectors[[place_of[each.song.id] for each in entries]]
    near, similarity = neighbours(vectors, layout.NEIGHBOURS, on_step=lambda step: on_step("comparing songs", step))
    places = layout.arrange(vectors, near, similarity, on_step=lambda step: on_step("arranging the map", step))
    copies = _copies(entries, near, similarity)
    return SongMap(entries, model, places, near[:, :NEAR], copies, len(present) - len(entries))


def tag_differs(entry: Entry, model: StoredModel) -> bool:
    """Whether the file's genre tag names genres of the model, and none of those that the song was given.

    Tags that name no genre of the model, such as "Schlager", say nothing for or against its prediction.
    """
    given = {*genres_of(entry), *(entry.prediction.labels if entry.prediction else ())}
    tagged = _labels_of(entry.song.genres, model.labels)
    return bool(tagged) and tagged.isdisjoint(given)


@functools.lru_cache(maxsize=4096)  # a library has few kinds of tags
def _labels_of(tags: tuple[str, ...], labels: tuple[str, ...]) -> frozenset[str]:
    """Return the labels that genre tags name, each as a whole or in its parts."""
    words = [word for tag in tags for word in (tag, *_BETWEEN.split(tag))]
    return frozenset(label for word in words if (label := named(word, labels)))


def _is_below(entry: Entry, folder: Path | None) -> bool:
    return folder is None or entry.song.path.is_relative_to(folder)


def _check(songs: int, library: Library, under: Path | None) -> None:
    if not songs:
        where = f" below {under}" if under else ""
        raise DataError(
            f"{library.path} has no song with an embedding{where}; add some: genrescope library scan FOLDER"
        )
    if songs > MOST:
        raise DataError(
            f"{songs:,} songs are too many for one page, which shows up to {MOST:,}: make one of a part with "
            "--under FOLDER"
        )


def _copies(entries: Sequence[Entry], near: Numbers, similarity: npt.NDArray[np.float32]) -> Numbers:
    """Number the groups of songs with one sound or nearly the same embedding; 0 where a song is in none."""
    rows, columns = np.nonzero(similarity >= SAME)
    alike = zip(rows.tolist(), near[rows, columns].tolist(), strict=True)
    links = [(_song(song), ("sound", each.song.sound_id)) for song, each in enumerate(entries) if each.song.sound_id]
    groups = linked([*links, *((_song(one), _song(other)) for one, other in alike)])
    group_of = [groups.get(_song(song), _song(song)) for song in range(len(entries))]
    sizes = Counter(group_of)
    number = {group: count for count, group in enumerate((each for each in sizes if sizes[each] > 1), 1)}
    return np.array([number.get(group, 0) for group in group_of], dtype=np.int64)


def _song(place: int) -> Node:
    return "song", str(place)
