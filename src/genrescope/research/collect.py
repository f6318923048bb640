"""Results that were left in folders, put together: one row for what differs in its seed alone."""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope import splits
from genrescope.errors import DataError, GenrescopeError
from genrescope.evaluation import cost, evaluate, metrics
from genrescope.files import fingerprint, read_text
from genrescope.splits import duplicates, subsets
from genrescope.store.store import open_store
from genrescope.training import recipe as recipes
from genrescope.training.recipe_transfer import TuningRecipe
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTE = "experiment.json"
"""What a study notes in each run's folder: the experiment's name, its share, what identifies it."""

LEVELS = {"first": "first window", "window": "all windows", "vote": "windows vote"}
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_SEED = re.compile(r"seed \d+(, )?|, fold \S+|, [\d.]+ % of the \w+")


@dataclass(frozen=True)
class Scored:
    """What one seed left behind.

    Attributes:
        path: a run folder or a cross-validation.
        result: the content of its `evaluation.json` or `crossval.json`.
        runs: its run folders: one, or one for each fold.
        note: the content of its `experiment.json`; empty where no study made it.
        unit_of: artist of each track, as far as known; None where the store is gone or knows none.
    """

    path: Path
    result: dict[str, Any]
    runs: tuple[Path, ...]
    note: dict[str, Any]
    unit_of: Mapping[str, str] | None

    @property
    def seed(self) -> int | None:
        """The seed of the training."""
        seed: int | None = self.result["model"]["seed"]
        return seed

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
        settings = evaluate.settings(self.result["model"])
        recipe = {key: value for key, value in settings.items() if key not in ("name", "intent")}
        data = self.result["data"]
        share = [self.note.get("share", 1.0), self.note.get("by")] if self.note.get("share", 1.0) < 1 else []
        return fingerprint([recipe, data["fingerprint"], split_told(data["split"]), data["part"], share])


@dataclass(frozen=True)
class Row:
    """Results of one experiment over its seeds.

    Attributes:
        name: of the experiment.
        scored: a result for each seed.
    """

    name: str
    scored: tuple[Scored, ...]

    def accuracy(self, level: str) -> dict[str, Any]:
        """Return mean, lowest and highest over seeds, and the intervals over tracks and over artists."""
        values = [each.result["accuracy"][level]["value"] for each in self.scored]
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
        learnt = [each.learnt for each in self.scored]
        artists = [each["artists"] for each in learnt if each["artists"] is not None]
        recipe, data = evaluate.settings(first.result["model"]), first.result["data"]
        return {
            "name": self.name,
            "recipe": recipe["name"],
            "changes": changes(recipe),
            "verdict": first.result["verdict"],
            "data": {"name": data["name"], "fingerprint": data["fingerprint"], "genres": len(first.result["labels"])},
            "split": split_told(data["split"]),
            "part": data["part"],
            "folds": len(first.runs) if "crossval" in first.result else None,
            "share": first.note.get("share", 1.0),
            "by": first.note.get("by", "tracks"),
            "learnt": {
                "tracks": statistics.fmean(float(each["tracks"] or 0) for each in learnt),
                "artists": statistics.fmean(artists) if artists else None,
            },
            "scored": sorted({len(each.result["tracks"]) for each in self.scored}),
            "seeds": [each.seed for each in self.scored],
            "accuracy": {level: self.accuracy(level) for level in LEVELS},
            "parameters": first.result["model"]["parameters"],
            "seconds": statistics.fmean(each.result_seconds / len(each.runs) for each in self.scored),
            "seconds_per_clip": cost.of_run(first.runs[0]) / 1000,
            "threads": sorted({read_run(run)["machine"]["threads"] for each in self.scored for run in each.runs}),
            "notes": list(dict.fromkeys(note for each in self.scored for note in each.result["notes"])),
            "runs": [
                str(each.path.relative_to(out)) if each.path.is_relative_to(out) else str(each.path)
                for each in self.scored
            ],
        }

    def _interval(self, level: str, unit_of: Mapping[str, str] | None) -> list[float]:
        """Resample whole tracks, or whole artists; each brings its verdicts of all seeds."""
        right: dict[str, int] = defaultdict(int)
        total: dict[str, int] = defaultdict(int)
        for each in self.scored:
            for track in each.result["tracks"]:
                unit = unit_of[track["id"]] if unit_of is not None else track["id"]
                right[unit] += track["windows_right"] if level == "window" else track[level] == track["genre"]
                total[unit] += track["windows"] if level == "window" else 1
        return list(metrics.resampled_interval(list(right.values()), list(total.values())))


