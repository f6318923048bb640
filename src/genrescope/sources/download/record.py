"""The record of what was unpacked into a data set's folder: with it a second run does only what is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from genrescope import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.sources.cards.card import Archive, Card

FORMAT = 1
WORK_FOLDER = ".genrescope"
RECORD_FILE = "unpacked.json"


def missing_archives(
    card: Card, folder: Path, *, on_note: Callable[[str], None] = lambda _: None
) -> tuple[Archive, ...]:
    """Return the archives of which not every file lies in the folder, as an earlier run unpacked it."""
    record, missing = read_record(folder), []
    for archive in card.archives:
        sizes = record.get(key(archive))
        gone = [name for name, size in (sizes or {}).items() if not _has_size(folder / name, size)]
        if gone:
            on_note(
                f"{len(gone)} of the {len(sizes or {}):,} files of {archive.file} are missing or changed ({gone[0]})"
            )
        if sizes is None or gone:
            missing.append(archive)
    return tuple(missing)


def read_record(folder: Path) -> dict[str, dict[str, int]]:
    """Return the sizes of each unpacked archive's files by name; a damaged record is as good as none."""
    try:
        record = json.loads(files.read_text(folder / WORK_FOLDER / RECORD_FILE))
        archives = record["archives"] if record["format"] == FORMAT else {}
        return {key: sizes for key, sizes in archives.items() if isinstance(sizes, dict)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def add_to_record(folder: Path, archive: Archive, sizes: dict[str, int]) -> None:
    """Note that an archive was unpacked as a whole, with the sizes of its files by name."""
    record = {"format": FORMAT, "archives": read_record(folder) | {key(archive): sizes}}
    files.write_json(folder / WORK_FOLDER / RECORD_FILE, record)


def key(archive: Archive) -> str:
    """Return what identifies an archive, whatever its name, and the place it is unpacked into."""
    return f"{archive.checksum} {archive.into}".strip()


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
