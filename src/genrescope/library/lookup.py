"""Which song of a library a user means by a path."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.audio import FileKey
from genrescope.errors import DataError, DataNotFoundError, reason_of
from genrescope.files import absolute
from genrescope.library.database import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from genrescope.library.database import Library
    from genrescope.library.rows import Song


def find_song(library: Library, path: Path) -> Song | None:
    """Return the song that a path means, by the path, by the file's key, or by its sound; None where it is another.

    Raises:
        DataError: there is neither a song nor a file at this path.
    """
    with _readable(library, path):
        return _known(library, path) or _present(library.songs("sound_id = ?", [audio.sound_id(path)]))


def sound_of(library: Library, path: Path) -> str:
    """Return what identifies the sound of a song: from the library where it is known, else from the file.

    Raises:
        DataError: there is neither a song nor a file at this path, or the file cannot be read.
    """
    with _readable(library, path):
        song = _known(library, path)
        return song.sound_id if song is not None and song.sound_id else audio.sound_id(path)


def _known(library: Library, path: Path) -> Song | None:
    """Return the song that a path means without reading the file, by the path or by the file's key."""
    if song := _present(library.songs("path = CAST(? AS TEXT)", [to_text(absolute(path))])):
        return song
    key = FileKey.of(path)
    values = [str(key.device), str(key.inode), key.size, key.mtime_ns]
    return _present(library.songs("device = ? AND inode = ? AND size = ? AND mtime_ns = ?", values))


def _present(songs: Sequence[Song]) -> Song | None:
    """Return the first song that is not missing, else the first, else None."""
    return min(songs, key=lambda song: song.missing, default=None)


@contextlib.contextmanager
def _readable(library: Library, path: Path) -> Iterator[None]:
    """Turn what the system says of a file into an error that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataNotFoundError(f"{path}: no such file, and no song of {library.path}") from error
    except OSError as error:
        raise DataError(f"{path}: {reason_of(error)}") from error
