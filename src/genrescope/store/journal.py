"""The journal of a store in the making: what survives whatever stops a run.

Every finished track is first appended to the array's partial file and then noted in the journal. After a kill the
next run takes the journal's word, cuts the array back to it, and goes on with what is missing. Only at the end do
the files take their names, `store.json` last.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shutil
from itertools import takewhile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from genrescope import files, records
from genrescope.features.spec import Spec, from_dict, to_dict
from genrescope.files import writing
from genrescope.store import store
from genrescope.store.index import IndexRow, genre_counts, read_index, write_index
from genrescope.tables import write_table

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.sources.track import Track
    from genrescope.store.store import Frames

JOURNAL_FILE = "journal.jsonl"
PARTIAL_FILE = "logmel.npy.partial"

Facts = dict[str, Any]
"""What is known of a finished track: the columns of the index and of `tracks.csv`."""


class Journal:
    """The tracks that a store's folder holds already, finished or not, and the way to add to them.

    Nothing is written before the first track is added, so a run that finds nothing new leaves the store alone.

    Args:
        folder: the store's folder.
        spec: the front end; what another one has made is not used.
    """

    def __init__(self, folder: Path, spec: Spec) -> None:
        self._folder, self._spec = folder, spec
        self._partial = folder / PARTIAL_FILE
        noted = self._read_notes()
        self._interrupted = noted is not None
        self._tracks = self._read_store() if noted is None else noted
        self._end = max((facts["first_frame"] + facts["frames"] for facts in self._tracks.values()), default=0)
        self._array: IO[bytes] | None = None
        self._notes = records.RecordWriter(folder / JOURNAL_FILE)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def holds(self, track: Track) -> Facts | None:
        """Return what is known of the track, if its file is in the array as it is on disk now."""
        facts = self._tracks.get(track.id)
        if facts is None:
            return None
        try:
            stat = track.path.stat()
        except OSError:
            return None
        return facts if (facts["bytes"], facts["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns) else None

    def add(self, track_id: str, frames: Frames, facts: Facts) -> None:
        """Append a track's frames, then note it.

        Raises:
            OutputError: the disk is full, say. What was noted before is kept.
        """
        with writing(self._folder):
            if self._array is None:
                self._begin()
            assert self._array is not None
            self._array.seek(self._offset(self._end))
            self._array.write(frames.tobytes())
            self._array.flush()
            noted = {"id": track_id, "first_frame": self._end, "frames": len(frames)} | facts
            self._notes.add(noted)
            self._tracks[track_id] = noted
            self._end += len(frames)

    def finish(self, data: str, rows: list[IndexRow]) -> None:
        """Give the files their names, `store.json` last; a store that says the same already is left alone.

        Raises:
            OutputError: the disk is full, say. The next run goes on from here.
        """
        usable = [row for row in rows if row.status == "ok"]
        names = [field.name for field in dataclasses.fields(store.Extent)]
        extents = [store.Extent(**{name: self._tracks[row.id][name] for name in names}) for row in usable]
        header = {
            "format": store.FORMAT,
            "data": data,
            "tracks": len(usable),
            "failed": len(rows) - len(usable),
            "frames": sum(extent.frames for extent in extents),
            "genres": genre_counts(row.genre for row in usable),
            "front_end": to_dict(self._spec),
            "front_end_fingerprint": self._spec.fingerprint,
            "fingerprint": store.data_fingerprint(rows, self._spec),
        }
        if self._array is None and not self._interrupted and self._says(header, rows):
            return
        with writing(self._folder):
            if self._array is None and self._interrupted:
                self._begin()
            if self._array is not None:
                self._array.seek(0)
                self._array.write(_npy_header(self._end, self._spec))
                self._array.flush()
                os.fsync(self._array.fileno())
                self._close()
                (self._folder / store.STORE_FILE).unlink(missing_ok=True)
                self._partial.replace(self._folder / store.FRAMES_FILE)
            write_table(self._folder / store.TRACKS_FILE, store.Extent, extents)
            write_index(self._folder / store.INDEX_FILE, rows)
            files.write_json(self._folder / store.STORE_FILE, header)
            (self._folder / JOURNAL_FILE).unlink(missing_ok=True)

    def _read_notes(self) -> dict[str, Facts] | None:
        """Read the whole lines that an interrupted run left; None where there are none for this front end."""
        noted = records.read(self._folder / JOURNAL_FILE, dict, damaged="stop")
        if not noted or noted[0] != self._head():
            return None
        array = self._folder / store.FRAMES_FILE
        if not self._partial.exists() and array.exists():
            array.replace(self._partial)  # killed at the very end, after the array had taken its name
        return {facts["id"]: facts for facts in takewhile(_is_whole, noted[1:])} if self._partial.exists() else None

    def _read_store(self) -> dict[str, Facts]:
        """Read the tracks of a finished store, so that only new and changed files are decoded."""
        header = store.read_header(self._folder)
        if header is None or from_dict(header["front_end"]) != self._spec:
            return {}
        rows = {row.id: dataclasses.asdict(row) for row in read_index(self._folder / store.INDEX_FILE)}
        extents = store.read_extents(self._folder / store.TRACKS_FILE)
        return {extent.id: rows[extent.id] | dataclasses.asdict(extent) for extent in extents}

    def _says(self, header: Facts, rows: list[IndexRow]) -> bool:
        return store.read_header(self._folder) == header and rows == read_index(self._folder / store.INDEX_FILE)

    def _begin(self) -> None:
        """Open the partial array, with what is held already, and write the notes that vouch for it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._interrupted:
            if self._tracks:
                shutil.copyfile(self._folder / store.FRAMES_FILE, self._partial)
            else:
                self._partial.write_bytes(_npy_header(0, self._spec))
        self._array = self._partial.open("r+b")
        self._array.truncate(self._offset(self._end))
        lines = [self._head(), *self._tracks.values()]
        files.write_text(self._folder / JOURNAL_FILE, "".join(map(records.to_line, lines)))

    def _head(self) -> Facts:
        return {"format": store.FORMAT, "front_end": self._spec.fingerprint}

    def _offset(self, frame: int) -> int:
        return len(_npy_header(0, self._spec)) + frame * self._spec.width * np.dtype(self._spec.dtype).itemsize

    def _close(self) -> None:
        self._notes.close()
        if self._array is not None:
            with contextlib.suppress(OSError):  # a full disk was reported by the write that met it
                self._array.close()


def _is_whole(facts: Facts) -> bool:
    """Whether a line of the journal says what a finished track's line says."""
    try:
        return bool(facts["id"] and facts["first_frame"] + facts["frames"] and facts["bytes"])
    except (KeyError, TypeError):
        return False


def _npy_header(frames: int, spec: Spec) -> bytes:
    """Return the header of a .npy file of frames; NumPy leaves room in it for the count to grow in place."""
    header = io.BytesIO()
    descr = np.dtype(spec.dtype).newbyteorder("<").str
    shape = (frames, spec.width)
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return header.getvalue()
