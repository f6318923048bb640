"""A file is replaced by a changed copy in one step, or stays as it is, whatever stops the process.

The copy lies beside the file, under a hidden name, until it is whole, checked, and on the disk. What a killed process
left there is removed by the next one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import time
from typing import TYPE_CHECKING

from genrescope.errors import reason_of
from genrescope.tags.edits import TagError

try:
    import fcntl
except ImportError:  # Windows, which itself refuses to replace a file that is open
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_MARK = ".genrescope-tag-"
_LONGEST_SUFFIX = 8
_HARMLESS = 23  # SIGURG, which nobody notices


def temporary_of(path: Path) -> Path:
    """Return where the changed copy of a file is made: beside it, hidden, with the same ending."""
    name = hashlib.blake2b(os.fsencode(path.name), digest_size=8).hexdigest()
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    return path.with_name(f"{_MARK}{name}{suffix}")


def refusal(path: Path, *, break_links: bool = False) -> str | None:
    """Say why a file must not be replaced; None where it may.

    Args:
        path: the file itself, no link to it.
        break_links: whether a file with several names (hard links) may be replaced under this one.
    """
    try:
        found = path.stat()
    except OSError as error:
        return reason_of(error)
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if not found.st_mode & 0o222 or not os.access(path, os.W_OK):
        return "it is read-only"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"the folder {path.parent} may not be written"
    if found.st_nlink > 1 and not break_links:
        return (
            f"it has {found.st_nlink} names (hard links), and only this one would be changed; --break-links allows it"
        )
    return None


@contextlib.contextmanager
def held(path: Path, *, break_links: bool = False) -> Iterator[os.stat_result]:
    """Hold a file against other processes that write tags, and give what the system knows of it.

    Raises:
        TagError: it may not be replaced, another process holds it, or has it open for writing.
        OSError: it cannot be opened.
    """
    if reason := refusal(path, break_links=break_links):
        raise TagError(reason)
    with path.open("rb") as file:
        if fcntl is not None:
            _lock(file.fileno())
        known = os.fstat(file.fileno())
        if _key(path.stat()) != _key(known):
            raise TagError("another program has just replaced it")
        yield known


def _lock(number: int) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise TagError("another process holds it, perhaps a second run of genrescope tag") from error
    if _is_written_elsewhere(number):
        raise TagError("another program has it open for writing")


def _is_written_elsewhere(number: int) -> bool:
    """Whether a process has a file open for writing: then Linux grants no lease for reading.

    A lease is given back at once. Until then whoever opens the file waits, and we get a signal without effect.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        fcntl.fcntl(number, getattr(fcntl, "F_SETSIG", 10), _HARMLESS)
        fcntl.fcntl(number, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(number, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:  # others mean that this file system has no leases
        return error.errno == errno.EAGAIN
    return False


def replace(
    path: Path,
    known: os.stat_result,
    pieces: Iterable[bytes],
    *,
    check: Callable[[Path], None],
    modified_ns: int | None,
) -> None:
    """Replace a file, which is `held`, by other content: owner, permissions and further attributes stay as they are.

    Args:
        path: the file.
        known: what `held` gave.
        pieces: the new content.
        check: called with the finished copy before it takes the file's place; what it raises stops that.
        modified_ns: when the file is said to have been written, in nanoseconds; None for now.

    Raises:
        TagError: the file changed meanwhile, or its owner cannot be kept.
        OSError: the disk is full, say.
    """
    temporary = temporary_of(path)
    try:
        with _made(temporary) as number:
            with os.fdopen(number, "wb", closefd=False) as file:
                for piece in pieces:
                    file.write(piece)
            _keep_owner(number, known)
            shutil.copystat(path, temporary)
            os.fsync(number)
            check(temporary)
            _keep_times(temporary, known, modified_ns)
            os.fsync(number)
            if _key(path.stat()) != _key(known):
                raise TagError("another program has just changed it")
            temporary.replace(path)
            reach_the_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _made(temporary: Path) -> Iterator[int]:
    """Make the copy's file, locked as long as it is being written."""
    temporary.unlink(missing_ok=True)  # of a killed process: the file itself is held
    number = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield number
    finally:
        os.close(number)


def _keep_owner(number: int, known: os.stat_result) -> None:
    own = os.fstat(number)
    if (own.st_uid, own.st_gid) == (known.st_uid, known.st_gid):
        return
    try:
        os.chown(number, known.st_uid, known.st_gid)
    except PermissionError as error:
        raise TagError("it belongs to somebody else, and would be yours afterwards") from error


def _keep_times(temporary: Path, known: os.stat_result, modified_ns: int | None) -> None:
    os.utime(temporary, ns=(known.st_atime_ns, time.time_ns() if modified_ns is None else modified_ns))


def _key(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def reach_the_disk(folder: Path) -> None:
    """Wait until a folder's names are on the disk, where the system can say so."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def clean(folder: Path) -> list[Path]:
    """Remove the copies that a killed process left in a folder, and return them; those in use stay."""
    gone = []
    with contextlib.suppress(OSError):
        for each in sorted(folder.glob(f"{_MARK}*")):
            if fcntl is not None and _is_left(each):
                each.unlink(missing_ok=True)
                gone.append(each)
    return gone


def _is_left(path: Path) -> bool:
    """Whether no process writes a copy any more."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
