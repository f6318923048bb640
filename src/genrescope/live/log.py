"""The log of a live run: JSON Lines, written at once, and opened again on SIGHUP, as logrotate has it."""

from __future__ import annotations

import json
import signal
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from genrescope.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import TextIO

    from genrescope.inference.verdict import Verdict


class VerdictLog:
    """A context in which verdicts are added to a file, a line each.

    Each line has `at`, the time of writing in UTC, and what `Verdict.to_dict` returns. While the context is open in the
    main thread, SIGHUP has the file opened anew by its name.

    Args:
        path: the file; what it holds stays.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._is_moved = False
        self._before: Any = None

    def __enter__(self) -> VerdictLog:
        self._open()
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGHUP, self._moved)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGHUP, self._before)
        if self._file is not None:
            self._file.close()

    def write(self, verdict: Verdict) -> None:
        """Add a verdict.

        Raises:
            OutputError: the file cannot be written.
        """
        if self._is_moved or self._file is None:
            self._open()
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds")} | verdict.to_dict()
        try:
            assert self._file is not None
            self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._refused(error) from error

    def _open(self) -> None:
        self._is_moved = False
        if self._file is not None:
            self._file.close()
        try:
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._refused(error) from error

    def _moved(self, *_: object) -> None:
        self._is_moved = True

    def _refused(self, error: OSError) -> OutputError:
        told = error.strerror or str(error)
        return OutputError(f"cannot write the log {self._path}: {told}. Free some space, or give another --log")
