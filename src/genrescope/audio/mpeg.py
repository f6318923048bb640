"""What the first frame of an mp3 claims of its length, as Xing, LAME and others leave it, and whether it is true."""

from __future__ import annotations

import contextlib
from typing import BinaryIO

from genrescope.audio.source import size_of

_SAMPLES = {3: 1152, 2: 576, 0: 576}  # in a frame of layer III, by the version's bits
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_SIDE = {(3, False): 32, (3, True): 17, (2, False): 17, (2, True): 9, (0, False): 17, (0, True): 9}
_BITRATES = {  # kilobits a second in layer III, of MPEG 1 and of the others
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_ENDS = (b"", b"TAG", b"APE", b"LYR")  # tags that may follow the last frame
_TAGS = 8  # ID3 tags that may follow each other


def claim(file: BinaryIO) -> tuple[float, int] | None:
    """Return the seconds and the bytes that an mp3's header states; None where it states not both."""
    found = _header(file)
    if found is None:
        return None
    _, head, frames, stated = found
    version = head[1] >> 3 & 3
    return frames * _SAMPLES[version] / _RATES[version][head[2] >> 2 & 3], stated


def is_as_claimed(file: BinaryIO) -> bool:
    """Whether an mp3 is what its header states, frame after frame, to its end.

    libsndfile decodes as many frames as the header counts, and all of them at the rate of the first.
    """
    found = _header(file)
    if found is None:
        return False
    begin, head, frames, stated = found
    file.seek(begin)
    content = file.read()
    lengths = _lengths(head)
    at, count = 0, 0
    with contextlib.suppress(IndexError):
        while (length := lengths.get(content[at] << 16 | content[at + 1] << 8 | content[at + 2])) is not None:
            at += length
            count += 1
    whole = count == frames + 1 and at <= len(content) and abs(at - stated) <= stated // 200
    return whole and content[at : at + 3] in _ENDS


def _lengths(head: bytes) -> dict[int, int]:
    """Return the lengths of frames in bytes by their first three bytes, of all frames with the rate of the first."""
    version, place = head[1] >> 3 & 3, head[2] >> 2 & 3
    scale = _SAMPLES[version] * 125  # a byte has eight bits, a kilobit a thousand
    return {
        0xFF << 16 | head[1] << 8 | bits << 4 | place << 2 | low: scale * rate // _RATES[version][place] + (low >> 1)
        for bits, rate in enumerate(_BITRATES[version == 3], start=1)
        for low in range(4)
    }


def _header(file: BinaryIO) -> tuple[int, bytes, int, int] | None:
    """Return where the first frame lies, its header, and the frames and bytes that it states."""
    size, at = size_of(file), 0
    for _ in range(_TAGS):
        file.seek(at)
        tag = file.read(10)
        if tag[:3] != b"ID3" or len(tag) < 10:
            break
        at += 10 + (tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9])  # four bytes of seven bits
    if at >= size:
        return None
    file.seek(at)
    head = file.read(200)
    if len(head) < 4 or head[0] != 0xFF or head[1] >> 3 & 3 not in _RATES or head[2] >> 2 & 3 == 3:
        return None
    xing = head[4 + _SIDE[head[1] >> 3 & 3, head[3] >> 6 == 3] :]
    if xing[:4] not in (b"Xing", b"Info") or len(xing) < 16 or xing[7] & 3 != 3:
        return None
    return at, head[:4], int.from_bytes(xing[8:12], "big"), int.from_bytes(xing[12:16], "big")
