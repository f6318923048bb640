"""Which song of a library a file is: unchanged, moved, retagged, a copy of another, or new.

A file whose key is known is not read. All others are identified by their sound, and their tags are read again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from genrescope import audio
from genrescope.audio import FileKey
from genrescope.errors import AudioError, reason_of
from genrescope.library.database import now, to_text
from genrescope.tags.read import Tags
from genrescope.tags.read import read as read_tags

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from genrescope.library.database import Library
    from genrescope.library.rows import Song

How = Literal["unchanged", "moved", "retagged", "copy", "changed", "new", "unreadable"]

_SET = (
    "path = CAST(? AS TEXT), device = ?, inode = ?, size = ?, mtime_ns = ?, missing = 0, scanned = ?, sound_id = ?, "
    "artist = CAST(? AS TEXT), title = CAST(? AS TEXT), album = CAST(? AS TEXT), album_artist = CAST(? AS TEXT), "
    "compilation = ?, genres = CAST(? AS TEXT)"
)
_COLUMNS = (
    "path, device, inode, size, mtime_ns, missing, scanned, sound_id, artist, title, album, album_artist, compilation, "
    "genres"
)
_VALUES = (
    "CAST(? AS TEXT), ?, ?, ?, ?, 0, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, "
    "CAST(? AS TEXT)"
)


@dataclass(frozen=True)
class Recognised:
    """A file and the song that it is.

    Attributes:
        song: its number in the library.
        how: what it is compared with the last scan.
        reason: why the file could not be read; empty where it could.
    """

    song: int
    how: How
    reason: str = ""


def recognise(library: Library, path: Path) -> Recognised:
    """Find a file's song in a library, or add it; its row says afterwards where it is and what its tags are.

    Args:
        library: it is written in one transaction, and not at all where the file is unchanged.
        path: absolute.

    Raises:
        OSError: there is no such file, or it may not be looked at.
    """
    key = FileKey.of(path)
    here = _first(library.songs("path = CAST(? AS TEXT) AND missing = 0", [to_text(path)]))
    if here is not None and here.sound_id and _same_file(here.key, key):
        return Recognised(here.id, "unchanged")
    return _by_key(library, path, key, here) or _by_sound(library, path, key, here)


def _same_file(known: FileKey, found: FileKey) -> bool:
    """Compare the keys of one path; a drive that was plugged in again may be another device."""
    return (known.inode, known.size, known.mtime_ns) == (found.inode, found.size, found.mtime_ns)


def _by_key(library: Library, path: Path, key: FileKey, here: Song | None) -> Recognised | None:
    """Find a file that was renamed or moved on its disk, or is another name of a known one."""
    values = [str(key.inode), key.size, key.mtime_ns]
    known = library.songs("inode = ? AND size = ? AND mtime_ns = ? AND sound_id IS NOT NULL", values)
    for song in (each for each in known if key.inode and each.key.device == key.device):
        if song.missing or _key_of(song.path) != song.key:
            with library.writing() as rows:
                _vacate(rows, here, song.id)
                rows.execute(
                    "UPDATE songs SET path = CAST(? AS TEXT), missing = 0 WHERE id = ?", [to_text(path), song.id]
                )
            return Recognised(song.id, "unchanged" if song.path == path else "moved")
        return Recognised(song.id, "unchanged")
    return None


def _by_sound(library: Library, path: Path, key: FileKey, here: Song | None) -> Recognised:
    """Read a file, and find the song that has its sound."""
    try:
        sound, tags, reason = audio.sound_id(path), _tags(path), ""
    except OSError as error:
        sound, tags, reason = None, Tags(), reason_of(error)
    values = [*_place(path, key), now(), sound, *_tag_values(tags)]
    alike = library.songs("sound_id = ?", [sound]) if sound else []
    with library.writing() as rows:
        if here is not None and (here.sound_id == sound or here.status != "ok"):
            return _rewritten(rows, here, values, sound, reason)
        gone = _first([song for song in alike if song.missing or not os.path.lexists(song.path)])
        _vacate(rows, here, None)
        if gone is not None:
            rows.execute(f"UPDATE songs SET {_SET} WHERE id = ?", [*values, gone.id])
            return Recognised(gone.id, "moved")
        song = _inserted(rows, values, reason)
        if alike:
            _copy(rows, alike[0], song)
            return Recognised(song, "copy")
    return Recognised(song, "unreadable" if reason else "changed" if here is not None else "new", reason)


def _rewritten(
    rows: sqlite3.Connection, here: Song, values: Sequence[object], sound: str | None, reason: str
) -> Recognised:
    """Update the song of a path: with other tags, or after a failure."""
    rows.execute(f"UPDATE songs SET {_SET} WHERE id = ?", [*values, here.id])
    if sound and here.sound_id == sound:
        return Recognised(here.id, "retagged")
    rows.execute("UPDATE songs SET status = ? WHERE id = ?", [reason or "ok", here.id])
    for table in ("predictions", "embeddings"):  # of another sound, by a model that could use it
        rows.execute(f"DELETE FROM {table} WHERE song = ?", [here.id])
    return Recognised(here.id, "unreadable" if reason else "changed", reason)


def _inserted(rows: sqlite3.Connection, values: Sequence[object], reason: str) -> int:
    added = rows.execute(f"INSERT INTO songs ({_COLUMNS}, status) VALUES ({_VALUES}, ?)", [*values, reason or "ok"])
    assert added.lastrowid is not None
    return added.lastrowid


def _vacate(rows: sqlite3.Connection, here: Song | None, kept: int | None) -> None:
    """Mark the song missing that was at a path where another is now; if its file was moved, the scan finds it."""
    if here is not None and here.id != kept:
        rows.execute("UPDATE songs SET missing = 1 WHERE id = ?", [here.id])


def _copy(rows: sqlite3.Connection, known: Song, song: int) -> None:
    """Give a copy of a known sound what is known of it."""
    rows.execute("UPDATE songs SET status = ?, seconds = ? WHERE id = ?", [known.status, known.seconds, song])
    for table, columns in (
        ("predictions", "model, genre, confidence, unknown, warning, labels, scores, windows, tags"),
        ("embeddings", "model, vector"),
    ):
        rows.execute(
            f"INSERT INTO {table} (song, {columns}) SELECT ?, {columns} FROM {table} WHERE song = ?", [song, known.id]
        )


def _place(path: Path, key: FileKey) -> list[object]:
    return [to_text(path), str(key.device), str(key.inode), key.size, key.mtime_ns]


def _tag_values(tags: Tags) -> list[object]:
    """Return what tags say as the columns of a song."""
    texts = [to_text(text) for text in (tags.artist, tags.title, tags.album, tags.album_artist)]
    return [*texts, int(tags.compilation), to_text(json.dumps(tags.genres, ensure_ascii=False))]


def _tags(path: Path) -> Tags:
    try:
        return read_tags(path)
    except AudioError:  # whether the sound can be used is for the decoder to find out
        return Tags()


def _key_of(path: Path) -> FileKey | None:
    try:
        return FileKey.of(path)
    except OSError:
        return None


def _first(songs: Sequence[Song]) -> Song | None:
    return songs[0] if songs else None
