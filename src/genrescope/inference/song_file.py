"""Files that grow by one song at a time, and that a second run goes on with.

Each row has the path of its song, its `identity` (`device:inode:size:mtime_ns`) and the fingerprint of the `model`.
A song is known again by its identity, whatever path or link leads to it. A file that has changed is another one; of
two rows of one path the later counts, and the earlier goes when the run ends.
"""

from __future__ import annotations

import contextlib
import csv
import os
from collections import defaultdict
from typing import TYPE_CHECKING

from genrescope import records
from genrescope.errors import DataError
from genrescope.files import replacing, writing
from genrescope.inference.encodings import records_of
from genrescope.inference.songs import has_inode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from genrescope.inference.encodings import Encoding, Row


class SongFile:
    """A file with a row, or several, for each song. Who opens it holds its lock (`locks.file`).

    Args:
        path: the file; made if need be.
        encoding: how rows stand in it.
        model: fingerprint of the model that makes them.
        amend: returns a row as it is to read now; rows of an earlier run are changed when this one ends.
        shown: what errors call the file; its path, unless it stands in for another.
        replace: begin afresh if the file holds results already.

    Raises:
        DataError: the file holds something else, or results of another model.
        OutputError: it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        model: str,
        *,
        amend: Callable[[Row], Row] | None = None,
        shown: Path | None = None,
        replace: bool = False,
    ) -> None:
        self._path, self._encoding, self._model, self._shown = path, encoding, model, shown or path
        self._amend = amend or (lambda row: row)
        self._by_path: dict[str, tuple[str, int]] = {}  # identity of each song, and the number of its rows' block
        self._paths: dict[str, str] = {}  # by identity
        self._by_stamp: defaultdict[str, list[str]] = defaultdict(list)  # paths, by what `size:mtime_ns` says
        self._moved: dict[str, str] = {}  # new paths by old ones
        self._blocks, self._end, self._stale, self.changed = 0, 0, False, False
        self._writer = records.RecordWriter(path)
        begun = path.is_file() and self._read(replace=replace)
        with contextlib.ExitStack() as on_error:
            on_error.callback(self._writer.close)
            # To write something now tells before any work whether it can be written.
            self._writer.add_text("" if begun else encoding.header)
            on_error.pop_all()

    def __enter__(self) -> SongFile:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.close()
        if kind is None and self._stale:
            self._tidy()

    def __len__(self) -> int:
        """How many songs it has."""
        return len(self._by_path)

    def has(self, path: str, identity: str) -> bool:
        """Whether a song is there: the same file, or the same path, size and time where files have no lasting number.

        Args:
            path: absolute path of the song.
            identity: of the file as it is now.
        """
        if not identity:
            return False
        if has_inode(identity) and (known := self._paths.get(identity)) is not None:
            if known != path and not os.path.lexists(known):
                self._moved[known], self._stale = path, True
            return True
        alike = self._by_stamp.get(_stamp(identity), [])
        return any(os.path.realpath(each) == os.path.realpath(path) for each in alike)

    @property
    def paths(self) -> list[str]:
        """The songs that it has, by their absolute paths."""
        return list(self._by_path)

    def knows(self, path: str) -> bool:
        """Whether a song of this absolute path is there, in whatever state its file was."""
        return path in self._by_path

    def write(self, rows: Sequence[Row]) -> None:
        """Append the rows of a song at once.

        Raises:
            OutputError: the disk is full, say.
        """
        self._writer.add_text("".join(map(self._encoding.encode, rows)))
        self._know(rows[0]["path"], rows[0]["identity"])
        self.changed = True

    def forget(self, path: str) -> None:
        """Drop the rows of a song that can no longer be classified."""
        if path in self._by_path:
            self._paths.pop(self._by_path.pop(path)[0], None)
            self._stale = self.changed = True

    def rows(self) -> Iterator[Row]:
        """Yield the rows that stand in the file.

        Raises:
            DataError: a record is none.
        """
        try:
            yield from self._encoding.decode(self._texts())
        except (ValueError, csv.Error) as error:
            raise foreign(self._shown) from error

    def _texts(self) -> Iterator[str]:
        for end, text in records_of(self._path, quoted=self._encoding.quoted):
            self._end = end
            yield text

    def _know(self, path: str, identity: str) -> None:
        if path in self._by_path:  # the file has changed since
            self._paths.pop(self._by_path[path][0], None)
            self._stale = True
        self._by_path[path], self._paths[identity] = (identity, self._blocks), path
        self._blocks += 1

    def _read(self, *, replace: bool) -> bool:
        """Learn what stands in the file, and cut off what was half written; return whether its beginning is whole."""
        begins = self._encoding.begins
        with writing(self._shown), self._path.open("rb") as file:
            found = file.read(len(begins))
        if not begins.startswith(found):
            raise foreign(self._shown)
        if not replace:
            self._learn()
        whole = self._end if self._blocks else 0
        with writing(self._shown):
            if whole < self._path.stat().st_size:
                os.truncate(self._path, whole)
        return whole > 0

    def _learn(self) -> None:
        try:
            for block in _blocks(self.rows()):
                check(block[0], self._model, self._encoding.columns, shown=self._shown)
                if len(block) == int(block[-1].get("of", 1)):
                    path, identity = block[0]["path"], block[0]["identity"]
                    self._know(path, identity)
                    self._by_stamp[_stamp(identity)].append(path)
                    self._stale |= any(self._amend(row) is not row for row in block)
                else:  # a run was killed here
                    self._blocks, self._stale = self._blocks + 1, True
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise foreign(self._shown) from error

    def _tidy(self) -> None:
        """Write the file again without the rows that no longer count, and with songs that were renamed."""
        with replacing(os.path.realpath(self._path)) as temporary, temporary.open("wb") as file:
            file.write(self._encoding.header.encode())
            for number, block in enumerate(_blocks(self.rows())):
                if self._by_path.get(block[0]["path"], ("", -1))[1] == number:
                    texts = (self._encoding.encode(self._current(row)) for row in block)
                    file.write("".join(texts).encode("utf-8", "surrogateescape"))
        self.changed = True

    def _current(self, row: Row) -> Row:
        row = self._amend(row)
        moved = self._moved.get(row["path"])
        if moved is None:
            return row
        return row | {"path": moved} | ({"name": moved} if "name" in row else {})


def check(row: Row, model: str, columns: tuple[str, ...] | None, *, shown: Path) -> None:
    """Refuse a row of another model, or of other columns.

    Raises:
        DataError: it is one; the message says what to do.
    """
    if row["model"] != model:
        raise DataError(
            f"{shown} has predictions of the model {row['model']}; this is the model {model} (a fingerprint of weights "
            "and settings). Choose another place for the results, or begin afresh with --replace"
        )
    if columns not in (None, tuple(row)):
        raise DataError(
            f"{shown} has other columns than this command writes: --top was another. Give the same --top, choose "
            "another --out, or begin afresh with --replace"
        )


def foreign(path: Path) -> DataError:
    """Return the error of a file that is none of ours."""
    return DataError(f"{path} holds something else than predictions; choose another --out")


def _stamp(identity: str) -> str:
    return identity.split(":", 2)[-1]


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows of each song: those that are numbered belong together."""
    block: list[Row] = []
    for row in rows:
        if block and int(row.get("number", 1)) == 1:
            yield block
            block = []
        block.append(row)
    if block:
        yield block
