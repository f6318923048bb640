"""The progress of a long job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Progress(Generic[_Item]):
    """The progress of a job, reported at its start and after every item.

    Attributes:
        done: items finished, those of earlier runs included.
        total: items in all.
        item: what is known of the item just finished; None at the start.
    """

    done: int
    total: int
    item: _Item | None = None
