"""The group library: songs, predictions and embeddings in one file, and what is made of them."""

from __future__ import annotations

import typer

from genrescope.cli import library_dataset, library_files, library_list, library_scan


def add_to(app: typer.Typer) -> None:
    """Add the group and its commands."""
    group = typer.Typer(help="A library that remembers: scan music once, then list, export and use the results.")
    for command, name, epilog in (
        (library_scan.scan, "scan", library_scan.EPILOG),
        (library_list.list_, "list", library_list.LIST_EPILOG),
        (library_list.export, "export", library_list.EXPORT_EPILOG),
        (library_list.albums, "albums", library_list.ALBUMS_EPILOG),
        (library_files.playlists, "playlists", library_files.PLAYLISTS_EPILOG),
        (library_files.clips, "clips", library_files.CLIPS_EPILOG),
        (library_dataset.dataset, "dataset", library_dataset.EPILOG),
    ):
        group.command(name, epilog=epilog)(command)
    app.add_typer(group, name="library", no_args_is_help=True, epilog="Example: genrescope library scan ~/Music")
