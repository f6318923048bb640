"""Songs as they are given: files, those that folders hold, bytes, and open files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from genrescope import audio
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


Song: TypeAlias = "str | os.PathLike[str] | bytes | IO[bytes] | npt.NDArray[Any]"
"""What can be classified: a path, the bytes of a file, an open binary file, or samples."""


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


def source_of(song: str | os.PathLike[str] | bytes | IO[bytes]) -> tuple[Path | None, str, audio.Source]:
    """Return a file's path, its name, and what the decoders take."""
    if isinstance(song, str | os.PathLike):
        path = Path(song)
        return path, str(song), audio.drained(path) if audio.is_pipe(path) else path
    if isinstance(song, bytes | bytearray | memoryview):
        held = bytes(song)
    elif isinstance(song, io.IOBase) or hasattr(song, "read"):
        held = song.read()
    else:
        held = None
    if not isinstance(held, bytes):
        raise TypeError(
            f"a song of type {type(song).__name__}; accepted are a path, bytes, an open binary file, and a NumPy array"
        )
    return None, label_of(held), held


def label_of(song: object) -> str:
    """Return what stands for a song that has no path."""
    known = isinstance(song, bytes | bytearray | memoryview)
    return f"{len(song)} bytes" if known else f"a song of type {type(song).__name__}"  # type: ignore[arg-type]
