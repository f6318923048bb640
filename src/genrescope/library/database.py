"""`library.db`: one SQLite file with songs, models, predictions, embeddings and corrections.

The tables stand in `genrescope.library.schema`, and are described in docs/library.md. Everything that reads or writes
them goes through `Library`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genrescope.errors import DataError, DataNotFoundError, OutputError, nearest
from genrescope.library import schema
from genrescope.library.rows import Entry, Song, StoredModel, to_entry, to_model, to_song

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    import numpy.typing as npt

PLACE = "GENRESCOPE_LIBRARY"
"""The environment variable that names the library."""

_PATIENCE = 60.0  # seconds that a write waits for another process


def default_path() -> Path:
    """Return where the library lies: `$GENRESCOPE_LIBRARY`, or `library.db` in the user's folder for data."""
    if given := os.environ.get(PLACE):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_data_dir("genrescope", appauthor=False)) / "library.db"


class Library:
    """An open `library.db`. It may be used from several threads; each write is one small transaction.

    Args:
        path: the file.
        create: make it where it is not there.

    Raises:
        DataNotFoundError: it is not there, and is not to be made.
        DataError: it is no library, damaged, or of another version.
        OutputError: it cannot be made.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        if not create and not path.is_file():
            raise DataNotFoundError(f"{path}: no library there; make one with: genrescope library scan FOLDER")
        self._lock = threading.RLock()
        self._connection = _opened(path, create=create)

    def __enter__(self) -> Library:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one transaction: committed at the end of the block, undone where that fails.

        Raises:
            OutputError: the disk is full, say, or another process writes for too long.
        """
        with self._lock:
            try:
                with self._connection:
                    self._connection.execute("BEGIN IMMEDIATE")
                    yield self._connection
            except sqlite3.Error as error:
                raise OutputError(f"cannot write {self.path}: {error}. What was written before is kept") from error

    def rows(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Return the rows of a query.

        Raises:
            DataError: the file is damaged.
        """
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise DataError(f"{self.path} cannot be read: {error}") from error

    def models(self) -> list[StoredModel]:
        """Return the models that classified songs, the last used first."""
        return [to_model(row) for row in self.rows("SELECT * FROM models ORDER BY used DESC, id DESC")]

    def model(self, name: str | None = None) -> StoredModel:
        """Return a model by its name, its path or the beginning of its fingerprint; by default the one last used.

        Raises:
            DataError: there is none.
        """
        known = self.models()
        if not known:
            raise DataError(f"{self.path} has no predictions yet; classify songs with: genrescope library scan FOLDER")
        if name is None:
            return known[0]
        names = (name, str(Path(name).absolute()))
        fits = [each for each in known if each.name in names or each.fingerprint.startswith(name)]
        if not fits:
            raise DataError(f"{name}: no model of {self.path}; {nearest(name, [each.name for each in known])}")
        return fits[0]

    def songs(self, where: str = "1", values: Sequence[object] = ()) -> list[Song]:
        """Return songs, those that are missing too, in the order of their paths.

        Args:
            where: a condition in SQL over the columns of `songs`.
            values: of its question marks.
        """
        return [to_song(row) for row in self.rows(f"SELECT * FROM songs WHERE {where} ORDER BY path, id", values)]

    def entries(
        self, model: StoredModel | None, *, windows: bool = False, songs: Sequence[int] | None = None
    ) -> list[Entry]:
        """Return every song with its prediction by a model and its correction, in the order of their paths.

        Args:
            model: one of `models`; None leaves predictions out.
            windows: whether predictions carry the scores of their windows.
            songs: numbers of songs, where not all are wanted.
        """
        only = "" if songs is None else "WHERE s.id IN (SELECT value FROM json_each(?))"
        rows = self.rows(
            "SELECT s.*, p.genre, p.confidence, p.unknown, p.warning, p.labels, p.scores, p.tags, "
            f"{'p.windows' if windows else 'NULL'} AS windows, c.genres AS correction "
            "FROM songs s LEFT JOIN predictions p ON p.song = s.id AND p.model = ? "
            f"LEFT JOIN corrections c ON c.sound_id = s.sound_id {only} ORDER BY s.path, s.id",
            [model.id if model else None, *([] if songs is None else [json.dumps(list(songs))])],
        )
        return [to_entry(row, model) for row in rows]

    def embeddings(
        self, model: StoredModel, *, songs: Sequence[int] | None = None
    ) -> tuple[list[int], npt.NDArray[np.float32]]:
        """Return the embeddings that a model gave songs.

        Args:
            model: one of `models`.
            songs: numbers of songs; by default all that are not missing.

        Returns:
            The songs' numbers, and float32 of shape (songs, width), in the same order.
        """
        only = "s.missing = 0" if songs is None else "s.id IN (SELECT value FROM json_each(?))"
        rows = self.rows(
            f"SELECT e.song, e.vector FROM embeddings e JOIN songs s ON s.id = e.song WHERE e.model = ? AND {only} "
            "ORDER BY e.song",
            [model.id, *([] if songs is None else [json.dumps(list(songs))])],
        )
        joined = b"".join(row["vector"] for row in rows)
        return [row["song"] for row in rows], np.frombuffer(joined, "<f4").reshape(len(rows), model.width)

    def corrections(self, sound_id: str | None = None) -> dict[str, tuple[str, ...]]:
        """Return the genres that the user has given songs, or one song, by `sound_id`."""
        where, values = ("1", []) if sound_id is None else ("sound_id = ?", [sound_id])
        rows = self.rows(f"SELECT sound_id, genres FROM corrections WHERE {where}", values)
        return {row["sound_id"]: tuple(json.loads(row["genres"])) for row in rows}


def now() -> str:
    """Return the time as the library keeps it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def to_text(value: str | Path) -> bytes:
    """Return text as `CAST(? AS TEXT)` keeps it: names that are not UTF-8 come back as `os.fsdecode` gives them."""
    return str(value).encode("utf-8", "surrogateescape" if isinstance(value, Path) else "replace")


def _opened(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open the file, make the tables where it is new, and refuse what is no library of this version."""
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise OutputError(f"cannot open {path}: {error}. Choose another place with --library") from error
    try:
        connection.row_factory = sqlite3.Row
        connection.text_factory = lambda held: held.decode("utf-8", "surrogateescape")
        connection.execute("PRAGMA foreign_keys = ON")
        if create and schema.is_empty(connection):
            schema.create(connection)
        schema.check(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error as error:
        connection.close()
        raise DataError(f"{path} is not a library of genrescope, or it is damaged: {error}") from error
    except DataError:
        connection.close()
        raise
    return connection
