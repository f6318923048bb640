"""A library as the service shows it: songs, similar songs and the map, without saying where their files lie."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError
from genrescope.library.index import ranking_of
from genrescope.library.listing import genres_of
from genrescope.library.map_page import write_map
from genrescope.library.map_songs import make_map
from genrescope.library.similar import find
from genrescope.serve.faults import Refused
from genrescope.serve.logs import log

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.library.database import Library
    from genrescope.library.rows import Entry, StoredModel
    from genrescope.library.similar import Ranking


@dataclass
class _Read:
    """What was read of the library when it was in one state."""

    version: int
    model: StoredModel
    entries: dict[int, Entry]
    ranking: Ranking | None = None
    page: bytes = field(default=b"", repr=False)


class LibraryView:
    """What clients may see of a library. It is read again once another process has changed it.

    Args:
        library: opened for this view.
    """

    def __init__(self, library: Library) -> None:
        self._library, self._lock = library, threading.Lock()
        self._read: _Read | None = None

    def songs(self, search: str = "", genre: str = "", *, limit: int = 100, offset: int = 0) -> dict[str, Any]:
        """Return songs whose artist, title or album has a text, or whose genre is one, in the order of their paths."""
        words = search.casefold().split()
        chosen = [
            each
            for each in self._now().entries.values()
            if all(word in _text(each) for word in words) and (not genre or genre in genres_of(each))
        ]
        return {"total": len(chosen), "songs": [_facts(each) for each in chosen[offset : offset + limit]]}

    def similar(self, song: int, *, count: int = 20) -> dict[str, Any]:
        """Return the songs most similar to one, by its number.

        Raises:
            Refused: there is no such song, or it has no embedding.
        """
        read = self._now()
        entry = read.entries.get(song)
        if entry is None:
            raise Refused(404, f"id={song}: the library has no such song")
        _, vectors = self._library.embeddings(read.model, songs=[song])
        if not len(vectors):
            raise Refused(404, f"id={song}: this song has no embedding")
        with self._lock:
            read.ranking = read.ranking or ranking_of(self._library, read.model, on_note=_note)
        found = find(self._library, read.model, read.ranking, vectors[0], count=count, sound_id=entry.song.sound_id)
        return {"songs": [{"similarity": round(each.similarity, 6), "song": _facts(each.entry)} for each in found]}

    def page(self, folder: Path) -> bytes:
        """Return the map as a page, which is drawn the first time.

        Args:
            folder: for a temporary file.

        Raises:
            Refused: no song has an embedding, or there are more than a page shows.
        """
        read = self._now()
        with self._lock:
            if not read.page:
                try:
                    path = write_map(make_map(self._library, read.model), folder / "map.html", folders=False)
                except DataError as error:
                    log("map", level="warning", error=str(error))
                    raise Refused(404, "the library has no map: no songs with embeddings, or too many") from error
                read.page = path.read_bytes()
                path.unlink()
            return read.page

    def _now(self) -> _Read:
        """Return the library as it is."""
        with self._lock:
            [row] = self._library.rows("PRAGMA data_version")
            if self._read is None or self._read.version != row[0]:
                model = self._library.model()
                entries = {each.song.id: each for each in self._library.entries(model) if not each.song.missing}
                self._read = _Read(row[0], model, entries)
            return self._read


def _note(text: str) -> None:
    log("note", text=text)


def _text(entry: Entry) -> str:
    song = entry.song
    return f"{song.artist}\n{_title(entry)}\n{song.album}".casefold()


def _title(entry: Entry) -> str:
    return entry.song.title or entry.song.path.stem.encode("utf-8", "replace").decode()


def _facts(entry: Entry) -> dict[str, Any]:
    song, found = entry.song, entry.prediction
    return {
        "id": song.id,
        "artist": song.artist,
        "title": _title(entry),
        "album": song.album,
        "seconds": song.seconds,
        "genre": next(iter(genres_of(entry)), None),
        "confidence": found.confidence if found else None,
        "unknown": found.unknown if found else None,
        "correction": list(entry.correction),
    }
