"""Progress bars: what is done, a bar, a percentage and the time left, at 80 columns too."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING

from genrescope.cli.console import err

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, ProgressColumn, Task
    from rich.table import Column
    from rich.text import Text

_LOOK_BACK = 3600  # seconds from whose speed the time left is estimated
_BAR = 16  # columns: with percentage, count and time they leave 20 of 80 for what is done


def bar_of(*columns: ProgressColumn | str, quiet: bool) -> Progress:
    """Return a bar with some columns, the detail of its task, and the time left.

    A detail is cut where the terminal is too narrow, all else is whole. Nothing is shown when quiet or not on a
    terminal.
    """
    from rich.progress import BarColumn, Progress

    part = _columns()
    return Progress(
        "{task.description}", BarColumn(bar_width=_BAR, table_column=whole()), part["percentage"](whole()), *columns,
        part["time"](whole()), part["detail"](), console=err(), disable=quiet or not sys.stderr.isatty(),
        transient=True, speed_estimate_period=_LOOK_BACK,
    )  # fmt: skip


@contextlib.contextmanager
def progress(unit: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Show a bar with a count of some unit; nothing when quiet or not on a terminal.

    Of a task without a total that has done something, the count alone is shown. A task may say how many seconds
    remain, by the field `remaining`; else this follows from its speed.
    """
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Count(ProgressColumn):
        def render(self, task: Task) -> Text:
            total = f"/{task.total:.0f}" if task.total else ""
            counted = f"{task.completed:.0f}{total} {unit}" if total or task.completed else ""
            return Text(counted, style="progress.download")

    with bar_of(Count(whole()), quiet=quiet) as bar:
        yield bar


def whole() -> Column:
    """Return a column that is never narrowed."""
    from rich.table import Column

    return Column(no_wrap=True)


@functools.cache
def _columns() -> dict[str, type[ProgressColumn]]:
    """Return our columns, made when first asked for: rich loads late."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Percentage(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.percentage:3.0f} %" if task.total else "", style="progress.percentage")

    class Time(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            left = task.fields.get("remaining", task.time_remaining)
            gone = task.finished_time if task.finished else task.elapsed
            if left is not None and not task.finished:
                return Text(f"{clock(left)} remaining", style="progress.remaining")
            return Text(f"{clock(gone or 0)} elapsed", style="progress.elapsed")

    class Detail(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(str(task.fields.get("detail", "")), no_wrap=True, overflow="ellipsis")

    return {"percentage": Percentage, "time": Time, "detail": Detail}


def clock(seconds: float) -> str:
    """Return a duration as a clock shows it.

    Example:
        >>> clock(75.4), clock(3 * 3600 + 61)
        ('1:15', '3:01:01')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
