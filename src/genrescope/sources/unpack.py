"""Unpacking an archive that may be hostile: it is read through first, and refused as a whole if one member is.

Nothing is ever written under a name from the archive until all of it is known to be good. The members' bytes go into
numbered files of a temporary folder, which no listing of audio files sees, and from there each takes its name. Links
are never made: one that stands for a file of the archive becomes a copy of it, any other is refused.
"""

from __future__ import annotations

import contextlib
import filecmp
import lzma
import os
import posixpath
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.files import writing
from genrescope.sources.fetch import CHUNK, need_room, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError,
    RuntimeError,  # zipfile's word for a password
    NotImplementedError,
)  # fmt: skip

Staged = dict[PurePosixPath, "Path"]
"""The temporary file of each member."""


@dataclass(frozen=True)
class Member:
    """A file of an archive.

    Attributes:
        name: as the archive has it.
        path: the same, relative to the folder it belongs into.
        size: in bytes.
        source: what the archive's library wants in order to open it; None for a link.
        target: the file that a link stands for; None for a file.
    """

    name: str
    path: PurePosixPath
    size: int
    source: tarfile.TarInfo | zipfile.ZipInfo | None
    target: PurePosixPath | None = None


def is_archive(name: str) -> bool:
    """Tell by its ending whether a file can be unpacked.

    Example:
        >>> is_archive("genres.tar.gz"), is_archive("FMA.ZIP"), is_archive("tracks.csv")
        (True, True, False)
    """
    return name.lower().endswith((".zip", *TARS))


def unpack(archive: Path, folder: Path, *, on_bytes: Callable[[int, int], None] = lambda done, total: None) -> Staged:
    """Unpack an archive into numbered files of a folder.

    Args:
        archive: a tar, as it is or compressed, or a zip.
        folder: made if need be; files that are there already are overwritten.
        on_bytes: called with the bytes written and the bytes in all.

    Returns:
        The numbered file of every member.

    Raises:
        DataError: the archive is damaged, or a member would climb out of its folder; nothing was written then.
        OutputError: the disk is too small or full.
    """
    with _damage_told(archive), _Archive(archive) as opened:
        members = _checked(opened.members(), archive)
        total = sum(member.size for member in members.values())
        need_room(folder, total)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        staged = {path: folder / f"{number:07d}" for number, path in enumerate(members)}
        done = 0
        on_bytes(done, total)
        for path, member in members.items():
            if member.source is not None:
                for size in _write(opened.open(member), staged[path], member):
                    done += size
                    on_bytes(done, total)
    for path, member in members.items():
        if member.target is not None:
            with writing(staged[path]):
                shutil.copyfile(staged[member.target], staged[path])
            done += member.size
            on_bytes(done, total)
    return staged


def place(staged: Staged, folder: Path) -> None:
    """Give numbered files their names in a folder; what is there already and is equal stays as it is.

    Raises:
        DataError: a file of another content has one of the names; nothing was moved then.
        OutputError: a name cannot be written.
    """
    there = {path for path in staged if os.path.lexists(folder / path)}
    foreign = sorted(str(path) for path in there if not _equal(staged[path], folder / path))
    if foreign:
        raise DataError(
            f"{folder}: {len(foreign)} of the archive's names are taken by other files ({foreign[0]}"
            f"{', ...' if len(foreign) > 1 else ''}); nothing was overwritten. Move them away, or choose another folder"
        )
    for path, temporary in staged.items():
        with writing(folder / path):
            if path in there:
                temporary.unlink()
            else:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                temporary.rename(folder / path)


class _Archive:
    """A tar or a zip, read through one door."""

    def __init__(self, path: Path) -> None:
        kind = zipfile.ZipFile if path.name.lower().endswith(".zip") else tarfile.TarFile.open
        self._opened: tarfile.TarFile | zipfile.ZipFile = kind(path)

    def __enter__(self) -> _Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def members(self) -> Iterator[Member]:
        """Yield the files and links.

        Raises:
            DataError: a member is none of these and no folder, or has a name that leads out.
        """
        if isinstance(self._opened, tarfile.TarFile):
            return filter(None, map(_tar_member, self._opened.getmembers()))
        return filter(None, map(self._zip_member, self._opened.infolist()))

    def open(self, member: Member) -> IO[bytes]:
        """Open a file to read it."""
        if isinstance(member.source, zipfile.ZipInfo):
            assert isinstance(self._opened, zipfile.ZipFile)
            return self._opened.open(member.source)
        assert isinstance(self._opened, tarfile.TarFile)
        assert member.source is not None
        file = self._opened.extractfile(member.source)
        assert file is not None
        return file

    def _zip_member(self, info: zipfile.ZipInfo) -> Member | None:
        assert isinstance(self._opened, zipfile.ZipFile)
        path = _safe(info.filename)
        kind = stat.S_IFMT(info.external_attr >> 16)  # zero where the archive was not made on Unix
        if info.is_dir():
            return None
        if kind == stat.S_IFLNK:
            target = os.fsdecode(self._opened.read(info)) if info.file_size < 4096 else ""
            return _link(info.filename, path, posixpath.join(posixpath.dirname(info.filename), target), target)
        if kind not in (0, stat.S_IFREG):
            raise _Refused(info.filename, "it is a device or a pipe")
        return Member(info.filename, path, info.file_size, info)


