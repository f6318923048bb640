"""Corrections: genres that a person has set right, which stand in place of those that DATA names."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.sources import labels
from genrescope.sources.folders import same_file
from genrescope.sources.listing import some
from genrescope.tables import numbered_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from genrescope.sources.listing import Listing
    from genrescope.sources.track import Track


def apply(found: Listing, table: Path) -> None:
    """Give tracks the genres of a table of corrections, and say how many were changed.

    Args:
        found: what DATA lists.
        table: a CSV or TSV file with the columns `path` (absolute, relative to the table or to DATA's folder, or the
            end of one track's path) and `genre` (several are separated by `;`; `not-mine` for none). Of two rows for
            one file the last counts.

    Raises:
        DataError: the table cannot be read, a cell is empty, or no row names a track.
    """
    named = _Named(found.tracks, (table.parent, found.root))
    wanted: dict[str, str] = {}
    strange: list[str] = []
    unclear: list[str] = []
    for name, genre in read(table):
        tracks = named.by(name)
        if len(tracks) == 1:
            wanted[tracks[0].id] = genre
        else:
            (unclear if tracks else strange).append(name)
    if not wanted:
        raise DataError(
            f"{table}: none of its {len(strange + unclear)} paths is one track of DATA ({some(strange + unclear)}). "
            f"Give paths that are absolute, or relative to {table.parent} or {found.root}"
        )
    changed = sum(labels.normal(track.genre) != wanted[track.id] for track in found.tracks if track.id in wanted)
    found.tracks = [dataclasses.replace(track, genre=wanted.get(track.id, track.genre)) for track in found.tracks]
    found.notes.append(f"{changed} labels corrected by {table}; {len(wanted) - changed} were the same already")
    if strange:
        found.notes.append(f"{len(strange)} corrections name no track of DATA: {some(strange)}")
    if unclear:
        found.notes.append(
            f"{len(unclear)} corrections fit several tracks of DATA, so give more of the path: {some(unclear)}"
        )


class _Named:
    """Tracks by what a correction calls them.

    A page in a browser knows a song's name and the folder that was dropped, never where that lies. So the end of a path
    is enough where only one track has it.

    Args:
        tracks: those of DATA.
        folders: where relative paths may begin.
    """

    def __init__(self, tracks: Sequence[Track], folders: Sequence[Path]) -> None:
        self._folders = folders
        self._by_file = {same_file(track.path): track for track in tracks}
        self._by_name: dict[str, list[Track]] = defaultdict(list)
        for track in tracks:
            self._by_name[track.path.name].append(track)

    def by(self, name: str) -> list[Track]:
        """Return the track of a path, or all tracks whose paths end with it."""
        places = (same_file(folder / name) for folder in self._folders)
        track = next((self._by_file[place] for place in places if place in self._by_file), None)
        if track is not None:
            return [track]
        parts = PurePath(name).parts
        return [track for track in self._by_name.get(parts[-1], ()) if track.path.parts[-len(parts) :] == parts]


def read(table: Path) -> list[tuple[str, str]]:
    """Return the rows of a table of corrections: path as written, and genre as `labels.normal` has it.

    Raises:
        DataError: it cannot be read, or a cell is empty.
    """
    found = []
    for line, row in numbered_rows(table, required=("path", "genre")):
        name, genre = row["path"].strip(), row["genre"].strip()
        if not name or not genre:
            raise DataError(f"{table}, line {line}: path and genre must not be empty; {labels.NEGATIVE} means none")
        try:
            found.append((name, labels.normal(genre)))
        except DataError as error:
            raise DataError(f"{table}, line {line}: {error}") from error
    return found
