"""Groups: what must stay in one part of a split, and where it is known from."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope.errors import AudioError, DataError, nearest
from genrescope.sources.track_table import read_rows
from genrescope.tables import read_table
from genrescope.tags import read as tags
from genrescope.tags.artists import artist_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.sources.track import Track

SOURCES = ("tags", "column:NAME", "path:PATTERN", "regex:EXPRESSION", "file:TABLE", "none")
"""What `assign` accepts."""

_Finder = tuple["Callable[[Track], str]", str]
"""What finds a track's group, and in words what it looks at."""

_PLACE = re.compile(r"(\{\w+\}|\*\*/|\*\*|\*)")
_MEANS = {"{group}": "(?P<group>[^/]+?)", "{artist}": "(?P<artist>[^/]+?)", "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}


def assign(tracks: Sequence[Track], root: Path, source: str, *, table: Path | None = None) -> list[Track]:
    """Give tracks the groups that a source knows, in place of those they have.

    What a source calls `artist` is a name, and its spellings are made one as `artist_key` does it; what it calls
    `group` is taken as written.

    Args:
        tracks: the tracks.
        root: the folder that their paths are relative to.
        source: `tags` (the artist in each file's tags); `column:NAME` (a column of the table that DATA is);
            `path:PATTERN` (a pattern of the whole path inside `root`, where `{group}` or `{artist}` marks the group,
            other names in braces and `*` stand for anything without a slash, and `**` for anything);
            `regex:EXPRESSION` (a regular expression, found anywhere in that path, with a part `(?P<group>...)` or
            `(?P<artist>...)`); `file:TABLE` (a CSV or TSV file with a column `id` or `path` and a column `group` or
            `artist`); or `none`.
        table: the file that DATA is; None where it is something else.

    Returns:
        The tracks in their order; the group is empty where the source knows none.

    Raises:
        DataError: the source is unknown or faulty, or knows no group of any track.
    """
    if source == "none" or not tracks:
        return [dataclasses.replace(track, group="") for track in tracks]
    find, looked_at = _finder(tracks, root, source, table)
    found = [dataclasses.replace(track, group=find(track)) for track in tracks]
    if not any(track.group for track in found):
        raise DataError(
            f'groups from "{source}": none of the {len(tracks)} tracks has one. Looked at: {looked_at}. Choose another '
            "source, or none"
        )
    return found


# -- the sources ------------------------------------------------------------------------------------------------


def _finder(tracks: Sequence[Track], root: Path, source: str, table: Path | None) -> _Finder:
    kind, colon, rest = source.partition(":")
    if source == "tags":
        return _from_tags, f"the artist in the tags of the files, the first of which is {tracks[0].path}"
    if colon and rest and kind == "column":
        return _from_column(rest, table)
    if colon and rest and kind == "path":
        return _from_path(_pattern(rest), rest, tracks, root)
    if colon and rest and kind == "regex":
        return _from_path(_expression(rest), rest, tracks, root)
    if colon and rest and kind == "file":
        return _from_file(Path(rest), root)
    names = [each.partition(":")[0] for each in SOURCES]
    near = nearest(kind, names) if kind not in names else "after the colon something must follow, or nothing"
    raise DataError(f'no source of groups called "{source}"; {near}. Accepted are {", ".join(SOURCES)}')


def _value(column: str, text: str) -> str:
    return artist_key(text) if column == "artist" else text.strip()


def _from_tags(track: Track) -> str:
    try:
        return tags.read(track.path).group
    except AudioError:  # the sound may be usable all the same; if not, preparing tells why
        return ""


def _from_column(name: str, table: Path | None) -> _Finder:
    if table is None:
        raise DataError(f'groups from "column:{name}" need DATA to be a CSV or TSV file that has this column')
    rows = read_rows(table, also=(name,))
    return lambda track: _value(name, rows[track.id][name]), f'the column "{name}" of {table}'


def _from_path(pattern: re.Pattern[str], written: str, tracks: Sequence[Track], root: Path) -> _Finder:
    def find(track: Track) -> str:
        match = pattern.search(_inside(track.path, root))
        return "" if match is None else _value(column, match[column] or "")

    column = "artist" if "artist" in pattern.groupindex else "group"
    return find, f"paths such as {_inside(tracks[0].path, root)}, by {written}"


def _from_file(path: Path, root: Path) -> _Finder:
    rows = read_table(path, required=())
    columns = rows[0] if rows else {}
    key = next((name for name in ("id", "path") if name in columns), None)
    column = next((name for name in ("group", "artist") if name in columns), None)
    if key is None or column is None:
        raise DataError(
            f"{path}: a table of groups needs rows, a column id or path and a column group or artist; its first line "
            f"names: {', '.join(columns)}"
        )
    held = {posixpath.normpath(row[key].strip().replace("\\", "/")): _value(column, row[column]) for row in rows}
    if key == "path":  # relative to its own table, too
        held |= {(path.parent / name).as_posix(): group for name, group in held.items()}

    def find(track: Track) -> str:
        names = (track.id, _inside(track.path, root), track.path.as_posix())
        return next((held[name] for name in names if name in held), "")

    return find, f"the columns {key} and {column} of {path}, whose first row is of {next(iter(held))}"


def _inside(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _pattern(text: str) -> re.Pattern[str]:
    """Turn a pattern such as `{genre}/{artist}/*` into a regular expression of the whole path."""
    if len(re.findall(r"\{(?:group|artist)\}", text)) != 1:
        raise DataError(
            f'the pattern "{text}" must mark the group once, by {{group}} or {{artist}}, as {{genre}}/{{artist}}/**'
        )
    parts = _PLACE.split(text)  # every other one is a place
    parts[0::2] = map(re.escape, parts[0::2])
    parts[1::2] = [_MEANS.get(place, "[^/]+?") for place in parts[1::2]]
    return re.compile("".join([r"\A", *parts, r"\Z"]), re.DOTALL)


def _expression(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise DataError(f'"{text}" is no regular expression: {error}') from error
    if len({"group", "artist"} & set(pattern.groupindex)) != 1:
        raise DataError(f'the expression "{text}" must have one part (?P<group>...) or (?P<artist>...)')
    return pattern
