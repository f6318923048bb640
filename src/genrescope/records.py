"""Append-only records: a file of lines that grows by one line at a time and survives whatever stops a run.

A line counts once its line end is in the file. What a kill or a full disk left behind the last line end is not read,
and it is cut off before the next line is added. So a run that was resumed leaves the same bytes as one that was not.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
from typing import IO, TYPE_CHECKING, Any, Literal, TypeVar

from genrescope.errors import DataError
from genrescope.files import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_T = TypeVar("_T")

_DAMAGE = (ValueError, KeyError, TypeError, AttributeError)
"""What `parse` raises for a line that is no record, or not one of this version."""


def to_line(record: Any) -> str:
    r"""Return a record as one line of JSON with its line end; numbers that are not finite are refused.

    Example:
        >>> to_line({"id": "rock/né.mp3"})
        '{"id": "rock/né.mp3"}\n'
    """
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def read_lines(path: Path) -> Iterator[str]:
    """Yield the whole lines of a file, each with its line end; nothing where there is no file.

    File names that are no UTF-8 come back as `os.fsdecode` gives them.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line.decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Remove it, or choose another place for the results"
        ) from error


def read(path: Path, parse: Callable[[Any], _T], *, damaged: Literal["skip", "stop"]) -> list[_T]:
    """Read the records of a file of JSON lines; none where there is no file.

    Args:
        path: the file.
        parse: makes a record of a line's JSON value. For a value that is none it raises `ValueError`, `KeyError`,
            `TypeError` or `AttributeError`.
        damaged: what a damaged line means. `skip`: the lines after it count, as each stands for itself. `stop`: only
            the lines above it are trusted.

    Raises:
        DataError: the file cannot be read.
    """
    found = []
    for line in read_lines(path):
        try:
            found.append(parse(json.loads(line)))
        except _DAMAGE:
            if damaged == "stop":
                break
    return found


class RecordWriter:
    r"""Adds records to the end of a file. Each is in the file, for any reader, when `add` returns.

    The file is made with the first record, so a run that finds nothing new leaves no trace.

    Args:
        path: the file; it and its folder are made if need be.
        durable: whether a record is on the disk too when `add` returns, so that no power loss can take it.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "log.jsonl"
        ...     _ = path.write_text('{"id": 1}\n{"id": 2, "sec')  # a run was killed here
        ...     with RecordWriter(path) as writer:
        ...         writer.add({"id": 3})
        ...     read(path, dict, damaged="stop")
        [{'id': 1}, {'id': 3}]
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self._path, self._durable = path, durable
        self._file: IO[bytes] | None = None

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, record: Any) -> None:
        """Add a record as a line of JSON.

        Raises:
            OutputError: the disk is full, say.
        """
        self.add_text(to_line(record))

    def add_text(self, text: str) -> None:
        """Add whole lines as they are; an empty text only makes the file.

        Raises:
            OutputError: the disk is full, say.
        """
        with writing(self._path):
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                _cut_torn_line(self._path)
                self._file = self._path.open("ab")
            self._file.write(text.encode("utf-8", "surrogateescape"))
            self._file.flush()
            if self._durable:
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; a full disk was reported by the `add` that met it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


def _cut_torn_line(path: Path) -> None:
    """Cut off what stands after the last line end; a device, `/dev/stdout` say, is left alone."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:  # searched from its end, not loaded
            whole, size = data.rfind(b"\n") + 1, len(data)
        if whole < size:
            file.truncate(whole)
