"""Unpacking an archive that may be hostile: it is read through first, and refused as a whole if one member is.

`tarfile` and `zipfile` read the archives, and `tarfile.data_filter` refuses what leads outside, devices and pipes. What
they lack is here. The filter strips a leading slash instead of refusing it and lets links inside through; `zipfile`
drops `..` silently; neither counts the bytes first. Members are written to numbered files, which no listing of audio
files sees, and take their names when all are written.
"""

from __future__ import annotations

import bz2
import contextlib
import filecmp
import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError, OutputError
from genrescope.files import writing
from genrescope.sources.download.fetch import need_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError,
    RuntimeError,  # zipfile's word for a password, and for a compression that it does not know
    ValueError, LookupError, ArithmeticError, AttributeError, MemoryError, struct.error,  # numbers that are none
)  # fmt: skip
_HEADER = 1 << 24  # bytes that are read at once: a member is copied in smaller pieces, a header has less
_DENSEST = 2000  # bytes of members for each byte of an archive; music gives two at most

Staged = dict[PurePosixPath, "Path"]
"""The numbered file of each member."""


def is_archive(name: str) -> bool:
    """Tell by its ending whether a file can be unpacked.

    Example:
        >>> is_archive("genres.tar.gz"), is_archive("FMA.ZIP"), is_archive("tracks.csv")
        (True, True, False)
    """
    return name.lower().endswith((".zip", *TARS))


def unpack(archive: Path, folder: Path, *, on_bytes: Callable[[int, int], None] = lambda done, total: None) -> Staged:
    """Unpack an archive into numbered files.

    Args:
        archive: a tar, plain or compressed, or a zip.
        folder: an empty folder.
        on_bytes: called with the bytes written and the bytes in all.

    Returns:
        The numbered file of every member that is a file.

    Raises:
        DataError: the archive is damaged, or a member is refused; in the latter case nothing was written.
        OutputError: the disk is too small or full.
    """
    with _faults_named(archive, folder), _opened(archive) as opened:
        members = _checked(opened, archive.name, folder)
        total, done = sum(size for _, size in members.values()), 0
        if total > _DENSEST * (archive.stat().st_size + 4096):
            raise DataError(f"{archive.name} is refused: its headers claim {total:,} bytes, more than it can hold")
        need_room(folder, total)
        on_bytes(done, total)
        staged = {path: folder / f"{number:07d}" for number, path in enumerate(members)}
        open_member: Any = opened.open if isinstance(opened, zipfile.ZipFile) else opened.extractfile
        for path, (info, size) in members.items():
            with open_member(info) as source, staged[path].open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                if target.tell() != size:
                    raise DataError(f"{archive.name} is damaged: {str(path)!r} has {target.tell():,} bytes of {size:,}")
            done += size
            on_bytes(done, total)
    return staged


def place(staged: Staged, folder: Path) -> None:
    """Give numbered files their names in a folder; what is there already and is equal stays as it is.

    Raises:
        DataError: another file has one of the names; nothing was moved.
        OutputError: a name cannot be written.
    """
    present = {path for path in staged if os.path.lexists(folder / path)}
    foreign = sorted(str(path) for path in present if not _equal(staged[path], folder / path))
    if foreign:
        raise DataError(
            f"{folder}: {len(foreign)} of the archive's names are taken by other files ({foreign[0]}"
            f"{', ...' if len(foreign) > 1 else ''}); nothing was overwritten. Move them away, or choose another folder"
        )
    for path, temporary in staged.items():
        with writing(folder / path):
            if path not in present:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                temporary.rename(folder / path)


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile | zipfile.ZipFile]:
    name = archive.name.lower()
    with contextlib.ExitStack() as stack:
        if name.endswith(".zip"):
            yield stack.enter_context(zipfile.ZipFile(archive))
            return
        openers: dict[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
        kind = next((kind for kind in openers if name.endswith(kind)), None)
        stream: Any = stack.enter_context(openers[kind](archive) if kind else archive.open("rb"))
        bounded: Any = _Bounded(stream)  # all that tarfile asks of a file
        yield stack.enter_context(tarfile.open(fileobj=bounded, mode="r:"))


class _Bounded:
    """A stream for `tarfile`, which would read a header of as many bytes as the header claims."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if size > _HEADER:
            raise tarfile.ReadError(f"a header claims {size:,} bytes")
        held: bytes = self._stream.read(size)
        return held


def _checked(
    opened: tarfile.TarFile | zipfile.ZipFile, name: str, folder: Path
) -> dict[PurePosixPath, tuple[tarfile.TarInfo | zipfile.ZipInfo, int]]:
    """Return the members that are files, each with its size in bytes; of two with one path the last counts."""
    members = {}
    for info in opened if isinstance(opened, tarfile.TarFile) else opened.infolist():
        member, size = (info.name, info.size) if isinstance(info, tarfile.TarInfo) else (info.filename, info.file_size)
        if reason := _path_fault(member) or _kind_fault(info, folder):
            raise DataError(f"{name}: its member {member!r} is refused: {reason}. Nothing of it was unpacked")
        if not (info.isdir() if isinstance(info, tarfile.TarInfo) else info.is_dir()):
            members[PurePosixPath(member)] = (info, size)
    folders = {parent for path in members for parent in path.parents}
    if both := folders & members.keys():
        raise DataError(f"{name}: {str(both.pop())!r} is a file and a folder at once. Nothing of it was unpacked")
    return members


def _path_fault(member: str) -> str | None:
    r"""Return why a member's path is refused on every system, whichever the archive comes from.

    Example:
        >>> _path_fault("./genres/blues/a.au"), _path_fault("..\\evil"), _path_fault("C:evil")
        (None, 'it leads out of the folder', 'its path is absolute')
    """
    windows = PureWindowsPath(member)  # it splits at both slashes
    if windows.anchor:
        return "its path is absolute"
    if ".." in windows.parts:
        return "it leads out of the folder"
    return "its name holds a zero byte" if "\0" in member else None


def _kind_fault(info: tarfile.TarInfo | zipfile.ZipInfo, folder: Path) -> str | None:
    """Return why a member is refused that is no plain file or folder."""
    if isinstance(info, zipfile.ZipInfo):
        kind = stat.S_IFMT(info.external_attr >> 16)  # zero where the archive was not made on Unix
        plain = info.is_dir() or kind in (0, stat.S_IFREG)
    else:
        plain = info.isdir() or (info.isreg() and not info.issparse() and info.size >= 0)
        if plain and hasattr(tarfile, "data_filter"):  # since Python 3.11.4
            try:
                tarfile.data_filter(info, str(folder))
            except tarfile.FilterError as error:
                return str(error)
    return None if plain else "it is a link, a device, a pipe or a sparse file"


def _equal(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


@contextlib.contextmanager
def _faults_named(archive: Path, folder: Path) -> Iterator[None]:
    """Turn what the libraries raise into errors that name the archive, or the folder that cannot be written."""
    try:
        yield
    except DAMAGE as error:
        raise DataError(_damaged(archive, error)) from error
    except OSError as error:
        if error.errno is None:  # gzip and bz2 say so that the bytes are damaged
            raise DataError(_damaged(archive, error)) from error
        raise OutputError(f"cannot write {folder}: {error.strerror}. Free some space, or check permissions.") from error


def _damaged(archive: Path, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{archive.name} cannot be unpacked, it is damaged: {reason[:300]}"
