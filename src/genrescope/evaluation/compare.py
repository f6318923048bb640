"""Compare runs on the same tracks: which is better, by how much, and whether that is more than chance.

```
OUT/compare.json  OUT/compare.html  OUT/figures/
```
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from genrescope import results
from genrescope.errors import DataError
from genrescope.evaluation import cost, metrics, paired
from genrescope.evaluation.compared_genres import by_genre
from genrescope.evaluation.compared_runs import Run, groups_of, names_of, open_run, refuse_repeated, same_tracks
from genrescope.extras import require
from genrescope.files import fingerprint, refuse_foreign
from genrescope.results import (
    COMPARE_NAME,
    AdjustedDifference,
    Chance,
    Comparison,
    Entry,
    EntryAccuracy,
    NamedDifference,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """What `compare` did.

    Attributes:
        result: the content of `compare.json`.
        page: the page to look at.
    """

    result: Comparison
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
    part: str | None = None,
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
        part: the part that runs were scored on; None takes `test`, or else `validation`.
        compute: time every model on one core as well.
        on_measured: called with the name of each model before it is timed.

    Returns:
        Accuracies and differences with their intervals, and where they were written.

    Raises:
        DataError: there are not two, one was not scored, or they hold other tracks or labels.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "a comparison")
    from genrescope.pages.drawing import write_figures
    from genrescope.reports import comparison_page

    out = Path(out)
    refuse_foreign(out, (COMPARE_NAME,), what="the comparison")
    opened = [open_run(text, level, part) for text in runs]
    refuse_repeated(opened)
    ids = same_tracks(opened)
    groups = groups_of(opened, ids)
    entries = _entries(opened, ids)
    if len(entries) < 2:
        raise DataError("all runs are of one recipe at one level; a comparison needs two or more of them")
    milliseconds: list[float | None] = [None] * len(entries)
    if compute:
        for place, entry in enumerate(entries):
            on_measured(entry.name)
            milliseconds[place] = round(cost.of_run(entry.runs[0].model), 1)
    truth = [opened[0].rows[track_id].genre for track_id in ids]
    result = _result(opened, entries, truth, groups, milliseconds=milliseconds)
    results.write(result, out / COMPARE_NAME)
    drawn = comparison_page.draw(result)
    write_figures(drawn, out / "figures")
    return Compared(result, comparison_page.write(result, drawn, out / "compare.html"))


def _result(
    runs: Sequence[Run],
    entries: Sequence[_Entry],
    truth: Sequence[str],
    groups: Sequence[str] | None,
    *,
    milliseconds: Sequence[float | None],
) -> Comparison:
    pairs = tuple(_pairs(entries, groups))
    reference = entries[0].name
    return Comparison(
        tracks=entries[0].right.shape[1],
        groups=len(set(paired.clusters(groups))) if groups else None,
        data=tuple(sorted({run.result.data.name for run in runs})),
        reference=reference,
        entries=tuple(_described(entry, groups, timed) for entry, timed in zip(entries, milliseconds, strict=True)),
        against_reference=_adjusted([pair for pair in pairs if pair.reference == reference]),
        pairs=pairs,
        notes=tuple(_notes(runs)),
        chance=Chance.of(Counter(truth)),
        genres=by_genre({entry.name: entry.right for entry in entries}, truth, groups),
    )


def _entries(runs: Sequence[Run], ids: Sequence[str]) -> list[_Entry]:
    """Put runs of one recipe and level together, in the order in which they were given."""
    together: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        settings = {key: value for key, value in run.recipe.items() if key != "intent"}
        together[fingerprint([settings, run.level])].append(run)
    members = list(together.values())
    return [
        _Entry(name, tuple(its), np.array([run.right(ids) for run in its]))
        for name, its in zip(names_of([its[0] for its in members]), members, strict=True)
    ]


def _described(entry: _Entry, groups: Sequence[str] | None, milliseconds: float | None) -> Entry:
    first = entry.runs[0]
    return Entry(
        name=entry.name,
        recipe=first.recipe["name"],
        level=first.level,
        parameters=first.result.model.parameters,
        runs=tuple(str(run.path) for run in entry.runs),
        seeds=tuple(run.result.model.seed for run in entry.runs),
        accuracy=_accuracy(entry, groups),
        milliseconds=milliseconds,
    )


def _accuracy(entry: _Entry, groups: Sequence[str] | None) -> EntryAccuracy:
    by_run = entry.right.mean(axis=1).tolist()
    mean = statistics.fmean(by_run)
    tracks = entry.right.shape[1]
    alone = len(by_run) == 1
    return EntryAccuracy(
        mean=mean,
        interval=metrics.wilson(round(mean * tracks), tracks) if alone else paired.resampled_mean(entry.mean),
        interval_by_groups=None if groups is None else paired.resampled_mean(entry.mean, groups),
        by_run=tuple(by_run),
        lowest=min(by_run),
        highest=max(by_run),
        deviation=None if alone else statistics.stdev(by_run),
    )


def _pairs(entries: Sequence[_Entry], groups: Sequence[str] | None) -> Iterator[NamedDifference]:
    for reference, entry in combinations(entries, 2):
        found = paired.difference(entry.mean, reference.mean, groups)
        yield NamedDifference(name=entry.name, reference=reference.name, **dict(found))


def _adjusted(pairs: Sequence[NamedDifference]) -> tuple[AdjustedDifference, ...]:
    adjusted = paired.holm([pair.p for pair in pairs])
    return tuple(AdjustedDifference(**dict(pair), p_holm=p) for pair, p in zip(pairs, adjusted, strict=True))


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    """Tell what a reader must know of each run; what several say is told once."""
    said: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        for note in run.result.notes:
            if str(run.path) not in said[note]:
                said[note].append(str(run.path))
    for note, paths in said.items():
        yield f"{', '.join(paths)}: {note}" if len(paths) < len({run.path for run in runs}) else note
    prints = {run.result.data.fingerprint for run in runs}
    if len(prints) > 1:
        yield "the tracks have the same names and labels, but the stores differ: their sound may not be the same"
