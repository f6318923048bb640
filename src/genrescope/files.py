"""Writing files so that no half file is ever left, and reading what identifies them."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError, GenrescopeError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


LOCK_NAME = ".genrescope.lock"
"""What lies in a folder of results while a process writes it; a killed one leaves it behind."""

_FORMULA = re.compile("'*[=+@\t\r-]")
"""What begins a cell that a spreadsheet would run; apostrophes in front are counted, so that none is lost."""

_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
"""What some system forbids in the name of a file."""


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an `OSError` inside the block into an `OutputError` that names `path` and says what to do."""
    try:
        yield
    except GenrescopeError:  # a missing file that was to be read is an OSError, too
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {_without_rights(Path(path), error)}{error.strerror or error}. Free some space, "
            "check the permissions, or write somewhere else; what was finished before is kept."
        ) from error


def _without_rights(path: Path, error: OSError) -> str:
    """Name the folder above a path that may not be written, where that is what failed."""
    if not isinstance(error, PermissionError):
        return ""
    above = next((folder for folder in path.absolute().parents if os.access(folder, os.F_OK)), None)
    if above is not None and not os.access(above, os.W_OK | os.X_OK):
        return f"the folder {above} may not be written: "
    return ""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place in one step, on failure it goes.

    Args:
        path: what is written.
        shared: whether other processes may write it at the same time; the last one counts.

    Raises:
        OutputError: nothing could be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(Path(folder) / "note.txt") as temporary:
        ...         _ = temporary.write_text("whole or not at all")
        ...     print((Path(folder) / "note.txt").read_text())
        whole or not at all
    """
    path = Path(path)
    own = f"{secrets.token_hex(4)}." if shared else ""  # else one name: what a killed run left is overwritten
    temporary = path.with_name(f".{path.name}.{own}partial")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _reach_the_disk(temporary)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _reach_the_disk(path: Path) -> None:
    """Wait until a file's bytes are on the disk: else a power loss could leave its name without them."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def refuse_foreign(folder: Path, ours: Sequence[str], *, what: str) -> None:
    """Never write into a folder that holds something else.

    Args:
        folder: where results are to go; it need not exist.
        ours: names of which one at least lies in a folder that was made for it.
        what: what the folder is for, as `the store`.

    Raises:
        DataError: the folder holds other things, or is a file.
        OutputError: it may not be looked into.
    """
    refuse_file(folder, what=what)
    with writing(folder):
        held = {path.name for path in folder.iterdir()} - {LOCK_NAME} if folder.is_dir() else set[str]()
    if held and not held & set(ours):
        raise DataError(f"{folder} is a folder with other things in it; choose a new or empty folder for {what}")


def refuse_file(folder: Path, *, what: str) -> None:
    """Refuse a folder of results that is a file, or lies in one.

    Raises:
        DataError: it is, or does.
    """
    for path in (folder, *folder.parents):
        if path.is_file():
            raise DataError(f"{path} is a file; --out names the folder of {what}")


def write_text(path: str | os.PathLike[str], text: str, *, shared: bool = False) -> None:
    """Write `text` as UTF-8, whole or not at all; file names that are no UTF-8 keep their bytes.

    Args:
        path: the file.
        text: its content.
        shared: as for `replacing`.
    """
    with replacing(path, shared=shared) as temporary:
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))


def read_text(path: str | os.PathLike[str], *, strict: bool = False) -> str:
    """Read what `write_text` wrote.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no UTF-8, and `strict` is set.
    """
    return Path(path).read_bytes().decode("utf-8", "strict" if strict else "surrogateescape")


def csv_line(values: Sequence[object]) -> str:
    r"""Return one line of CSV with its line end, quoted so that any text survives.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; `undefused` takes it away.

    Example:
        >>> csv_line(["a, b", 1, "=cmd", -1])
        '"a, b",1,\'=cmd,-1\n'
    """
    values = [f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value for value in values]
    text = io.StringIO()
    odd = any(isinstance(value, str) and "\r" in value for value in values)  # left bare by Python before 3.13
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL).writerow(values)
    return text.getvalue()


def undefused(cell: str) -> str:
    """Return a cell's text as it was before `csv_line` wrote it.

    Example:
        >>> undefused("'=cmd"), undefused("'Round Midnight")
        ('=cmd', "'Round Midnight")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def safe_name(text: str, *, longest: int = 120) -> str:
    """Return a text as a file's name without an ending: one that every system accepts.

    Example:
        >>> safe_name("AC/DC: Live?"), safe_name("...")
        ('AC-DC- Live-', 'unnamed')
    """
    shown = text.encode("utf-8", "replace").decode()
    return _UNSAFE.sub("-", shown)[:longest].strip(" .") or "unnamed"


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return a path from the root, links kept, `..` resolved.

    Example:
        >>> absolute("/music/lists/../song.mp3").as_posix()
        '/music/song.mp3'
    """
    return Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps `..`, `Path.resolve` follows links


def write_json(path: str | os.PathLike[str], value: Any, *, shared: bool = False) -> None:
    """Write `value` as indented JSON, whole or not at all; non-finite numbers are refused. `shared` as `replacing`."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", shared=shared)


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits, in constant memory."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: Any) -> str:
    """Return 16 hexadecimal digits that identify a JSON-like value, whatever the order of its keys.

    Example:
        >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
        True
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
