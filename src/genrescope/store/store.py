"""The store: all log-mels of a data set in one memory-mapped array, frames-major.

```
STORE/logmel.npy    float16 (frames, 128), one track after another
STORE/tracks.csv    where each track begins, how many frames it has, which file it came from, and its checksum
STORE/index.csv     what each track is, and what became of its file
STORE/store.json    the front end's numbers, fingerprints, and checksums of the tables; written last (see header.py)
```
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genrescope.errors import DataError, DataNotFoundError
from genrescope.features.spec import Spec, from_dict
from genrescope.files import fingerprint
from genrescope.sources.labels import labels_of
from genrescope.sources.listing import some
from genrescope.store.header import FORMAT, INDEX_FILE, REPAIR, STORE_FILE, TRACKS_FILE, read_header, table_file
from genrescope.store.index import IndexRow, read_index
from genrescope.tables import read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FORMAT", "INDEX_FILE", "STORE_FILE", "TRACKS_FILE", "read_header"]

FRAMES_FILE = "logmel.npy"

Facts = dict[str, Any]
"""What is known of a track that was decoded: the columns of the index and of `tracks.csv`."""
VOUCHED = ("id", "first_frame", "frames", "seconds", "sample_rate", "channels", "sha256", "bytes", "mtime_ns", "status")
"""The facts that a track's checksum covers, beside its frames."""

Frames = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Extent:
    """A row of `tracks.csv`: a track's place in the array, and the file's state when it was read.

    Attributes:
        bytes: size of its audio file.
        mtime_ns: when the file was last changed; with the size it tells whether the file must be read again.
        checksum: of the track's frames and of what is known of it, as `checksum` gives it.
    """

    id: str
    first_frame: int
    frames: int
    bytes: int
    mtime_ns: int
    checksum: str


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

    @property
    def labels(self) -> tuple[str, ...]:
        """Its genres; none for a negative example."""
        return labels_of(self.genre)


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
        return tuple(sorted({label for track in self.tracks for label in track.labels}))

    @property
    def multi_label(self) -> bool:
        """Whether any of its usable tracks has several genres."""
        return any(len(track.labels) > 1 for track in self.tracks)

    def refuse_several(self, what: str) -> None:
        """Refuse tracks of several genres, for what counts tracks that are right or wrong.

        Raises:
            DataError: there are some.
        """
        if self.multi_label:
            raise DataError(f"{what} wants one genre a track, and tracks of {self.path} have several")

    @property
    def has_groups(self) -> bool:
        """Whether any track's group is known."""
        return any(track.group for track in self.tracks)


def open_store(path: str | Path, *, verify: bool = False) -> Store:
    """Open a store.

    Args:
        path: its folder.
        verify: read all frames and compare them with the tracks' checksums.

    Raises:
        DataError: there is none, it is unfinished, damaged, or of another format.
    """
    path = Path(path)
    header = read_header(path)
    if header is None:
        raise DataNotFoundError(
            f"{path} is not a finished store (it has no {STORE_FILE}); make or finish it with: "
            f"genrescope prepare DATA --out {path}"
        )
    rows = {row.id: row for row in read_index(table_file(path, INDEX_FILE, header))}
    extents = read_extents(table_file(path, TRACKS_FILE, header))
    try:
        spec = from_dict(header["front_end"])
    except ValueError as error:
        raise DataError(f"{path / STORE_FILE} is damaged: {error}; {REPAIR}") from error
    frames = _frames(path, spec)
    if not all(_inside(extent, len(frames)) and extent.id in rows for extent in extents):
        raise DataError(f"{path / FRAMES_FILE} does not fit {TRACKS_FILE}; {REPAIR}")
    if verify:
        _refuse_damaged(path, rows, extents, frames, spec)
    tracks = tuple(_track(rows[extent.id], extent) for extent in sorted(extents, key=lambda extent: extent.id))
    return Store(path, spec, tracks, frames, header["data"], header["fingerprint"])


def index_rows(path: Path) -> list[IndexRow]:
    """Read the index of a store.

    Raises:
        DataError: it is damaged, or there is no finished store.
    """
    header = read_header(path)
    if header is None:
        raise DataError(f"{path} is not a finished store (it has no {STORE_FILE}); {REPAIR}")
    return read_index(table_file(path, INDEX_FILE, header))


def checksum(facts: Facts, frames: bytes, spec: Spec) -> str:
    """Return 16 hexadecimal digits of a track's frames, of what is known of it, and of the front end."""
    known = json.dumps([spec.fingerprint, *(facts[name] for name in VOUCHED)])
    return hashlib.sha256(known.encode() + frames).hexdigest()[:16]


def _frames(path: Path, spec: Spec) -> Frames:
    try:
        # Copy-on-write: nothing is ever written, but torch wants an array it could write to.
        frames: Frames = np.load(path / FRAMES_FILE, mmap_mode="c")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path / FRAMES_FILE} cannot be opened: {error}; {REPAIR}") from error
    if frames.dtype != spec.dtype or frames.shape[1:] != (spec.width,):
        raise DataError(f"{path / FRAMES_FILE} does not fit {STORE_FILE}; {REPAIR}")
    return frames


def _refuse_damaged(
    path: Path, rows: dict[str, IndexRow], extents: Sequence[Extent], frames: Frames, spec: Spec
) -> None:
    damaged = []
    for extent in extents:
        held = frames[extent.first_frame : extent.first_frame + extent.frames].tobytes()
        facts = dataclasses.asdict(rows[extent.id]) | dataclasses.asdict(extent)
        if checksum(facts, held, spec) != extent.checksum:
            damaged.append(extent.id)
    if damaged:
        raise DataError(f"{path / FRAMES_FILE} is damaged: the frames of {some(damaged)}; {REPAIR}")


def _track(row: IndexRow, extent: Extent) -> StoredTrack:
    return StoredTrack(row.id, row.path, row.genre, row.group, extent.first_frame, extent.frames, row.seconds, row.part)


def _inside(extent: Extent, frames: int) -> bool:
    return extent.first_frame >= 0 and extent.frames > 0 and extent.first_frame + extent.frames <= frames


def read_extents(path: Path) -> list[Extent]:
    """Read `tracks.csv`.

    Raises:
        DataError: it is damaged.
    """
    return read_rows(path, Extent, remedy=REPAIR)


def data_fingerprint(rows: Sequence[IndexRow], spec: Spec) -> str:
    """Identify the usable tracks' ids, labels and bytes together with the front end, whatever their order."""
    usable = sorted([row.id, row.genre, row.sha256] for row in rows if row.status == "ok")
    return fingerprint([usable, spec.fingerprint])
