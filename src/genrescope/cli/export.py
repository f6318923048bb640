"""The command export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrescope.cli.bars import bar_of
from genrescope.cli.console import Quiet, next_step, resumable, say

if TYPE_CHECKING:
    from genrescope.export.check import Parity
    from genrescope.export.quantise import Cost


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope export runs/first web/genres.onnx --check song.mp3")(export)


def export(
    model: Annotated[Path, typer.Argument(help="Run folder, model file, or a name of `genrescope models`.")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="OUT.onnx, or with --web a folder; MODEL_CARD.md is written with it.")
    ],
    check: Annotated[
        list[Path] | None,
        typer.Option(help="Audio to compare with torch, may be repeated; by default synthesised music."),
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="A page that classifies songs inside the browser, without any upload.")
    ] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Weights in 8 bits; what that costs is measured.")] = False,
    data: Annotated[
        str | None, typer.Option(help="Labelled audio to measure the accuracy cost of --int8 on: DATA.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a model as one ONNX file, waveform in and scores out, or as a web page. Neither needs torch to run.

    The model is compared with torch first, and refused if a track's score differs by more than 1e-4.
    """
    from genrescope.export.onnx_file import export as write_file
    from genrescope.export.web import export_web

    with resumable("Run the same command again."), bar_of(quiet=quiet) as bar:
        task = bar.add_task("loading", total=None)
        options: dict[str, Any] = {
            "check": check or (), "int8": int8, "data": data,
            "on_step": lambda step: bar.update(task, description=step),
            "on_track": lambda at, total: bar.update(task, description="scoring", completed=at, total=total),
        }  # fmt: skip
        if web:
            page = export_web(
                model, out, **options, on_bytes=lambda at, total: bar.update(task, completed=at, total=total)
            )
        else:
            file = write_file(model, out, **options)
    done = page if web else file
    _say_checks(done.parity, done.cost)
    if web:
        say(f"{out}: {page.size / 1e6:.1f} MB; serve it: python -m http.server --directory {out}", quiet=quiet)
    else:
        say(f"{out}: {out.stat().st_size / 1e6:.1f} MB; model card: {file.card}", quiet=quiet)
    next_step("predict", model, "SONG", quiet=quiet)


def _say_checks(parity: Parity, cost: Cost | None) -> None:
    from genrescope.export.card import cost_lines, counted

    print(
        f"largest difference from torch: {parity.largest:.1e}, of windows {parity.largest_of_windows:.1e} "
        f"({counted(parity.windows, 'window')} of {counted(parity.sounds, 'sound')}; accepted are 1e-04 and 1e-03)"
    )
    for line in cost_lines(cost) if cost else ():
        print(line)
