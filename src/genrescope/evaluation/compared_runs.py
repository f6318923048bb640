"""The runs of a comparison: read, checked for the same tracks, and named by their differences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError, nearest
from genrescope.results import CrossValidation, read_result
from genrescope.tables import flat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.results import Evaluation, TrackRow, Verdict

LEVELS = ("verdict", "vote", "first")
_NAMED = 3  # tracks that an error names


@dataclass(frozen=True)
class Run:
    """A run, or a cross-validation, that was scored.

    Attributes:
        path: its folder.
        level: what makes a track's genre: `first` window or `vote` of all.
        result: what it scored.
    """

    path: Path
    level: Verdict
    result: Evaluation

    @property
    def recipe(self) -> dict[str, Any]:
        """The whole recipe, and what the training began from, if anything."""
        return self.result.model.recipe

    @property
    def rows(self) -> dict[str, TrackRow]:
        """The tracks' rows by their ids."""
        return {row.id: row for row in self.result.tracks}

    @property
    def model(self) -> Path:
        """The folder of its model; of a cross-validation, that of the first fold."""
        if isinstance(self.result, CrossValidation):
            return self.path / self.result.crossval.folds[0].run
        return self.path

    def right(self, ids: Sequence[str]) -> list[float]:
        """Return 1 for each track that is right at the run's level, else 0."""
        rows = self.rows
        return [float(rows[track_id].right_by(self.level)) for track_id in ids]


def open_run(text: str, level: str, part: str | None = None) -> Run:
    """Read RUN or RUN@LEVEL; a folder whose own name holds an @ is taken as it is.

    Args:
        text: the run.
        level: what makes a track's genre where RUN names no level.
        part: the part that was scored; None takes `test`, or else `validation`.

    Raises:
        DataError: there is no such level, or the run was not scored.
    """
    folder, at, own = text.rpartition("@")
    path, wanted = (Path(folder), own) if at and not Path(text).exists() else (Path(text), level)
    if wanted not in LEVELS:
        raise DataError(f'no level called "{wanted}"; {nearest(wanted, LEVELS)}')
    result = read_result(path, part)
    return Run(path, result.verdict if wanted == "verdict" else "first" if wanted == "first" else "vote", result)


def refuse_repeated(runs: Sequence[Run]) -> None:
    """Refuse a run that is given twice at one level.

    Raises:
        DataError: there is one.
    """
    seen: set[tuple[Path, str]] = set()
    for run in runs:
        key = run.path.resolve(), run.level
        if key in seen:
            raise DataError(f"{run.path} is given twice at the level {run.level}")
        seen.add(key)


def same_tracks(runs: Sequence[Run]) -> list[str]:
    """Return the ids that all runs hold, in order.

    Raises:
        DataError: one holds others, or labels one otherwise.
    """
    first, truth = runs[0], {track_id: row.genre for track_id, row in runs[0].rows.items()}
    for run in runs[1:]:
        theirs = {track_id: row.genre for track_id, row in run.rows.items()}
        faults = [
            f"{len(ids)} tracks are only in {where.path} ({_some(ids)})"
            for where, ids in ((first, set(truth) - set(theirs)), (run, set(theirs) - set(truth)))
            if ids
        ]
        other = [
            f"{i}: {truth[i]}, then {theirs[i]}" for i in sorted(set(truth) & set(theirs)) if truth[i] != theirs[i]
        ]
        if other:
            faults.append(f"{len(other)} tracks are labelled otherwise ({_some(other)})")
        if faults:
            raise DataError(
                f"{first.path} and {run.path} do not hold the same tracks: {'; '.join(faults)}. Compare runs that were "
                "scored on one part of one split, or cross-validations of one store"
            )
    return sorted(truth)


def _some(names: Sequence[str] | set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:_NAMED]) + (", ..." if len(listed) > _NAMED else "")


def groups_of(runs: Sequence[Run], ids: Sequence[str]) -> list[str] | None:
    """Return the tracks' artists from the first run that knows any; None where none does."""
    for run in runs:
        groups = [run.rows[track_id].group for track_id in ids]
        if any(groups):
            return groups
    return None


def names_of(runs: Sequence[Run]) -> list[str]:
    """Call each by its recipe; where several have one name, add their differences.

    Of two, both have their own values; of more, each but the first has its differences from the first.
    """
    settings = [flat({key: value for key, value in run.recipe.items() if key != "intent"}) for run in runs]
    names = []
    for run, own in zip(runs, settings, strict=True):
        name = str(run.recipe["name"])
        alike = [(other, its) for other, its in zip(runs, settings, strict=True) if other.recipe["name"] == name]
        against = [its for _, its in (alike if len(alike) == 2 else alike[:1])]
        keys = own if len(alike) == 2 else against[0] | own
        telling = [key for key in keys if any(its.get(key) != own.get(key) for its in against)]
        differing = [f"{key.rpartition('.')[2]}={own.get(key, 'none')}" for key in telling]
        level = f" @{run.level}" if any(other.level != run.level for other, _ in alike) else ""
        names.append(", ".join([name, *differing]) + level)
    return names
