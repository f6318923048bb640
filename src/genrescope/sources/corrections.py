"""Corrections: genres that a person has set right, which stand in place of those that DATA names."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.sources import labels
from genrescope.sources.folders import same_file
from genrescope.sources.listing import some
from genrescope.tables import numbered_rows

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.sources.listing import Listing


def apply(found: Listing, table: Path) -> None:
    """Give tracks the genres of a table of corrections, and say how many were changed.

    Args:
        found: what DATA lists.
        table: a CSV or TSV file with the columns `path` (absolute, or relative to the table or to DATA's folder) and
            `genre` (several are separated by `;`; `not-mine` for none). Of two rows for one file the last counts.

    Raises:
        DataError: the table cannot be read, a cell is empty, or no row names a track.
    """
    by_file = {same_file(track.path): track.id for track in found.tracks}
    wanted: dict[str, str] = {}
    strange: list[str] = []
    for name, genre in read(table):
        places = [same_file(folder / name) for folder in (table.parent, found.root)]
        track_id = next((by_file[place] for place in places if place in by_file), None)
        if track_id is None:
            strange.append(name)
        else:
            wanted[track_id] = genre
    if not wanted:
        raise DataError(
            f"{table}: none of its {len(strange)} paths is a track of DATA ({some(strange)}). Give paths that are "
            f"absolute, or relative to {table.parent} or {found.root}"
        )
    changed = sum(labels.normal(track.genre) != wanted[track.id] for track in found.tracks if track.id in wanted)
    found.tracks = [dataclasses.replace(track, genre=wanted.get(track.id, track.genre)) for track in found.tracks]
    found.notes.append(f"{changed} labels corrected by {table}; {len(wanted) - changed} were the same already")
    if strange:
        found.notes.append(f"{len(strange)} corrections name no track of DATA: {some(strange)}")


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
