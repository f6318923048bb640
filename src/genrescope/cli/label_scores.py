"""What was scored where tracks have several genres, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.cli.console import out, say, table
from genrescope.cli.grids import TableFormat, print_grid, show_grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.results import MultiLabelEvaluation


def show_labels(
    result: MultiLabelEvaluation, title: str, kind: TableFormat = TableFormat.table, *, quiet: bool = False
) -> None:
    """Print it to stdout; in a format for other programs the table of scores alone, and the rest to stderr."""
    from genrescope.reports import label_page

    if kind is not TableFormat.table:
        print_grid(label_page.scores(result), kind)
        for line in title, *_figures(result):
            say(line, quiet=quiet)
        return
    console = out()
    console.print(title, markup=False)
    if result.crossval is not None:
        _show_folds(result)
    show_grid(label_page.by_label(result))
    for line in _figures(result):
        console.print(line, markup=False)


def _show_folds(result: MultiLabelEvaluation) -> None:
    from genrescope.pages.render import percent

    assert result.crossval is not None
    rows = table("fold", "tracks", "mean average precision", right=("tracks", "mean average precision"))
    for fold in result.crossval.folds:
        rows.add_row(fold.fold, str(fold.tracks), percent(fold.mean_average_precision))
    out().print(rows)


def _figures(result: MultiLabelEvaluation) -> Iterator[str]:
    """Yield the figures over all tracks with their intervals, and the chance level."""
    from genrescope.reports import label_page

    for name, its in label_page.estimates(result).items():
        yield label_page.estimate_text(name, its)
    yield label_page.chance_text(result)
