"""The tables of an evaluation and of a comparison, for the screen and to take elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genrescope.pages.render import interval, percent
from genrescope.reports.grid import Column, Grid
from genrescope.sources.labels import NEGATIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.results import AdjustedDifference, Chance, Comparison, Entry, Evaluation, NegativeFigures

_DIFFERENCE = (
    Column("difference", "points", "points"),
    Column("difference_interval", "95 % interval, tracks", "points interval"),
    Column("difference_interval_by_artists", "whole artists", "points interval"),
    Column("won", "won", "count"),
    Column("lost", "lost", "count"),
    Column("p", "p", "p"),
    Column("p_holm", "p, Holm", "p"),
)


def chance_told(chance: Chance) -> str:
    """Say what the chance level is, and what it means."""
    told = f"the accuracy of always answering {chance.genre}, the most frequent genre"
    return f"chance level {percent(chance.value)}: {told}"


def negatives_told(its: NegativeFigures) -> str:
    """Say how many negative examples are called unknown, and at what price."""
    caught, lost = its.caught, its.lost
    return (
        f"{NEGATIVE}: {caught.correct} of {caught.total} tracks are marked unknown ({percent(caught.value)}, 95 % "
        f"interval {interval(caught.interval)}); of the {lost.total} tracks with a genre {lost.correct} "
        f"({percent(lost.value)})"
    )


def by_genre(result: Evaluation) -> Grid:
    """Return a row for each genre: tracks, precision, recall with its interval, F1."""
    columns = (
        Column("genre", "genre"), Column("tracks", "tracks", "count"), Column("precision", "precision", "share"),
        Column("recall", "recall", "share"), Column("recall", "95 % interval", "interval"), Column("f1", "F1", "share"),
    )  # fmt: skip
    rows = [
        [genre, its.tracks, its.precision, its.recall, its.recall_interval, its.f1]
        for genre, its in result.genres.items()
    ]
    return Grid(columns, rows)


def scores(result: Evaluation) -> Grid:
    """Return the rows of `by_genre`, then the macro average, all tracks together, and the chance level.

    Over all tracks precision, recall and F1 are one number, the accuracy. The chance level is the accuracy of giving
    every track the most frequent genre.
    """
    of_genres = by_genre(result)
    headline, chance = result.headline, result.chance
    accuracy, bounds = headline.value, headline.interval
    known = [its for its in result.genres.values() if its.tracks]
    columns = (
        *of_genres.columns,
        Column("f1", "95 % interval", "interval"),
        Column("interval_by_artists", "interval, whole artists", "interval"),
    )
    rows = [
        *([*row, None, None] for row in of_genres.rows),
        ["macro average", headline.total, _mean([its.precision or 0.0 for its in known]),
         _mean([its.recall or 0.0 for its in known]), None, result.macro_f1, result.macro_f1_interval,
         result.macro_f1_interval_by_groups],
        ["all tracks (accuracy)", headline.total, accuracy, accuracy, bounds, accuracy, bounds,
         headline.interval_by_groups],
        [f"chance level (always {chance.genre})", headline.total, None, chance.value, None, None, None, None],
    ]  # fmt: skip
    return _without_empty(columns, rows)


def systems(result: Comparison) -> Grid:
    """Return a row for each system of a comparison: what it is, and its accuracy."""
    columns = (
        Column("system", "system"), Column("level", "counted by"), Column("seeds", "seeds"),
        Column("accuracy", "accuracy", "share"), Column("accuracy", "95 % interval", "interval"),
        Column("runs", "lowest to highest", "interval"), Column("deviation", "deviation", "share"),
        Column("parameters", "parameters", "count"), Column("milliseconds", "ms for 30 s", "number"),
    )  # fmt: skip
    return _without_empty(columns, [_system(entry) for entry in result.entries], keep=8)


def differences(result: Comparison) -> Grid:
    """Return a row for each system but the reference: how far it is from that."""
    columns = (Column("system", f"against {result.reference}"), *_DIFFERENCE)
    return _without_empty(columns, [[pair.name, *_apart(pair)] for pair in result.against_reference])


def compared(result: Comparison) -> Grid:
    """Return `systems` and `differences` as one table, whose first row is the reference."""
    apart = {pair.name: _apart(pair) for pair in result.against_reference}
    own = systems(result)
    by_artists = Column("accuracy_interval_by_artists", "whole artists", "interval")
    rows = [
        [*row, entry.accuracy.interval_by_groups, *apart.get(entry.name, [None] * len(_DIFFERENCE))]
        for row, entry in zip(own.rows, result.entries, strict=True)
    ]
    return _without_empty((*own.columns, by_artists, *_DIFFERENCE), rows)


def recalls(result: Comparison) -> Grid:
    """Return a row for each genre with the recall of each system, and which has the highest.

    A star marks a system whose difference from the reference has a p below 0.05, Holm's correction included.
    """
    names = [entry.name for entry in result.entries]
    columns = (
        Column("genre", "genre"), Column("tracks", "tracks", "count"), *(Column(name, name) for name in names),
        Column("best", "best"),
    )  # fmt: skip
    rows = []
    for its in result.genres:
        marked = {pair.name for pair in its.against_reference if pair.p_holm < 0.05}
        told = [f"{percent(each.recall)}{' *' if each.name in marked else ''}" for each in its.entries]
        rows.append([its.genre, its.tracks, *told, its.best or "-"])
    return Grid(columns, rows)


def compared_by_genre(result: Comparison) -> Grid:
    """Return a row for each genre and system: its recall, and how far it is from the reference's."""
    columns = (
        Column("genre", "genre"), Column("tracks", "tracks", "count"), Column("system", "system"),
        Column("recall", "recall", "share"), Column("recall", "95 % interval", "interval"), *_DIFFERENCE,
    )  # fmt: skip
    rows = []
    for its in result.genres:
        apart = {pair.name: _apart(pair) for pair in its.against_reference}
        for each in its.entries:
            from_reference = apart.get(each.name, [None] * len(_DIFFERENCE))
            rows.append([its.genre, its.tracks, each.name, each.recall, each.interval, *from_reference])
    return _without_empty(columns, rows)


def _system(entry: Entry) -> list[Any]:
    its = entry.accuracy
    runs = (its.lowest, its.highest) if len(its.by_run) > 1 else None
    seeds = ", ".join(map(str, entry.seeds))
    return [
        entry.name, entry.level, seeds, its.mean, its.interval, runs, its.deviation, entry.parameters,
        entry.milliseconds,
    ]  # fmt: skip


def _apart(pair: AdjustedDifference) -> list[Any]:
    return [
        pair.difference, pair.interval, pair.interval_by_groups, pair.won, pair.lost, pair.p, pair.p_holm
    ]  # fmt: skip


def _without_empty(columns: Sequence[Column], rows: Sequence[Sequence[Any]], *, keep: int = 0) -> Grid:
    """Return a table without columns of which nothing is known, but for the first `keep`."""
    kept = [place for place in range(len(columns)) if place < keep or any(row[place] is not None for row in rows)]
    return Grid([columns[place] for place in kept], [[row[place] for place in kept] for row in rows])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
