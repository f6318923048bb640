"""Loading the model that a command was given, or the one that needs no training."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from genrescope.cli.console import say
from genrescope.features.placement import WINDOWS

if TYPE_CHECKING:
    from genrescope.inference.classifier import Classifier

ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="Run folder, model file, or a name of `genrescope models`; by default `genres`."),
]


def load_model(
    model: Path | None,
    *,
    device: str = "auto",
    threads: int | None = None,
    windows: int | Literal["all"] = WINDOWS,
    excerpt: float | None = None,
    quiet: bool,
) -> tuple[Classifier, str]:
    """Return a classifier and its name, or where it lies; the default model is fetched the first time."""
    from genrescope.inference.loading import load
    from genrescope.modelfile import shelf

    opened = partial(load, device=device, threads=threads, windows=windows, excerpt=excerpt)
    if model is not None:
        return opened(model), str(model.absolute() if model.exists() else model)
    new, path = shelf.get(shelf.DEFAULT, on_step=lambda step: say(step, quiet=quiet))
    if new:
        say(f"{', '.join(new)}: on the shelf now. Terms: genrescope models show {shelf.DEFAULT}", quiet=quiet)
    return opened(path), shelf.DEFAULT
