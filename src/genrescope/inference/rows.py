"""What a file of predictions says of a song: a record with all that is known, or a row with a column for each score."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope import files
from genrescope.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.inference.prediction import Prediction

_TAGS = ("artist", "title", "album")
FIRST = ("path", *_TAGS, "genre", "confidence", "unknown", "seconds", "warning")
"""The first columns of a table of predictions."""

LAST = ("identity", "model")
"""Its last columns: the file as it lay on the disk (`device:inode:size:mtime_ns`), and the model's fingerprint."""


ERROR = "error"
"""The column of why a song failed, where failures have rows; empty for all others."""


@dataclass(frozen=True)
class RowSpec:
    """How predictions become rows.

    Attributes:
        labels: the model's labels, each a column.
        model: its fingerprint.
        top: how many labels are written, the highest first; None writes all. In a table, `genre_1,score_1,genre_2,...`
            take the place of a column for each label.
        min_confidence: a song whose highest score is below has no genre; its scores are written all the same.
        failures: whether songs that failed have rows, too, with the reason in a column `error`.
    """

    labels: tuple[str, ...]
    model: str = ""
    top: int | None = None
    min_confidence: float = 0.0
    failures: bool = False

    @property
    def score_columns(self) -> tuple[str, ...]:
        """The columns of the scores."""
        if self.top is not None:
            return tuple(f"{what}_{place}" for place in range(1, self._places + 1) for what in ("genre", "score"))
        return tuple(f"{label} (score)" if label in (*FIRST, *LAST, ERROR) else label for label in self.labels)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of a table."""
        return (*FIRST, *self.score_columns, *((ERROR,) if self.failures else ()), *LAST)

    @property
    def _places(self) -> int:
        return min(self.top or 0, len(self.labels))

    def counts(self, confidence: float) -> bool:
        """Whether a song has a genre at this confidence."""
        return round(confidence, 6) >= self.min_confidence

    def record(self, prediction: Prediction, identity: str) -> dict[str, Any]:
        """Return all that is known, as JSON-like values; the genre is None where it is below the lowest confidence."""
        facts = prediction.to_dict()
        facts["genre"] = facts["genre"] if self.counts(prediction.confidence) else None
        if self.top is not None:
            for scored in (facts, *facts["windows"]):
                scored["scores"] = dict(sorted(scored["scores"].items(), key=lambda item: -item[1])[: self.top])
        path, name = facts.pop("path"), facts.pop("name")
        tags = _tags(prediction.path)
        return {"path": path, "name": name, **tags, **facts, "identity": identity, "model": self.model}

    def flat(self, prediction: Prediction, identity: str) -> dict[str, Any]:
        """Return one value for each column: text, numbers, None; windows are left out."""
        facts = self.record(prediction, identity)
        if self.top is None:
            values = [facts["scores"][label] for label in self.labels]
        else:
            values = [value for pair in facts["scores"].items() for value in pair]
        scores = dict(zip(self.score_columns, values, strict=True))
        error = {ERROR: None} if self.failures else {}
        return {**{name: facts[name] for name in FIRST}, **scores, **error, **{name: facts[name] for name in LAST}}

    def failure(self, path: str, identity: str, reason: str) -> dict[str, Any]:
        """Return the row of a song that failed: path, reason, identity and model, and nothing else."""
        known = {"path": text(path), ERROR: text(reason), "identity": identity, "model": self.model}
        return dict.fromkeys(self.columns) | known

    def amended(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row as it reads with this lowest confidence: its genre comes back, or goes."""
        counts = float(row["confidence"]) >= self.min_confidence
        if counts == bool(row["genre"]):
            return row
        return row | {"genre": self._best(row) if counts else None}

    def _best(self, row: dict[str, Any]) -> str:
        if isinstance(row.get("scores"), dict):  # in a table it is a label of this name
            return str(next(iter(row["scores"])))
        if self.top is not None:
            return str(row["genre_1"])
        scores = [float(row[column]) for column in self.score_columns]
        return self.labels[scores.index(max(scores))]


def absolute(path: Path | None) -> str | None:
    """Return a path as files of predictions have it: absolute, links kept."""
    return None if path is None else str(files.absolute(path))


def text(value: str) -> str:
    r"""Return text without what is no Unicode: bytes of a name in another encoding are shown escaped.

    Example:
        >>> text("caf\udce9.mp3")
        'caf\\xe9.mp3'
    """
    return value.encode("utf-8", "surrogateescape" if _is_bytes(value) else "replace").decode(
        "utf-8", "backslashreplace"
    )


def _is_bytes(value: str) -> bool:
    return all(not "\ud800" <= sign <= "\udfff" or "\udc80" <= sign <= "\udcff" for sign in value)


def _tags(path: Path | None) -> dict[str, str]:
    """Return artist, title and album as the file's tags have them; empty where they cannot be read."""
    from genrescope.tags.read import Tags, read

    found = Tags()
    if path is not None:
        with contextlib.suppress(AudioError):
            found = read(path)
    return {name: text(getattr(found, name)) for name in _TAGS}
