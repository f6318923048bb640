"""What identifies a file: its place on the disk, and its sound whatever its tags say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.audio.ffmpeg_reader import FFmpegReader
from genrescope.audio.reader import UnreadableError
from genrescope.files import sha256

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class FileKey:
    """A file as it lies on a disk: equal for every path that leads to it, and another once it was written to.

    Attributes:
        device: the file system.
        inode: its number there; 0 where the system has none.
        size: bytes.
        mtime_ns: when it was last written, in nanoseconds.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileKey:
        """Return the key of a file, links followed.

        Raises:
            OSError: it cannot be looked at.
        """
        found = path.stat()
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def sound_id(path: Path) -> str:
    """Return what identifies a file's sound: 32 hexadecimal digits of a hash over its coded packets, not decoded.

    Tags, pictures, times and names do not change it. It is computed at about the speed of the disk. Of a file that
    FFmpeg cannot split into packets the whole content counts, tags included.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with FFmpegReader(path) as reader:
            for part in reader.packets():
                digest.update(part)
    except UnreadableError:
        return sha256(path)[:32]
    return digest.hexdigest()
