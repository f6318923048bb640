"""Files of segments: where the genre changes within songs, as a table or as labels for Audacity."""

from __future__ import annotations

import contextlib
import os
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import locks
from genrescope.errors import DataError
from genrescope.files import refuse_foreign, write_text, writing
from genrescope.inference import rows
from genrescope.inference.encodings import Csv
from genrescope.inference.song_file import SongFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from genrescope.inference.outputs import Output
    from genrescope.inference.prediction import Failure, Prediction
    from genrescope.inference.segments import Segment

COLUMNS = ("path", "start", "end", "genre", "confidence", "number", "of", "identity", "model")
"""Columns of a table of segments; `number` of `of` is the segment's place in its song."""

_TABLE = "segments.csv"
_LONGEST = 200  # bytes of a song's name in that of its labels, so that a number and a temporary name fit, too


def labels(segments: Iterable[Segment]) -> str:
    r"""Return segments as a label track of Audacity: start and end in seconds and the label, a line each.

    Example:
        >>> from genrescope.inference.segments import Segment
        >>> labels([Segment(0.0, 27.0, "rock", 0.82), Segment(27.0, 45.5, "jazz", 0.8)])
        '0.000000\t27.000000\trock\n27.000000\t45.500000\tjazz\n'
    """
    return "".join(f"{part.start:.6f}\t{part.end:.6f}\t{' '.join(part.genre.split())}\n" for part in segments)


class SegmentTable:
    """A CSV file of the segments of many songs that a second run goes on with, as `PredictionFile`.

    Args:
        path: the file.
        model: fingerprint of the model.
        replace: begin afresh if there are segments already.

    Raises:
        DataError: the file holds something else, or segments of another model.
        OutputError: it cannot be written, or another process writes it.
    """

    def __init__(self, path: Path, model: str, *, replace: bool = False) -> None:
        self._model = model
        with contextlib.ExitStack() as held:
            held.enter_context(locks.file(path, by="predict"))
            encoding = Csv(COLUMNS, fixed=5)
            self._rows = held.enter_context(SongFile(path, encoding, model, replace=replace))
            self._held = held.pop_all()

    def __enter__(self) -> SegmentTable:
        return self

    def __exit__(self, *error: object) -> None:
        self._held.__exit__(*error)  # type: ignore[arg-type]

    @property
    def paths(self) -> list[str]:
        """The songs that stand there, by their absolute paths."""
        return self._rows.paths

    def has(self, song: Path, identity: str) -> bool:
        """Whether a song's segments are there already."""
        return self._rows.has(rows.absolute(song) or "", identity)

    def write(self, prediction: Prediction, identity: str) -> None:
        """Write a song's segments, all at once."""
        found = prediction.segments()
        common = {"identity": identity, "model": self._model, "of": len(found)}
        self._rows.write([
            {"path": rows.absolute(prediction.path), "start": round(part.start, 3), "end": round(part.end, 3),
             "genre": part.genre, "confidence": round(part.confidence, 6), "number": number, **common}
            for number, part in enumerate(found, start=1)
        ])  # fmt: skip

    def fail(self, failure: Failure) -> None:
        """Drop what an earlier version of the song gave."""
        self._rows.forget(rows.absolute(failure.path) or failure.name)


class LabelFile:
    """Audacity labels of one song, written whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with writing(path):  # whether it can be written is told before any work
            path.parent.mkdir(parents=True, exist_ok=True)

    def has(self, song: Path, identity: str) -> bool:
        """Return False: one song is soon done again."""
        return False

    def write(self, prediction: Prediction, identity: str) -> None:
        """Write the song's segments."""
        write_text(self._path, labels(prediction.segments()))

    def fail(self, failure: Failure) -> None:
        """Nothing is written for a song that failed."""


class LabelFolder:
    """A folder with Audacity labels for each song, `<song>.txt`, and a table of all segments, `segments.csv`.

    Songs of one name get numbers: `song.txt`, `song-2.txt`.

    Args:
        folder: where labels go.
        table: the table in it.
    """

    def __init__(self, folder: Path, table: SegmentTable) -> None:
        self._folder, self._table = folder, table
        self._owners: dict[str, str] = {}
        for path in table.paths:
            self._name(path)

    def has(self, song: Path, identity: str) -> bool:
        """Whether a song's segments are there already."""
        return self._table.has(song, identity)

    def write(self, prediction: Prediction, identity: str) -> None:
        """Write a song's labels, then its rows."""
        name = self._name(rows.absolute(prediction.path) or prediction.name)
        write_text(self._folder / name, labels(prediction.segments()))
        self._table.write(prediction, identity)

    def fail(self, failure: Failure) -> None:
        """Drop the rows that an earlier version of the song gave."""
        self._table.fail(failure)

    def _name(self, path: str) -> str:
        """Return the name of a song's labels; it is the song's own from now on."""
        stem = _shortened(Path(path).stem)
        names = chain([f"{stem}.txt"], (f"{stem}-{number}.txt" for number in count(2)))
        name = next(each for each in names if self._owners.get(each, path) == path)
        self._owners[name] = path
        return name


def _shortened(stem: str) -> str:
    whole = os.fsencode(stem)
    return stem if len(whole) <= _LONGEST else whole[:_LONGEST].decode("utf-8", "ignore")


@contextlib.contextmanager
def opened(path: Path, model: str, *, replace: bool = False, songs: int | None) -> Iterator[Output]:
    """Open where segments go, by the name's ending: `.csv` a table, `.txt` labels of one song, else a folder.

    Args:
        path: what was given.
        model: fingerprint of the model.
        replace: begin afresh if there are segments already.
        songs: how many songs there are; None where that is not known.

    Raises:
        DataError: labels for one song are asked for, and there are more; or as `SegmentTable`.
    """
    ending = "" if path.is_dir() else path.suffix.lower()
    if ending == ".csv":
        with SegmentTable(path, model, replace=replace) as table:
            yield table
    elif ending == ".txt":
        if songs != 1:
            raise DataError(
                f"--segments {path}: a .txt file holds the labels of one song; give a .csv file or a folder for several"
            )
        yield LabelFile(path)
    elif ending or path.is_file():
        raise DataError(f"--segments {path}: give a file that ends in .csv, one in .txt for a single song, or a folder")
    else:
        refuse_foreign(path, [_TABLE], what="the segments")
        with SegmentTable(path / _TABLE, model, replace=replace) as table:
            yield LabelFolder(path, table)
