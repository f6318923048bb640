"""The journal of what was written into files, with all that makes each of them again what it was, to the byte.

JSON Lines, one event a line. `begin` is on the disk before a file is replaced, `end` follows it. A journal whose last
run was killed is as good as any other: what `begin` says is compared with the file.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope import __version__, locks, records
from genrescope.errors import DataError
from genrescope.tags.edits import Edit

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

_KIND = "genrescope tag"
_FORMAT = 1


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes:
        sha256: of all its bytes, as 64 hexadecimal digits.
        size: bytes.
    """

    sha256: str
    size: int

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> Content:
        """Return it of a file that comes in pieces."""
        digest, size = hashlib.sha256(), 0
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
        return cls(digest.hexdigest(), size)


@dataclass(frozen=True)
class Entry:
    """A file that was changed.

    Attributes:
        number: of the change in its journal.
        path: the file.
        genres: its genre before.
        written: its genre afterwards.
        before: what it held.
        after: what it holds since.
        modified_ns: when it had been written before, in nanoseconds.
        undo: the edits that make it again what it was.
        ended: whether the journal says that the change took place; a killed process may not have come to say so.
    """

    number: int
    path: Path
    genres: tuple[str, ...]
    written: tuple[str, ...]
    before: Content
    after: Content
    modified_ns: int
    undo: tuple[Edit, ...]
    ended: bool = False

    def to_record(self) -> dict[str, Any]:
        """Return it as the journal has it."""
        return {
            "event": "begin", "number": self.number, "path": str(self.path), "genres": list(self.genres),
            "written": list(self.written), "before": vars(self.before), "after": vars(self.after),
            "modified_ns": self.modified_ns,
            "undo": [[edit.start, edit.end, _packed(edit.new)] for edit in self.undo],
        }  # fmt: skip

    @classmethod
    def of_record(cls, record: dict[str, Any], *, ended: bool) -> Entry:
        """Return it from what the journal has."""
        undo = tuple(Edit(start, end, _unpacked(text)) for start, end, text in record["undo"])
        return cls(
            record["number"], Path(record["path"]), tuple(record["genres"]), tuple(record["written"]),
            Content(**record["before"]), Content(**record["after"]), record["modified_ns"], undo, ended,
        )  # fmt: skip


class Journal:
    """A journal that is being written. Each event is on the disk when its method returns.

    Args:
        path: the file; made with the first event. One that is there already is continued.
        about: what is to be said of the run, as JSON-like values.

    Raises:
        DataError: the file is something else.
        OutputError: it cannot be written, or another process writes it.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path = path
        self._about, self._begun = about, False
        with contextlib.ExitStack() as stack:
            stack.enter_context(locks.file(path, by="tag"))
            self._count = max((entry.number for entry in read(path)), default=0) if path.is_file() else 0
            self._writer = stack.enter_context(records.RecordWriter(path, durable=True))
            self._held = stack.pop_all()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def begin(
        self,
        path: Path,
        *,
        genres: Sequence[str],
        written: Sequence[str],
        before: Content,
        after: Content,
        known: os.stat_result,
        undo: Sequence[Edit],
    ) -> int:
        """Note a change before it takes place, and return its number.

        Raises:
            OutputError: the disk is full, say.
        """
        if not self._begun:
            started = datetime.now().astimezone().isoformat(timespec="seconds")
            self._writer.add(
                {"journal": _KIND, "format": _FORMAT, "version": __version__, "started": started, **self._about}
            )
            self._begun = True
        self._count += 1
        entry = Entry(
            self._count, path, tuple(genres), tuple(written), before, after, known.st_mtime_ns, tuple(undo)
        )  # fmt: skip
        self._writer.add(entry.to_record())
        return self._count

    def end(self, number: int) -> None:
        """Note that a change took place."""
        self._writer.add({"event": "end", "number": number})


def read(path: Path) -> list[Entry]:
    """Read the changes of a journal, in their order; a line that a killed process left half is passed over.

    Raises:
        DataError: it is no journal, or cannot be read.
    """
    found = records.read(path, dict, damaged="skip")
    if not found or found[0].get("journal") != _KIND:
        raise DataError(f"{path} is no journal; accepted is what genrescope tag --write says it has written")
    if found[0].get("format") != _FORMAT:
        raise DataError(f"{path} is a journal of another version of genrescope ({found[0].get('version')})")
    ended = {each["number"] for each in found if each.get("event") == "end"}
    try:
        return [Entry.of_record(each, ended=each["number"] in ended) for each in found if each.get("event") == "begin"]
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise DataError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def default_path() -> Path:
    """Return where a new journal lies: in the user's folder for data, named by the time."""
    import platformdirs

    folder = Path(platformdirs.user_data_dir("genrescope", appauthor=False)) / "journals"
    name = datetime.now().astimezone().strftime("tag-%Y-%m-%d-%H%M%S")
    numbered = (folder / f"{name}{f'-{number}' if number > 1 else ''}.jsonl" for number in range(1, 1000))
    return next(path for path in numbered if not path.exists())


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode() if data else ""


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text, validate=True)) if text else b""
