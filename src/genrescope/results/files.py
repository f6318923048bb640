"""How results are read and written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from genrescope.errors import DataError
from genrescope.files import read_text, write_json
from genrescope.results.comparison import Comparison
from genrescope.results.evaluation import Evaluation
from genrescope.results.multi_label import MultiLabelEvaluation
from genrescope.results.record import FORMAT, Record
from genrescope.results.robustness import RobustnessResult

if TYPE_CHECKING:
    from pathlib import Path

EVALUATION_NAME = "evaluation.json"
CROSSVAL_NAME = "crossval.json"
COMPARE_NAME = "compare.json"
ROBUSTNESS_NAME = "robustness.json"

_Result = TypeVar("_Result", bound=Record)
_Tracks = TypeVar("_Tracks", bound=Evaluation)


def write(result: Record, path: Path) -> None:
    """Write a result, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_json(path, result.model_dump())


def read_evaluation(path: Path) -> Evaluation:
    """Read an `evaluation.json`.

    Raises:
        DataError: it is missing, damaged, foreign or too new, or holds no tracks.
    """
    return read_tracks(path, Evaluation)


def read_comparison(path: Path) -> Comparison:
    """Read a `compare.json`; raises as `read_evaluation`."""
    return _read(path, Comparison)


def read_robustness(path: Path) -> RobustnessResult:
    """Read a `robustness.json`; raises as `read_evaluation`."""
    return _read(path, RobustnessResult)


def read_scored(path: Path, kind: type[_Tracks]) -> _Tracks | MultiLabelEvaluation:
    """Read results of one kind, or those of tracks that have several genres; raises as `read_evaluation`."""
    content = _content(path)
    if "mean_average_precision" in content:
        return _made(MultiLabelEvaluation, content, path)
    result = _made(kind, content, path)
    if not result.tracks:
        raise DataError(f"{path} holds no tracks")
    return result


def read_tracks(path: Path, kind: type[_Tracks]) -> _Tracks:
    """Read results of one kind that hold tracks; raises as `read_evaluation`.

    Raises:
        DataError: also where the tracks have several genres.
    """
    result = read_scored(path, kind)
    if isinstance(result, MultiLabelEvaluation):
        raise DataError(
            f"{path}: its tracks have several genres each, and this needs one genre a track. See its figures with: "
            f"genrescope evaluate {path.parent}"
        )
    return result


def _read(path: Path, kind: type[_Result]) -> _Result:
    return _made(kind, _content(path), path)


def _made(kind: type[_Result], content: dict[str, Any], path: Path) -> _Result:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path} is damaged: {_first(error)}; make it again") from error
    except RecursionError as error:
        raise DataError(f"{path} is damaged: {error}; make it again") from error


def _content(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(read_text(path))
        _check_format(content, path)
        return content
    except FileNotFoundError:
        raise DataError(f"there is no {path}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {error}; make it again") from error


def _check_format(content: Any, path: Path) -> None:
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise ValueError("it tells no format, so it is none of genrescope's")
    made = content["format"]
    if made > FORMAT:
        raise DataError(
            f"{path} was written by a newer version of genrescope (format {made}; this one reads {FORMAT}); update it"
        )


def _first(error: ValidationError) -> str:
    faults = error.errors()
    where = ".".join(map(str, faults[0]["loc"])) or "the whole"
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return f"{where}: {faults[0]['msg']}{more}"
