"""The files of a part's songs: those on disks as they lie there, all others fetched a few ahead into a folder."""

from __future__ import annotations

import contextlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from genrescope.scale import places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from genrescope.scale.songs import Song

AHEAD = 4
"""Files that are fetched at the same time: what a worker holds on its disk, with the one that it decodes."""


def local_files(songs: Sequence[Song], folder: Path) -> Iterator[tuple[Song, Path | places.FetchError]]:
    """Yield each song in order with its file, or with the reason why it could not be fetched.

    Args:
        songs: the songs.
        folder: where files are fetched to; who has used one removes it (`discard`).
    """
    threads = ThreadPoolExecutor(AHEAD)
    coming: deque[tuple[Song, Future[Path | places.FetchError]]] = deque()
    try:
        for number, song in enumerate(songs):
            coming.append((song, threads.submit(_fetched, song, folder / str(number))))
            if len(coming) > AHEAD:
                given, file = coming.popleft()
                yield given, file.result()
        yield from ((given, file.result()) for given, file in coming)
    finally:
        threads.shutdown(cancel_futures=True)


def _fetched(song: Song, stem: Path) -> Path | places.FetchError:
    if "://" not in song.path:
        return Path(song.path)
    to = stem.with_suffix(PurePosixPath(song.path.partition("?")[0]).suffix[:8])
    try:
        places.fetch(song.path, to)
    except places.FetchError as error:
        return error
    return to


def discard(song: Song, file: Path) -> None:
    """Remove what was fetched; a file on a disk stays."""
    if "://" in song.path:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
