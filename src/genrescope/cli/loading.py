"""Loading the model that a command was given, or the one that needs no training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import say

if TYPE_CHECKING:
    from genrescope.inference.classifier import Classifier

ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="Run folder, model file, or a name of `genrescope models`; by default `genres`."),
]


def load_model(model: Path | None, *, device: str = "auto", quiet: bool) -> tuple[Classifier, str]:
    """Return a classifier and its name, or where it lies; the default model is fetched the first time."""
    from genrescope.inference.classifier import load
    from genrescope.modelfile import shelf

    if model is not None:
        return load(model, device=device), str(model.absolute() if model.exists() else model)
    new, path = shelf.get(shelf.DEFAULT, on_step=lambda step: say(step, quiet=quiet))
    if new:
        say(f"fetched {', '.join(new)}. Terms: genrescope models show {shelf.DEFAULT}", quiet=quiet)
    return load(path, device=device), shelf.DEFAULT
