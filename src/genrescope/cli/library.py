"""The group library: songs, predictions and embeddings in one file, and what is made of them."""

from __future__ import annotations

import typer

from genrescope.cli import library_dataset, library_scan


def add_to(app: typer.Typer) -> None:
    """Add the group and its commands."""
    group = typer.Typer(help="A library that remembers: scan music once, then list, export and use the results.")
    group.command(epilog=library_scan.EPILOG)(library_scan.scan)
    group.command(epilog=library_dataset.EPILOG)(library_dataset.dataset)
    app.add_typer(group, name="library", no_args_is_help=True, epilog="Example: genrescope library scan ~/Music")
