"""What every measurement leaves: a result, and the page that shows it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

from genrescope.errors import DataError
from genrescope.results import MultiLabelEvaluation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.store.index import IndexRow

_Options = ParamSpec("_Options")
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


def for_one_genre(
    measure: Callable[_Options, Written[_Result | MultiLabelEvaluation]], name: str
) -> Callable[_Options, Written[_Result]]:
    """Return a measurement under another name, which refuses results of tracks that have several genres.

    It takes the same arguments, and raises a `DataError` where tracks have several genres.
    """

    @functools.wraps(measure)
    def measure_one(*args: _Options.args, **options: _Options.kwargs) -> Written[_Result]:
        done = measure(*args, **options)
        if isinstance(done.result, MultiLabelEvaluation):
            raise DataError(
                f"tracks of {done.result.data.name} have several genres, and one each is wanted here; the figures are "
                f"in {done.out}. Programs get them from {name}_any"
            )
        return Written(done.result, done.out, done.report, done.failed)

    measure_one.__name__ = measure_one.__qualname__ = name
    return measure_one