class _Refused(Exception):  # noqa: N818  (it says what happened to the member)
    """A member that no data set needs and no user wants."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"its member {name!r} is refused: {why}")


def _tar_member(info: tarfile.TarInfo) -> Member | None:
    path = _safe(info.name)
    if info.isdir():
        return None
    if info.issym():
        return _link(info.name, path, posixpath.join(posixpath.dirname(info.name), info.linkname), info.linkname)
    if info.islnk():
        return _link(info.name, path, info.linkname, info.linkname)
    if not info.isreg():
        raise _Refused(info.name, "it is a device or a pipe")
    return Member(info.name, path, info.size, info)


def _safe(name: str) -> PurePosixPath:
    r"""Return a member's name as a path inside a folder, whatever system the archive comes from.

    Example:
        >>> _safe("./genres/blues/a.au")
        PurePosixPath('genres/blues/a.au')
        >>> _safe("..\\evil")
        Traceback (most recent call last):
        genrescope.sources.unpack._Refused: its member '..\\evil' is refused: it would climb out of the folder
    """
    windows = PureWindowsPath(name)
    if windows.drive or windows.root:
        raise _Refused(name, "its path is absolute")
    if ".." in re.split(r"[/\\]", name):
        raise _Refused(name, "it would climb out of the folder")
    if "\0" in name:
        raise _Refused(name, "its name holds a zero byte")
    return PurePosixPath(name)


def _link(name: str, path: PurePosixPath, target: str, written: str) -> Member:
    """Return a link to what must be inside; whether it is a file of the archive is seen when all are known."""
    try:
        return Member(name, path, 0, None, _safe(posixpath.normpath(target)))
    except _Refused:
        raise _Refused(name, f"it is a link to {written!r}, outside of the folder") from None


def _checked(members: Iterator[Member], archive: Path) -> dict[PurePosixPath, Member]:
    """Return the members by their paths, all of them good; of two with one path the last counts, as in every tar.

    Raises:
        DataError: one is refused.
    """
    try:
        found = {member.path: member for member in members}
        folders = {parent for path in found for parent in path.parents}
        for path, member in found.items():
            if path in folders:
                raise _Refused(member.name, "it is a file and a folder at once")
            if member.target is not None:
                target = found.get(member.target)
                if target is None or target.source is None:
                    raise _Refused(member.name, f"it is a link to {str(member.target)!r}, no file of the archive")
    except _Refused as refused:
        raise DataError(f"{archive.name}: {refused}. Nothing of it was unpacked") from refused
    return {
        path: member if member.target is None else _sized(member, found[member.target])
        for path, member in found.items()
    }


def _sized(link: Member, target: Member) -> Member:
    return Member(link.name, link.path, target.size, None, target.path)


def _write(source: IO[bytes], path: Path, member: Member) -> Iterator[int]:
    """Copy a member into a file; yield the sizes of the pieces as they are written."""
    written = 0
    with source:
        with writing(path):
            file = path.open("wb", buffering=0)
        with file:
            while chunk := source.read(CHUNK):
                write_all(file, chunk, path)
                written += len(chunk)
                yield len(chunk)
    if written != member.size:
        raise EOFError(f"{member.name} has {written:,} bytes of the {member.size:,} that it should have")


def _equal(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


@contextlib.contextmanager
def _damage_told(archive: Path) -> Iterator[None]:
    """Turn what the libraries raise for a bad archive into a `DataError` that names it."""
    try:
        yield
    except DAMAGE as error:
        raise DataError(f"{archive.name} cannot be unpacked: {error}") from error
