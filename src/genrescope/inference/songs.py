"""Songs as they are given: files, those that folders hold, bytes, and open files."""

from __future__ import annotations

import numbers
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from genrescope import audio
from genrescope.errors import DataError, DataNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


Song: TypeAlias = "audio.File | npt.NDArray[Any] | torch.Tensor"
"""What can be classified: a path, the bytes of a file, an open binary file, or samples as an array or a tensor."""


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
            raise DataNotFoundError(f"{path}: no such file or folder")
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
