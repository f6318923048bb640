"""Compare runs on the same tracks: which is better, by how much, and whether that is more than chance.

```
OUT/compare.json  OUT/compare.html  OUT/figures/
```
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from genrescope.errors import DataError, nearest
from genrescope.evaluation import crossval, evaluate, metrics, paired
from genrescope.files import fingerprint, read_text, refuse_foreign, write_json
from genrescope.pages.drawing import write_figures
from genrescope.store.index import read_index
from genrescope.store.store import INDEX_FILE, read_header
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


FORMAT = 1
FILE_NAME = "compare.json"
LEVELS = ("verdict", "vote", "first")
_NAMED = 3  # tracks that an error names

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """A run, or a cross-validation, that was scored.

    Attributes:
        path: its folder.
        level: what makes a track's genre: `first` window or `vote` of all.
        result: the content of its `evaluation.json` or `crossval.json`.
    """

    path: Path
    level: str
    result: dict[str, Any]

    @property
    def recipe(self) -> dict[str, Any]:
        """The whole recipe, and what the training began from, if anything."""
        return evaluate.settings(self.result["model"])

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The tracks' rows by their ids."""
        return {row["id"]: row for row in self.result["tracks"]}

    @property
    def model(self) -> Path:
        """The folder of its model; of a cross-validation, that of the first fold."""
        told = self.result.get("crossval")
        return self.path / told["folds"][0]["run"] if told else self.path


@dataclass(frozen=True)
class Compared:
    """What `compare` did.

    Attributes:
        result: the content of `compare.json`.
        page: the page to look at.
    """

    result: dict[str, Any]
    page: Path


@dataclass(frozen=True)
class _Entry:
    """Runs of one recipe, counted at one level, that differ by their seeds."""

    name: str
    runs: tuple[Run, ...]
    right: Floats  # (runs, tracks), 0 or 1

    @property
    def mean(self) -> Floats:
        found: Floats = self.right.mean(axis=0)
        return found


def compare(
    runs: Sequence[str],
    out: str | Path,
    *,
    level: str = "verdict",
    compute: bool = False,
    on_measured: Callable[[str], None] = lambda _: None,
) -> Compared:
    """Compare runs that were scored on the same tracks.

    Runs of one recipe with different seeds count as one: each track by its mean over the seeds. The first is the
    reference that the others are held against.

    Args:
        runs: run folders after `evaluate`, or folders of cross-validations; `RUN@first` or `RUN@vote` chooses the level
            of this one alone.
        out: folder of the results.
        level: what makes a track's genre: `first` window, `vote` of all, or each recipe's own `verdict`.
        compute: time every model on one core as well.
        on_measured: called with the name of each model before it is timed.

    Returns:
        Accuracies and differences with their intervals, and where they were written.

    Raises:
        DataError: there are not two, one was not scored, or they hold other tracks or labels.
    """
    from genrescope.reports import comparison_page

    out = Path(out)
    refuse_foreign(out, (FILE_NAME,), what="the comparison")
    opened = [_open(text, level) for text in runs]
    _refuse_repeated(opened)
    ids = _same_tracks(opened)
    groups = _groups(opened, ids)
    entries = _entries(opened, ids)
    if len(entries) < 2:
        raise DataError("all runs are of one recipe at one level; a comparison needs two or more of them")
    pairs = list(_pairs(entries, groups))
    told = [_told(entry, groups) for entry in entries]
    if compute:
        for entry, its in zip(entries, told, strict=True):
            on_measured(entry.name)
            its["milliseconds"] = _milliseconds(entry.runs[0])
    result = {
        "format": FORMAT,
        "tracks": len(ids),
        "groups": len(set(paired.clusters(groups))) if groups else None,
        "data": sorted({run.result["data"]["name"] for run in opened}),
        "reference": entries[0].name,
        "entries": told,
        "against_reference": _adjusted([pair for pair in pairs if pair["reference"] == entries[0].name]),
        "pairs": pairs,
        "notes": list(_notes(opened)),
    }
    write_json(out / FILE_NAME, result)
    drawn = comparison_page.draw(result)
    write_figures(drawn, out / "figures")
    return Compared(result, comparison_page.write(result, drawn, out / "compare.html"))


def read_result(path: Path) -> dict[str, Any]:
    """Read the `crossval.json` or `evaluation.json` of a folder.

    Raises:
        DataError: there is neither, or it is damaged.
    """
    for name in (crossval.FILE_NAME, evaluate.FILE_NAME):
        try:
            result = json.loads(read_text(path / name))
            if not isinstance(result, dict) or not {"model", "data", "verdict", "tracks"} <= set(result):
                raise ValueError("it lacks keys")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise DataError(f"{path / name} is damaged: {error}; evaluate the run again") from error
        if not result["tracks"]:
            raise DataError(f"{path / name} holds no tracks")
        return result
    if (path / "run.json").exists():
        raise DataError(f"{path} was not scored yet; score it with: genrescope evaluate {path}")
    raise DataError(
        f"{path} has no {evaluate.FILE_NAME} or {crossval.FILE_NAME}; give a run folder that was evaluated, or the "
        "folder of a cross-validation (genrescope train --folds)"
    )


def _open(text: str, level: str) -> Run:
    """Read RUN or RUN@LEVEL; a folder whose own name holds an @ is taken as it is."""
    folder, at, own = text.rpartition("@")
    path, wanted = (Path(folder), own) if at and not Path(text).exists() else (Path(text), level)
    if wanted not in LEVELS:
        raise DataError(f'no level called "{wanted}"; {nearest(wanted, LEVELS)}')
    result = read_result(path)
    return Run(path, result["verdict"] if wanted == "verdict" else wanted, result)


