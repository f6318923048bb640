"""The plan of a run: which songs make up which part of the results. It is written before any work, and once.

A part has its name from its songs and from the model, so whoever works on it, and however often, writes one file.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope import files
from genrescope.errors import DataError
from genrescope.inference.rows import text
from genrescope.scale.songs import Song

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from genrescope.inference.rows import RowSpec
    from genrescope.scale.folder import Folder

PLAN = "plan.parquet"
PARTS = "parts"
LARGEST_PART = 1 << 30
"""Bytes of the songs of a part, at most: what one worker fetches and decodes in a minute or so."""

_SONGS = (25, 500)
_SHARE = 64  # of the songs of a run: enough parts for workers to end at about the same time


def songs_of_part(count: int) -> int:
    """Return how many songs make up a part of a run over so many, unless another number is given.

    Example:
        >>> songs_of_part(100), songs_of_part(6400), songs_of_part(1_000_000)
        (25, 100, 500)
    """
    least, most = _SONGS
    return max(least, min(most, count // _SHARE))


_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the results.

    Attributes:
        name: 16 hexadecimal digits, a fingerprint of the songs, the model and the columns.
        songs: its songs.
    """

    name: str
    songs: tuple[Song, ...]

    @property
    def file(self) -> str:
        """The name of its file in the folder of results."""
        return f"{PARTS}/{self.name}.parquet"


def settings_of(spec: RowSpec) -> dict[str, Any]:
    """Return what all parts of one folder have in common, as JSON-like values."""
    return {"model": spec.model, "columns": list(spec.columns), "min_confidence": spec.min_confidence}


def planned(folder: Folder, songs: Sequence[Song], spec: RowSpec, *, most: int | None = None) -> tuple[Part, ...]:
    """Return the parts of a run, after the plan that the folder holds has been made or brought up to date.

    Parts whose songs are all as they were are kept, and those whose songs are not asked for now. Where a song has
    changed its part is made anew. New songs get new parts.

    Args:
        folder: of the results.
        songs: what is asked for.
        spec: what rows hold.
        most: songs of a part; None takes a share of them.

    Raises:
        DataError: the folder holds results of another model, or with other columns.
        OutputError: the plan cannot be written.
    """
    settings = settings_of(spec)
    before = _read(folder, settings)
    now = {song.path: song for song in songs}
    kept = [part for part in before if all(now.get(song.path, song) == song for song in part.songs)]
    there = {song.path for part in kept for song in part.songs}
    again = [song for part in before for song in part.songs if song.path not in there]  # their part has another song
    missing = {song.path: song for song in again} | now
    left = [song for song in missing.values() if song.path not in there]
    parts = (*kept, *parts_of(left, settings, most=most or songs_of_part(len(left))))
    if len(kept) < len(before) or left or not before:
        folder.write(PLAN, _encoded(parts, settings))
    return parts


def parts_of(songs: Iterable[Song], settings: dict[str, Any], *, most: int) -> Iterator[Part]:
    """Yield the parts of songs in their order, each of at most so many songs and so many bytes."""
    held: list[Song] = []
    size = 0
    for song in songs:
        if held and (len(held) == most or size + song.bytes > LARGEST_PART):
            yield _part(held, settings)
            held, size = [], 0
        held.append(song)
        size += song.bytes
    if held:
        yield _part(held, settings)


def _part(songs: list[Song], settings: dict[str, Any]) -> Part:
    named = [[text(song.path), song.identity] for song in songs]
    return Part(files.fingerprint({"settings": settings, "songs": named}), tuple(songs))


def _encoded(parts: Iterable[Part], settings: dict[str, Any]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    columns = [("part", pa.string()), ("path", pa.binary()), ("identity", pa.string()), ("bytes", pa.int64())]
    schema = pa.schema(columns, metadata={"genrescope": json.dumps(settings)})
    held = io.BytesIO()
    with parquet.ParquetWriter(held, schema) as writer:
        rows: list[tuple[Any, ...]] = []
        for part in parts:
            rows += [(part.name, _bytes(song.path), song.identity, song.bytes) for song in part.songs]
            if len(rows) > _ROWS:
                writer.write_table(_table(rows, schema))
                rows = []
        writer.write_table(_table(rows, schema))
    return held.getvalue()


def _table(rows: list[tuple[Any, ...]], schema: Any) -> Any:
    import pyarrow as pa

    cells = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(cells, schema, strict=True)], schema)


def _read(folder: Folder, settings: dict[str, Any]) -> list[Part]:
    """Return the parts of the plan that the folder holds; none where it holds none.

    Raises:
        DataError: it is no plan, or one with other settings.
    """
    import pyarrow as pa
    from pyarrow import parquet

    content = folder.read(PLAN)
    if content is None:
        return []
    try:
        with parquet.ParquetFile(pa.BufferReader(content)) as file:
            if json.loads((file.schema_arrow.metadata or {}).get(b"genrescope", b"null")) != settings:
                raise DataError(
                    f"{folder.place} holds results of another model, or with other --windows, --excerpt, --top or "
                    "--min-confidence. Choose another folder, or begin afresh with --replace"
                )
            rows = [tuple(row.values()) for batch in file.iter_batches(_ROWS) for row in batch.to_pylist()]
    except pa.ArrowException as error:
        raise DataError(f"{folder.place}/{PLAN} is no plan of ours; choose another folder") from error
    by_part: dict[str, list[Song]] = {}
    for part, path, identity, size in rows:
        by_part.setdefault(part, []).append(Song(path.decode("utf-8", "surrogateescape"), identity, size))
    return [Part(name, tuple(songs)) for name, songs in by_part.items()]


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
