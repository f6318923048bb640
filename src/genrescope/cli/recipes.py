"""The command recipes, and how a recipe is chosen on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Quiet, out, say, table

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    quiet: Quiet = False,
) -> None:
    """List the recipes, or their keys; or put what runs have reached with them into one table, seeds together."""
    from genrescope.research import collect, tables

    if keys:
        _list_keys([str(section) for section in runs or ()])
        return
    if not runs:
        _list()
        return
    rows = [row.to_dict(Path()) for row in collect.rows(runs)]
    text = tables.markdown(rows, named=False)
    if picture is not None:
        from genrescope.research import study_page

        study_page.write_picture(rows, picture)
    if out is None:
        print(text)
        return
    tables.write_between(out, text)
    say(f"{len(rows)} rows written to {out}", quiet=quiet)


def located(recipe: str, *, quiet: bool) -> str:
    """Return the name or file that `--recipe` stands for; say so where a file has the name of a shipped recipe."""
    from genrescope.training import recipe as known

    if (file := known.namesake(recipe)) is not None:
        say(f"note: {recipe} is the recipe that ships with genrescope; for yours give --recipe {file}", quiet=quiet)
    return known.located(recipe)


def _list() -> None:
    from genrescope.training import recipe

    rows = table("recipe", "model", "why it exists")
    for name in recipe.names():
        loaded = recipe.load_any(name)
        rows.add_row(name, loaded.made, loaded.intent)
    out().print(rows)


def _list_keys(sections: Sequence[str]) -> None:
    from rich.text import Text

    from genrescope.training import recipe_keys

    rows = table("key", "accepted", "default", "what it does")
    for key in recipe_keys.described(sections):
        rows.add_row(*map(Text, (key.name, key.accepted, json.dumps(key.default), key.about)))
    out().print(rows)
