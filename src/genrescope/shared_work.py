"""Several processes, on any machines that see one folder, work off a list together; one that dies is replaced.

```
DIR/<process>.process      who takes part (`members`)
DIR/<task>.<number>        who has taken a task; the last number counts
DIR/<task>.ended           why a task failed, or that it has ended
```

All of it rests on one thing that every file system does, network ones too: a file can be created by one process only. A
task whose holder has ended or died is taken by whoever creates the file of the next number; numbers are never used
twice. The last process removes the folder.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope import workers
from genrescope.errors import GenrescopeError
from genrescope.files import read_text, write_json, writing
from genrescope.members import BEAT, PATIENCE, Members, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks for something to do."""

_DEATHS = 2  # processes that may die at a task while another one looks on
_ENDED = ".ended"


class LeftBehindError(GenrescopeError):
    """Others took this process for dead, and have taken over its work."""


@dataclass(frozen=True)
class Task:
    """Something to do once.

    Attributes:
        key: a name that can be a file's.
        is_done: whether its result is there.
        after: keys of tasks that must have ended before.
        part_of: key of the task that fails, and is over, where this one fails.
    """

    key: str
    is_done: Callable[[], bool]
    after: tuple[str, ...] = ()
    part_of: str | None = None


@dataclass(frozen=True)
class Standing:
    """How far some tasks are.

    Attributes:
        done: how many have ended.
        total: how many there are.
        here: how many have ended in this process.
        shared: whether other processes have been seen.
    """

    done: int
    total: int
    here: int = 0
    shared: bool = False

    def __str__(self) -> str:
        """Return it in words.

        Example:
            >>> str(Standing(12, 40)), str(Standing(12, 40, here=3, shared=True))
            ('12 of 40', '12 of 40, 3 here')
        """
        return f"{self.done} of {self.total}" + (f", {self.here} here" if self.shared else "")


