"""The options of the command tag."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from genrescope.cli.console import template


class Compare(StrEnum):
    """What of the sound is compared before a file is replaced."""

    packets = "packets"
    decoded = "decoded"


Model = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL",
        help="Run folder, model file, or a name of `genrescope models`; left out, the model `genres`.",
    ),
]
Paths = Annotated[list[Path] | None, typer.Argument(metavar="PATH...", help="Audio files, and folders to walk.")]
Write = Annotated[bool, typer.Option("--write", help="Write; without it a table is shown, and nothing is changed.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace genres that are there.")]
Generic = Annotated[
    list[str] | None,
    typer.Option(metavar="GENRE", help="A genre that is replaced as Other and Unknown are; may be given again."),
]
Map = Annotated[
    Path | None, typer.Option("--map", help="TOML: which genres to write for which label; --template prints one.")
]
Template = Annotated[bool, template("words.toml", "genrescope.tags")]
Count = Annotated[int, typer.Option(min=1, help="Genres to write at most, those that reach their thresholds.")]
MinConfidence = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SCORE",
        help="The lowest score that counts, as 0.5, in place of the model's thresholds; of one label, as rock=0.7; "
        "may be given again.",
    ),
]
Field = Annotated[
    str | None, typer.Option(metavar="NAME", help="Write this custom field, and leave the genre as it is.")
]
Provenance = Annotated[
    bool, typer.Option(help="Write program, model and confidence into custom fields (GENRESCOPE_...).")
]
Join = Annotated[
    str, typer.Option(metavar="TEXT", help="What stands between several genres in ID3v2.3 and the INFO chunk of wav.")
]
Predictions = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Use what predict --out has written (.jsonl or .csv), and no model."),
]
LibraryFile = Annotated[
    Path | None,
    typer.Option("--library", metavar="FILE", help="Use predictions and corrections of a library.db, and no model."),
]
JournalFile = Annotated[
    Path | None,
    typer.Option("--journal", help="Where changes are noted for untag; by default in the user's folder for data."),
]
Touch = Annotated[
    bool, typer.Option("--touch", help="Give files a new time, for players that look for changed files by it.")
]
BreakLinks = Annotated[
    bool, typer.Option("--break-links", help="Change files with several names (hard links), under this name only.")
]
Verify = Annotated[
    Compare, typer.Option(help="What of the sound is compared before a file is replaced; decoded: to the bit, slower.")
]
All = Annotated[bool, typer.Option("--all", help="Show songs that keep their genre too, with what the model says.")]
