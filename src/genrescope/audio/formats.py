"""Which files are taken for audio when a folder is walked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = frozenset(
    f".{ending}"
    for group in (
        ("wav", "wave", "au", "snd", "aif", "aiff", "aifc", "caf", "w64", "flac", "ogg", "oga", "opus", "mp3", "mp2"),
        ("m4a", "m4b", "mp4", "aac", "wma", "asf", "wv", "ape", "ac3", "amr", "3gp", "mka"),
        ("mkv", "webm", "mov", "avi"),  # their sound
    )
    for ending in group
)
"""File name endings that are taken for audio when a folder is walked."""


def files_in(folder: Path) -> list[Path]:
    """List the audio files in a folder and below it by their endings, sorted; hidden files are left out."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    ]
