"""The command explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import bar_of
from genrescope.cli.console import Device, Quiet, next_step, out, say, table
from genrescope.errors import DataError

if TYPE_CHECKING:
    from genrescope.inference.explanation import Explanation

_GENRES = 2


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope explain runs/first song.mp3 --out why.png")(explain)


def explain(
    model: Annotated[Path, typer.Argument(help="Run folder, model file, or a name of `genrescope models`.")],
    song: Annotated[Path, typer.Argument(help="Audio file.")],
    picture: Annotated[Path, typer.Option("--out", metavar="PNG", help="The picture to write.")] = Path("why.png"),
    genre: Annotated[str | None, typer.Option(help="Explain this genre; by default the most likely.")] = None,
    start: Annotated[float, typer.Option(min=0, help="Seconds where the part begins that is explained.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="Seconds where it ends; by default the end of the song.")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Draw which parts of a song's spectrogram change the genre's score most when they are hidden (occlusion).

    The song is scored again without each part. It shows what the score depends on, not how the model came to it.
    """
    from genrescope.extras import require
    from genrescope.inference.explanation import refuse_label
    from genrescope.inference.loading import load

    if picture.suffix.lower() != ".png":
        raise DataError(f"--out {picture}: give a file that ends in .png")
    require("train", "a picture")
    from genrescope.reports.explanation import write

    with bar_of(quiet=quiet) as bar:
        task = bar.add_task("hiding parts", total=None)
        classifier = load(model, device=device)
        try:
            refuse_label(genre, classifier.genres)
            found = classifier.explain(
                song, start=start, end=end,
                on_window=lambda done, total: bar.update(task, completed=done, total=total),
            )  # fmt: skip
        except ValueError as error:
            raise DataError(str(error)) from error
        labels = _shown(found, genre)
        write(found, picture, labels)
    _show(found, labels)
    say(f"picture: {picture}", quiet=quiet)
    next_step("predict", model, song, quiet=quiet)


def _shown(found: Explanation, genre: str | None) -> list[str]:
    """Return the genre that was asked for, and the most likely ones."""
    return list(dict.fromkeys([genre or found.genre, *found.scores]))[:_GENRES]


def _show(found: Explanation, labels: list[str]) -> None:
    rows = table("genre", "score", "hidden part", "the score falls by", right=("score", "the score falls by"))
    for label in labels:
        for start, end, low, high, drop in found.strongest(label):
            part = f"{start:.1f} to {end:.1f} s, {low:,.0f} to {high:,.0f} Hz"
            rows.add_row(label, f"{found.scores[label]:.3f}", part, f"{drop:.3f}")
    out().print(rows)
