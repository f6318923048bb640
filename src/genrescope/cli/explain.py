"""The command explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import bar_of
from genrescope.cli.console import Device, Quiet, next_step, out, say, table
from genrescope.errors import DataError

if TYPE_CHECKING:
    from genrescope.inference.explain import Explanation

_GENRES = 2


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope explain runs/first song.mp3 --out why.png")(explain)


def explain(
    model: Annotated[Path, typer.Argument(help="Run folder, model file, or a name of `genrescope models`.")],
    song: Annotated[Path, typer.Argument(help="Audio file.")],
    picture: Annotated[Path, typer.Option("--out", metavar="PNG", help="The picture to write.")] = Path("why.png"),
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Draw which parts of a song's spectrogram change the genre's score most when they are hidden (occlusion).

    The song is scored again without each part. It shows what the score depends on, not how the model came to it.
    """
    from genrescope.extras import require
    from genrescope.inference.classifier import load

    if picture.suffix.lower() != ".png":
        raise DataError(f"--out {picture}: give a file that ends in .png")
    require("train", "a picture")
    from genrescope.reports.explanation import write

    with bar_of(quiet=quiet) as bar:
        bar.add_task("hiding parts", total=None)
        found = load(model, device=device).explain(song)
        write(found, picture)
    _show(found)
    say(f"picture: {picture}", quiet=quiet)
    next_step("predict", model, song, quiet=quiet)


def _show(found: Explanation) -> None:
    rows = table("genre", "score", "hidden part", "the score falls by", right=("score", "the score falls by"))
    for label in list(found.scores)[:_GENRES]:
        for start, end, low, high, drop in found.strongest(label):
            part = f"{start:.1f} to {end:.1f} s, {low:,.0f} to {high:,.0f} Hz"
            rows.add_row(label, f"{found.scores[label]:.3f}", part, f"{drop:.3f}")
    out().print(rows)
