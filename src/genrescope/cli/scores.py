"""What was scored, on stdout: accuracies, genres, the chance level, and what makes scores look better than they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.cli.console import out, say, table
from genrescope.cli.grids import TableFormat, print_grid, show_grid
from genrescope.cli.label_scores import show_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.results import CrossValidation, Evaluation, MultiLabelEvaluation


def show_result(
    result: Evaluation | MultiLabelEvaluation, kind: TableFormat = TableFormat.table, *, quiet: bool = False
) -> None:
    """Print an evaluation or a cross-validation to stdout; in a format for other programs, its table of scores alone.

    What a table for the terminal has around it then goes to stderr, unless quiet.
    """
    from genrescope.reports import tables
    from genrescope.results import CrossValidation, MultiLabelEvaluation

    if isinstance(result, MultiLabelEvaluation):
        show_labels(result, _title(result), kind, quiet=quiet)
    elif kind is not TableFormat.table:
        print_grid(tables.scores(result), kind)
        for line in _title(result), *_figures(result):
            say(line, quiet=quiet)
    elif isinstance(result, CrossValidation):
        show_folds(result)
    else:
        show_scores(result)


def show_scores(result: Evaluation) -> None:
    """Print the three accuracies of an evaluation and its genres to stdout."""
    from genrescope.pages.render import interval, percent
    from genrescope.reports.report import levels
    from genrescope.results import WindowShare

    rows = table("counted", "right", "of", "accuracy", "95 % interval", right=("right", "of", "accuracy"))
    for level, share in result.accuracy.items():
        mark = " *" if level == result.verdict else ""
        rows.add_row(
            levels(result)[level] + mark,
            str(share.correct),
            str(share.total),
            percent(share.value),
            interval(share.interval_by_tracks if isinstance(share, WindowShare) else share.interval),
        )
    console = out()
    console.print(_title(result), markup=False)
    console.print(rows)
    console.print("* the recipe's own verdict. The windows' interval resamples whole tracks.", markup=False)
    _show_rest(result)


def show_folds(result: CrossValidation) -> None:
    """Print the accuracy of each fold, their mean, and that of all tracks together, to stdout."""
    from genrescope.pages.render import interval, percent

    folds = result.crossval
    rows = table("fold", "right", "of", "accuracy", "95 % interval", right=("right", "of", "accuracy"))
    pooled = result.headline
    for name, share in [*((fold.fold, fold.accuracy) for fold in folds.folds), ("all tracks", pooled)]:
        rows.add_row(name, str(share.correct), str(share.total), percent(share.value), interval(share.interval))
    console = out()
    console.print(_title(result), markup=False)
    console.print(rows)
    console.print(f"mean over folds {percent(folds.mean)}, standard deviation {percent(folds.deviation)}", markup=False)
    _show_rest(result)


def _show_rest(result: Evaluation) -> None:
    """Print the table of genres, and the figures of all tracks that are no table."""
    from genrescope.reports import tables

    show_grid(tables.by_genre(result))
    for line in _figures(result):
        out().print(line, markup=False)


def _title(result: Evaluation | MultiLabelEvaluation) -> str:
    """Say what was scored on what."""
    data, seed = result.data, result.model.seed
    if getattr(result, "crossval", None) is not None:
        return f"{result.model.recipe['name']}: {data.split} of {data.name}"
    named = result.model.recipe["name"] + (f", seed {seed}" if seed is not None else "")
    part = f"{data.part} of {data.split}, " if data.part else ""
    return f"{named}: {part}{data.tracks} tracks of {data.name}"


def _figures(result: Evaluation) -> Iterator[str]:
    """Yield the intervals over artists, the macro F1, the chance level, and the accuracy on what was not learnt."""
    from genrescope.pages.render import interval, percent
    from genrescope.reports.tables import chance_told, negatives_told

    by_artists = result.headline.interval_by_groups
    if by_artists is not None:
        yield f"95 % interval that resamples whole artists: {interval(by_artists)}"
    wider = result.macro_f1_interval_by_groups
    over = f"; over whole artists {interval(wider)}" if wider is not None else ""
    yield f"macro F1 {percent(result.macro_f1)}, 95 % interval {interval(result.macro_f1_interval)}{over}"
    yield chance_told(result.chance)
    if (its := result.negatives) is not None:
        yield negatives_told(its)
    if result.audit is not None and (rest := result.audit.untouched) is not None:
        yield (
            f"accuracy over the {rest.total} tracks that no training track touches: {percent(rest.value)}, 95 % "
            f"interval {interval(rest.interval)}"
        )
