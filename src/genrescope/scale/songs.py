"""The songs of a run: those of paths, folders and playlists, of tables of URLs, and of object stores."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from genrescope import audio, files, tables
from genrescope.audio.formats import is_hidden
from genrescope.errors import DataError, DataNotFoundError
from genrescope.inference.songs import find_songs
from genrescope.scale import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TABLES = (".csv", ".tsv", ".parquet")
_COLUMNS = ("url", "path")
_BATCH = 1 << 16  # rows of a Parquet file at a time


@dataclass(frozen=True, slots=True)
class Song:
    """A song of a run.

    Attributes:
        path: its absolute path, or its URL.
        identity: `0:0:size:mtime_ns` of its file, equal on every machine; empty where a table alone names it.
        bytes: the size of its file; 0 where that is not known.
    """

    path: str
    identity: str
    bytes: int


@dataclass
class Found:
    """What was found.

    Attributes:
        songs: each once, in the order in which they were named.
        left_out: how many other files folders hold, by their endings.
        unreadable: what could not be looked into, each with the reason.
    """

    songs: list[Song] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def find(given: Iterable[Path]) -> Found:
    """List the songs of files, folders, playlists, tables and URLs, each once.

    A table is a CSV or TSV file, or a Parquet file, with a column `url` or `path`, and perhaps one `bytes`.

    Raises:
        DataError: something does not exist, cannot be listed, or holds no song.
    """
    found = Found()
    for place in given:
        url = places.url_of(place)
        if place.suffix.lower() in _TABLES:
            found.songs += _of_table(place, url)
        elif url is not None:
            _add_url(url, found)
        else:
            _add_local(place, found)
    found.songs = list({song.path: song for song in found.songs}.values())
    if not found.songs:
        raise DataError("no song was found; give audio files, folders, URLs, or tables with a column url or path")
    return found


def _add_local(place: Path, found: Found) -> None:
    inside = find_songs([place])
    found.songs += [_local(str(files.absolute(path))) for path in inside.files]
    found.left_out += inside.left_out
    found.unreadable += inside.unreadable


def _local(path: str) -> Song:
    try:
        key = audio.FileKey.of(Path(path))
    except (OSError, ValueError):  # it is reported as a failure when its turn comes
        return Song(path, "", 0)
    return Song(path, _identity(key.size, key.mtime_ns), key.size)


def _identity(size: int, mtime_ns: int) -> str:
    """Return what identifies a file on every machine: device and inode are numbered by each for itself."""
    return f"0:0:{size}:{mtime_ns}"


def _add_url(url: str, found: Found) -> None:
    if places.is_web(url):
        found.songs.append(Song(url, "", 0))
        return
    from pyarrow import fs

    filesystem, path = places.opened(url)
    with places.failing_as_data(f"{url} cannot be listed"):
        info = filesystem.get_file_info(path)
        if info.type == fs.FileType.NotFound:
            raise DataNotFoundError(f"{url}: no such file or folder")
        inside = [info] if info.is_file else filesystem.get_file_info(fs.FileSelector(path, recursive=True))
    before = len(found.songs)
    for each in sorted(inside, key=lambda each: str(each.path)):
        if each is info or _is_song(each, path, found):
            where = url.rstrip("/") + each.path.removeprefix(path)
            found.songs.append(Song(where, _identity(each.size, each.mtime_ns or 0), each.size or 0))
    if len(found.songs) == before:
        raise DataError(f"{url} holds no audio file; accepted endings: {', '.join(sorted(audio.SUFFIXES))}")


def _is_song(info: Any, root: str, found: Found) -> bool:
    """Whether a file of an object store is taken for audio, as in a folder: by its ending."""
    if not info.is_file or any(map(is_hidden, info.path.removeprefix(root).split("/"))):
        return False
    ending = PurePosixPath(info.path).suffix.lower()
    found.left_out[ending] += ending not in audio.SUFFIXES
    return ending in audio.SUFFIXES


# -- tables -----------------------------------------------------------------------------------------------------


def _of_table(place: Path, url: str | None) -> Iterator[Song]:
    """Yield the songs of a table; paths in it begin at its own folder."""
    with contextlib.ExitStack() as held:
        if url is not None:
            place, base = held.enter_context(_fetched(url)), None
        else:
            base = files.absolute(place).parent
        rows = _parquet_rows(place) if place.suffix.lower() == ".parquet" else _text_rows(place)
        for row, name, size in rows:
            if not name.strip():
                raise DataError(f"{url or place}, {row}: no url or path; fill it in, or remove the row")
            yield _named(name, size, base, f"{url or place}, {row}")


def _named(name: str, size: int, base: Path | None, row: str) -> Song:
    """Return the song that a row of a table names."""
    try:
        song_url = places.url_of(name)
    except DataError as error:
        raise DataError(f"{row}: {error}") from error
    if song_url is not None:
        return Song(song_url, "", size)
    if base is None:
        raise DataError(f"{row} names {name}; a table in an object store has URLs")
    return _local(str(files.absolute(base / name)))


@contextlib.contextmanager
def _fetched(url: str) -> Iterator[Path]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, PurePosixPath(url).name)
        try:
            places.fetch(url, path)
        except places.FetchError as error:
            raise DataError(f"{url}: {error}") from error
        yield path


def _text_rows(path: Path) -> Iterator[tuple[str, str, int]]:
    rows = tables.numbered_rows(path, required=())
    if not rows:
        raise DataError(f"{path} has no rows")
    column = _column(path, rows[0][1])
    for number, row in rows:
        yield f"line {number}", row[column], _size(row.get("bytes"))


def _parquet_rows(path: Path) -> Iterator[tuple[str, str, int]]:
    import pyarrow as pa
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            column = _column(path, names)
            for batch in file.iter_batches(_BATCH, columns=[column, *(["bytes"] if "bytes" in names else [])]):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", str(row[column] or ""), _size(row.get("bytes"))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Parquet file that can be read: {error}") from error


def _size(cell: object) -> int:
    """Return the number of bytes in a cell; 0 where there is none."""
    text = str(cell or "")
    return int(text) if text.isdecimal() else 0


def _column(path: Path, names: Iterable[str]) -> str:
    known = list(names)
    column = next((each for each in _COLUMNS if each in known), None)
    if column is None:
        raise DataError(f"{path} has the columns {', '.join(known) or 'none'}; accepted is a column url or path")
    return column
