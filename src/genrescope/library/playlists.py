"""Playlists of a library: one for each genre or cluster, in a folder that holds nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from genrescope import playlists
from genrescope.errors import DataError
from genrescope.files import refuse_foreign, safe_name, write_json, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from genrescope.library.rows import Entry, Song

NOTE = "genrescope-playlists.json"
"""What marks a folder of playlists as ours, and names them."""

_LONGEST = 80  # letters of a file name


def by_genre(entries: Iterable[Entry], *, min_confidence: float = 0.0) -> dict[str, list[Entry]]:
    """Return songs by genre, the most confident first; a corrected song counts under each genre of its correction.

    Songs marked unknown and songs below the confidence are left out, unless they were corrected.
    """
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        prediction = entry.prediction
        trusted = prediction is not None and not prediction.unknown and prediction.confidence >= min_confidence
        genres = entry.correction or ((prediction.genre,) if prediction is not None and trusted else ())
        for genre in genres:
            found.setdefault(genre, []).append(entry)
    return {genre: sorted(songs, key=_confidence, reverse=True) for genre, songs in sorted(found.items())}


def write_all(folder: Path, lists: Mapping[str, Sequence[Entry]]) -> list[Path]:
    """Write playlists into a folder of their own; those of an earlier run that are not wanted any more are removed.

    Returns:
        The playlists' files.

    Raises:
        DataError: the folder holds other things.
        OutputError: it cannot be written.
    """
    refuse_foreign(folder, [NOTE], what="the playlists")
    before = _known(folder)
    names = _file_names(lists)
    write_json(folder / NOTE, {"playlists": sorted({*before, *names.values()})})
    for name, songs in lists.items():
        playlists.write(folder / names[name], (to_line(each.song) for each in songs))
    for old in before - set(names.values()):
        with writing(folder / old):
            (folder / old).unlink(missing_ok=True)
    write_json(folder / NOTE, {"playlists": sorted(names.values())})
    return [folder / names[name] for name in lists]


def check_name(path: Path) -> None:
    """Refuse a name that does not end as a playlist's.

    Raises:
        DataError: it does not.
    """
    if path.suffix.lower() not in playlists.SUFFIXES:
        raise DataError(f"{path}: accepted are names that end in {' or '.join(playlists.SUFFIXES)}")


def to_line(song: Song) -> playlists.Entry:
    """Return a song as an entry of a playlist: its file, artist and title, and length."""
    title = f"{song.artist} - {song.title}" if song.artist and song.title else song.title
    return playlists.Entry(song.path, title, song.seconds if song.seconds is not None else -1.0)


def _file_names(names: Iterable[str]) -> dict[str, str]:
    """Return a file name for each playlist: safe on every system, no two alike whatever their case."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = safe_name(name, longest=_LONGEST)
        stem, number = plain, 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{plain} {number}"
        taken.add(stem.casefold())
        found[name] = f"{stem}.m3u8"
    return found


def _known(folder: Path) -> set[str]:
    """Return the playlists that an earlier run wrote; only plain names count, whatever the note says."""
    try:
        held = json.loads((folder / NOTE).read_text(encoding="utf-8"))["playlists"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    texts = {name for name in held if isinstance(name, str) and name.endswith(".m3u8")}
    return {name for name in texts if name == f"{safe_name(name.removesuffix('.m3u8'))}.m3u8"}


def _confidence(entry: Entry) -> float:
    return entry.prediction.confidence if entry.prediction else 0.0
