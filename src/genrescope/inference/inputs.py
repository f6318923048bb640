"""Paths of songs that come from another program, one after the other."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from genrescope.errors import DataError
from genrescope.inference.songs import is_new, songs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PIECE = 1 << 16  # bytes
_PATIENCE = 0.2  # seconds between two looks at whether anybody still waits for a path


class PathStream:
    r"""Paths from a stream such as stdin, as they come: one a line, or separated by NUL bytes (`find -print0`).

    Args:
        stream: an open binary file.

    Example:
        >>> import io
        >>> [path.name for path in PathStream(io.BytesIO(b"one.mp3\n\ntwo.mp3"))]
        ['one.mp3', 'two.mp3']
        >>> [path.name for path in PathStream(io.BytesIO(b"two\nlines.mp3\0three.mp3\0"))]
        ['two\nlines.mp3', 'three.mp3']
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._stopped = stream, threading.Event()

    def stop(self) -> None:
        """End the paths, also where another thread waits for the next."""
        self._stopped.set()

    def __iter__(self) -> Iterator[Path]:
        held, mark = b"", b""
        for piece in self._pieces():
            held += piece
            mark = mark or next((each for each in (b"\0", b"\n") if each in held), b"")
            if mark:
                *whole, held = held.split(mark)
                yield from (Path(os.fsdecode(each)) for each in whole if each)
        if held and not self._stopped.is_set():
            yield Path(os.fsdecode(held))

    def _pieces(self) -> Iterator[bytes]:
        try:
            number = self._stream.fileno()
        except OSError:  # it is held in memory
            yield self._stream.read()
            return
        while not self._stopped.is_set():
            if os.name != "nt" and not select.select([number], [], [], _PATIENCE)[0]:
                continue
            piece = os.read(number, _PIECE)
            if not piece:
                return
            yield piece


def songs_from(paths: Iterable[Path], seen: Iterable[Path] = ()) -> Iterator[Path]:
    """Yield the songs that paths stand for as the paths come: of folders and playlists, those that they hold.

    Each file is yielded once. What does not exist is yielded as it is, so that it is reported as a failure.

    Args:
        paths: files, folders and playlists.
        seen: songs that are known already.
    """
    known = set[str]()
    for song in seen:
        is_new(song, known)
    for path in paths:
        try:
            inside = songs_of(path).files
        except DataError:
            inside = [path]
        yield from (song for song in inside if is_new(song, known))
