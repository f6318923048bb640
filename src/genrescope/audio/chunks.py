"""How much sound a file of chunks states, and how much it holds: RIFF (wav, avi), AIFF, AU, CAF and W64.

A size in a header is a claim. Programs that write to a pipe, or are cut off, leave 0 or the largest number.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from genrescope.audio.source import size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_LENGTH = 0x7F00_0000  # SoX leaves such a number in a field of four bytes, FFmpeg all ones
_MOST_CHUNKS = 10_000
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # ends the names of all chunks but the first


@dataclass(frozen=True)
class SoundChunk:
    """The chunk with the sound.

    Attributes:
        field: where its size is written.
        form: how it is written there, as `struct` has it.
        extra: what the size counts beside the sound.
        start: where the sound begins.
        stated: bytes of sound as the header has it; None where it tells no length.
        held: bytes from there to the end of the file.
    """

    field: int
    form: str
    extra: int
    start: int
    stated: int | None
    held: int

    @property
    def share(self) -> float:
        """How much of what is stated is there, in [0, 1]."""
        return min(1.0, self.held / self.stated) if self.stated else 1.0


def sound_chunk(file: BinaryIO) -> SoundChunk | None:
    """Find the sound in a file of chunks; None where it is no such file, or has none."""
    size = size_of(file)
    head = file.read(40)
    found = next(_candidates(file, head, size), None)
    file.seek(0)
    if found is None:
        return None
    field, form, extra, start, stated = found
    held = max(0, size - start)
    if stated == 0 and held and _goes_on(file, head, start):
        return SoundChunk(field, form, extra, start, 0, 0)
    width = struct.calcsize(form)
    if stated < held // 2 and not _goes_on(file, head, start + stated + stated % 2):
        stated = 0  # a size beyond 4 GB, of which four bytes hold the rest only
    known = 0 < stated < (_NO_LENGTH if width == 4 and size < _NO_LENGTH else 1 << 62)
    return SoundChunk(field, form, extra, start, stated if known else None, held)


def to_the_end(file: BinaryIO, chunk: SoundChunk) -> BinaryIO:
    """Return the file as if its header told the length that it has."""
    most = (1 << 8 * struct.calcsize(chunk.form)) - 1
    size = struct.pack(chunk.form, min(most, chunk.held + chunk.extra))
    return _Patched(file, chunk.field, size)  # type: ignore[return-value]


def _candidates(file: BinaryIO, head: bytes, size: int) -> Iterator[tuple[int, str, int, int, int]]:
    """Yield where a size is written and how, what it counts beside the sound, where that begins, and its value."""
    kind, form = head[:4], head[8:12]
    if kind in (b"RF64", b"BW64"):
        yield from _rf64(file, size)
    elif kind in (b"RIFF", b"RIFX") and form in (b"WAVE", b"AVI "):
        yield from _riff(file, size, "<I" if kind == b"RIFF" else ">I")
    elif kind == b"FORM" and form in (b"AIFF", b"AIFC"):
        for name, at, stated in _walk(file, 12, size, ">I"):
            if name == b"SSND":
                yield at + 4, ">I", 8, at + 16, max(0, stated - 8)
    elif kind in (b".snd", b"dns."):
        yield from _au(head)
    elif kind == b"caff":
        for name, at, stated in _walk(file, 8, size, ">Q", pad=1):
            if name == b"data":
                yield at + 4, ">Q", 4, at + 16, max(0, stated - 4) if stated < 1 << 62 else stated
    elif kind == b"riff" and head[24:28] == b"wave":
        yield from _w64(file, size)


def _au(head: bytes) -> Iterator[tuple[int, str, int, int, int]]:
    order = ">I" if head[:4] == b".snd" else "<I"
    if len(head) >= 12:
        start, stated = (struct.unpack(order, head[at : at + 4])[0] for at in (4, 8))
        yield 8, order, 0, start, stated


def _riff(file: BinaryIO, size: int, order: str) -> Iterator[tuple[int, str, int, int, int]]:
    for name, at, stated in _walk(file, 12, size, order):
        if name == b"data":
            yield at + 4, order, 0, at + 8, stated
        elif name == b"LIST" and _read(file, at + 8, 4) == b"movi":
            yield at + 4, order, 4, at + 12, max(0, stated - 4)


def _rf64(file: BinaryIO, size: int) -> Iterator[tuple[int, str, int, int, int]]:
    long = None
    for name, at, stated in _walk(file, 12, size, "<I"):
        if name == b"ds64":
            long = at + 16
        elif name == b"data" and stated == 0xFFFF_FFFF and long is not None:
            yield long, "<Q", 0, at + 8, struct.unpack("<Q", _read(file, long, 8).ljust(8, b"\0"))[0]
        elif name == b"data":
            yield at + 4, "<I", 0, at + 8, stated


def _w64(file: BinaryIO, size: int) -> Iterator[tuple[int, str, int, int, int]]:
    at = 40
    for _ in range(_MOST_CHUNKS):
        head = _read(file, at, 24)
        if len(head) < 24 or head[4:16] != _W64_TAIL:
            return
        length = struct.unpack("<Q", head[16:])[0]
        if head[:4] == b"data":
            yield at + 16, "<Q", 24, at + 24, max(0, length - 24)
        at += max(24, -(-length // 8) * 8)
        if at >= size:
            return


def _walk(file: BinaryIO, at: int, size: int, order: str, *, pad: int = 2) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place and stated size of the chunks that follow each other."""
    width = struct.calcsize(order)
    for _ in range(_MOST_CHUNKS):
        head = _read(file, at, 4 + width)
        if len(head) < 4 + width:
            return
        stated = struct.unpack(order, head[4:])[0]
        yield head[:4], at, stated
        at += 4 + width + -(-stated // pad) * pad
        if at >= size:
            return


def _goes_on(file: BinaryIO, head: bytes, at: int) -> bool:
    """Whether another chunk stands at a place, and not sound."""
    width = 8 if head[:4] in (b"caff", b"riff") else 4
    name = _read(file, at, 4 + width)
    if len(name) < 4 + width or not all(32 <= byte < 127 for byte in name[:4]):
        return False
    little = head[:4] in (b"RIFF", b"RF64", b"BW64", b"riff")
    return at + 4 + width + int.from_bytes(name[4:], "little" if little else "big") <= size_of(file) + 1


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


class _Patched(io.RawIOBase):
    """A file with some bytes that read otherwise."""

    def __init__(self, file: BinaryIO, at: int, data: bytes) -> None:
        self._file, self._at, self._data = file, at, data
        file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        begin = self._file.tell()
        read = self._file.read(len(buffer))
        buffer[: len(read)] = read
        low, high = max(begin, self._at), min(begin + len(read), self._at + len(self._data))
        if low < high:
            buffer[low - begin : high - begin] = self._data[low - self._at : high - self._at]
        return len(read)
