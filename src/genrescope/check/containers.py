"""What a file's first and last bytes say of its container."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_PAGE = 65_307
_LAST_PAGE = 0x04

ENDINGS = {
    "WAV": ("wav", "wave"), "WAVEX": ("wav", "wave"), "RF64": ("wav", "wave"), "W64": ("w64",),
    "AU": ("au", "snd"), "AIFF": ("aif", "aiff", "aifc"), "CAF": ("caf",), "FLAC": ("flac",),
    "OGG": ("ogg", "oga", "opus"), "MP3": ("mp3", "mp2"), "MPEG": ("mp3", "mp2"),
    "mp3": ("mp3", "mp2"), "wav": ("wav", "wave"), "flac": ("flac",), "ogg": ("ogg", "oga", "opus"),
    "au": ("au", "snd"),
    "aiff": ("aif", "aiff", "aifc"), "caf": ("caf",), "w64": ("w64",),
    "mov,mp4,m4a,3gp,3g2,mj2": ("m4a", "m4b", "mp4", "3gp", "mov"),
    "aac": ("aac",), "asf": ("wma", "asf"), "wv": ("wv",), "ape": ("ape",), "ac3": ("ac3",), "amr": ("amr",),
    "matroska,webm": ("mka", "mkv", "webm"), "avi": ("avi",),
}  # fmt: skip
"""File name endings that suit a container, by the first word of its codec as the decoders call it."""


def suits(codec: str, ending: str) -> bool:
    """Whether a file name's ending, without its dot, suits the container; containers not known here suit any.

    Example:
        >>> suits("MP3 MPEG_LAYER_III", "wav"), suits("OGG OPUS", "ogg")
        (False, True)
    """
    accepted = ENDINGS.get(codec.split(" ", maxsplit=1)[0])
    return accepted is None or ending.lower() in accepted


def cut_short(path: Path) -> str:
    """Say how an Ogg file ends too early, or nothing: its decoders take what is left for the whole.

    Ogg is a row of pages; the last one of a stream says so (RFC 3533, section 6, header_type_flag).
    """
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return ""
        size = file.seek(0, 2)
        file.seek(max(0, size - _LARGEST_PAGE - 1))
        tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return "truncated: the last page of the Ogg stream is missing"
    segments = tail[at + 26]
    body = sum(tail[at + 27 : at + 27 + segments])
    if len(tail) < at + 27 + segments + body:
        return "truncated: the last page of the Ogg stream is cut off"
    if not tail[at + 5] & _LAST_PAGE:
        return "truncated: the Ogg stream has no end"
    return ""
