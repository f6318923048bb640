"""The command recipes, and how a recipe is chosen on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Quiet, out, say, table
from genrescope.cli.grids import FormatOption, TableFormat, print_grid
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.reports.grid import Grid

Recipe = Annotated[str, typer.Option(help="Name of a recipe, or a TOML file; ./mine.toml is found as mine.")]


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope recipes runs/mgcc-0 studies/first --out docs/recipes.md")(recipes)


def recipes(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Run folders, cross-validations, studies, or folders of such; none lists the recipes. With --keys "
            "sections of recipes."
        ),
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="List the keys of recipes instead: type, default, what each does.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Page whose table between its marks is replaced; by default to stdout.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file of the accuracies with their intervals.")] = None,
    part: Annotated[
        str | None, typer.Option(help="Part that the runs were scored on; by default test, or else validation.")
    ] = None,
    format_: FormatOption = TableFormat.table,
    quiet: Quiet = False,
) -> None:
    """List the recipes, or their keys; or put what runs have reached with them into one table, seeds together."""
    from genrescope.research import collect, tables

    if keys:
        _list_keys([str(section) for section in runs or ()])
        return
    if not runs:
        print_grid(_known(), format_)
        return
    as_markdown = format_ in (TableFormat.table, TableFormat.markdown)
    if out is not None and not as_markdown:
        raise DataError(
            f"--format {format_.value} is for stdout; a page of --out takes Markdown, so leave out one of them"
        )
    rows = [row.to_dict(Path()) for row in collect.rows(runs, part)]
    text = tables.markdown(rows, named=False)
    if picture is not None:
        from genrescope.research import study_page

        study_page.write_picture(rows, picture)
    if out is None:
        print(text) if as_markdown else print_grid(tables.table(rows), format_)
        return
    tables.write_between(out, text)
    say(f"{len(rows)} rows written to {out}", quiet=quiet)


def located(recipe: str, *, quiet: bool) -> str:
    """Return the name or file that `--recipe` stands for; say so where a file has the name of a shipped recipe."""
    from genrescope.training import recipe as known

    if (file := known.namesake(recipe)) is not None:
        say(f"note: {recipe} is the recipe that ships with genrescope; for yours give --recipe {file}", quiet=quiet)
    return known.located(recipe)


def _known() -> Grid:
    """Return the recipes that there are, as a table."""
    from genrescope.reports.grid import Column, Grid
    from genrescope.training import recipe

    loaded = [(name, recipe.load_any(name)) for name in recipe.names()]
    columns = (Column("recipe", "recipe"), Column("model", "model"), Column("intent", "why it exists"))
    return Grid(columns, [[name, each.made, each.intent] for name, each in loaded])


def _list_keys(sections: Sequence[str]) -> None:
    from rich.text import Text

    from genrescope.training import recipe_keys

    rows = table("key", "accepted", "default", "what it does")
    for key in recipe_keys.described(sections):
        rows.add_row(*map(Text, (key.name, key.accepted, json.dumps(key.default), key.about)))
    out().print(rows)
