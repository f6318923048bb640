"""What is made of each audio file of a store, kept so that each file is decoded once.

```
CACHE/<what>/<sha256>.safetensors    what was made of a file
CACHE/<what>/index.csv               what each track is, and what became of its file
```

`<what>` tells of what else it depends on, and a file is called by its own digest: what was made otherwise, or of
another file, has another name. Each is written whole or not at all, so an interrupted run goes on with what is missing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import numpy as np

from genrescope import audio, workers
from genrescope.errors import DataError, reason_of
from genrescope.progress import Progress
from genrescope.sources.data import read_data
from genrescope.store.index import IndexRow, write_index
from genrescope.store.store import INDEX_FILE, index_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from genrescope.audio import Wave
    from genrescope.store.store import Store

FOLDER = "transfer"
"""Where it lies in a store."""

_T = TypeVar("_T")
CacheProgress: TypeAlias = Progress[IndexRow]


@dataclass(frozen=True)
class Gathered(Generic[_T]):
    """What `gather` did.

    Attributes:
        found: what was made of each usable track, by its id.
        computed: number of tracks decoded in this run.
        kept: number of tracks that were there already.
        failed: the rows of the tracks that could not be used, with their reasons.
    """

    found: dict[str, _T]
    computed: int
    kept: int
    failed: tuple[IndexRow, ...]
    folder: Path


def gather(
    store: Store,
    kind: str,
    *,
    rate: int,
    data: str | None,
    cache: Path | None,
    kept: Callable[[Path], _T | None],
    make: Callable[[Path, Wave], _T | str],
    on_track: Callable[[CacheProgress], None],
) -> Gathered[_T]:
    """Make something of every track's audio that was not made before.

    The store tells what the tracks are and which bytes their files had; a file that has changed since is not used.

    Args:
        kind: name of its folder.
        rate: samples per second to decode at.
        data: where the audio is, as `prepare` takes it; None takes what the store was prepared from.
        cache: where all kinds are kept; None takes a folder in the store.
        kept: returns what an earlier run left in a track's file, or None.
        make: writes that file and returns what was made, or returns the reason why it cannot be made.

    Raises:
        DataError: the audio cannot be found, none of it can be used, or `cache` is a file.
        OutputError: something cannot be written; what was finished is kept.
    """
    base = cache if cache is not None else store.path / FOLDER
    if base.is_file():
        raise DataError(f"{base} is a file; --cache names a folder")
    folder = base / kind
    known = {track.id for track in store.tracks}
    rows = [row for row in index_rows(store.path) if row.id in known]
    found = {row.id: its for row in rows if (its := kept(_file_of(folder, row))) is not None}
    missing = [row for row in rows if row.id not in found]
    begun, failed = len(found), list[IndexRow]()
    on_track(Progress(begun, len(rows)))
    if missing:
        decoded = _decoded(missing, _paths(store, data), rate)
        for number, (row, wave) in enumerate(workers.ahead(decoded), start=begun + 1):
            made = make(_file_of(folder, row), wave) if wave is not None else row.status
            ended = row
            if isinstance(made, str):
                ended = dataclasses.replace(row, status=made)
                failed.append(ended)
            else:
                found[row.id] = made
            on_track(Progress(number, len(rows), ended))
        _write_index(folder, rows, failed)
    if not found:
        raise DataError(f"none of the {len(rows)} tracks could be used; {failed[0].path}: {failed[0].status}")
    return Gathered(found, len(missing) - len(failed), begun, tuple(failed), folder)


def _file_of(folder: Path, row: IndexRow) -> Path:
    return folder / f"{row.sha256}.safetensors"


def _paths(store: Store, data: str | None) -> Mapping[str, Path]:
    """Find the audio of the tracks."""
    try:
        _, tracks = read_data(data if data is not None else store.data)
    except DataError as error:
        if data is not None:
            raise
        raise DataError(
            f"the audio that {store.path} was prepared from is not there ({error}); give its place with --data"
        ) from error
    paths = {track.id: track.path for track in tracks}
    if not any(track.id in paths for track in store.tracks):
        raise DataError(f"{data or store.data} has none of the tracks of {store.path}, such as {store.tracks[0].id}")
    return paths


def _decoded(rows: Sequence[IndexRow], paths: Mapping[str, Path], rate: int) -> Iterator[tuple[IndexRow, Wave | None]]:
    """Yield every track with its wave, or with the reason in its status and no wave; those without a file first."""
    there = [row for row in rows if row.id in paths]
    for row in rows:
        if row.id not in paths:
            yield dataclasses.replace(row, status="file: it is not in DATA"), None
    with audio.decoders(rate) as pool:
        heard = pool.streams((paths[row.id], row.sha256) for row in there)
        for row, (_, pieces) in zip(there, heard, strict=True):
            try:
                yield row, np.concatenate(list(pieces))
            except Exception as error:  # one bad file never stops a run, whatever a decoder throws
                yield dataclasses.replace(row, status=reason_of(error)), None


def _write_index(folder: Path, rows: Sequence[IndexRow], failed: Sequence[IndexRow]) -> None:
    told = {row.id: row for row in failed}
    write_index(folder / INDEX_FILE, [told.get(row.id, row) for row in rows])
