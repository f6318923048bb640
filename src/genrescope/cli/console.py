"""What the commands share: messages, progress, options."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import shlex
import sys
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrescope import __version__
from genrescope.cli.streams import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.table import Table

    from genrescope.sources.listing import Listing


def _quieten(wanted: bool) -> bool:
    if wanted:
        logging.getLogger("genrescope").setLevel(logging.ERROR)
    return wanted


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no messages but errors.", callback=_quieten)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Worker processes; by default one for each core.")]
NormaliseGenres = Annotated[
    bool,
    typer.Option("--normalise-genres", help="Join genres whose names differ in case, blanks or Unicode form only."),
]
SeveralGenres = Annotated[
    bool, typer.Option("--several-genres", help="Keep all genres that a song's tags name, not only the first.")
]
Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal results.")]

INTERRUPTED = 130
_UNFOLDED = 10_000  # columns of a table that goes into a file or a pipe: a path must not be folded


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"genrescope {__version__}")
        raise typer.Exit


def version(
    show: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Music genre classification that can be trusted."""


def template(name: str, package: str = "genrescope.research") -> Any:
    """Return the type of an option `--template`, which prints a file of a package to stdout and ends."""

    def show(wanted: bool) -> None:
        if wanted:
            from importlib.resources import files

            print(files(package).joinpath(name).read_text(encoding="utf-8"), end="")
            raise typer.Exit

    told = "Print a file to start from, with comments, and end."
    return typer.Option("--template", help=told, is_eager=True, callback=show)


def err() -> Console:
    """Return the console of messages and progress: stderr."""
    return _console()(stderr=True, highlight=False, soft_wrap=True)


def out() -> Console:
    """Return the console of data: stdout."""
    return _console()(highlight=False, width=None if sys.stdout.isatty() else _UNFOLDED)


@functools.cache
def _console() -> type[Console]:
    """Return the class of our consoles: what is printed cannot steer the terminal, whatever files are called."""
    from rich.console import Console
    from rich.segment import Segment

    class Printing(Console):
        _inside = threading.local()  # a bar is drawn by a thread of its own

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            if getattr(self._inside, "now", False):  # a cell of a table, which is cut to its column before it is shown
                yield from super().render(renderable, options)
                return
            self._inside.now = True
            try:
                for segment in super().render(renderable, options):
                    yield segment if segment.control else Segment(printable(segment.text), segment.style)
            finally:
                self._inside.now = False

    return Printing


_is_step: ContextVar[bool] = ContextVar("is_step", default=False)


def next_step(*arguments: object, quiet: bool) -> None:
    """End a command with the next one to type: a line on stderr, quoted for the shell.

    Args:
        arguments: what follows `genrescope`; text in capitals, such as `SONG`, is for the user to fill in.
        quiet: say nothing.
    """
    if not _is_step.get():
        say(f"next: genrescope {shlex.join(map(str, arguments))}", quiet=quiet)


@contextlib.contextmanager
def steps_of_one_command() -> Iterator[None]:
    """Let commands run as steps of another one: what comes after each of them is not for the user to type."""
    before = _is_step.set(True)
    try:
        yield
    finally:
        _is_step.reset(before)


def unused(path: Path) -> Path:
    """Return a path, or one with a number behind it where there is something already."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return path if not path.exists() else next(each for each in numbered if not each.exists())


def say(text: str, *, quiet: bool = False, style: str = "") -> None:
    """Print a message to stderr, as it is."""
    if not quiet:
        err().print(text, style=style or None, markup=False)


class ListingReport:
    """Says what was recognised and left out in DATA, and names what could not be looked into.

    Attributes:
        unreadable: whether there was something of that kind.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self.unreadable = quiet, False

    def __call__(self, listing: Listing) -> None:
        """Say it of what DATA lists."""
        for note in listing.notes:
            say(f"note: {note}", quiet=self._quiet)
        report_unreadable(listing.unreadable)
        self.unreadable = bool(listing.unreadable)


def report_unreadable(unreadable: Sequence[tuple[Path, str]]) -> None:
    """Name folders and files that could not be looked into."""
    for path, reason in unreadable:
        say(f"skipped {path}: {reason}", style="yellow")


def typed_again(*more: str) -> str:
    """Return how an interrupted command goes on: what was typed, quoted for the shell, and options that it lacks."""
    typed = sys.argv[1:]
    return f"Go on with: genrescope {shlex.join([*typed, *(option for option in more if option not in typed)])}"


@contextlib.contextmanager
def resumable(what: str) -> Iterator[None]:
    """End with a word on how to go on when the user presses Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; nothing is lost. {what}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None


def table(*columns: str, title: str | None = None, right: Sequence[str] = ()) -> Table:
    """Return an empty table; columns named in `right` are aligned to the right."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made
