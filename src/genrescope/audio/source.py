"""What may be given as audio: the path of a regular file, or the bytes of one."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import IO, BinaryIO, TypeAlias

from genrescope.errors import AudioError

_LARGEST_PIPE = 1 << 30  # bytes: what comes out of a pipe is held in memory

Source: TypeAlias = str | os.PathLike[str] | bytes
"""What the decoders take."""

File: TypeAlias = Source | bytearray | memoryview | IO[bytes]
"""What a program may give as a file: a path, its bytes, or an open binary file."""

NOT_FOUND = "no such file"


def to_source(file: File) -> Source:
    """Return a path as it is, and the bytes of anything else; an open file is read from where it stands.

    Raises:
        AudioError: nothing is left to read in an open file.
        TypeError: it is no file.
    """
    if isinstance(file, str | os.PathLike | bytes):
        return file
    if isinstance(file, bytearray | memoryview):
        return bytes(file)
    content = file.read() if hasattr(file, "read") else None
    if not isinstance(content, bytes):
        raise TypeError(_no_file(file))
    if not content:
        nothing = "nothing is left to read; go back to the beginning with seek(0), if it was just written"
        raise AudioError("an open file", [("file", f"empty: {nothing}")], "empty")
    return content


def _no_file(given: object) -> str:
    """Say what was given instead of a file, and what to do."""
    told = f"a song of type {type(given).__name__}; accepted are a path, bytes, an open binary file"
    if hasattr(given, "read"):
        return f'{told}; open it with "rb", not as text'
    if hasattr(given, "__array__"):
        return f"{told}; samples go one song at a time to `Classifier.predict`, with their sample_rate"
    return f"{told}, and samples as a NumPy array or a torch tensor with their sample_rate"


def name_of(source: Source) -> str:
    """Return what an error calls the source."""
    return f"{len(source)} bytes in memory" if isinstance(source, bytes) else str(source)


def problem_with(source: Source) -> str | None:
    """Say what is wrong with a source before it is opened: only regular files are, since a pipe may never end."""
    if isinstance(source, bytes):
        return None if source else "empty: 0 bytes"
    try:
        found = Path(source).stat()
    except FileNotFoundError:
        return NOT_FOUND
    except (OSError, ValueError) as error:  # a name that is too long, say, or one with a zero byte
        return getattr(error, "strerror", None) or str(error)
    if stat.S_ISDIR(found.st_mode):
        return "a folder, not a file"
    if not stat.S_ISREG(found.st_mode):
        return "a pipe or a device, not a file"
    return None if found.st_size else "empty: the file has 0 bytes"


def is_pipe(path: Path) -> bool:
    """Whether a path leads to a pipe, such as `/dev/stdin` or what a shell makes of `<(...)`."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def drained(pipe: Path) -> bytes:
    """Return all that comes out of a pipe that was given by name.

    Raises:
        AudioError: it is more than a file of sound may be.
    """
    with pipe.open("rb") as file:
        content = file.read(_LARGEST_PIPE + 1)
    if len(content) > _LARGEST_PIPE:
        told = f"a pipe of more than {_LARGEST_PIPE >> 30} GB; write it to a file first, and give that"
        raise AudioError(str(pipe), [("file", told)])
    return content


def opened(source: Source) -> BinaryIO:
    """Open a source to read its bytes, unbuffered."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    return Path(source).open("rb", buffering=0)


def size_of(file: BinaryIO) -> int:
    """Return the length of an open file in bytes, and leave it at its beginning."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size
