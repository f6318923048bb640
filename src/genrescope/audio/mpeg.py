"""What the first frame of an mp3 claims of its length: the header that Xing, LAME and others leave."""

from __future__ import annotations

from typing import BinaryIO

from genrescope.audio.source import size_of

_SAMPLES = {3: 1152, 2: 576, 0: 576}  # in a frame of layer III, by the version's bits
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_SIDE = {(3, False): 32, (3, True): 17, (2, False): 17, (2, True): 9, (0, False): 17, (0, True): 9}
_TAGS = 8  # ID3 tags that may follow each other


def claim(file: BinaryIO) -> tuple[float, int] | None:
    """Return the seconds and the bytes that an mp3's header states; None where it states not both."""
    size = size_of(file)
    at = 0
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
    version, rate = head[1] >> 3 & 3 if len(head) > 3 else 1, head[2] >> 2 & 3 if len(head) > 3 else 3
    if version not in _RATES or rate == 3 or head[0] != 0xFF:
        return None
    xing = head[4 + _SIDE[version, head[3] >> 6 == 3] :]
    if xing[:4] not in (b"Xing", b"Info") or len(xing) < 16 or xing[7] & 3 != 3:
        return None
    frames, stated = int.from_bytes(xing[8:12], "big"), int.from_bytes(xing[12:16], "big")
    return frames * _SAMPLES[version] / _RATES[version][rate], stated
