"""The map of a library as one page that needs nothing else: songs as points, and a list of the same songs."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from genrescope.library.doubt import doubts
from genrescope.library.listing import genres_of
from genrescope.library.map_songs import tag_differs
from genrescope.pages.app import write_app
from genrescope.pages.colours import colours

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    import numpy.typing as npt

    from genrescope.inference.prediction import Prediction
    from genrescope.library.map_songs import SongMap
    from genrescope.library.rows import Entry

FLAGS = {"unknown": 1, "doubtful": 2, "duplicate": 4, "tag differs": 8, "corrected": 16}
"""Bits of the column `flags`; packed.js has the same."""

_TOP = 3  # scores of each song on the page
_FINE = 10_000  # steps of a score
_NO_LENGTH = 65_535


def write_map(shown: SongMap, path: Path, *, folders: bool = True) -> Path:
    """Write a map as one HTML page.

    The page holds paths, tags and predictions of all songs; their sound stays where it is, and is played from there.

    Args:
        shown: the map.
        path: the page.
        folders: whether it says where songs lie; without, none can be played, nor saved in a playlist.

    Raises:
        OutputError: it cannot be written.
    """
    songs, genres = len(shown.entries), len({genres_of(each)[0] for each in shown.entries})
    return write_app(
        path, entry="library_map.js", body="map.html", styles=["app.css", "map.css"],
        data=page_data(shown, path.parent if folders else None),
        title=f"Map of {songs:,} {'song' if songs == 1 else 'songs'}",
        facts=f"Genres: {genres}. Model: {Path(shown.model.name).name}. Songs that sound alike lie near each other.",
        doubtful=any(_doubts(each, shown) for each in shown.entries), duplicates=bool(shown.copies.any()),
    )  # fmt: skip


def page_data(shown: SongMap, folder: Path | None) -> dict[str, Any]:
    """Return what the page holds: lists of text, and columns of numbers as base64.

    Args:
        shown: the map.
        folder: where the page will lie; songs are looked for relative to it first. None leaves out where songs lie.
    """
    entries = shown.entries
    genres = _Numbered(shown.model.labels)
    columns, texts = _columns(shown, genres), {}
    for name, values in (
        ("artist", [each.song.artist for each in entries]),
        ("album", [each.song.album for each in entries]),
        ("tag", ["; ".join(each.song.genres) for each in entries]),
        ("folder", [each.song.path.parent if folder else None for each in entries]),
    ):
        numbered = _Numbered([])
        columns[name] = np.array([numbered.place(value) for value in values], "<u4")
        texts[name] = list(numbered.places)
    tints = colours(genres.places)
    return {
        "songs": len(entries),
        "genres": [{"name": name, "light": tints[name].light, "dark": tints[name].dark} for name in genres.places],
        "titles": [each.song.title for each in entries],
        "files": [each.song.path.name for each in entries],
        "odd": {place: quote(os.fsencode(name)) for place, name in _odd_names(entries)},
        "artists": texts["artist"], "albums": texts["album"], "tags": texts["tag"],
        "folders": [_folder(each, folder) for each in texts["folder"]],
        "reasons": {place: found for place, each in enumerate(entries) if (found := _doubts(each, shown))},
        "columns": {name: _packed(values) for name, values in columns.items()},
    }  # fmt: skip


class _Numbered:
    """Values by the order in which they first come."""

    def __init__(self, first: Iterable[Hashable]) -> None:
        self.places: dict[Any, int] = {value: place for place, value in enumerate(first)}

    def place(self, value: Hashable) -> int:
        return self.places.setdefault(value, len(self.places))


def _columns(shown: SongMap, genres: _Numbered) -> dict[str, npt.NDArray[Any]]:
    """Return the songs' numbers, little-endian, in the sizes that packed.js reads."""
    entries = shown.entries
    top = [_top(each.prediction) for each in entries]
    lengths = [
        _NO_LENGTH if each.song.seconds is None else min(round(each.song.seconds), _NO_LENGTH - 1) for each in entries
    ]
    return {
        "x": np.round(shown.places[:, 0] * 65_535).astype("<u2"),
        "y": np.round(shown.places[:, 1] * 65_535).astype("<u2"),
        "genre": np.array([genres.place(genres_of(each)[0]) for each in entries], "<u2"),
        "confidence": np.array([scores[0][1] for scores in top], "<u2"),
        "top": np.array([[genres.place(label) for label, _ in scores] for scores in top], "<u2"),
        "scored": np.array([[score for _, score in scores] for scores in top], "<u2"),
        "seconds": np.array(lengths, "<u2"),
        "flags": _flags(shown).astype("<u1"),
        "copies": shown.copies.astype("<u4"),
        "near": shown.near.astype("<u4"),
    }


def _top(prediction: Prediction | None) -> list[tuple[str, int]]:
    """Return a song's highest scores in steps of 1 to 10,000; scores of 0 fill up what a small model lacks."""
    found = [(label, round(score * _FINE)) for label, score in prediction.top(_TOP)] if prediction else []
    return found + [(found[0][0], 0)] * (_TOP - len(found))


def _flags(shown: SongMap) -> npt.NDArray[np.int64]:
    found = np.zeros(len(shown.entries), np.int64)
    for place, each in enumerate(shown.entries):
        held = {
            "unknown": each.prediction is not None and each.prediction.unknown,
            "doubtful": bool(_doubts(each, shown)),
            "duplicate": bool(shown.copies[place]),
            "tag differs": tag_differs(each, shown.model),
            "corrected": bool(each.correction),
        }
        found[place] = sum(FLAGS[name] for name, is_so in held.items() if is_so)
    return found


def _doubts(entry: Entry, shown: SongMap) -> tuple[str, ...]:
    """Return why a prediction is doubtful; none where the user has corrected it."""
    return doubts(entry.prediction, shown.model) if entry.prediction and not entry.correction else ()


def _odd_names(entries: Sequence[Entry]) -> Iterable[tuple[int, str]]:
    """Yield the places of files whose names are no Unicode text, and these names."""
    for place, each in enumerate(entries):
        name = each.song.path.name
        if any("\ud800" <= letter <= "\udfff" for letter in name):
            yield place, name


def _folder(folder: Path | None, page: Path | None) -> dict[str, str | None]:
    """Return a folder as people read it, and its addresses: from the page, and from the root of the disk."""
    if folder is None or page is None:
        return {"shown": "", "relative": None, "address": None}
    try:
        relative: str | None = quote(os.fsencode(os.path.relpath(folder, page.absolute()).replace(os.sep, "/"))) + "/"
    except ValueError:  # another drive of Windows
        relative = None
    return {"shown": f"{folder}".rstrip(os.sep) + os.sep, "relative": relative, "address": f"{folder.as_uri()}/"}


def _packed(values: npt.NDArray[Any]) -> str:
    return f"u{values.dtype.itemsize}:{base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()}"
