"""Which songs: files as given, and those that folders hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def find_songs(paths: Sequence[Path]) -> list[Path]:
    """List the files to classify: files as given, and the audio files under folders, sorted.

    Raises:
        DataError: a path does not exist, or a folder holds no audio.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = audio.files_in(path)
            if not inside:
                raise DataError(f"{path}: no audio found in this folder or below it")
            found |= dict.fromkeys(inside)
        elif path.exists():
            found[path] = None
        else:
            raise DataError(f"{path}: no such file or folder")
    return list(found)