def read(path: Path) -> Scored:
    """Read what a run or a cross-validation left behind.

    Raises:
        DataError: it is neither, or a run that was not scored.
    """
    crossval, evaluation, note = (path / name for name in ("crossval.json", "evaluation.json", NOTE))
    if not crossval.exists() and not evaluation.exists():
        read_run(path)
        raise DataError(f"{path} has not been scored yet; run: genrescope evaluate {path} --part validation")
    try:
        result = json.loads(read_text(crossval if crossval.exists() else evaluation))
        told = json.loads(read_text(note)) if note.exists() else {}
        runs = tuple(path / fold["run"] for fold in result["crossval"]["folds"]) if crossval.exists() else (path,)
        ids = [row["id"] for row in result["tracks"]]
        return Scored(path, result, runs, told, _units(runs, ids, result["data"]["fingerprint"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"the results in {path} are damaged: {error!r}; score it again") from error


def row(name: str, scored: Sequence[Scored]) -> Row:
    """Put the results of an experiment's seeds together."""
    return Row(name, tuple(sorted(scored, key=lambda each: (each.seed or 0, str(each.path)))))


def rows(folders: Sequence[Path]) -> list[Row]:
    """Read all results below some folders and put together what differs in its seed alone.

    Args:
        folders: run folders, cross-validations, studies, or folders of such.

    Raises:
        DataError: a folder holds no results.
    """
    groups: dict[str, dict[Any, Scored]] = defaultdict(dict)
    for path in dict.fromkeys(found for folder in folders for found in _results_in(folder)):
        scored = read(path)
        same = scored.seed, splits.read(path / "split.csv").fingerprint  # the same run twice is no further seed
        groups[scored.kind].setdefault(same, scored)
    found = [
        row(_recipe_told(evaluate.settings(next(iter(its.values())).result["model"])), list(its.values()))
        for its in groups.values()
    ]
    return sorted(found, key=_place)


def markdown(rows: Sequence[dict[str, Any]], *, named: bool = True) -> str:
    """Return a Markdown table of rows.

    Args:
        rows: as `Row.to_dict` returns them.
        named: whether experiments have names of their own, so that there is a column for them.
    """
    heads = [
        *(["experiment"] if named else []), "recipe", "genres", "split, part scored", "tracks: learnt, scored", "seeds",
        *LEVELS.values(), "parameters", "training", "a clip",
    ]  # fmt: skip
    lines = [heads, ["---"] * len(heads)]
    for each in rows:
        scored = " / ".join(map(str, each["scored"]))
        lines.append(
            [
                *([each["name"]] if named else []),
                recipe_cell(each),
                f"{each['data']['genres']}{of_data(each, rows)}",
                split_cell(each),
                f"{each['learnt']['tracks']:.0f}, {scored}",
                str(len(each["seeds"])),
                *(accuracy_cell(each, level) for level in LEVELS),
                f"{each['parameters']:,}",
                duration(each["seconds"]),
                f"{1000 * each['seconds_per_clip']:.0f} ms",
            ]
        )
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def write_between(page: Path, text: str) -> None:
    """Put a table between the marks of a page; all else on it stays.

    Raises:
        DataError: the page lacks the marks.
    """
    from genrescope.files import write_text

    try:
        before = read_text(page, strict=True)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{page} cannot be read: {error}") from error
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise DataError(f"{page} lacks the lines {BEGIN} and {END}, between which the table goes")
    write_text(page, f"{head}{BEGIN}\n{text}\n{END}{tail}")


def of_data(each: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return ` of KIND:FOLDER` of a row's data; nothing where no row has as many genres of another folder."""
    its = each["data"]
    others = (other["data"] for other in rows)
    if all(data["genres"] != its["genres"] or _folder(data) == _folder(its) for data in others):
        return ""
    kind, colon, _ = str(its["name"]).rpartition(":")
    return f" of {kind}{colon}{_folder(its)}"


def _folder(data: Mapping[str, Any]) -> str:
    """Return the name of the data's folder; where it lies on this machine is nobody's business."""
    return Path(str(data["name"]).rpartition(":")[2]).name


def recipe_cell(each: Mapping[str, Any]) -> str:
    """Return a row's recipe and what was changed of it."""
    changed = "".join(f", {key} = {value}" for key, value in each["changes"].items())
    return f"`{each['recipe']}`{changed}"


def split_cell(each: Mapping[str, Any]) -> str:
    """Return a row's split, what was scored of it, and the share that was learnt."""
    share = f", {100 * each['share']:g} % of the {each['by']}" if each["share"] < 1 else ""
    part = f", {each['part']}" if each["part"] else ""
    return f"{each['split']}{part}{share}"


def accuracy_cell(each: Mapping[str, Any], level: str) -> str:
    """Return an accuracy in percent: its mean, its intervals over tracks and artists, its lowest and highest seed."""
    its = each["accuracy"][level]
    told = [f"tracks {_range(its['interval_by_tracks'])}"]
    if its["interval_by_artists"] is not None:
        told.append(f"artists {_range(its['interval_by_artists'])}")
    if len(each["seeds"]) > 1:
        told.append(f"seeds {100 * its['lowest']:.1f} to {100 * its['highest']:.1f}")
    mean = f"{100 * its['mean']:.1f}"
    return (f"**{mean}**" if level == each["verdict"] else mean) + f" ({'; '.join(told)})"


def duration(seconds: float) -> str:
    """Return a duration as a table has it.

    Example:
        >>> duration(0.24), duration(12.2), duration(100), duration(4000)
        ('0.2 s', '12 s', '1.7 min', '1.1 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def split_told(method: str) -> str:
    """Return how a split was made, without its seed.

    Example:
        >>> split_told("stratified-group (seed 0, 5 folds)"), split_told("random (seed 3)")
        ('stratified-group (5 folds)', 'random')
    """
    return _SEED.sub("", method).replace(" ()", "").strip()


def changes(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the shipped recipe of the same name, by dotted key.

    Fine-tunings of published networks are held against what such a recipe has by default.
    """
    if "tuning" in recipe:
        shipped = TuningRecipe.defaults()
    elif recipe["name"] in recipes.names():
        shipped = recipes.load(recipe["name"]).model_dump()
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
    data = first.result["data"]
    told = split_told(data["split"]), data["part"] or ""
    return len(first.result["labels"]), *told, row.name, first.note.get("by", ""), first.note.get("share", 1.0)


def _results_in(folder: Path) -> list[Path]:
    """Return the runs and cross-validations in a folder, however deep, but not the folds of a cross-validation."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of results")
    if any((folder / name).exists() for name in ("crossval.json", "evaluation.json", "run.json")):
        return [folder]
    found = [path for inner in sorted(folder.iterdir()) if inner.is_dir() for path in _scored_in(inner)]
    if not found:
        raise DataError(f"{folder} holds no results: no run that was scored, and no cross-validation that has ended")
    return found


def _scored_in(folder: Path) -> list[Path]:
    """Return the results in a folder; runs that were not scored are passed over."""
    if any((folder / name).exists() for name in ("crossval.json", "evaluation.json")):
        return [folder]
    if (folder / "run.json").exists():
        return []
    return [path for inner in sorted(folder.iterdir()) if inner.is_dir() for path in _scored_in(inner)]


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


def _range(bounds: Sequence[float]) -> str:
    return f"{100 * bounds[0]:.0f} to {100 * bounds[1]:.0f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
