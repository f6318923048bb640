"""The command line: each command parses, calls one function, and prints.

Data goes to stdout, progress and messages to stderr. Exit code 0: all done; 1: done, but some inputs failed (each is
named); 2: nothing could be done as asked; 130: interrupted, and the same command goes on where it stopped.
"""

from __future__ import annotations

import io
import os
import sys

import typer

from genrescope.cli import (
    check,
    compare,
    data,
    datasets,
    demo,
    library,
    models,
    predict,
    robustness,
    splits,
    study,
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
    demo, datasets, library, check, data, splits, train, models, predict, compare, robustness, study, tune, transfer,
)  # fmt: skip
for module in commands:
    module.add_to(app)


def main() -> None:
    """Run the command line; end with its exit code."""
    for stream in (sys.stdout, sys.stderr):  # file names may hold bytes that are no UTF-8
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except GenrescopeError as error:
        # Plain text: a message may hold brackets that rich would take for its own.
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        _forget_stdout()
    except OSError as error:
        _forget_stdout()
        print(f"error: cannot write to stdout: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)


def _forget_stdout() -> None:
    """Point stdout at nothing, so that Python does not try to flush it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
