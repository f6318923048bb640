"""Loading: from a model file, a run folder or a name to a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from genrescope import modelfile
from genrescope.devices import choose_device
from genrescope.features.placement import WINDOWS, Choice
from genrescope.inference.classifier import Classifier
from genrescope.threads import limited

if TYPE_CHECKING:
    import os


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    threads: int | None = None,
    windows: int | Literal["all"] = WINDOWS,
    excerpt: float | None = None,
) -> Classifier:
    """Load a classifier from a model file, a run folder, the folder of a cross-validation, or the shelf.

    Args:
        model: path of a `.safetensors` file that genrescope wrote, or of a folder that it left; or, where no such path
            exists, a name that `genrescope models` lists. The models of a cross-validation's folds become an ensemble:
            the mean of their probabilities. None takes the model `genres`, which needs no training; the first time
            its weights are fetched (`genrescope models show genres`).
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: processor threads that a prediction takes, as `Classifier` has it.
        windows: how many windows of a song are scored at most, spread evenly over it; or `all`.
        excerpt: seconds in the middle of a song in which they lie; None takes the whole song.

    Returns:
        A classifier that is ready for any number of songs.

    Raises:
        ModelFileError: the file is not fetched yet, truncated, damaged, foreign or of another format.
        ModelNotFoundError: there is no such file, folder or name.
        TrainingError: this machine has no such device.
        ValueError: `windows` or `excerpt` is not accepted.
    """
    Choice.of(windows, excerpt)  # before any work
    if model is None:
        from genrescope.modelfile import shelf

        _, model = shelf.get(shelf.DEFAULT)
    with limited(1):
        loaded = modelfile.load(Path(model), device=choose_device(device))
    return Classifier(loaded, threads=threads, windows=windows, excerpt=excerpt)
