"""A table of tracks as a data set: a CSV or TSV file, as people and their spreadsheets write it."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.sources.folders import same_file
from genrescope.sources.listing import Listing
from genrescope.sources.track import Track
from genrescope.tables import numbered_rows
from genrescope.tags.artists import artist_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_Row = dict[str, str]


def list_table(path: Path) -> Listing:
    """Read a CSV or TSV file with the columns `path`, `genre` and, if wanted, `group` and `part`.

    Paths are relative to the file; several genres stand in one cell: `blues; jazz`. Without a column `group` a column
    `artist` gives the groups, its spellings made one as `artist_key` does it.

    Raises:
        DataError: as `read_rows`.
    """
    found = Listing(path.parent)
    for track_id, row in _rows(path, (), found.notes).items():
        group = row["group"].strip() if "group" in row else artist_key(row.get("artist", ""))
        part = row.get("part", "").strip()
        found.tracks.append(Track(track_id, _file(path, row), row["genre"].strip(), group, part))
    return found


def list_tracks(path: Path) -> list[Track]:
    """Return the tracks of a table, as `list_table`.

    Raises:
        DataError: as `read_rows`.
    """
    return list_table(path).tracks


def read_rows(path: Path, *, also: Iterable[str] = ()) -> dict[str, _Row]:
    """Read the rows of a table of tracks by the tracks' ids.

    Args:
        path: a CSV or TSV file with the columns `path` and `genre`.
        also: further columns that it must have.

    Returns:
        The rows by id: the path as it is written, with slashes, and without what `.` and `..` make longer.

    Raises:
        DataError: a column or a value is missing, a row has too many cells or too few, or two rows name one file.
    """
    return _rows(path, also, [])


def _rows(path: Path, also: Iterable[str], notes: list[str]) -> dict[str, _Row]:
    listed = numbered_rows(path, required=("path", "genre", *also))
    odd = [_in_old_encoding(path, row) for _, row in listed]
    if any(odd):
        notes.append(
            f"{path} is not UTF-8 and was read as Windows-1252 (Latin-1); if names look wrong, save it in UTF-8"
        )
    tracks: dict[str, _Row] = {}
    by_file = defaultdict(list)
    for number, row in listed:
        name, genre = row["path"].strip(), row["genre"].strip()
        if not name or not genre:
            raise DataError(f"{path}, line {number}: path and genre must not be empty")
        by_file[same_file(_file(path, row))].append((number, name, genre))
        tracks[posixpath.normpath(name.replace("\\", "/"))] = row
    for names in by_file.values():
        if len(names) > 1:
            _refuse_twice(path, names)
    return tracks


def _refuse_twice(path: Path, names: list[tuple[int, str, str]]) -> None:
    """Refuse rows, each with line, path and genre, that name one file."""
    lines, paths, genres = zip(*names, strict=True)
    under = f" under {len(set(genres))} genres ({', '.join(dict.fromkeys(genres))})" if len(set(genres)) > 1 else ""
    raise DataError(
        f"{path}, line {lines[1]}: {' and '.join(dict.fromkeys(paths))} stands there {_times(len(names))}, in the "
        f"lines {', '.join(map(str, lines))}: one file{under}; each file has one row, whose cell may hold several "
        "genres, as blues; jazz"
    )


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def _file(table: Path, row: _Row) -> Path:
    """Return the file that a row names: by the name as written, or as another system would write it.

    Backslashes are separators, unless a file has them in its name; accents may be one sign or two.
    """
    name = row["path"].strip()
    slashed = name.replace("\\", "/")
    spellings = (name, slashed, unicodedata.normalize("NFC", slashed), unicodedata.normalize("NFD", slashed))
    candidates = [table.parent / spelling for spelling in dict.fromkeys(spellings)]
    return next((each for each in candidates if _exists(each)), table.parent / slashed)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no rights; a zero byte
        return False


def _in_old_encoding(table: Path, row: _Row) -> bool:
    """Read the cells of a row that are no UTF-8 as Windows-1252; tell whether there were any.

    The name of a file that is there keeps its bytes.
    """
    odd = [name for name, text in row.items() if not _is_text(text)]
    odd = [name for name in odd if not (name == "path" and _exists(table.parent / row[name].strip()))]
    for name in odd:
        held = row[name].encode("utf-8", "surrogateescape")
        try:
            row[name] = held.decode("cp1252")
        except UnicodeDecodeError:  # five bytes mean nothing there
            row[name] = held.decode("latin-1")
    return bool(odd)


def _is_text(text: str) -> bool:
    """Whether text was UTF-8 when it was read."""
    return not any("\udc80" <= character <= "\udcff" for character in text)
