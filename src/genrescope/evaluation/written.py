"""What every measurement leaves: a result, and the page that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from genrescope.errors import DataError
from genrescope.results import MultiLabelEvaluation

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.store.index import IndexRow

_Result = TypeVar("_Result")
_Result_co = TypeVar("_Result_co", covariant=True)


@dataclass(frozen=True)
class Written(Generic[_Result_co]):
    """What `evaluate`, `cross_validate` and `robustness` did.

    Attributes:
        result: the content of the JSON file.
        out: the folder it was written to.
        report: the page to look at.
        failed: the rows of the files of `evaluate`'s `data` that could not be used, with their reasons.
    """

    result: _Result_co
    out: Path
    report: Path
    failed: tuple[IndexRow, ...] = ()


def of_one_genre(found: Written[_Result | MultiLabelEvaluation]) -> Written[_Result]:
    """Return what was written where each track has one genre.

    Raises:
        DataError: tracks have several genres.
    """
    result = found.result
    if isinstance(result, MultiLabelEvaluation):
        raise DataError(
            f"tracks of {result.data.name} have several genres, and one each is wanted here; the figures are in "
            f"{found.out}. Programs get them from evaluate_any and cross_validate_any"
        )
    return Written(result, found.out, found.report, found.failed)
