"""One experiment over several seeds: a study whose file is made here, not by hand."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from genrescope import splits
from genrescope.errors import DataError
from genrescope.files import write_text
from genrescope.research.study import TOML_NAME, Studied, study
from genrescope.training import recipe as recipes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.research.study import Ended, StudyProgress
    from genrescope.research.study_file import Experiment
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store


def study_seeds(
    experiment: Experiment,
    out: Path,
    *,
    resume: bool,
    device: str,
    find_pairs: Callable[[Store], Sequence[Pair]],
    on_progress: Callable[[StudyProgress], None],
    on_end: Callable[[Ended], None],
) -> Studied:
    """Run an experiment once for each of its seeds, and put the scores together.

    Args:
        experiment: its paths are taken from the working folder.
        out: folder of the runs and of the study's results.
        resume: go on with the runs in `out`; seeds may be added.
        device: `auto`, `cpu`, `cuda` or `mps`.
        find_pairs: finds the duplicates in a store.
        on_progress: called often.
        on_end: called after each run.

    Returns:
        As `study`; it has one experiment.

    Raises:
        DataError: the experiment cannot be run, or `out` holds runs and `resume` is not set.
    """
    if (out / TOML_NAME).exists() and not resume:
        raise DataError(f"{out} holds runs already; go on with them by --resume, or choose another --out")
    with tempfile.TemporaryDirectory(prefix="genrescope-") as scratch:
        path = Path(scratch) / TOML_NAME
        write_text(path, text_of(experiment))
        return study(path, out, device=device, find_pairs=find_pairs, on_progress=on_progress, on_end=on_end)


def text_of(experiment: Experiment) -> str:
    """Return the file of a study of one experiment, whose paths hold from any folder."""
    here = Path.cwd()
    recipe = recipes.located(experiment.recipe)
    whole = experiment.model_copy(
        update={
            "store": str(here / experiment.store),
            "recipe": str(here / recipe) if recipe.endswith(".toml") else recipe,
            "split": splits.located(experiment.split, here) if experiment.split is not None else None,
        }
    )
    return tomli_w.dumps({"experiment": [whole.model_dump(by_alias=True, exclude_defaults=True, exclude_none=True)]})
