"""Processes that work together, on any machines that see one folder: which of them live.

```
DIR/<process>.process      a file for each: touched every ten seconds while it runs, gone when it has ended
```

One on this machine is known to be dead by its lock (`flock`), at once; one on another machine when its file has not
been touched for two minutes. Only changes of a file's time count, never the time itself, so clocks may differ.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.files import fingerprint, safe_name, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO

BEAT = 10.0
"""Seconds between two touches of a process's file."""
PATIENCE = 12
"""Beats without a touch after which a process on another machine counts as dead."""

_SUFFIX = ".process"


class Members:
    """The processes that take part; a context that lasts as long as this one does.

    Args:
        folder: where their files are; it is made.
        facts: what others are told of this process.
        on_beat: called after each beat.

    Attributes:
        name: that of this process's file.
        seen: names of those that were seen at work.
    """

    def __init__(self, folder: Path, facts: dict[str, Any], on_beat: Callable[[], None] = lambda: None) -> None:
        self.name = f"{safe_name(platform.node(), longest=60)}-{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        self.seen: set[str] = set()
        self._folder, self._facts, self._on_beat = folder, facts, on_beat
        self._watched: dict[str, tuple[float, int]] = {}  # time of a file, and beats without a change
        self._leaving = threading.Event()
        self._held: FileIO | None = None

    def __enter__(self) -> Members:
        path = self._folder / self.name
        since = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"machine": _machine(), "host": platform.node(), "process": os.getpid(), "since": since}
        with writing(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._held = path.open("xb", buffering=0)
            _lock(self._held)  # before there is anything to read: who reads where it runs, finds it held
            self._held.write(json.dumps(about | self._facts).encode())
        self._watch()
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        with contextlib.suppress(OSError):
            (self._folder / self.name).unlink()
        if self._held is not None:
            self._held.close()

    def others(self) -> list[dict[str, Any]]:
        """Return what the other processes that live tell of themselves: `host`, `process`, `since`, and their facts."""
        names = [path.name for path in self._folder.glob(f"*{_SUFFIX}") if path.name != self.name]
        return [_about(self._folder / name) for name in names if self.lives(name)]

    def neighbours(self) -> list[dict[str, Any]]:
        """Return those of the others that run on this machine."""
        return [each for each in self.others() if each.get("machine") == _machine()]

    def lives(self, name: str) -> bool:
        """Whether a process takes part: it has not said that it ends, nor died. Other files count by touches."""
        path = self._folder / name
        if not path.exists():
            return False
        if _about(path).get("machine") == _machine():
            held = _is_locked(path)
            if held:
                self.seen.add(name)
            if held is not None:
                return held
        return self._watched.get(name, (0.0, 0))[1] < PATIENCE

    def _beat(self) -> None:
        while not self._leaving.wait(BEAT):
            with contextlib.suppress(OSError):  # a disk that is away for a while comes back
                (self._folder / self.name).touch()
                self._watch()
                self._on_beat()

    def _watch(self) -> None:
        """Count the beats since the others' files have changed."""
        for path in self._watchable():
            before, beats = self._watched.get(path.name, (None, 0))
            changed = _time_of(path)
            if changed is not None and changed != before:
                if before is not None:
                    self.seen.add(path.name)
                self._watched[path.name] = (changed, 0)
            elif changed is not None:
                self._watched[path.name] = (changed, beats + 1)

    def _watchable(self) -> Iterator[Path]:
        """Yield the files of the others, and those that a process has left empty."""
        for path in self._folder.iterdir():
            if path.name != self.name and (path.suffix == _SUFFIX or not path.stat().st_size):
                yield path


def text_of(path: Path) -> str:
    """Return the text of a file; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _about(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(text_of(path)))
    except (ValueError, TypeError):
        return {}


def _machine() -> str:
    """Return what names this machine since it was started; two may be called alike."""
    return fingerprint([platform.node(), text_of(Path("/proc/sys/kernel/random/boot_id"))])


def _lock(file: FileIO) -> None:
    """Lock a file until it is closed, where the system can."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(path: Path) -> bool | None:
    """Whether a process holds a file; None where that cannot be told."""
    try:
        import fcntl

        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    except (ImportError, OSError):
        return None


def _time_of(path: Path) -> float | None:
    """Return when a file was changed, as its file system has it; it is opened, since a network's may be remembered."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
