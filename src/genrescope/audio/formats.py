"""Which files are taken for audio when a folder is walked, and what is told of the others."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = frozenset(
    f".{ending}"
    for group in (
        ("wav", "wave", "au", "snd", "aif", "aiff", "aifc", "caf", "w64", "rf64", "flac", "ogg", "oga", "opus", "spx"),
        ("mp3", "mp2", "mp1", "mpga", "m4a", "m4b", "m4r", "mp4", "aac", "wma", "asf", "wv", "ape", "tta", "tak"),
        ("mpc", "dsf", "dts", "ac3", "eac3", "amr", "3gp", "mka", "weba"),
        ("mkv", "webm", "mov", "avi", "m4v", "ogv", "flv", "ts", "m2ts", "mpg", "mpeg", "wmv"),  # their sound
    )
    for ending in group
)
"""File name endings that are taken for audio when a folder is walked."""

_SYSTEM_FOLDERS = frozenset(
    [
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "__macosx",
        "@eadir",
        "@recycle",
        "#recycle",
    ]
)
"""Folders that systems and network drives leave behind: thumbnails, waste baskets."""


@dataclass
class Walk:
    """What a folder holds, and everything below it.

    Attributes:
        files: its audio files, sorted.
        left_out: how many other files it holds, by their endings; hidden files and system folders do not count.
        unreadable: what could not be looked into or is no file, each with the reason.
    """

    files: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def files_in(folder: Path) -> list[Path]:
    """List the audio files in a folder and below it by their endings, sorted; `walk` says what else there is."""
    return walk(folder).files


def walk(folder: Path) -> Walk:
    """Look through a folder and everything below it.

    Hidden files and folders, and those of systems, are passed over. Linked folders are followed, each folder once: a
    folder that is also there itself is found under its own name, and links in a circle come to an end.
    """
    found = Walk()
    seen: set[tuple[int, int]] = set()
    waiting, links = [folder], list[Path]()
    while waiting or links:
        # Folders come before links to folders, so that a folder that is there itself keeps its own name.
        place = waiting.pop() if waiting else links.pop(0)
        try:
            known = place.stat()
            if (key := (known.st_dev, known.st_ino)) in seen and known.st_ino:
                continue
            seen.add(key)
            with os.scandir(place) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            found.unreadable.append((place, f"cannot be looked into: {error.strerror or error}"))
            continue
        for entry in inside:
            _sort_in(entry, found, waiting, links)
    found.files.sort()
    found.unreadable.sort()
    return found


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or a system's own; a song may begin with an ellipsis.

    Example:
        >>> is_hidden(".Trash-1000"), is_hidden("@eaDir"), is_hidden("...Baby One More Time.mp3")
        (True, True, False)
    """
    return (name.startswith(".") and not name.startswith("..")) or name.casefold() in _SYSTEM_FOLDERS


def irregular(path: Path) -> str | None:
    """Say what a path is that is there and is no regular file; to open a pipe would wait for ever.

    Example:
        >>> irregular(Path(os.devnull))
        'a device, not a regular file'
    """
    try:
        mode = path.stat().st_mode
    except OSError:  # who opens it tells why
        return None
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return f"{kinds.get(stat.S_IFMT(mode), 'a device')}, not a regular file"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; whoever opens it tells so
        return False


def _sort_in(entry: os.DirEntry[str], found: Walk, waiting: list[Path], links: list[Path]) -> None:
    """Put an entry of a folder where it belongs."""
    if is_hidden(entry.name):
        return
    path = Path(entry.path)
    if _is_folder(entry):
        (links if entry.is_symlink() else waiting).append(path)
    elif path.suffix.lower() not in SUFFIXES:
        found.left_out[path.suffix.lower() or "no ending"] += 1
    elif (fault := irregular(path)) is not None:
        found.unreadable.append((path, fault))
    else:
        found.files.append(path)
