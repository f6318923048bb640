"""The folder of one run in which uploads lie: gone at its end, and after a crash at the next start."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import locks
from genrescope.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "genrescope-serve-"


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """Give a new folder for uploads that only this user may read; remove those that killed runs left.

    Raises:
        OutputError: it cannot be made.
    """
    _remove_left_over()
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        raise OutputError(f"cannot make a folder in {tempfile.gettempdir()}: {error.strerror or error}") from error
    try:
        with locks.folder(folder, by="serve"):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_over() -> None:
    """Remove the folders of runs that no process holds any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, OutputError):
            if _is_own(folder):
                with locks.folder(folder, by="serve"):  # refused where a service runs on it
                    shutil.rmtree(folder, ignore_errors=True)


def _is_own(folder: Path) -> bool:
    """Whether a folder is one, not a link to one, and belongs to this user."""
    return folder.is_dir() and not folder.is_symlink() and (os.name == "nt" or folder.stat().st_uid == os.getuid())
