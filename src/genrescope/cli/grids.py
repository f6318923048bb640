"""Tables on stdout: for a terminal, or as CSV, Markdown or LaTeX to take elsewhere."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import out, table

if TYPE_CHECKING:
    from genrescope.reports.grid import Grid


class TableFormat(StrEnum):
    """How a table is written."""

    table = "table"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"


FormatOption = Annotated[
    TableFormat, typer.Option("--format", help="table for the terminal; csv, markdown or latex: one table on stdout.")
]


def show_grid(grid: Grid) -> None:
    """Print a table for the terminal to stdout."""
    from rich.text import Text

    right = tuple(column.title for column in grid.columns if column.right)
    rows = table(*(column.title for column in grid.columns), right=right)
    for row in grid.shown:
        rows.add_row(*map(Text, row))
    out().print(rows)


def print_grid(grid: Grid, kind: TableFormat) -> None:
    """Print a table to stdout in a format that another program reads."""
    written = {
        TableFormat.csv: grid.to_csv, TableFormat.markdown: grid.to_markdown, TableFormat.latex: grid.to_latex
    }  # fmt: skip
    if kind is TableFormat.table:
        show_grid(grid)
    else:
        print(written[kind]())
