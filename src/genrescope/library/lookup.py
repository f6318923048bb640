"""Which song of a library a user means by a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.audio import FileKey
from genrescope.errors import DataError, DataNotFoundError, reason_of
from genrescope.files import absolute
from genrescope.library.database import to_text

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.library.database import Library
    from genrescope.library.rows import Song


def find_song(library: Library, path: Path) -> Song | None:
    """Return the song that a path means, by the path, by the file's key, or by its sound; None where it is another.

    Raises:
        DataError: there is neither a song nor a file at this path.
    """
    known = library.songs("path = CAST(? AS TEXT)", [to_text(absolute(path))])
    if known:
        return min(known, key=lambda song: song.missing)
    try:
        key = FileKey.of(path)
        values = [str(key.device), str(key.inode), key.size, key.mtime_ns]
        known = library.songs("device = ? AND inode = ? AND size = ? AND mtime_ns = ?", values)
        known = known or library.songs("sound_id = ?", [audio.sound_id(path)])
    except FileNotFoundError as error:
        raise DataNotFoundError(f"{path}: no such file, and no song of {library.path}") from error
    except OSError as error:
        raise DataError(f"{path}: {reason_of(error)}") from error
    return min(known, key=lambda song: song.missing) if known else None
