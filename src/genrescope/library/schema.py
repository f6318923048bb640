"""The schema of `library.db`: tables, version, and how a file of another kind or version is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.errors import DataError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

VERSION = 1
"""The version of the schema, in `PRAGMA user_version`."""

APPLICATION = 0x67656E72
"""What marks the file as a library of genrescope, in `PRAGMA application_id`: the letters `genr`."""

TABLES = """
CREATE TABLE songs (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,                  -- absolute; a name that is not UTF-8 keeps its bytes
    device TEXT NOT NULL,                -- with inode, size and mtime_ns the file's key: equal means unchanged
    inode TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sound_id TEXT,                       -- 32 hexadecimal digits of the coded sound, tags left out; NULL: unreadable
    seconds REAL,                        -- NULL until it was classified
    artist TEXT NOT NULL DEFAULT '',     -- from here on what the file's tags say
    title TEXT NOT NULL DEFAULT '',
    album TEXT NOT NULL DEFAULT '',
    album_artist TEXT NOT NULL DEFAULT '',
    compilation INTEGER NOT NULL DEFAULT 0,
    genres TEXT NOT NULL DEFAULT '[]',   -- JSON: list of text
    scanned TEXT NOT NULL,               -- when the file was last read, UTC, ISO 8601
    status TEXT NOT NULL DEFAULT 'ok',   -- or the reason why it could not be classified
    missing INTEGER NOT NULL DEFAULT 0   -- 1: no file is at this path any more
);
CREATE UNIQUE INDEX songs_path ON songs (path) WHERE missing = 0;
CREATE INDEX songs_key ON songs (inode, size, mtime_ns);
CREATE INDEX songs_sound ON songs (sound_id);
CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,    -- 16 hexadecimal digits of all that makes its predictions
    name TEXT NOT NULL,
    labels TEXT NOT NULL,                -- JSON: list of text; the order of the scores
    exclusive INTEGER NOT NULL,          -- 1: the scores of a song add up to 1
    thresholds TEXT NOT NULL,            -- JSON: label to score, where it has any
    windows TEXT NOT NULL,               -- JSON: seconds of a window, the most of a song, seconds of its excerpt
    width INTEGER NOT NULL,              -- numbers of an embedding; 0 where it gives none
    used TEXT NOT NULL                   -- when a scan last used it
);
CREATE TABLE predictions (
    song INTEGER NOT NULL REFERENCES songs (id) ON DELETE CASCADE,
    model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    genre TEXT NOT NULL,
    confidence REAL NOT NULL,
    unknown INTEGER NOT NULL,
    warning TEXT,
    labels TEXT NOT NULL,                -- JSON: those that reach their thresholds
    scores TEXT NOT NULL,                -- JSON: numbers in the order of the model's labels
    windows TEXT NOT NULL,               -- JSON: [start, end, silent, scores] for each window
    tags TEXT NOT NULL,                  -- JSON: kind (mood, era ...) to tag to score
    PRIMARY KEY (song, model)
);
CREATE TABLE embeddings (
    song INTEGER NOT NULL REFERENCES songs (id) ON DELETE CASCADE,
    model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    vector BLOB NOT NULL,                -- float32, little-endian, `models.width` numbers
    PRIMARY KEY (song, model)
);
CREATE TABLE corrections (
    sound_id TEXT PRIMARY KEY,           -- of a song, which may move, and need not be in `songs`
    genres TEXT NOT NULL,                -- JSON: list of text
    path TEXT NOT NULL,                  -- where the file was
    corrected TEXT NOT NULL              -- when, UTC, ISO 8601
);
"""


def create(connection: sqlite3.Connection) -> None:
    """Write the tables into an empty database, whole or not at all."""
    head = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN IMMEDIATE; {TABLES} {head} COMMIT;")


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether the database has no table and belongs to nobody."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and not _number(connection, "application_id") and not _number(connection, "user_version")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is no library, or one of another version.

    Raises:
        DataError: it is.
    """
    if _number(connection, "application_id") != APPLICATION:
        raise DataError(f"{path} is a database, but not a library of genrescope; choose another --library")
    version = _number(connection, "user_version")
    if version != VERSION:
        remedy = "use a newer genrescope" if version > VERSION else "scan into another --library"
        raise DataError(f"{path} has the library format {version}; this version reads format {VERSION}: {remedy}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
