"""Results that were left in folders, put together: one row for what differs in its seed alone."""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from genrescope import splits
from genrescope.errors import DataError, GenrescopeError
from genrescope.evaluation import cost, metrics
from genrescope.files import fingerprint, read_text
from genrescope.research.tables import LEVELS
from genrescope.results import CrossValidation, read_result, result_file
from genrescope.splits import duplicates, subsets
from genrescope.store.store import open_store
from genrescope.training import recipe as recipes
from genrescope.training.recipe_transfer import TuningRecipe
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from genrescope.results import Evaluation, Level

NOTE = "experiment.json"
"""What a study notes in each run's folder: the experiment's name, its share, what identifies it."""

_SEED = re.compile(r"seed \d+(, )?|, fold \S+|, [\d.]+ % of the \w+")


@dataclass(frozen=True)
class Scored:
    """What one seed left behind.

    Attributes:
        path: a run folder or a cross-validation.
        result: what was scored.
        runs: its run folders: one, or one for each fold.
        note: the content of its `experiment.json`; empty where no study made it.
        unit_of: artist of each track, as far as known; None where the store is gone or knows none.
    """

    path: Path
    result: Evaluation
    runs: tuple[Path, ...]
    note: dict[str, Any]
    unit_of: Mapping[str, str] | None

    @property
    def seed(self) -> int | None:
        """The seed of the training."""
        return self.result.model.seed

    @property
    def result_seconds(self) -> float:
        """Seconds of training in all."""
        return float(sum(read_run(run)["seconds"] for run in self.runs))

    @property
    def learnt(self) -> dict[str, float | None]:
        """Tracks and artists that were learnt from; of folds the mean."""
        ids = [_learnt(run) for run in self.runs]
        artists = [len({self.unit_of[each] for each in its}) for its in ids] if self.unit_of is not None else None
        return {
            "tracks": statistics.fmean(map(len, ids)),
            "artists": statistics.fmean(artists) if artists is not None else None,
        }

    @property
    def kind(self) -> str:
        """A fingerprint that two results share which differ in their seed alone."""
        recipe = {key: value for key, value in self.result.model.recipe.items() if key not in ("name", "intent")}
        data = self.result.data
        share = [self.note.get("share", 1.0), self.note.get("by")] if self.note.get("share", 1.0) < 1 else []
        return fingerprint([recipe, data.fingerprint, split_told(data.split), data.part, share])


@dataclass(frozen=True)
class Row:
    """Results of one experiment over its seeds.

    Attributes:
        name: of the experiment.
        scored: a result for each seed.
    """

    name: str
    scored: tuple[Scored, ...]

    def accuracy(self, level: Level) -> dict[str, Any]:
        """Return mean, lowest and highest over seeds, and the intervals over tracks and over artists."""
        values = [each.result.accuracy.at(level).value for each in self.scored]
        unit_of = self.scored[0].unit_of
        return {
            "mean": statistics.fmean(values),
            "lowest": min(values),
            "highest": max(values),
            "interval_by_tracks": self._interval(level, None),
            "interval_by_artists": self._interval(level, unit_of) if unit_of is not None else None,
        }

    def to_dict(self, out: Path) -> dict[str, Any]:
        """Return the row as `study.json` has it; paths are told from `out`."""
        first = self.scored[0]
        recipe, data, labels = first.result.model.recipe, first.result.data, first.result.labels
        return {
            "name": self.name,
            "recipe": recipe["name"],
            "changes": changes(recipe),
            "verdict": first.result.verdict,
            "data": {"name": data.name, "fingerprint": data.fingerprint, "genres": len(labels)},
            "split": split_told(data.split),
            "part": data.part,
            "folds": len(first.runs) if isinstance(first.result, CrossValidation) else None,
            "share": first.note.get("share", 1.0),
            "by": first.note.get("by", "tracks"),
            "learnt": self._learnt(),
            "scored": sorted({len(each.result.tracks) for each in self.scored}),
            "seeds": [each.seed for each in self.scored],
            "accuracy": {level: self.accuracy(level) for level in LEVELS},
            "parameters": first.result.model.parameters,
            "seconds": statistics.fmean(each.result_seconds / len(each.runs) for each in self.scored),
            "seconds_per_clip": cost.of_run(first.runs[0]) / 1000,
            "threads": sorted({read_run(run)["machine"]["threads"] for each in self.scored for run in each.runs}),
            "notes": list(dict.fromkeys(note for each in self.scored for note in each.result.notes)),
            "runs": [
                str(each.path.relative_to(out)) if each.path.is_relative_to(out) else str(each.path)
                for each in self.scored
            ],
        }

    def _learnt(self) -> dict[str, float | None]:
        """Return the mean over seeds of the tracks and the artists that were learnt from."""
        learnt = [each.learnt for each in self.scored]
        artists = [each["artists"] for each in learnt if each["artists"] is not None]
        return {
            "tracks": statistics.fmean(float(each["tracks"] or 0) for each in learnt),
            "artists": statistics.fmean(artists) if artists else None,
        }

    def _interval(self, level: Level, unit_of: Mapping[str, str] | None) -> list[float]:
        """Resample whole tracks, or whole artists; each brings its verdicts of all seeds."""
        right: dict[str, int] = defaultdict(int)
        total: dict[str, int] = defaultdict(int)
        for each in self.scored:
            for track in each.result.tracks:
                unit = unit_of[track.id] if unit_of is not None else track.id
                right[unit] += track.windows_right if level == "window" else track.right_by(level)
                total[unit] += track.windows if level == "window" else 1
        return list(metrics.resampled_interval(list(right.values()), list(total.values())))


