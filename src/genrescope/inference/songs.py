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


def find_songs(paths: Sequence[Path]) -> audio.Walk:
    """List the files to classify: files as given, and the audio files under folders, sorted.

    Raises:
        DataError: a path does not exist, or a folder holds no audio.
    """
    files: dict[Path, None] = {}
    found = audio.Walk()
    for path in paths:
        if _is_folder(path):
            inside = audio.walk(path)
            if not inside.files:
                why = "".join(f" {place}: {reason}." for place, reason in inside.unreadable[:3])
                raise DataError(f"{path}: no audio found in this folder or below it.{why}")
            files |= dict.fromkeys(inside.files)
            found.left_out += inside.left_out
            found.unreadable += inside.unreadable
        elif _exists(path):
            files[path] = None
        else:
            raise DataError(f"{path}: no such file or folder")
    found.files = list(files)
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it lies in a folder without rights, say
        return False


def _exists(path: Path) -> bool:
    """Whether there is something; what may not be looked at is there, and fails by its own name."""
    try:
        return path.exists()
    except OSError as error:
        return isinstance(error, PermissionError)


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
