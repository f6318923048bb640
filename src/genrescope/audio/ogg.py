"""What the pages of an Ogg file tell of it: its decoders leave out what is broken, and take the rest for the whole."""

from __future__ import annotations

import os
import re
import zlib
from typing import TYPE_CHECKING, BinaryIO

from genrescope.audio.reader import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_PAGE = 27 + 255 + 255 * 255
_READ = 1 << 20
_LAST_PAGE = 0x04
_BEGINNING = re.compile(rb"OggS\0[\x02\x03\x06\x07]")  # the first page of a stream
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def is_plain_vorbis(file: BinaryIO) -> bool:
    """Whether a file is one Ogg Vorbis stream, and no chain of several, of which libsndfile would read the first."""
    file.seek(0)
    head = file.read(_LARGEST_PAGE)
    if head[:4] != b"OggS" or len(head) < 27 or head[27 + head[26] : 34 + head[26]] != b"\x01vorbis":
        return False
    tail = head[4:]
    while tail:
        if _BEGINNING.search(tail):
            return False
        more = file.read(_READ)
        tail = tail[-5:] + more if more else b""
    return True


def damage(file: BinaryIO, seconds: float) -> UnreadableError | None:
    """Return the fault of an Ogg file, None where it is whole.

    Ogg is a row of pages with numbers and checksums; the last one of a stream says so (RFC 3533, section 6).

    Args:
        seconds: how much of it could be decoded.
    """
    fault, told = _looked_through(file)
    if not fault:
        return None
    return UnreadableError(f"{fault}: {told}; {seconds:.2f} s could be read", final=True, fault=fault)


def is_whole(file: BinaryIO) -> bool:
    """Whether an Ogg file is whole; the file stands where it stood, for a decoder that reads on."""
    place = file.seek(0, os.SEEK_CUR)
    fault, _ = _looked_through(file)
    file.seek(place)
    return not fault


def _looked_through(file: BinaryIO) -> tuple[str, str]:
    """Return the fault, and how it shows; neither where the file is whole."""
    numbers: dict[bytes, int] = {}
    flags = 0
    for page in _pages(file):
        if not page and not numbers:  # a tag before the first page
            continue
        if not page:
            return "damaged", "something else stands between the pages of the Ogg stream"
        if len(page) < 27 or len(page) < _length(page):
            return "truncated", "the last page of the Ogg stream is cut off"
        if int.from_bytes(page[22:26], "little") != _checksum(page):
            return "damaged", "a page of the Ogg stream does not have its checksum"
        serial, number, flags = page[14:18], int.from_bytes(page[18:22], "little"), page[5]
        if number > numbers.get(serial, number - 1) + 1:
            return "damaged", "pages of the Ogg stream are missing"
        numbers[serial] = number
    return ("", "") if flags & _LAST_PAGE else ("truncated", "the Ogg stream has no end")


def _pages(file: BinaryIO) -> Iterator[bytes]:
    """Yield the pages; nothing in place of what is no page; what follows the last one, a tag say, is left out."""
    file.seek(0)
    held, at = file.read(_READ), 0
    while True:
        if len(held) - at < _LARGEST_PAGE and (more := file.read(_READ)):
            held, at = held[at:] + more, 0
        if held[at : at + 4] == b"OggS":
            length = _length(held[at : at + _LARGEST_PAGE])
            yield held[at : at + length]
            at += length
            if at >= len(held):
                return
            continue
        following = held.find(b"OggS", at)
        while following < 0 and (more := file.read(_READ)):
            held, at = held[-3:] + more, 0
            following = held.find(b"OggS")
        if following < 0:
            return
        yield b""
        at = following


def _length(page: bytes) -> int:
    """Return a page's length by its header; a header that is cut off is longer than what is left."""
    if len(page) < 27 or len(page) < 27 + page[26]:
        return 27 + 255
    return 27 + page[26] + sum(page[27 : 27 + page[26]])


def _checksum(page: bytes) -> int:
    """Return Ogg's CRC-32: zlib's has the bits of each byte, and of the result, the other way round."""
    plain = page[:22] + bytes(4) + page[26:]
    turned = zlib.crc32(plain.translate(_TURNED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(turned.to_bytes(4, "little").translate(_TURNED), "big")
