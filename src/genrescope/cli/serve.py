"""The command serve."""

from __future__ import annotations

import contextlib
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.console import Device, Jobs, Quiet, next_step, say
from genrescope.cli.library_options import open_library
from genrescope.cli.loading import load_model
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.library.database import Library
    from genrescope.serve.settings import Settings

TOKEN = "GENRESCOPE_TOKEN"
"""The environment variable that holds the token."""


class LogFormat(StrEnum):
    """How requests are noted on stderr."""

    text = "text"
    json = "json"


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope serve runs/mgcc-0 --port 8000")(serve)


def serve(
    model: Annotated[
        Path | None,
        typer.Argument(help="Run folder, model file, or a name of `genrescope models`; by default `genres`."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address; by default reached from this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8000,
    library: Annotated[Path | None, typer.Option(help="Show the songs and the map of a library.db, too.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help=f"A file with a token that clients must send; or set ${TOKEN}.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name by which clients may address it, behind a proxy; repeatable.")
    ] = None,
    max_mb: Annotated[int, typer.Option(min=1, help="Megabytes of a file.")] = 200,
    max_total_mb: Annotated[int, typer.Option(min=1, help="Megabytes of a request.")] = 1000,
    max_files: Annotated[int, typer.Option(min=1, help="Files of a request.")] = 20,
    max_seconds: Annotated[float, typer.Option(min=1, help="Seconds of sound of a file.")] = 3600,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that decoding a file may take.")] = 60,
    body_timeout: Annotated[float, typer.Option(min=1, help="Seconds in which a request must have arrived.")] = 120,
    queue: Annotated[int, typer.Option(min=1, help="Songs that may wait; more are refused with 503.")] = 64,
    live: Annotated[int, typer.Option(min=0, help="Streams of live sound at a time; 0 accepts none.")] = 2,
    jobs: Jobs = None,
    device: Device = "auto",
    log_format: Annotated[LogFormat, typer.Option(help="How requests are noted on stderr.")] = LogFormat.text,
    quiet: Quiet = False,
) -> None:
    """Serve a model over HTTP, with a web page. Ctrl-C ends it, once running requests are answered."""
    from genrescope import extras

    extras.require("serve", "genrescope serve")
    from genrescope.serve import logs, server
    from genrescope.serve.settings import Limits, Settings

    limits = Limits(
        file_bytes=max_mb * 1_000_000, body_bytes=max_total_mb * 1_000_000, files=max_files, waiting=queue,
        sound_seconds=max_seconds, decode_seconds=timeout, body_seconds=body_timeout, live=live,
    )  # fmt: skip
    settings = Settings(host, port, token_of(token_file), tuple(allowed_host or ()), limits, jobs)
    _warn(settings)
    logs.prepare(log_format.value, quiet=quiet)
    with _opened(library) as opened:
        classifier, name = load_model(model, device=device, quiet=quiet)
        server.serve(classifier.model, name, settings, opened, on_start=lambda at: _announce(at, name, quiet=quiet))
    next_step("predict", *([model] if model else []), "SONG", quiet=quiet)


def token_of(path: Path | None) -> str:
    """Return the token that clients must send; empty where none is asked for.

    Raises:
        DataError: the file cannot be read, or holds no token.
    """
    if path is None:
        return os.environ.get(TOKEN, "").strip()
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--token-file {path}: {getattr(error, 'strerror', None) or error}") from error
    if not token or not token.isprintable() or " " in token:
        raise DataError(f"--token-file {path}: accepted is one line, a token without blanks")
    return token


def _warn(settings: Settings) -> None:
    """Say what is risky, also when quiet."""
    if not settings.is_local and not settings.token:
        say(
            f"warning: --host {settings.host} without a token: whoever reaches this machine can use the service, and "
            f"sees the library that it shows. Give --token-file, or set {TOKEN}",
            style="yellow",
        )


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[Library | None]:
    """Open the library, if one is given."""
    if path is None:
        yield None
        return
    with open_library(path) as opened:
        opened.model()  # refused here where nothing was classified yet
        yield opened


def _announce(address: str, name: str, *, quiet: bool) -> None:
    say(f"{Path(name).name} is served at {address} (Ctrl-C ends it)", quiet=quiet)
