"""Songs as they are given: files, those that folders hold, bytes, and open files."""

from __future__ import annotations

import numbers
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from genrescope import audio
from genrescope.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt


Song: TypeAlias = "audio.File | npt.NDArray[Any] | torch.Tensor"
"""What can be classified: a path, the bytes of a file, an open binary file, or samples as an array or a tensor."""


def find_songs(paths: Iterable[Path]) -> audio.Walk:
    """List the files to classify: files as given, the audio files under folders, sorted, and the songs of playlists.

    Each file is listed once, however often and by whatever path or link it is named. Songs of a playlist are listed
    even where they are missing, so that they are reported as failures.

    Raises:
        DataError: a path does not exist, a folder holds no audio, or a playlist cannot be read.
    """
    found, seen = audio.Walk(), set[str]()
    for path in paths:
        inside = songs_of(path)
        found.files += [song for song in inside.files if is_new(song, seen)]
        found.left_out += inside.left_out
        found.unreadable += inside.unreadable
    return found


def songs_of(path: Path) -> audio.Walk:
    """List what one path stands for: a file for itself, a folder and a playlist for the songs that they hold.

    Raises:
        DataError: as `find_songs`.
    """
    from genrescope import playlists

    if _is_folder(path):
        inside = audio.walk(path)
        if not inside.files:
            why = "".join(f" {place}: {reason}." for place, reason in inside.unreadable[:3])
            raise DataError(f"{path}: no audio found in this folder or below it.{why}")
        return inside
    if not _exists(path):
        raise DataNotFoundError(f"{path}: no such file or folder")
    if path.suffix.lower() in playlists.SUFFIXES:
        return audio.Walk(playlists.read(path))
    return audio.Walk([path])


def identity(path: Path) -> str:
    """Return the `FileKey` of a regular file as text, `device:inode:size:mtime_ns`; empty for anything else.

    Example:
        >>> identity(Path("no-such-song.mp3"))
        ''
    """
    try:
        key = audio.FileKey.of(path)
        regular = path.is_file()
    except (OSError, ValueError):
        return ""
    return f"{key.device}:{key.inode}:{key.size}:{key.mtime_ns}" if regular else ""


def has_inode(known: str) -> bool:
    """Whether an identity is that of one file only: some file systems number none."""
    return known.split(":")[1:2] not in ([], ["0"])


def is_new(song: Path, seen: set[str]) -> bool:
    """Whether a file was not there yet by any of its names; from now on it was."""
    known = identity(song)
    known = known if has_inode(known) else os.path.realpath(song)
    if known in seen:
        return False
    seen.add(known)
    return True


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


def source_of(song: audio.File) -> tuple[Path | None, str, audio.Source]:
    """Return a file's path, its name, and what the decoders take."""
    source = audio.to_source(song)
    if isinstance(source, bytes):
        return None, label_of(source), source
    path = Path(source)
    return path, str(source), audio.drained(path) if audio.is_pipe(path) else path


def samples_of(song: object) -> npt.NDArray[Any] | None:
    """Return a NumPy array or torch tensor as an array on the CPU, and None for anything else."""
    if isinstance(song, torch.Tensor):
        held = song.detach().cpu()
        array: npt.NDArray[Any] = (held.float() if held.is_floating_point() else held).numpy()  # NumPy lacks bfloat16
        return array
    return song if isinstance(song, np.ndarray) else None


def rate_of(sample_rate: object) -> int:
    """Return the rate of samples as a whole number.

    Raises:
        ValueError: none was given, or it is no whole number.
    """
    if sample_rate is None:
        raise ValueError("samples need their `sample_rate`, in samples per second, as 44100")
    if not isinstance(sample_rate, numbers.Real) or not float(sample_rate).is_integer():
        raise ValueError(f"sample_rate={sample_rate!r}; accepted is a whole number of samples per second, as 44100")
    return round(float(sample_rate))


def label_of(song: object) -> str:
    """Return what stands for a song that has no path."""
    known = isinstance(song, bytes | bytearray | memoryview)
    return f"{len(song)} bytes" if known else f"a song of type {type(song).__name__}"  # type: ignore[arg-type]
