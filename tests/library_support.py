"""A scanned library for tests: tagged songs in albums, classified by the small model that all tests share."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mutagen
from cli_support import GENRES, here, sound, world
from conftest import write

if TYPE_CHECKING:
    import pytest
    from cli_support import Done, World

ALBUMS = {"drone": "Long Notes", "hiss": "White", "pulse": "Steps"}
"""The album of each genre's songs."""


def song(path: Path, kind: str, number: int, **tags: Any) -> Path:
    """Write a song of the small world's genres with tags; a FLAC file."""
    write(path, sound(kind, number, seconds=3.5 + 3 * (number % 2)))
    retag(path, **tags)
    return path


def retag(path: Path, **tags: Any) -> None:
    """Write tags into a FLAC file."""
    file: Any = mutagen.File(path)
    for name, value in tags.items():
        file[name] = value
    file.save()


def write_library(root: Path, *, songs: int = 3) -> Path:
    """Write an album of each genre, each by one artist."""
    for genre in GENRES:
        for number in range(songs):
            song(
                root / genre / f"{genre}-{number}.flac", genre, number, artist=f"The {genre.title()}s",
                title=f"{genre.title()} {number}", album=ALBUMS[genre], genre=genre,
            )  # fmt: skip
    return root


def scanned(factory: pytest.TempPathFactory, into: Path) -> Path:
    """Return a folder with `music` and a `library.db` of it, a copy that a test may change."""
    base = _scanned(factory.getbasetemp(), world(factory).run)
    into.mkdir(parents=True, exist_ok=True)
    shutil.copytree(base / "music", into / "music", copy_function=shutil.copy2)
    shutil.copyfile(base / "library.db", into / "library.db")
    with sqlite3.connect(into / "library.db") as rows:  # copies are other files: their paths and keys are put right
        for number, path in rows.execute("SELECT id, path FROM songs").fetchall():
            moved = into / "music" / Path(path).relative_to(base / "music")
            found = moved.stat()
            rows.execute(
                "UPDATE songs SET path = ?, device = ?, inode = ?, mtime_ns = ? WHERE id = ?",
                [str(moved), str(found.st_dev), str(found.st_ino), found.st_mtime_ns, number],
            )
    rows.close()
    return into


@cache
def _scanned(base: Path, run: Path) -> Path:
    root = base / "scanned"
    write_library(root / "music")
    done = here("library", "scan", root / "music", "--model", run, "--library", root / "library.db", "--device", "cpu")
    assert done.code == 0, done.err
    with sqlite3.connect(root / "library.db") as rows:
        rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    rows.close()
    return root


def scan(folder: Path, made: World, *options: object) -> Done:
    """Scan a folder that `scanned` returned."""
    return here(
        "library", "scan", folder / "music", "--model", made.run, "--library", folder / "library.db", "--device", "cpu",
        *options,
    )  # fmt: skip


def query(library: Path, question: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query; names that are not UTF-8 as the file system has them."""
    connection = sqlite3.connect(library)
    connection.text_factory = os.fsdecode
    try:
        return connection.execute(question, values).fetchall()
    finally:
        connection.close()


def listed(folder: Path, *options: object, library: Path | None = None) -> list[dict[str, Any]]:
    """Return what `library list` writes as JSON Lines."""
    done = here("library", "list", "--library", library or folder / "library.db", "--format", "jsonl", *options)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]
