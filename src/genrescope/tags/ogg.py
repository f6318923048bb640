"""Ogg with Vorbis, Opus, Speex or FLAC inside: the second packet of a stream is its comment.

A stream is cut into pages of up to 255 pieces of up to 255 bytes, each with a number and a checksum (RFC 3533). The
packets before the sound are put into as many pages as before where they fit, so that no page of the sound changes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from genrescope.tags import vorbis
from genrescope.tags.edits import Edit, TagError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data

_BLOCK = 4  # bytes before the comment in FLAC's packet, of which the last three are its size
_STREAMS = {b"\x01vorbis": 7, b"OpusHead": 8, b"\x7fFLAC": _BLOCK, b"Speex   ": 0}
"""How many bytes stand before the comment in the second packet, by how the first begins."""

_CONTINUED, _NOWHERE = 1, b"\xff" * 8  # flag of a page that begins inside a packet; position where none ends
_PIECES = 255  # of a page
_SPARE = 2  # pages that headers may have beyond those that they need, so that later ones keep their numbers
_SWAPPED = bytes(int(f"{number:08b}"[::-1], 2) for number in range(256))


@dataclass(frozen=True)
class _Page:
    start: int
    end: int
    flags: int
    position: bytes
    serial: bytes
    number: int
    lacing: bytes

    @property
    def body(self) -> int:
        return self.start + 27 + len(self.lacing)


def edits_of(data: Data, start: int, change: Change) -> list[Edit]:
    """Return the edits of an Ogg file whose first page stands at `start`.

    Raises:
        TagError: it is damaged, has no stream with a comment, or its sound begins in the comment's page.
    """
    pages = _pages(data, start)
    first, before = _stream(data, pages)
    held, packets = _headers(data, first.serial, pages)
    packets[0] = _changed(packets[0], before, change)
    new = _paged(packets, first.serial, held[0].number, len(held))
    edits = [Edit(held[0].start, held[0].end, b"".join(new)), *(Edit(page.start, page.end, b"") for page in held[1:])]
    if len(new) != len(held):
        edits += _renumbered(data, held[-1], len(new) - len(held))
    return edits


def _changed(packet: bytes, before: int, change: Change) -> bytes:
    new = vorbis.changed(packet[before:], change)
    head = packet[:1] + vorbis.size(new) if before == _BLOCK else packet[:before]
    return head + new


def _pages(data: Data, place: int) -> Iterator[_Page]:
    while place < len(data):
        head = data[place : place + 27]
        if len(head) < 27 or not head.startswith(b"OggS"):
            raise TagError(f"its Ogg pages are damaged at byte {place}")
        lacing = data[place + 27 : place + 27 + head[26]]
        end = place + 27 + len(lacing) + sum(lacing)
        number = int.from_bytes(head[18:22], "little")
        yield _Page(place, end, head[5], head[6:14], head[14:18], number, lacing)
        place = end


def _stream(data: Data, pages: Iterator[_Page]) -> tuple[_Page, int]:
    """Return the first page of the stream that has a comment, and how many bytes stand before the comment."""
    for page in pages:
        if not page.flags & 2:
            break
        for mark, before in _STREAMS.items():
            if data[page.body : page.body + len(mark)] == mark:
                return page, before
    raise TagError("it is Ogg without Vorbis, Opus, Speex or FLAC")


def _headers(data: Data, serial: bytes, pages: Iterator[_Page]) -> tuple[list[_Page], list[bytes]]:
    """Return the pages with the comment, up to one that ends with a packet, and the packets in them."""
    held: list[_Page] = []
    packets: list[bytes] = []
    part = b""
    for page in pages:
        if page.serial != serial:
            continue
        if page.position not in (bytes(8), _NOWHERE):
            break
        held.append(page)
        place = page.body
        for size in page.lacing:
            part, place = part + data[place : place + size], place + size
            if size < _PIECES:
                packets.append(part)
                part = b""
        if packets and not part and page.lacing[-1:] != b"\xff":
            return held, packets
    raise TagError("its sound begins in the same Ogg page as its tags, or the file is cut short")


def _paged(packets: list[bytes], serial: bytes, number: int, wanted: int) -> list[bytes]:
    """Return packets as pages, as many as before if that fits."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    needed = -(-len(lacing) // _PIECES)
    count = min(wanted, len(lacing)) if needed <= wanted <= needed + _SPARE else needed
    ends = [min(_PIECES * (each + 1), len(lacing) - (count - each - 1)) for each in range(count)]
    body, made, place = b"".join(packets), [], 0
    for each, (begin, end) in enumerate(pairwise([0, *ends])):
        part = lacing[begin:end]
        position = bytes(8) if min(part) < _PIECES else _NOWHERE
        flags = _CONTINUED if begin and lacing[begin - 1] == _PIECES else 0
        head = b"OggS\0" + bytes([flags]) + position + serial + (number + each).to_bytes(4, "little") + bytes(4)
        page = head + bytes([len(part)]) + part + body[place : place + sum(part)]
        made.append(page[:22] + checksum(page) + page[26:])
        place += sum(part)
    return made


def _renumbered(data: Data, last: _Page, by: int) -> list[Edit]:
    """Return the edits that give the later pages of a stream other numbers, and their checksums."""
    edits = []
    for page in _pages(data, last.end):
        if page.serial == last.serial:
            number = ((page.number + by) & 0xFFFFFFFF).to_bytes(4, "little")
            whole = data[page.start : page.end]
            new = number + checksum(whole[:18] + number + bytes(4) + whole[26:])
            edits.append(Edit(page.start + 18, page.start + 26, new))
            if page.flags & 4:
                break
    return edits


def checksum(page: bytes) -> bytes:
    """Return the checksum of a page whose own is zero, as the page has it.

    Ogg's CRC-32 has the polynomial of zlib's, with the bits of all bytes in the other order, and nothing inverted.
    """
    found = ~zlib.crc32(page.translate(_SWAPPED), 0xFFFFFFFF) & 0xFFFFFFFF
    return found.to_bytes(4, "big").translate(_SWAPPED)
