"""The header of a store, and how a store's tables change in one step.

`store.json` holds the checksums of `tracks.csv` and `index.csv`, and one of itself. New tables are first written as
`<name>.next`; the new `store.json` takes the old one's place, and that is the step: a table that it does not vouch for
is the old one, and the one beside it is read. Then the tables take their names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError
from genrescope.files import fingerprint, read_text, sha256, write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 2
STORE_FILE = "store.json"
TRACKS_FILE = "tracks.csv"
INDEX_FILE = "index.csv"
REPAIR = "prepare the store again, with the same command: what is whole is kept"

_KEYS = {"format", "data", "front_end", "fingerprint", "checksums", "checksum"}


def read_header(folder: Path) -> dict[str, Any] | None:
    """Read `store.json`; None where there is none.

    Raises:
        DataError: it is damaged or of another format.
    """
    path = folder / STORE_FILE
    try:
        header: dict[str, Any] = json.loads(read_text(path))
        if not isinstance(header, dict) or "format" not in header:
            raise ValueError("it lacks keys")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {error}; {REPAIR}") from error
    if header["format"] != FORMAT:
        raise DataError(
            f"{folder} has store format {header['format']!r}; this version reads {FORMAT}. Prepare it again"
        )
    if not set(header) >= _KEYS or header["checksum"] != _sealed(header)["checksum"]:
        raise DataError(f"{path} is damaged: it is not as it was written; {REPAIR}")
    return header


def commit(folder: Path, header: dict[str, Any], tables: Mapping[str, str]) -> None:
    """Give a store a new header and new tables, in one step.

    Raises:
        OutputError: the disk is full, say; the store is as it was.
    """
    for name, text in tables.items():
        write_text(_next(folder, name), text)
    write_json(folder / STORE_FILE, with_checksums(header, tables))
    settle(folder)


def with_checksums(header: dict[str, Any], tables: Mapping[str, str]) -> dict[str, Any]:
    """Return a header that vouches for tables and for itself."""
    held = {name: hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest() for name, text in tables.items()}
    return _sealed(header | {"checksums": held})


def table_file(folder: Path, name: str, header: Mapping[str, Any]) -> Path:
    """Return where the table is that a store's header vouches for.

    Raises:
        DataError: there is none.
    """
    expected = header["checksums"].get(name)
    for path in (folder / name, _next(folder, name)):
        with contextlib.suppress(OSError):
            if sha256(path) == expected:
                return path
    raise DataError(f"{folder / name} is damaged or missing: it is not as it was written; {REPAIR}")


def settle(folder: Path) -> None:
    """Finish what a kill left of a commit: new tables take their names, or go where no header vouches for them.

    Raises:
        DataError: the header is damaged.
    """
    header = read_header(folder)
    for name in (TRACKS_FILE, INDEX_FILE):
        path = _next(folder, name)
        if path.exists():
            if header is not None and sha256(path) == header["checksums"].get(name):
                path.replace(folder / name)
            else:
                path.unlink()


def _next(folder: Path, name: str) -> Path:
    return folder / f"{name}.next"


def _sealed(header: dict[str, Any]) -> dict[str, Any]:
    return header | {"checksum": fingerprint({name: value for name, value in header.items() if name != "checksum"})}
