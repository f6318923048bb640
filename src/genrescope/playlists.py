"""Playlists of the kind M3U8: read as lists of paths, written so that other players find the songs."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from genrescope.errors import DataError
from genrescope.files import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIXES = (".m3u8", ".m3u")
_URL = ("http://", "https://", "rtsp://", "mms://")


@dataclass(frozen=True)
class Entry:
    """A song of a playlist.

    Attributes:
        path: its file.
        title: what players show, as `Artist - Title`; empty where nothing is known.
        seconds: its length; negative where it is not known.
    """

    path: Path
    title: str = ""
    seconds: float = -1.0


def read(path: Path) -> list[Path]:
    """Return the songs of a playlist in their order; relative ones lie beside the playlist. Streams are left out.

    Backslashes of Windows are taken for separators where no such file exists; `file:` addresses are decoded. A line is
    UTF-8, or where it is not, the Latin alphabet of old M3U files.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; accepted is a playlist of the kind M3U8") from error
    if b"\0" in content:
        raise DataError(f"{path} is not a playlist; accepted is a text with one path per line (M3U8)")
    lines = (_text(line).strip() for line in content.removeprefix(codecs.BOM_UTF8).splitlines())
    return [_located(line, path.parent) for line in lines if line and not line.startswith(("#", *_URL))]


def write(path: Path, songs: Iterable[Entry]) -> None:
    """Write a playlist in UTF-8, whole or not at all; paths are relative to it where that needs no other drive.

    A path that begins with `#`, holds a line end, or cannot stand in a line otherwise is written as `file:` address.

    Raises:
        OutputError: it cannot be written.
    """
    lines = ["#EXTM3U"]
    for song in songs:
        title = " ".join((song.title or song.path.stem).split()).encode("utf-8", "replace").decode()
        lines += [f"#EXTINF:{round(song.seconds) if song.seconds >= 0 else -1},{title}", _line(song.path, path)]
    write_text(path, "\n".join(lines) + "\n")


def is_there(song: Path) -> bool:
    """Whether there is a file at a path of a playlist; not where no file can be, as where a name is too long."""
    try:
        return song.exists()
    except OSError:
        return False


def _text(line: bytes) -> str:
    """Decode as UTF-8, and what is none as the Latin alphabet of old M3U files."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "surrogateescape")


def _located(line: str, folder: Path) -> Path:
    if line.startswith("file:"):
        line = unquote(urlsplit(line).path, errors="surrogateescape")
    path = folder / line
    return folder / line.replace("\\", "/") if "\\" in line and not os.path.lexists(path) else path


def _line(song: Path, playlist: Path) -> str:
    """Return the line that `read` makes the song's path of."""
    try:
        line = Path(os.path.relpath(song, playlist.parent)).as_posix()
    except ValueError:  # another drive of Windows
        return str(song.absolute())
    is_plain = line.isprintable() and line == line.strip() and not line.startswith(("#", "file:", *_URL))
    return line if is_plain else song.absolute().as_uri()
