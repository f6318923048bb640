"""Where the results of a run lie, so that those of one part or data set never take the place of another's.

```
RUN/evaluation.json                     the part `test`
RUN/evaluation-<part>/evaluation.json   another part
RUN/evaluation-<data>/evaluation.json   other labelled audio, by the last name in its path
CROSSVALIDATION/crossval.json           all tracks of a cross-validation
```
Each folder also has the figures and the report. Where a folder has the name but holds results of something else, the
next free one of `-2`, `-3` ... is taken.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.results.evaluation import CrossValidation, Evaluation
from genrescope.results.files import CROSSVAL_NAME, EVALUATION_NAME, read_scored, read_tracks

if TYPE_CHECKING:
    from genrescope.results.facts import DataFacts
    from genrescope.results.multi_label import MultiLabelEvaluation

OWN_PART = "test"
"""The part whose results lie in the run folder itself."""
_STAND_IN = "validation"  # the part that is taken where `test` was not scored


def evaluation_folder(home: Path, model: str, data: DataFacts) -> Path:
    """Return the folder for the results of a model on some data.

    Args:
        home: the folder of the model file, or of the cross-validation.
        model: name of the model file.
        data: what was scored.
    """
    if data.part == OWN_PART:
        return home
    name = f"evaluation-{_slug(data.part or data.name)}"
    folders = (home / (f"{name}-{number}" if number > 1 else name) for number in itertools.count(1))
    return next(
        folder
        for folder in folders
        if not (folder / EVALUATION_NAME).exists() or _is_of(folder / EVALUATION_NAME, model, data)
    )


def result_file(folder: Path, part: str | None = None) -> Path | None:
    """Return the file of what a run, or a cross-validation, scored; None where there is none.

    Args:
        folder: a run folder, a cross-validation, or any folder of results.
        part: the part that was scored; None takes `test`, and where that was not scored `validation`. A
            cross-validation scores all tracks, whatever part is asked for.
    """
    if (folder / CROSSVAL_NAME).is_file():
        return folder / CROSSVAL_NAME
    if part is None:
        own = folder / EVALUATION_NAME
        return own if own.is_file() else result_file(folder, _STAND_IN)
    files = (folder / EVALUATION_NAME, *sorted(folder.glob(f"evaluation-{_slug(part)}*/{EVALUATION_NAME}")))
    return next((path for path in files if path.is_file() and read_scored(path, Evaluation).data.part == part), None)


def read_result(folder: Path, part: str | None = None) -> Evaluation:
    """Read what a run or a cross-validation scored: a `CrossValidation` where there is a `crossval.json`.

    Args:
        folder: as for `result_file`.
        part: as for `result_file`.

    Raises:
        DataError: there is neither, or as `read_evaluation`.
    """
    path = result_file(folder, part)
    if path is not None:
        return read_tracks(path, CrossValidation if path.name == CROSSVAL_NAME else Evaluation)
    if (folder / "run.json").exists():
        which, option = (f" on its part {part}", f" --part {part}") if part is not None else ("", "")
        raise DataError(f"{folder} was not scored yet{which}; score it with: genrescope evaluate {folder}{option}")
    raise DataError(
        f"{folder} has no {EVALUATION_NAME} or {CROSSVAL_NAME}; give a run folder that was evaluated, or the folder "
        "of a cross-validation (genrescope train --folds)"
    )


def read_either(folder: Path) -> Evaluation | MultiLabelEvaluation:
    """Read what a cross-validation scored, of tracks with one genre or several; raises as `read_evaluation`."""
    return read_scored(folder / CROSSVAL_NAME, CrossValidation)


def _is_of(path: Path, model: str, data: DataFacts) -> bool:
    """Whether results are of this model and data; those that cannot be read are of others."""
    try:
        before = read_scored(path, Evaluation)
    except DataError:
        return False
    same = data.part is not None or data.name == before.data.name or data.fingerprint == before.data.fingerprint
    return (before.model.file, before.data.part) == (model, data.part) and same


def _slug(name: str) -> str:
    last = Path(name.rpartition(":")[2]).name
    return "".join(c if c.isalnum() else "-" for c in last).strip("-") or "data"
