"""Options of the command predict, and what they mean together."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from genrescope.errors import DataError
from genrescope.features.placement import WINDOWS

_URL = re.compile(r"[a-z][a-z0-9+.-]+:/")

STDIN = Path("-")
"""Stands for paths that come from another program."""


class Format(StrEnum):
    """How predictions are written."""

    table = "table"
    jsonl = "jsonl"
    csv = "csv"
    parquet = "parquet"


Model = Annotated[
    Path,
    typer.Argument(
        metavar="[MODEL]",
        help="Run folder, model file, or a name of `genrescope models`; left out, the model `genres`.",
    ),
]
Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PATH...",
        help="Audio files, folders, playlists (.m3u8), and - for paths from stdin, one a line or separated by NUL.",
    ),
]
Top = Annotated[
    int | None,
    typer.Option(min=1, help="Genres or tags of each song; by default 3 in the table, and all in files."),
]
Kind = Annotated[
    Format | None,
    typer.Option("--format", help="table, or jsonl, csv and parquet with all scores; by the ending of --out."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write there; songs that stand there already are skipped.")]
Replace = Annotated[bool, typer.Option("--replace", help="Begin --out and --segments afresh.")]
Segments = Annotated[
    Path | None,
    typer.Option(
        help="Write where the genre changes: into a .csv file, a .txt file (labels for Audacity, one song), or a "
        "folder (labels for each song). Uses all windows."
    ),
]
MinConfidence = Annotated[
    float, typer.Option(min=0, max=1, help="Below it a song has no genre; its scores are written all the same.")
]
Windows = Annotated[
    str | None, typer.Option(metavar="N|all", help=f"Windows of each song, spread over it; by default {WINDOWS}.")
]
Excerpt = Annotated[float | None, typer.Option(min=1, metavar="SECONDS", help="Use only the middle of each song.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Processor threads; by default one for one song, all cores for several.")
]


def kind_of(given: Format | None, path: Path | None) -> Format:
    """Choose the format: as given, or by the file's ending, or a table.

    Raises:
        DataError: none fits; Parquet is asked for on stdout.
    """
    if path is None:
        if given is Format.parquet:
            raise DataError("--format parquet: give --out FILE.parquet; stdout takes table, jsonl and csv")
        return given or Format.table
    by_ending = {f".{each}": each for each in Format if each is not Format.table}
    kind = given or by_ending.get(path.suffix.lower())
    if kind in (None, Format.table):
        raise DataError(
            f"--out {path}: give --format jsonl, csv or parquet, or a file that ends in .jsonl or .csv or .parquet"
        )
    return kind


def check_places(out: Path | None, segments: Path | None) -> None:
    """Refuse one file for predictions and for segments.

    Raises:
        DataError: they are one.
    """
    if out is not None and segments is not None and out.resolve() == segments.resolve():
        raise DataError(f"--out {out} and --segments {segments} are one file; give two")


def windows_of(given: str | None, *, segments: Path | None) -> int | Literal["all"]:
    """Return how many windows of a song are used: as given; for segments all.

    Raises:
        DataError: it is neither a number nor `all`.
    """
    if given is None:
        return WINDOWS if segments is None else "all"
    if given == "all":
        return "all"
    if not given.isdecimal() or int(given) < 1:
        raise DataError(f"--windows {given}: give a number of windows, 1 or more, or all")
    return int(given)


def is_url(path: Path) -> bool:
    """Whether a path is a URL, of which `Path` keeps one slash of two, as `s3:/music`."""
    return _URL.match(path.as_posix()) is not None and not path.exists()


def model_and_paths(first: Path, others: list[Path]) -> tuple[Path | None, list[Path]]:
    """Tell a model from songs: a model file, a folder that holds one, or a name that is no path.

    Raises:
        DataError: there is a model and no song.
    """
    is_model = first != STDIN and not is_url(first) and names_model(first)
    if not is_model:
        return None, [first, *others]
    if not others:
        what = "a model, but no song" if first.exists() else "no such file or folder"
        raise DataError(
            f"{first}: {what}; give songs, as genrescope predict song.mp3 or genrescope predict MODEL song.mp3"
        )
    return first, others


def names_model(path: Path) -> bool:
    """Whether a path is a model, and no song: a model file, a folder that holds one, or a name that is no path."""
    from genrescope.modelfile import CROSSVAL_NAME, FILE_NAME

    if path.is_dir():
        return (path / FILE_NAME).exists() or (path / CROSSVAL_NAME).exists() or (path / "run.json").exists()
    return path.suffix == ".safetensors" or not path.exists()
