"""What the commands on a library share: the option that names it, and the models in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genrescope.library.database import Library

LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library", help="The library's file; by default $GENRESCOPE_LIBRARY, or library.db in your data folder."
    ),
]
StoredModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Of a library with several models: a name or fingerprint; by default the last used."),
]


def library_path(given: Path | None) -> Path:
    """Return where the library lies."""
    from genrescope.library.database import default_path

    return given or default_path()


def open_library(given: Path | None) -> Library:
    """Open a library that is there.

    Raises:
        DataError: it is not there, or is none.
    """
    from genrescope.library.database import Library

    return Library(library_path(given))


def library_again(given: Path | None) -> tuple[object, ...]:
    """Return the option that names the library in the next command; none where it is in its place."""
    return () if given is None else ("--library", given)
