"""The command export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import bar_of
from genrescope.cli.console import Quiet, next_step, resumable, say

if TYPE_CHECKING:
    from genrescope.export.onnx_file import Exported


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope export runs/first web/genres.onnx --check song.mp3")(export)


def export(
    model: Annotated[Path, typer.Argument(help="Run folder, model file, or a name of `genrescope models`.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.onnx", help="The file; MODEL_CARD.md is written with it.")],
    check: Annotated[
        list[Path] | None,
        typer.Option(help="Audio to compare with torch, may be repeated; by default synthesised music."),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Weights in 8 bits; what that costs is measured.")] = False,
    data: Annotated[
        str | None, typer.Option(help="Labelled audio to measure the accuracy cost of --int8 on: DATA.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a model as one ONNX file: waveform in, scores out, the log-mel inside. It needs no torch to run.

    It is compared with torch first, and refused if a track's score differs by more than 1e-4.
    """
    from genrescope.export.onnx_file import export as write

    with resumable("Run the same command again."), bar_of(quiet=quiet) as bar:
        task = bar.add_task("loading", total=None)
        done = write(
            model, out, check=check or (), int8=int8, data=data,
            on_step=lambda step: bar.update(task, description=step),
            on_track=lambda at, total: bar.update(task, description="scoring", completed=at, total=total),
        )  # fmt: skip
    _say_result(done, quiet=quiet)
    next_step("predict", model, "SONG", quiet=quiet)


def _say_result(done: Exported, *, quiet: bool) -> None:
    from genrescope.export.card import cost_lines, counted

    parity = done.parity
    print(
        f"largest difference from torch: {parity.largest:.1e}, of windows {parity.largest_of_windows:.1e} "
        f"({counted(parity.windows, 'window')} of {counted(parity.sounds, 'sound')}; accepted are 1e-04 and 1e-03)"
    )
    for line in cost_lines(done.cost) if done.cost else ():
        print(line)
    say(f"{done.path}: {done.path.stat().st_size / 1e6:.1f} MB; model card: {done.card}", quiet=quiet)
