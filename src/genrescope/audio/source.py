"""What may be given as audio: the path of a file, or the bytes of one."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, TypeAlias

Source: TypeAlias = str | os.PathLike[str] | bytes


def name_of(source: Source) -> str:
    """Return what an error calls the source."""
    return f"{len(source)} bytes in memory" if isinstance(source, bytes) else str(source)


def problem_with(source: Source) -> str | None:
    """Say what is wrong with a source before any decoder is asked."""
    if isinstance(source, bytes):
        return None if source else "empty: 0 bytes"
    path = Path(source)
    try:
        if not path.exists():
            return "no such file"
        if path.is_dir():
            return "a folder, not a file"
        return None if path.stat().st_size else "empty: the file has 0 bytes"
    except OSError as error:  # a name that is too long, say
        return error.strerror or str(error)


def openable(source: Source) -> Any:
    """Return what both decoders can open: a name that is text, or a file object."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    name = os.fspath(source)
    try:
        name.encode()
    except UnicodeEncodeError:  # a name in an old encoding, on a system where names are bytes
        return io.BytesIO(Path(source).read_bytes())
    return name


def read_part(source: Source, offset: int, size: int) -> bytes:
    """Return up to `size` bytes from `offset` on."""
    if isinstance(source, bytes):
        return source[offset : offset + size]
    with Path(source).open("rb") as file:
        file.seek(offset)
        return file.read(size)
