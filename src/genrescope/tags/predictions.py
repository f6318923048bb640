"""Files of predictions, as `genrescope predict --out` writes them, read for the songs to be tagged."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope import records, tables
from genrescope.errors import DataError
from genrescope.tags.plan import Scored

if TYPE_CHECKING:
    from collections.abc import Iterator

_FACTS = frozenset(
    ["path", "artist", "title", "album", "genre", "confidence", "unknown", "seconds", "warning", "identity", "model"]
)
"""Columns of a table that are no scores."""

_LARGEST_SUM = 1.001  # of scores of labels that exclude each other: 1, and what rounding adds


@dataclass(frozen=True)
class Predictions:
    """A file of predictions.

    Attributes:
        songs: what stands there of each song, by its path as it stands there; of two rows the later counts.
        models: fingerprints of the models that made them, as far as they are known.
        thresholds: whether the file says which labels reach their thresholds; where no song has such a label, whether
            the scores are those of labels that do not exclude each other.
    """

    songs: dict[Path, Scored] = field(default_factory=dict)
    models: frozenset[str] = frozenset()
    thresholds: bool = False

    def of(self, path: Path) -> Scored | None:
        """Return what stands there of a file, whatever path leads to it."""
        return self.songs.get(path) or self._real.get(os.path.realpath(path))

    @cached_property
    def _real(self) -> dict[str, Scored]:
        return {os.path.realpath(path): scored for path, scored in self.songs.items()}


def read(path: Path) -> Predictions:
    """Read a file of predictions: JSON Lines, or CSV by its ending.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    rows = list(_csv(path) if path.suffix.lower() == ".csv" else _json_lines(path))
    if not rows:
        raise DataError(f"{path} has no predictions; accepted is what genrescope predict --out has written")
    thresholds = any(map(_has_thresholds, (scored for _, scored, _ in rows)))
    songs = {place: scored if thresholds else replace(scored, labels=None) for place, scored, _ in rows}
    return Predictions(songs, frozenset(model for *_, model in rows if model), thresholds)


def _has_thresholds(scored: Scored) -> bool:
    """Whether labels of a song reach thresholds, or its scores add up to more than those of labels that exclude others.

    Less than 1 is no sign of it: `predict --top` leaves scores out.
    """
    return bool(scored.labels) or (scored.labels is not None and sum(scored.scores.values()) > _LARGEST_SUM)


def _json_lines(path: Path) -> Iterator[tuple[Path, Scored, str]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; accepted is what genrescope predict --out has written")
    for number, line in enumerate(records.read_lines(path), 1):
        try:
            row = json.loads(line)
            yield Path(row["path"]), _of_record(row), str(row.get("model", ""))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path}, line {number}: no prediction ({error}); accepted is what genrescope predict --out has written"
            ) from error


def _of_record(row: dict[str, Any]) -> Scored:
    return Scored(_ranked(row["scores"]), tuple(row.get("labels", ())), bool(row.get("unknown")), not row["genre"])


def _csv(path: Path) -> Iterator[tuple[Path, Scored, str]]:
    for number, row in tables.numbered_rows(path, required=["path", "genre", "confidence"]):
        try:
            scores = _ranked(_scores(row))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
        unknown = row.get("unknown", "").lower() in ("true", "1")
        yield Path(row["path"]), Scored(scores, None, unknown, not row["genre"]), row.get("model", "")


def _scores(row: dict[str, str]) -> dict[str, float]:
    """Return the scores of a row: a column for each label, or `genre_1,score_1,genre_2,...`."""
    if "genre_1" in row:
        places = [name.removeprefix("genre_") for name in row if name.startswith("genre_")]
        return {row[f"genre_{each}"]: float(row[f"score_{each}"]) for each in places if row[f"genre_{each}"]}
    return {name.removesuffix(" (score)"): float(cell) for name, cell in row.items() if name not in _FACTS and cell}


def _ranked(scores: dict[str, float]) -> dict[str, float]:
    if not scores or not all(isinstance(score, int | float) and math.isfinite(score) for score in scores.values()):
        raise ValueError("its scores are no numbers")
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
