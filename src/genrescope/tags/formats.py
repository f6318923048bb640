"""Which format a file has, by its content, and how its tags are written."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, BinaryIO

from genrescope.tags import ape, asf, chunks, id3, id3_tag, id3v1, mp4, ogg, vorbis
from genrescope.tags.edits import TagError, pieces, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data, Edit

_SYNC_WITHIN = 4096  # bytes before the first frame of an mp3 that has no tag
_WITH_APE = (b"wvpk", b"MP+", b"MPCK", b"MAC ", b"tBaK", b"OFR ")
_IFF = ((b"RIFF", b"WAVE"), (b"FORM", b"AIFF"), (b"FORM", b"AIFC"))
_REFUSED = {
    b"\x1aE\xdf\xa3": "tags of Matroska and WebM cannot be written",
    b"RF64": "tags of RF64 cannot be written",
    b"BW64": "tags of BW64 cannot be written",
    b"riff": "tags of Wave64 cannot be written",
    b"caff": "tags of CAF cannot be written",
    b".snd": "AU files have no tags",
}
_CLEAR = "its tags cannot be written, as those of mp3, AAC, FLAC, Ogg, MP4, WMA, WAV, AIFF, DSF and APEv2 can"


class FileData:
    """The bytes of an open file, read as they are asked for: no map into memory, whose file may be cut meanwhile.

    Args:
        file: an open binary file.

    Raises:
        OSError: from reading, also where the file has become shorter.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, where: slice) -> bytes:
        start, end, _ = where.indices(self._size)
        self._file.seek(start)
        found = self._file.read(max(end - start, 0))
        if len(found) < end - start:
            raise OSError(errno.EIO, "it has become shorter while it was read")
        return found


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Data]:
    """Give the bytes of a file.

    Raises:
        OSError: it cannot be read.
        TagError: it is empty.
    """
    with path.open("rb") as file:
        data = FileData(file)
        if not len(data):
            raise TagError("it is empty")
        yield data


def contents(path: Path, edits: Sequence[Edit] = ()) -> Iterator[bytes]:
    """Yield a file as it is with some edits, in pieces.

    Raises:
        OSError: it cannot be read.
        TagError: it is empty.
    """
    with opened(path) as data:
        yield from pieces(data, edits)


def edits_of(data: Data, change: Change) -> list[Edit]:
    """Return the edits that write a change into a file's tags, in the order of the file; none where all is so already.

    A tag that the file has is changed, whatever its kind, so that all of them say the same; a file without one gets
    the customary one of its format.

    Args:
        data: the bytes of the file.
        change: what is to be written.

    Raises:
        TagError: the format cannot have tags, or its tags are damaged.
    """
    places = id3_tag.stacked(data)
    start = places[-1][1] if places else 0
    mark = data[start : start + 12]
    for known, reason in _REFUSED.items():
        if mark.startswith(known):
            raise TagError(reason)
    if (found := _by_mark(data, start, mark, change)) is None:
        if not (is_mpeg(data, start) or mark.startswith(b"TTA1")):
            raise TagError(_CLEAR)
        found = id3.at_start(data, change, create=True) + ape.edits_of(data, change, create=False)
        found += id3v1.edits_of(data, change)
    return tidy(data, found)


def _by_mark(data: Data, start: int, mark: bytes, change: Change) -> list[Edit] | None:
    """Return the edits of a format that its first bytes show; None for any other."""
    if mark.startswith(b"fLaC"):
        own = vorbis.of_flac(data, start, change)
    elif mark.startswith(b"OggS"):
        own = ogg.edits_of(data, start, change)
    elif mark.startswith(_WITH_APE):
        own = ape.edits_of(data, change, create=True)
    else:
        return None if start else _container(data, mark, change)
    return own + id3.at_start(data, change, create=False) + id3v1.edits_of(data, change)


def _container(data: Data, mark: bytes, change: Change) -> list[Edit] | None:
    if (mark[:4], mark[8:]) in _IFF:
        return chunks.of_iff(data, change)
    if mark.startswith(b"DSD "):
        return chunks.of_dsf(data, change)
    if mark[4:8] == b"ftyp":
        return mp4.edits_of(data, change)
    return asf.edits_of(data, change) if asf.is_asf(data, 0) else None


def is_mpeg(data: Data, start: int) -> bool:
    """Whether MPEG audio or AAC (ADTS) begins here, perhaps behind some bytes of nothing."""
    head = data[start : start + _SYNC_WITHIN]
    place = len(head) - len(head.lstrip(b"\0"))
    while 0 <= place < len(head) - 2:
        if head[place] == 0xFF and head[place + 1] & 0xE0 == 0xE0 and _is_header(head[place + 1], head[place + 2]):
            return True
        if not start:  # without a tag before it a file must begin with its sound
            return False
        place = head.find(b"\xff", place + 1)
    return False


def _is_header(second: int, third: int) -> bool:
    """Whether the second and third byte of a frame's header are possible: version, layer, bit rate, sample rate."""
    if second & 0xF6 == 0xF0:  # ADTS
        return third >> 2 & 15 < 13
    return second >> 3 & 3 != 1 and second >> 1 & 3 != 0 and third >> 4 != 15 and third >> 2 & 3 != 3
