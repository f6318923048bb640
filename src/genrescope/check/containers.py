"""Which file name endings suit a container."""

from __future__ import annotations

ENDINGS = {
    "WAV": ("wav", "wave"), "WAVEX": ("wav", "wave"), "RF64": ("wav", "wave", "rf64"), "W64": ("w64",),
    "AU": ("au", "snd"), "AIFF": ("aif", "aiff", "aifc"), "CAF": ("caf",), "FLAC": ("flac",),
    "OGG": ("ogg", "oga", "opus", "spx"), "MP3": ("mp3", "mp2", "mpga"), "MPEG": ("mp3", "mp2", "mpga"),
    "mp3": ("mp3", "mp2", "mpga", "m2a", "mp1"), "wav": ("wav", "wave"), "flac": ("flac",),
    "ogg": ("ogg", "oga", "opus", "spx", "ogv", "ogx"), "au": ("au", "snd"), "aiff": ("aif", "aiff", "aifc"),
    "caf": ("caf",), "w64": ("w64",),
    "mov,mp4,m4a,3gp,3g2,mj2": ("m4a", "m4b", "m4r", "m4p", "m4v", "mp4", "3gp", "3g2", "mov"),
    "aac": ("aac", "adts"), "asf": ("wma", "asf", "wmv"), "wv": ("wv",), "ape": ("ape",), "ac3": ("ac3",),
    "eac3": ("ec3", "eac3", "ac3"), "amr": ("amr",), "matroska,webm": ("mka", "mkv", "webm", "weba"), "avi": ("avi",),
    "mpegts": ("ts", "m2ts", "mts"), "mpeg": ("mpg", "mpeg", "vob"), "flv": ("flv", "f4a"), "tta": ("tta",),
    "mpc": ("mpc",), "mpc8": ("mpc",), "tak": ("tak",), "dsf": ("dsf",), "dts": ("dts",),
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
