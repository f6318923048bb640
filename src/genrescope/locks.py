"""One process at a time writes a result; a second one gets an error that names the first.

The lock is the system's own (`flock`, through filelock), so what a killed run leaves behind holds nobody up. The file
says who holds it, and goes when its holder is done.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope.errors import OutputError
from genrescope.files import LOCK_NAME, refuse_file, writing

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def folder(path: str | os.PathLike[str], *, by: str) -> Iterator[None]:
    """Hold a folder of results, which is made if need be, until the block ends.

    Args:
        path: the folder.
        by: the command that writes, for whoever is refused.

    Raises:
        DataError: it is a file, or lies in one.
        OutputError: another process holds it, or it cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place, folder(place, by="prepare"):
        ...     with folder(place, by="prepare"):
        ...         pass
        Traceback (most recent call last):
            ...
        genrescope.errors.OutputError: ... is being written by another run: prepare, process ...
    """
    place = Path(path)
    refuse_file(place, what="the results")
    made = not place.exists()
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    try:
        with _held(place / LOCK_NAME, place, by):
            yield
    finally:
        if made:
            with contextlib.suppress(OSError):  # it holds results, as a rule
                place.rmdir()


@contextlib.contextmanager
def file(path: str | os.PathLike[str], *, by: str) -> Iterator[None]:
    """Hold a file that is to be written until the block ends; a device or a pipe is anybody's.

    Raises:
        OutputError: another process holds it, or its folder cannot be written.
    """
    place = Path(os.path.realpath(path))
    if place.exists() and not place.is_file():
        yield
        return
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    with _held(place.with_name(f".{place.name}.lock"), Path(path), by):
        yield


@contextlib.contextmanager
def _held(lock_file: Path, target: Path, by: str) -> Iterator[None]:
    import filelock

    lock = filelock.FileLock(lock_file)
    with writing(target):
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            raise OutputError(
                f"{target} is being written by another run: {_holder(lock_file)}. Wait until it has ended, or choose "
                "another place for the results"
            ) from None
    try:
        with contextlib.suppress(OSError):  # on Windows nobody may write into what is locked
            lock_file.write_text(json.dumps(_self(by)), encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            lock_file.unlink()  # while it is held: who has opened it already sees that it has no name any more
        lock.release()


def _self(by: str) -> dict[str, object]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"command": by, "process": os.getpid(), "host": platform.node(), "since": since}


def _holder(lock_file: Path) -> str:
    """Say who holds a lock, as its file tells."""
    try:
        held = json.loads(lock_file.read_text(encoding="utf-8"))
        return f"{held['command']}, process {held['process']} on {held['host']}, since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it does not say which"