def read(path: Path, part: str | None = None) -> Scored:
    """Read what a run or a cross-validation left behind.

    Args:
        path: its folder.
        part: the part that a run was scored on; None takes `test`, or else `validation`.

    Raises:
        DataError: it is neither, or a run that was not scored.
    """
    if result_file(path, part) is None:
        read_run(path)
        wanted = part or "validation"
        raise DataError(f"{path} has not been scored yet; run: genrescope evaluate {path} --part {wanted}")
    result, note = read_result(path, part), path / NOTE
    folds = result.crossval.folds if isinstance(result, CrossValidation) else ()
    runs = tuple(path / fold.run for fold in folds) or (path,)
    try:
        noted = json.loads(read_text(note)) if note.exists() else {}
    except ValueError as error:
        raise DataError(f"{note} is damaged: {error}; run the study again") from error
    ids = [row.id for row in result.tracks]
    return Scored(path, result, runs, noted, _units(runs, ids, result.data.fingerprint))


def row(name: str, scored: Sequence[Scored]) -> Row:
    """Put the results of an experiment's seeds together."""
    return Row(name, tuple(sorted(scored, key=lambda each: (each.seed or 0, str(each.path)))))


def rows(folders: Sequence[Path], part: str | None = None) -> list[Row]:
    """Read all results below some folders and put together what differs in its seed alone.

    Args:
        folders: run folders, cross-validations, studies, or folders of such.
        part: as for `read`.

    Raises:
        DataError: a folder holds no results.
    """
    groups: dict[str, dict[Any, Scored]] = defaultdict(dict)
    for path in dict.fromkeys(found for folder in folders for found in _results_in(folder, part)):
        scored = read(path, part)
        same = scored.seed, splits.read(path / "split.csv").fingerprint  # the same run twice is no further seed
        groups[scored.kind].setdefault(same, scored)
    found = [
        row(_recipe_told(next(iter(its.values())).result.model.recipe), list(its.values())) for its in groups.values()
    ]
    return sorted(found, key=_place)


def split_told(method: str | None) -> str:
    """Return how a split was made, without its seed; nothing where there was none.

    Example:
        >>> split_told("stratified-group (seed 0, 5 folds)"), split_told("random (seed 3)")
        ('stratified-group (5 folds)', 'random')
    """
    return "" if method is None else _SEED.sub("", method).replace(" ()", "").strip()


def changes(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the shipped recipe of the same name, by dotted key.

    Fine-tunings of published networks are held against what such a recipe has by default.
    """
    if "tuning" in recipe:
        shipped = TuningRecipe.defaults()
    elif recipe["name"] in recipes.names():
        shipped = recipes.load_any(recipe["name"]).model_dump()
    else:
        return {}
    return {
        f"{section}.{key}": value
        for section, its in recipe.items()
        if isinstance(its, dict) and isinstance(shipped.get(section), dict)
        for key, value in its.items()
        if key in shipped[section] and shipped[section][key] != value
    }


def _recipe_told(recipe: Mapping[str, Any]) -> str:
    return str(recipe["name"]) + "".join(f", {key} = {value}" for key, value in changes(recipe).items())


def _place(row: Row) -> tuple[Any, ...]:
    """Few genres first; then split by split, recipe by recipe."""
    first = row.scored[0]
    data = first.result.data
    return (
        len(first.result.labels),
        split_told(data.split),
        data.part or "",
        row.name,
        first.note.get("by", ""),
        first.note.get("share", 1.0),
    )


def _results_in(folder: Path, part: str | None) -> list[Path]:
    """Return the runs and cross-validations in a folder, however deep, but not the folds of a cross-validation."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of results")
    if result_file(folder, part) is not None or (folder / "run.json").exists():
        return [folder]
    found = [path for inner in sorted(folder.iterdir()) if inner.is_dir() for path in _scored_in(inner, part)]
    if not found:
        raise DataError(f"{folder} holds no results: no run that was scored, and no cross-validation that has ended")
    return found


def _scored_in(folder: Path, part: str | None) -> list[Path]:
    if result_file(folder, part) is not None:
        return [folder]
    if (folder / "run.json").exists():
        return []
    return [path for inner in sorted(folder.iterdir()) if inner.is_dir() for path in _scored_in(inner, part)]


def _learnt(run: Path) -> list[str]:
    split, parts = splits.read(run / "split.csv"), set(read_run(run)["parts"])
    return [track_id for track_id, part in split.parts.items() if part in parts]


def _units(runs: Sequence[Path], ids: Sequence[str], wanted: str) -> Mapping[str, str] | None:
    """Return the artist of each track, or None where the runs' store is gone, changed, or knows none."""
    unit_of = _units_of_store(read_run(runs[0])["store"], wanted)
    learnt = {each for run in runs for each in _learnt(run)}
    return unit_of if unit_of is not None and set(ids) | learnt <= set(unit_of) else None


@cache
def _units_of_store(path: str, wanted: str) -> Mapping[str, str] | None:
    try:
        store = open_store(path)
    except GenrescopeError:
        return None
    if store.fingerprint != wanted or not store.has_groups:
        return None
    return subsets.units(store.tracks, pairs=duplicates.in_store(store))
