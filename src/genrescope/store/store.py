"""The store: all log-mels of a data set in one memory-mapped array, frames-major.

```
STORE/logmel.npy    float16 (frames, 128), one track after another
STORE/tracks.csv    where each track begins, how many frames it has, and which file it came from
STORE/index.csv     what each track is, and what became of its file
STORE/store.json    the front end's numbers and fingerprints; written last, so a store that has it is whole
```
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genrescope.errors import DataError
from genrescope.features.spec import Spec, from_dict
from genrescope.files import fingerprint, read_text
from genrescope.store.index import IndexRow, read_index
from genrescope.tables import read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = 1
STORE_FILE = "store.json"
FRAMES_FILE = "logmel.npy"
TRACKS_FILE = "tracks.csv"
INDEX_FILE = "index.csv"

Frames = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Extent:
    """A row of `tracks.csv`: a track's place in the array, and the file's state when it was read.

    Attributes:
        bytes: size of its audio file.
        mtime_ns: when the file was last changed; with the size it tells whether the file must be read again.
    """

    id: str
    first_frame: int
    frames: int
    bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class StoredTrack:
    """A usable track of a store: what its row of the index and its extent tell."""

    id: str
    path: str
    genre: str
    group: str
    first_frame: int
    frames: int
    seconds: float
    part: str = ""


@dataclass(frozen=True)
class Store:
    """An opened store; its frames stay on disk until they are touched.

    Attributes:
        path: its folder.
        spec: the front end that made it.
        tracks: its usable tracks, sorted by id.
        frames: float16 of shape (frames, n_mels), memory-mapped.
        data: what it was prepared from, as given.
        fingerprint: identifies labels, sound and front end together.
    """

    path: Path
    spec: Spec
    tracks: tuple[StoredTrack, ...]
    frames: Frames
    data: str
    fingerprint: str

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres of its usable tracks, in alphabetical order."""
        return tuple(sorted({track.genre for track in self.tracks}))

    @property
    def has_groups(self) -> bool:
        """Whether any track's group is known."""
        return any(track.group for track in self.tracks)


def open_store(path: str | Path) -> Store:
    """Open a store.

    Raises:
        DataError: there is none, it is unfinished, damaged, or of another format.
    """
    path = Path(path)
    header = read_header(path)
    if header is None:
        raise DataError(
            f"{path} is not a finished store (it has no {STORE_FILE}); make or finish it with: "
            f"genrescope prepare DATA --out {path}"
        )
    rows = {row.id: row for row in read_index(path / INDEX_FILE)}
    extents = read_extents(path / TRACKS_FILE)
    try:
        spec = from_dict(header["front_end"])
    except ValueError as error:
        raise DataError(f"{path / STORE_FILE} is damaged: {error}; prepare the store again") from error
    try:
        # Copy-on-write: nothing is ever written, but torch wants an array it could write to.
        frames: Frames = np.load(path / FRAMES_FILE, mmap_mode="c")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path / FRAMES_FILE} cannot be opened: {error}; prepare the store again") from error
    fits = frames.dtype == spec.dtype and frames.shape[1:] == (spec.width,)
    if not fits or not all(_inside(extent, len(frames)) and extent.id in rows for extent in extents):
        raise DataError(f"{path / FRAMES_FILE} does not fit {TRACKS_FILE}; prepare the store again")
    tracks = tuple(_track(rows[extent.id], extent) for extent in sorted(extents, key=lambda extent: extent.id))
    return Store(path, spec, tracks, frames, header["data"], header["fingerprint"])


def _track(row: IndexRow, extent: Extent) -> StoredTrack:
    return StoredTrack(row.id, row.path, row.genre, row.group, extent.first_frame, extent.frames, row.seconds, row.part)


def _inside(extent: Extent, frames: int) -> bool:
    return extent.first_frame >= 0 and extent.frames > 0 and extent.first_frame + extent.frames <= frames


def read_header(path: Path) -> dict[str, Any] | None:
    """Read `store.json`; None where there is none.

    Raises:
        DataError: it is damaged or of another format.
    """
    try:
        header: dict[str, Any] = json.loads(read_text(path / STORE_FILE))
        if not isinstance(header, dict) or not {"format", "data", "front_end", "fingerprint"} <= set(header):
            raise ValueError("it lacks keys")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{path / STORE_FILE} is damaged: {error}; prepare the store again") from error
    if header["format"] != FORMAT:
        raise DataError(
            f"{path} has store format {header.get('format')}; this version reads {FORMAT}. Prepare it again"
        )
    return header


def read_extents(path: Path) -> list[Extent]:
    """Read `tracks.csv`.

    Raises:
        DataError: it is damaged.
    """
    return read_rows(path, Extent, remedy="prepare the store again")


def data_fingerprint(rows: Sequence[IndexRow], spec: Spec) -> str:
    """Identify the usable tracks' ids, labels and bytes together with the front end, whatever their order."""
    usable = sorted([row.id, row.genre, row.sha256] for row in rows if row.status == "ok")
    return fingerprint([usable, spec.fingerprint])
