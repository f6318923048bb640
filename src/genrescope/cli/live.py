"""The command live."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import clock
from genrescope.cli.console import INTERRUPTED, Device, Quiet, next_step, out, say, table, unused
from genrescope.cli.live_options import Format, Pipe, check_fits, is_url, model_and_source
from genrescope.cli.loading import load_model
from genrescope.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.cli.live_display import Shown
    from genrescope.inference.classifier import Classifier
    from genrescope.live.played import Played
    from genrescope.live.source import Source


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope live http://radio.example/stream.mp3 --log radio.jsonl")(live)


def _list_devices(wanted: bool) -> None:
    if wanted:
        from genrescope.live.microphone import inputs

        found = table("number", "input", "channels", "rate", "", right=("number", "channels", "rate"))
        for number, name, channels, rate, is_default in inputs():
            found.add_row(str(number), name, str(channels), f"{rate:,}", "default" if is_default else "")
        out().print(found)
        raise typer.Exit


def live(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="Run folder, model file, or a name of `genrescope models`; left out, the model `genres`.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]",
            help="A file, played as if live; the address of a stream (http, https); - for raw samples from stdin. "
            "Left out, the microphone or line input.",
        ),
    ] = None,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds from one verdict to the next.")] = 1.0,
    log: Annotated[Path | None, typer.Option(help="Add each verdict to this file as a line of JSON.")] = None,
    input_: Annotated[
        str | None, typer.Option("--input", help="Number of the microphone or line input, or a part of its name.")
    ] = None,
    devices: Annotated[
        bool,
        typer.Option("--list-devices", help="List the inputs, and end.", callback=_list_devices, is_eager=True),
    ] = False,
    speed: Annotated[float, typer.Option(min=0.1, help="Of a file or stdin: seconds of sound in a second.")] = 1.0,
    rate: Annotated[int, typer.Option(min=1000, max=768_000, help="Of stdin: samples per second.")] = 44_100,
    channels: Annotated[int, typer.Option(min=1, max=64, help="Of stdin: channels, interleaved.")] = 2,
    format_: Annotated[Format, typer.Option("--format", help="Of stdin: 16-bit integers, or 32-bit floats.")] = (
        Format.s16le
    ),
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Genre of what is playing: a microphone, a radio stream, a file. Ctrl-C ends it with a summary."""
    from genrescope.cli.live_display import shown
    from genrescope.live.played import Played

    chosen, named = model_and_source(model, source)
    pipe = Pipe(rate, channels, format_)
    check_fits(named, input_=input_, speed=speed, pipe=pipe)
    with shown(quiet=quiet) as display:
        classifier, _ = load_model(chosen, device=device, quiet=quiet)
        opened = _source(named, input_, speed, pipe, display)
        display.begin(opened.name, classifier.genres)
        played = Played()
        code = _play(classifier, opened, display, played, every=every, log=log)
    _summarise(played, quiet=quiet)
    next_step(*_next_arguments(chosen, named, opened, log), quiet=quiet)
    raise typer.Exit(code)


def _source(named: str | None, input_: str | None, speed: float, pipe: Pipe, display: Shown) -> Source:
    """Return where the sound comes from.

    Raises:
        MissingPackageError: a microphone is asked for, and what reads it is not installed.
    """
    from genrescope.live.microphone import MicrophoneSource, library
    from genrescope.live.reconnecting import Reconnecting
    from genrescope.live.recordings import FileSource, PipeSource
    from genrescope.live.url import UrlSource

    if named is None:
        library()
        chosen = int(input_) if input_ is not None and input_.isdecimal() else input_
        return Reconnecting(MicrophoneSource(chosen), display.note)
    if named == "-":
        return PipeSource(sys.stdin.buffer, pipe.rate, pipe.channels, pipe.format.value, speed)
    if is_url(named):
        return Reconnecting(UrlSource(named), display.note)
    return FileSource(Path(named), speed)


def _play(
    classifier: Classifier, source: Source, display: Shown, played: Played, *, every: float, log: Path | None
) -> int:
    """Show and log verdicts until the sound ends, or Ctrl-C; return the exit code.

    Raises:
        AudioError: there was no sound at all.
    """
    from genrescope.live.log import VerdictLog
    from genrescope.live.waiting import Waiting

    rate = classifier.header.front_end.sample_rate
    with contextlib.ExitStack() as held:
        held.enter_context(_terminated_like_interrupted())
        written = held.enter_context(VerdictLog(log)) if log is not None else None
        try:
            waiting = held.enter_context(Waiting(source, rate))
            for verdict in classifier.stream(waiting, sample_rate=rate, every=every, keep_up=True):
                played.see(verdict)
                display.see(verdict, played)
                if written is not None:
                    written.write(verdict)
        except KeyboardInterrupt:
            return INTERRUPTED if source.ends else 0
        except AudioError as error:
            if not played.seconds:
                raise
            display.note(str(error))
            return 1
    if not played.seconds:
        raise AudioError(source.name, [("live", "no sound came")], "empty")
    return 0


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let the signal by which services are stopped end the command as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _summarise(played: Played, *, quiet: bool) -> None:
    """Say how long each genre was played, and what was left out."""
    say(f"{clock(played.seconds)} in all", quiet=quiet)
    for name, total in played.ranked():
        passages = f"{total.passages} passage{'' if total.passages == 1 else 's'}"
        say(f"  {name}: {clock(total.seconds)} in {passages}", quiet=quiet)
    if played.whole is not None and len(played.totals) > 1:
        say(f"as one song: {played.whole.genre} {played.whole.confidence:.2f}", quiet=quiet)
    if played.skipped:
        say(f"{played.skipped} windows skipped: this machine was too slow for the sound", quiet=quiet, style="yellow")
    if played.lost:
        say(f"{clock(played.lost)} of sound never came", quiet=quiet, style="yellow")


def _next_arguments(model: str | Path | None, named: str | None, source: Source, log: Path | None) -> list[object]:
    """Return what comes next: the segments of a file; of what does not end, a log."""
    given = [model] if model is not None else []
    if source.ends:
        return ["predict", *given, named, "--segments", unused(Path("segments.csv"))]
    if log is None:
        return ["live", *given, *([named] if named is not None else []), "--log", unused(Path("live.jsonl"))]
    return ["models", "show", model if model is not None else "genres"]