def _refuse_repeated(runs: Sequence[Run]) -> None:
    seen: set[tuple[Path, str]] = set()
    for run in runs:
        key = run.path.resolve(), run.level
        if key in seen:
            raise DataError(f"{run.path} is given twice at the level {run.level}")
        seen.add(key)


def _same_tracks(runs: Sequence[Run]) -> list[str]:
    """Return the ids that all runs hold, in order.

    Raises:
        DataError: one holds others, or labels one otherwise.
    """
    first, truth = runs[0], {track_id: row["genre"] for track_id, row in runs[0].rows.items()}
    for run in runs[1:]:
        theirs = {track_id: row["genre"] for track_id, row in run.rows.items()}
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


def _groups(runs: Sequence[Run], ids: Sequence[str]) -> list[str] | None:
    """Return the tracks' artists from the rows, else from the store of a run; None where no one knows any."""
    for run in runs:
        known = {track_id: row.get("group", "") for track_id, row in run.rows.items()}
        if not any(known.values()):
            known = _stored_groups(run)
        if any(known.values()):
            return [known.get(track_id, "") for track_id in ids]
    return None


def _stored_groups(run: Run) -> dict[str, str]:
    """Look the artists up where the run's store still lies; results of earlier versions do not tell them."""
    try:
        store = Path(read_run(run.model)["store"])
        header = read_header(store)
        if header is None or header["fingerprint"] != run.result["data"]["fingerprint"]:
            return {}
        return {row.id: row.group for row in read_index(store / INDEX_FILE)}
    except DataError:
        return {}


def _entries(runs: Sequence[Run], ids: Sequence[str]) -> list[_Entry]:
    """Put runs of one recipe and level together, in the order in which they were given."""
    together: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        settings = {key: value for key, value in run.recipe.items() if key != "intent"}
        together[fingerprint([settings, run.level])].append(run)
    members = list(together.values())
    return [
        _Entry(name, tuple(its), np.array([_right(run, ids) for run in its]))
        for name, its in zip(_names([its[0] for its in members]), members, strict=True)
    ]


def _right(run: Run, ids: Sequence[str]) -> list[float]:
    rows = run.rows
    return [float(rows[track_id][run.level] == rows[track_id]["genre"]) for track_id in ids]


def _names(runs: Sequence[Run]) -> list[str]:
    """Call each by its recipe; where several have one name, add what tells them apart.

    Of two, both tell their own values; of more, each but the first tells what it does otherwise than the first.
    """
    flat = [dict(_flat({key: value for key, value in run.recipe.items() if key != "intent"})) for run in runs]
    names = []
    for run, own in zip(runs, flat, strict=True):
        name = str(run.recipe["name"])
        alike = [(other, its) for other, its in zip(runs, flat, strict=True) if other.recipe["name"] == name]
        against = [its for _, its in (alike if len(alike) == 2 else alike[:1])]
        keys = own if len(alike) == 2 else against[0] | own
        telling = [key for key in keys if any(its.get(key) != own.get(key) for its in against)]
        told = [f"{key.rpartition('.')[2]}={own.get(key, 'none')}" for key in telling]
        level = f" @{run.level}" if any(other.level != run.level for other, _ in alike) else ""
        names.append(", ".join([name, *told]) + level)
    return names


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _told(entry: _Entry, groups: Sequence[str] | None) -> dict[str, Any]:
    """Describe an entry: its runs, and their accuracy over seeds."""
    by_run = entry.right.mean(axis=1).tolist()
    mean = statistics.fmean(by_run)
    tracks = entry.right.shape[1]
    alone = len(by_run) == 1
    interval = metrics.wilson(round(mean * tracks), tracks) if alone else paired.resampled_mean(entry.mean)
    return {
        "name": entry.name,
        "recipe": entry.runs[0].recipe["name"],
        "level": entry.runs[0].level,
        "parameters": entry.runs[0].result["model"]["parameters"],
        "runs": [str(run.path) for run in entry.runs],
        "seeds": [run.result["model"]["seed"] for run in entry.runs],
        "accuracy": {
            "mean": mean,
            "interval": list(interval),
            "interval_by_groups": None if groups is None else list(paired.resampled_mean(entry.mean, groups)),
            "by_run": by_run,
            "lowest": min(by_run),
            "highest": max(by_run),
            "deviation": None if alone else statistics.stdev(by_run),
        },
    }


def _pairs(entries: Sequence[_Entry], groups: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    for reference, entry in combinations(entries, 2):
        named = {"name": entry.name, "reference": reference.name}
        yield named | paired.difference(entry.mean, reference.mean, groups)


def _adjusted(pairs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Allow the p values for how many systems are held against the reference."""
    adjusted = paired.holm([pair["p"] for pair in pairs])
    return [pair | {"p_holm": p} for pair, p in zip(pairs, adjusted, strict=True)]


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    """Tell what a reader must know of each run; what several say is told once."""
    said: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for note in run.result.get("notes", []):
            if str(run.path) not in said[note]:
                said[note].append(str(run.path))
    for note, paths in said.items():
        yield f"{', '.join(paths)}: {note}" if len(paths) < len({run.path for run in runs}) else note
    prints = {run.result["data"]["fingerprint"] for run in runs}
    if len(prints) > 1:
        yield "the tracks have the same names and labels, but the stores differ: their sound may not be the same"


def _milliseconds(run: Run) -> float:
    from genrescope.evaluation.cost import of_run

    return round(of_run(run.model), 1)
