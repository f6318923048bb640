"""The journal of a store in the making: what survives whatever stops a run.

Every finished track is first appended to the array's partial file and then noted in the journal, with a checksum. After
a kill or a power loss the next run keeps the tracks whose frames are as their checksums say, cuts the array back to
them, and goes on with what is missing. So it does with a finished store, of which nothing else need be whole. Only at
the end do the files take their names, `store.json` last.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shutil
from typing import IO, TYPE_CHECKING

import numpy as np

from genrescope import files, records
from genrescope.errors import DataError
from genrescope.features.spec import Spec, from_dict, to_dict
from genrescope.files import writing
from genrescope.sources.labels import labels_of
from genrescope.store import header as headers
from genrescope.store import store
from genrescope.store.index import IndexRow, genre_counts, read_index
from genrescope.tables import table_text

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.sources.track import Track
    from genrescope.store.store import Facts, Frames

JOURNAL_FILE = "journal.jsonl"
PARTIAL_FILE = "logmel.npy.partial"


class Journal:
    """The tracks that a store's folder holds already, finished or not, and the way to add to them.

    Nothing is written before the first track is added, so a run that finds nothing new leaves the store alone.

    Args:
        folder: the store's folder.
        spec: the front end; what another one has made is not used.

    Attributes:
        damaged: what was found that is not as it was written: ids of tracks, and files of the store.
    """

    def __init__(self, folder: Path, spec: Spec) -> None:
        self._folder, self._spec = folder, spec
        self._partial = folder / PARTIAL_FILE
        self.damaged: list[str] = []
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
            held = frames.tobytes()
            self._array.write(held)
            self._array.flush()
            noted = {"id": track_id, "first_frame": self._end, "frames": len(frames)} | facts
            noted["checksum"] = store.checksum(noted, held, self._spec)
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
            "genres": genre_counts(label for row in usable for label in labels_of(row.genre)),
            "front_end": to_dict(self._spec),
            "front_end_fingerprint": self._spec.fingerprint,
            "fingerprint": store.data_fingerprint(rows, self._spec),
        }
        tables = {
            headers.TRACKS_FILE: table_text(store.Extent, extents),
            headers.INDEX_FILE: table_text(IndexRow, rows),
        }
        rewrite = self._array is not None or self._interrupted or bool(self.damaged)
        if not rewrite and self._says(header, tables):
            return
        with writing(self._folder):
            if rewrite:
                self._name_array()
            headers.commit(self._folder, header, tables)
            (self._folder / JOURNAL_FILE).unlink(missing_ok=True)

    def _name_array(self) -> None:
        """Finish the array and give it its name; until the header follows there is no finished store."""
        if self._array is None:
            self._begin()
        assert self._array is not None
        self._array.seek(0)
        self._array.write(_npy_header(self._end, self._spec))
        self._array.flush()
        os.fsync(self._array.fileno())
        self._close()
        (self._folder / headers.STORE_FILE).unlink(missing_ok=True)
        self._partial.replace(self._folder / store.FRAMES_FILE)

    def _read_notes(self) -> dict[str, Facts] | None:
        """Read the notes that an interrupted run left; None where there are none for this front end."""
        path = self._folder / JOURNAL_FILE
        lines = records.read(path, dict, damaged="skip")
        head = next((line for line in lines if "front_end" in line), self._head())
        if not lines or head != self._head():
            return None
        array = self._folder / store.FRAMES_FILE
        if not self._partial.exists() and array.exists():
            array.replace(self._partial)  # killed at the very end, after the array had taken its name
        if not self._partial.exists():
            return None
        noted = {line["id"]: line for line in lines if {"checksum", *store.VOUCHED} <= set(line)}
        return self._whole(noted, self._partial)

    def _read_store(self) -> dict[str, Facts]:
        """Read the tracks of a store, so that only new, changed and damaged files are decoded."""
        array = self._folder / store.FRAMES_FILE
        try:
            headers.settle(self._folder)
            header = headers.read_header(self._folder)
            if header is not None and from_dict(header["front_end"]) != self._spec:
                return {}
        except (DataError, ValueError):
            self.damaged.append(headers.STORE_FILE)
        if not array.exists():
            return {}
        try:
            rows = {row.id: dataclasses.asdict(row) for row in read_index(self._folder / headers.INDEX_FILE)}
            extents = store.read_extents(self._folder / headers.TRACKS_FILE)
        except DataError:
            self.damaged.append("its tables")
            return {}
        found = {each.id: rows[each.id] | dataclasses.asdict(each) for each in extents if each.id in rows}
        return self._whole(found, array)

    def _whole(self, tracks: dict[str, Facts], array: Path) -> dict[str, Facts]:
        """Return the tracks whose frames are in the array as their checksums say; name the others."""
        with array.open("rb") as file:
            whole = {track_id: facts for track_id, facts in tracks.items() if self._is_whole(facts, file)}
        self.damaged += sorted(set(tracks) - set(whole))
        return whole

    def _is_whole(self, facts: Facts, array: IO[bytes]) -> bool:
        try:
            begin, end = self._offset(facts["first_frame"]), self._offset(facts["first_frame"] + facts["frames"])
            if not self._offset(0) <= begin < end <= array.seek(0, io.SEEK_END):
                return False
            array.seek(begin)
            return bool(store.checksum(facts, array.read(end - begin), self._spec) == facts["checksum"])
        except TypeError:  # a damaged line need not hold numbers
            return False

    def _says(self, header: Facts, tables: dict[str, str]) -> bool:
        """Whether the store on disk is this one already, its tables and its array's own header included."""
        try:
            held = headers.read_header(self._folder)
            opened = store.open_store(self._folder)
        except DataError:
            return False
        return held == headers.with_checksums(header, tables) and len(opened.frames) >= self._end

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


def _npy_header(frames: int, spec: Spec) -> bytes:
    """Return the header of a .npy file of frames; NumPy leaves room in it for the count to grow in place."""
    header = io.BytesIO()
    descr = np.dtype(spec.dtype).newbyteorder("<").str
    shape = (frames, spec.width)
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return header.getvalue()