class SharedWork:
    """Tasks that this process and others work off; a context that lasts as long as this process takes part.

    Args:
        folder: where processes and tasks are noted.
        tasks: all of them, in the order in which they are to be taken.
        facts: what others are told of this process.

    Attributes:
        members: the processes.
    """

    def __init__(self, folder: Path, tasks: Sequence[Task], **facts: Any) -> None:
        self.members = Members(folder, facts, self._look_for_heirs)
        self._folder, self._tasks = folder, {task.key: task for task in tasks}
        self._mine: dict[str, int] = {}
        self._here: list[str] = []
        self._over: set[str] = set()
        self._old: dict[str, str] = {}  # what failed in earlier calls is tried again
        self._lost: str | None = None

    def __enter__(self) -> SharedWork:
        self.members.__enter__()
        self._old = {path.name: read_text(path) for path in self._folder.glob(f"*{_ENDED}")}
        return self

    def __exit__(self, *error: object) -> None:
        self.members.__exit__(*error)
        with contextlib.suppress(OSError):
            if not self.members.others():
                shutil.rmtree(self._folder)

    @property
    def over(self) -> bool:
        """Whether all tasks have ended."""
        return all(map(self.ended, self._tasks))

    def ended(self, key: str) -> bool:
        """Whether a task has been done, or has failed; here or elsewhere."""
        task = self._tasks[key]
        if key not in self._over and (task.is_done() or any(map(self._note, filter(None, (key, task.part_of))))):
            self._over.add(key)
        return key in self._over

    def failure(self, key: str) -> str | None:
        """Return why a task failed; None where it did not."""
        note = self._note(key)
        return None if note is None or self._tasks[key].is_done() else note["reason"]

    def standing(self, keys: Sequence[str]) -> Standing:
        """Return how far some of the tasks are."""
        shared = bool(self.members.others() or self.members.seen)
        here = sum(key in keys for key in self._here)
        return Standing(sum(map(self.ended, keys)), len(keys), here, shared)

    def each(self, *, wait: Callable[[], None] = lambda: None) -> Iterator[str]:
        """Yield tasks to do, until all have ended; each is to be ended by `finish`.

        Args:
            wait: called about every second while all that is left is being done elsewhere.

        Raises:
            LeftBehindError: as `check`.
        """
        while not self.over:
            key = self.take()
            if key is not None:
                yield key
            elif not self.over:
                wait()
                time.sleep(LOOK)

    def take(self) -> str | None:
        """Take the first task that nobody works on; None where there is none now.

        Raises:
            LeftBehindError: as `check`.
        """
        self.check()
        for key, task in self._tasks.items():
            if key in self._mine or self.ended(key) or not all(map(self.ended, task.after)):
                continue
            number = self._free(key)
            if number is not None and self._claim(key, number):
                return key
        return None

    def taken_over(self, key: str) -> bool:
        """Whether a task that this process has was another one's before."""
        return self._mine.get(key, 1) > 1

    def finish(self, key: str, *, failed: str | None = None, noted: bool = False) -> None:
        """End a task of this process.

        Args:
            key: the task.
            failed: why it failed, for the others, too.
            noted: tell the others that it has ended: there is no result by which they know.
        """
        if failed is not None or noted:
            at = (failed is not None and self._tasks[key].part_of) or key
            note = {"by": self.members.name, "end": secrets.token_hex(4), "reason": failed}
            write_json(self._folder / f"{at}{_ENDED}", note)
        self._mine.pop(key, None)
        self._here.append(key)

    def check(self) -> None:
        """Stop what another process does by now.

        Raises:
            LeftBehindError: this process stood still for so long that it was taken for dead.
        """
        if self._lost is not None:
            raise LeftBehindError(
                f"this process stood still for more than {BEAT * PATIENCE:.0f} s, and another one has taken over its "
                f"work ({self._lost}). Start it again to take part"
            )

    def _note(self, key: str) -> dict[str, Any] | None:
        """Return what was noted of a task's end since this process takes part."""
        try:
            text = read_text(self._folder / f"{key}{_ENDED}")
        except OSError:
            return None
        return None if text == self._old.get(f"{key}{_ENDED}") else dict(json.loads(text))

    def _free(self, key: str) -> int | None:
        """Return the number by which a task can be taken; None where somebody has it."""
        ends = (path.name.removeprefix(f"{key}.") for path in self._folder.iterdir())
        last = max((int(end) for end in ends if end.isdigit()), default=0)
        if not last:
            return 1
        holder = self._holder(key, last)
        if holder == self.members.name or self.members.lives(holder):
            return None
        if sum(self._died(self._holder(key, number)) for number in range(1, last + 1)) >= _DEATHS:
            if self._claim(key, last + 1):
                self.finish(key, failed=f"{_DEATHS} processes died at it; there may be too little memory")
            return None
        return last + 1

    def _holder(self, key: str, number: int) -> str:
        """Return who has made a claim; where that died before it wrote its name, the claim, which grows old as well."""
        claim = f"{key}.{number}"
        return text_of(self._folder / claim) or claim

    def _died(self, holder: str) -> bool:
        """Whether a process was seen at work, and has ended without a word."""
        return holder in self.members.seen and (self._folder / holder).exists() and not self.members.lives(holder)

    def _claim(self, key: str, number: int) -> bool:
        """Take a task by a number, unless another process was faster, or has done it meanwhile."""
        with writing(self._folder):
            try:
                with (self._folder / f"{key}.{number}").open("x", encoding="utf-8") as file:
                    file.write(self.members.name)
            except FileExistsError:
                return False
        if self.ended(key):
            return False
        self._mine[key] = number
        return True

    def _look_for_heirs(self) -> None:
        """Find out whether others have taken over what this process has."""
        for key, number in list(self._mine.items()):
            if (self._folder / f"{key}.{number + 1}").exists():
                self._lost = key


def warn_of_threads(members: Members, threads: int) -> None:
    """Say where processes of this machine compute with more threads than it has cores: each slows the others."""
    others = members.neighbours()
    total = threads + sum(each.get("threads", 0) for each in others)
    if others and total > workers.cores():
        _log.warning(
            "%d processes on this machine compute with %d threads on %d cores; give each its share, as "
            "OMP_NUM_THREADS=1, or start one process with --jobs",
            len(others) + 1, total, workers.cores(),
        )  # fmt: skip
