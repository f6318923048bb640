"""Tagged music files of every format, from half a second of sound."""

from __future__ import annotations

import shutil
import struct
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import mutagen
import mutagen.apev2
import mutagen.id3
from conftest import encode, tone, write

FORMATS = (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wma", ".wav", ".aiff")
_CODECS = {".mp3": "libmp3lame", ".m4a": "aac", ".wma": "wmav2", ".aac": "aac", ".mka": "libopus", ".mov": "aac"}
_ID3 = {
    "genre": "TCON", "artist": "TPE1", "album_artist": "TPE2", "title": "TIT2", "album": "TALB", "compilation": "TCMP",
}  # fmt: skip
_ID3_OF_2_2 = {"genre": b"TCO", "artist": b"TP1", "album_artist": b"TP2", "title": b"TT2", "album": b"TAL"}
_NAMES = {
    ".m4a": {
        "genre": "\xa9gen", "artist": "\xa9ART", "album_artist": "aART", "title": "\xa9nam", "album": "\xa9alb",
        "compilation": "cpil",
    },
    ".wma": {
        "genre": "WM/Genre", "artist": "Author", "album_artist": "WM/AlbumArtist", "title": "Title",
        "album": "WM/AlbumTitle", "compilation": "WM/IsCompilation",
    },
}  # fmt: skip


@cache
def sound_file(suffix: str, hz: float = 440.0) -> Path:
    """Return a file without tags, made once."""
    path = _folder() / f"{hz:g}{suffix}"
    samples = tone(hz, rate=48_000, seconds=0.5)
    if suffix not in _CODECS:
        return write(path, samples, 48_000)
    encode(path, samples, 48_000, _CODECS[suffix], container="adts" if suffix == ".aac" else None)
    if suffix == ".mp3":
        mutagen.id3.delete(path)  # FFmpeg's own
    return path


@cache
def _folder() -> Path:
    holder = tempfile.TemporaryDirectory()
    _KEPT.append(holder)
    return Path(holder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []  # removed when the tests end


def untagged(path: Path, *, hz: float = 440.0) -> Path:
    """Write a file without tags; its format follows from the name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sound_file(path.suffix, hz), path)
    return path


def tagged(path: Path, **texts: Any) -> Path:
    """Write a file with these texts (a list is several values) in the customary way of its format.

    Args:
        path: the file.
        texts: by the names genre, artist, album_artist, title, album and compilation; also `hz`, the pitch of its
            sound, and `version`, of ID3v2 where the format has it.
    """
    hz, version = texts.pop("hz", 440.0), texts.pop("version", 4)
    file: Any = mutagen.File(untagged(path, hz=hz))
    if path.suffix in (".mp3", ".wav", ".aiff"):
        if file.tags is None:
            file.add_tags()
        for name, value in texts.items():
            frame: Any = getattr(mutagen.id3, _ID3[name])
            file.tags.add(frame(encoding=1 if version == 3 else 3, text=_listed(value)))
        if version == 3:
            file.tags.update_to_v23()
        file.save(v2_version=version, v1=0) if path.suffix == ".mp3" else file.save()
    else:
        for name, value in texts.items():
            key = _NAMES.get(path.suffix, {}).get(name, name.replace("_", ""))
            file[key] = value if key == "cpil" else _listed(value)
        file.save()
    return path


def id3_2_2(path: Path, **texts: str) -> Path:
    """Write an mp3 with ID3v2.2, which no library writes any more."""
    frames = b""
    for name, text in texts.items():
        data = b"\x01" + text.encode("utf-16")
        frames += _ID3_OF_2_2[name] + len(data).to_bytes(3, "big") + data
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    untagged(path)
    path.write_bytes(b"ID3\x02\x00\x00" + size + frames + path.read_bytes())
    return path


def id3_1(path: Path, *, genre: int, artist: str = "", title: str = "", sound: bytes | None = None) -> Path:
    """Write an mp3 whose only tag is ID3v1; its genre is a number."""
    sound = untagged(path).read_bytes() if sound is None else sound
    tag = struct.pack(
        "3s30s30s30s4s30sB", b"TAG", title.encode("latin-1"), artist.encode("latin-1"), b"", b"", b"", genre
    )
    path.write_bytes(sound + tag)
    return path


def ape(path: Path, **texts: Any) -> Path:
    """Write an mp3 whose only tag is APEv2."""
    opener: Any = mutagen.apev2.APEv2
    tags = opener()
    for name, value in texts.items():
        tags[name.replace("_", " ").title()] = _listed(value)
    tags.save(untagged(path))
    return path


def m4a_number(path: Path, number: int) -> Path:
    """Write an m4a whose genre is an ID3v1 number, in the atom `gnre`, as old versions of iTunes do."""
    data = tagged(path, genre="QZ").read_bytes()
    assert data.count(b"\xa9gen") == 1
    at = data.index(b"\xa9gen")
    end = data.index(b"QZ", at)
    path.write_bytes(data[:at] + b"gnre" + data[at + 4 : end] + (number + 1).to_bytes(2, "big") + data[end + 2 :])
    return path


def by_ffmpeg(path: Path, **texts: str) -> Path:
    """Write a file of a format that mutagen does not know, tagged by FFmpeg."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return encode(path, tone(440, rate=48_000, seconds=0.5), 48_000, _CODECS[path.suffix], tags=texts)


def _listed(value: Any) -> list[str]:
    return [str(int(value))] if isinstance(value, bool) else value if isinstance(value, list) else [value]
