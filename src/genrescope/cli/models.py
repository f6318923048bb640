"""Commands on models by name: models, models show, models get, models add, models remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import bar_of
from genrescope.cli.console import Quiet, next_step, out, resumable, say, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.modelfile.shelf import Entry

_Name = Annotated[str, typer.Argument(help="A model's name, as `genrescope models` lists them.")]

group = typer.Typer()


def add_to(app: typer.Typer) -> None:
    """Add this module's commands."""
    group.callback(invoke_without_command=True)(models)
    group.command(epilog="Example: genrescope models show musicnn-msd")(show)
    group.command(epilog="Example: genrescope models get musicnn-msd")(get)
    group.command(epilog="Example: genrescope models add mine runs/mgcc-0")(add)
    group.command(epilog="Example: genrescope models remove mine")(remove)
    app.add_typer(group, name="models", epilog="Example: genrescope models get musicnn-msd")


def models(context: typer.Context) -> None:
    """List the models that have a name: pre-trained ones to download, and your own."""
    if context.invoked_subcommand is not None:
        return
    from genrescope.modelfile import shelf

    rows = table("name", "knows", "learnt from", "licence", "size", "here", right=("size",))
    for entry in shelf.entries():
        rows.add_row(*_escaped(entry.name, entry.labels, entry.learnt_from, entry.licence, entry.size, _here(entry)))
    out().print(rows)


def show(name: _Name) -> None:
    """Show a model in full: training data, terms, citation, accuracy."""
    from genrescope.modelfile import shelf

    rows = table("heading", "what is known")
    for heading, text in _facts(shelf.entry(name)):
        rows.add_row(*_escaped(heading, text))
    out().print(rows)


def get(
    name: _Name,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="The package's wheel, if it was downloaded before.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Download a pre-trained model, verify and convert it. Nothing is installed, and no third-party code runs."""
    from genrescope.modelfile import shelf

    entry = shelf.entry(name)
    with resumable("Run the same command again."), bar_of(quiet=quiet) as bar:
        task = bar.add_task("", total=None)
        fresh, path = shelf.get(name, wheel=from_, on_step=lambda step: bar.update(task, description=step))
    if fresh:
        _show_terms(path, entry, quiet=quiet)
    what = f"{', '.join(fresh)}: fetched, in {path.parent}" if fresh else f"{name}: there already, {path}"
    say(what, quiet=quiet)
    next_step("predict", name, "SONG", quiet=quiet)


def add(
    name: Annotated[str, typer.Argument(help="Letters, digits, and - _ . after the first of them.")],
    path: Annotated[Path, typer.Argument(help="Model file or run folder.")],
    quiet: Quiet = False,
) -> None:
    """Copy a model of your own, and give it a name that other commands take."""
    from genrescope.modelfile import shelf

    file = shelf.add(name, path)
    say(f"{name}: added, {file}", quiet=quiet)
    next_step("predict", name, "SONG", quiet=quiet)


def remove(name: _Name, quiet: Quiet = False) -> None:
    """Remove a model. A pre-trained one can be downloaded again; of your own, the copy is deleted."""
    from genrescope.modelfile import shelf

    shelf.remove(name)
    say(f"{name}: removed", quiet=quiet)


def _show_terms(path: Path, entry: Entry, *, quiet: bool) -> None:
    """Show on what terms weights may be used that are new on this machine."""
    from genrescope.modelfile import read_header

    say(f"{entry.title}\n", quiet=quiet, style="bold")
    say(f"licence: {read_header(path).weights.licence}\n", quiet=quiet)
    say(f"to cite: {entry.citation}\n", quiet=quiet)


def _facts(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield all that is known of a model, heading by heading."""
    from genrescope.modelfile import read_header
    from genrescope.modelfile.shelf import path_of

    path = path_of(entry.name)
    header = read_header(path) if path else None
    yield "title", entry.title
    yield "knows", ", ".join(header.labels) if header else entry.labels
    yield "learnt from", "\n".join(filter(None, (entry.learnt_from, entry.data_citation)))
    yield "licence", header.weights.licence if header else entry.licence
    if entry.citation:
        yield "to cite", entry.citation
    if entry.figures:
        yield "figures", ", ".join(f"{name} {value}" for name, value in entry.figures) + f"\n{entry.caveat}"
    if entry.source:
        yield "source", f"{entry.source.package} on PyPI ({entry.source.file}, {entry.source.size})"
        yield "SHA-256", entry.source.sha256
    yield "size", entry.size
    yield "here", str(path) if path else _here(entry)


def _here(entry: Entry) -> str:
    from genrescope.modelfile.shelf import path_of

    return "yes" if path_of(entry.name) else f"no: genrescope models get {entry.name}"


def _escaped(*texts: str) -> list[str]:
    """Return texts so that rich takes no bracket in them for its own."""
    from rich.markup import escape

    return [escape(text) for text in texts]
