"""The command line: each command parses, calls one function, and prints.

Data goes to stdout, progress and messages to stderr. Exit code 0: all done; 1: done, but some inputs failed (each is
named); 2: nothing could be done as asked; 130: interrupted, and the same command goes on where it stopped.
"""

from __future__ import annotations

import os
import sys

import typer

from genrescope.cli import (
    check,
    compare,
    correct,
    data,
    datasets,
    demo,
    evaluate,
    explain,
    export,
    library,
    live,
    map,  # noqa: A004 - the command's name
    models,
    predict,
    recipes,
    robustness,
    serve,
    similar,
    splits,
    streams,
    study,
    tag,
    train,
    transfer,
    tune,
)
from genrescope.cli.console import version
from genrescope.errors import GenrescopeError

app = typer.Typer(
    name="genrescope",
    help="Music genre classification that can be trusted.",
    epilog="First steps: genrescope demo",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(version)
commands = (
    demo, datasets, library, similar, map, correct, tag, check, data, splits, train, evaluate, models, predict, live,
    serve, explain, export, compare, robustness, study, recipes, tune, transfer,
)  # fmt: skip
for module in commands:
    module.add_to(app)


def main() -> None:
    """Run the command line; end with its exit code."""
    streams.prepare()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except GenrescopeError as error:
        # Plain text: a message may hold brackets that rich would take for its own.
        print(f"error: {streams.printable(str(error))}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"error: {streams.printable(_words(error))}", file=sys.stderr)
        sys.exit(2)


def _words(error: OSError) -> str:
    """Say what the system refused, and of which file."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    what = error.strerror or str(error)
    if names:
        return f"{' -> '.join(names)}: {what}. Check that it is there, and that you may read and write it"
    return f"the system refused to read or write a file: {what}. Check the space on the disk, and the permissions"
