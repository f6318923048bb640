"""The command predict."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from genrescope.cli import prediction_options as options
from genrescope.cli.bars import progress
from genrescope.cli.cluster_options import Address, Engine, EngineOption, PartSongs, refuse_without_ray
from genrescope.cli.console import Device, Jobs, Quiet, next_step, report_unreadable, resumable, say, unused
from genrescope.cli.loading import load_model
from genrescope.cli.prediction_options import STDIN, Format
from genrescope.errors import DataError

if TYPE_CHECKING:
    from genrescope.audio import Walk
    from genrescope.cli.prediction_run import Run
    from genrescope.inference.inputs import PathStream
    from genrescope.inference.outputs import Output
    from genrescope.inference.rows import RowSpec
    from genrescope.modelfile import Header

_REPEATED = 3  # songs and folders of the command line that the next one names again


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope predict runs/mgcc-0 song.mp3 ~/Music --format csv --out genres.csv")(
        predict
    )


def predict(
    model: options.Model,
    paths: options.Paths = None,
    top: options.Top = None,
    format_: options.Kind = None,
    out_: options.Out = None,
    replace: options.Replace = False,
    segments: options.Segments = None,
    min_confidence: options.MinConfidence = 0.0,
    windows: options.Windows = None,
    excerpt: options.Excerpt = None,
    jobs: Jobs = None,
    threads: options.Threads = None,
    device: Device = "auto",
    engine: EngineOption = Engine.local,
    address: Address = None,
    part: PartSongs = None,
    quiet: Quiet = False,
) -> None:
    """Genres of files and folders. With --out resumable; a file that cannot be decoded is named and skipped."""
    from genrescope.cli.prediction_run import Run
    from genrescope.inference.rows import RowSpec
    from genrescope.inference.songs import find_songs

    refuse_without_ray(engine, address=address, part=part)
    used = options.windows_of(windows, segments=segments)
    chosen, given = options.model_and_paths(model, paths or [])
    if engine is Engine.ray:
        from genrescope.cli import prediction_cluster as cluster

        folder = cluster.checked(format_=format_, out=out_, segments=segments, device=device, paths=given)
        classifier, _ = load_model(chosen, device="cpu", windows=used, excerpt=excerpt, quiet=quiet)
        spec = RowSpec(classifier.genres, classifier.fingerprint, top, min_confidence, failures=True)
        where = cluster.Where(folder, address, jobs, part, replace)
        following = _next_arguments(chosen, given, written=True)
        return cluster.run(classifier, given, spec, where, following=following, quiet=quiet)
    kind = options.kind_of(format_, out_)
    options.check_places(out_, segments)
    found, stream = find_songs(path for path in given if path != STDIN), _stdin(given)
    songs = None if stream else len(found.files)
    classifier, _ = load_model(chosen, device=device, threads=threads, windows=used, excerpt=excerpt, quiet=quiet)
    spec = RowSpec(classifier.genres, classifier.fingerprint, None if kind is Format.table else top, min_confidence)
    _announce(found, classifier.header, kind, quiet=quiet)
    if segments is not None and windows is None:
        say("note: --segments uses all windows of each song", quiet=quiet)
    with resumable("With --out, run the same command again to go on."), contextlib.ExitStack() as held:
        outputs = [held.enter_context(_output(kind, out_, spec, classifier.header, top=top, replace=replace))]
        if segments is not None:
            outputs.append(held.enter_context(_segments(segments, spec.model, replace=replace, songs=songs)))
        run = Run(outputs, spec, held.enter_context(progress("songs", quiet=quiet)))
        run.over(found.files, stream, partial(classifier.predict_many, jobs=jobs))
    _report(run, out_, segments, quiet=quiet)
    if out_ is not None or kind is Format.table:  # what a program reads ends with its data
        next_step(*_next_arguments(chosen, given, written=out_ is not None), quiet=quiet)
    if run.failed or found.unreadable:
        raise typer.Exit(1)
    return None


def _stdin(paths: list[Path]) -> PathStream | None:
    """Return the paths that come from stdin, if they are asked for."""
    from genrescope.inference.inputs import PathStream

    return PathStream(sys.stdin.buffer) if STDIN in paths else None


def _output(
    kind: Format, path: Path | None, spec: RowSpec, header: Header, *, top: int | None, replace: bool
) -> contextlib.AbstractContextManager[Output]:
    """Return where predictions go: a file, or stdout."""
    from genrescope.cli.prediction_outputs import shown
    from genrescope.inference.outputs import PredictionFile

    if path is not None:
        return PredictionFile(path, kind.value, spec, replace=replace)
    return shown(kind.value, spec, header, top=top)


def _segments(path: Path, model: str, *, replace: bool, songs: int | None) -> contextlib.AbstractContextManager[Output]:
    from genrescope.inference.segment_files import opened

    return opened(path, model, replace=replace, songs=songs)


def _report(run: Run, path: Path | None, segments: Path | None, *, quiet: bool) -> None:
    """Say what was done and where it is, and name what failed.

    Raises:
        DataError: no song was asked for.
        typer.Exit: nothing could be used.
    """
    from genrescope.inference.failed_songs import list_beside

    if not run.seen:
        raise DataError("-: no path came from stdin; accepted are paths, one a line or separated by NUL bytes")
    run.summarise(quiet=quiet)
    for place, what, written in zip((path, segments), ("", "segments of "), [*run.written, 0], strict=False):
        if place is not None:
            kept = run.kept + run.done - written
            there = f", {kept} were there already" if kept else ""
            say(f"{what}{written} {'song' if written == 1 else 'songs'} written to {place}{there}", quiet=quiet)
    run.name_failures(list_beside(path) if path is not None else None, quiet=quiet)
    if run.failed == run.seen:
        raise typer.Exit(2)


def _announce(found: Walk, header: Header, kind: Format, *, quiet: bool) -> None:
    """Say what was left out of the songs, and how the scores are to be read."""
    from genrescope.sources.folders import left_out

    report_unreadable(found.unreadable)
    if found.left_out:
        say(f"note: {left_out(found.left_out)}", quiet=quiet)
    if not header.exclusive:
        below = "; in brackets, below the genre's threshold" if header.thresholds and kind is Format.table else ""
        say(f"note: each label has a score of its own, they are not probabilities that add up{below}", quiet=quiet)
    if header.tags and kind is Format.table:
        say(f"note: {', '.join(header.tags)}: of each, the tag most above its usual score; not evaluated", quiet=quiet)


def _next_arguments(model: Path | None, paths: list[Path], *, written: bool) -> tuple[object, ...]:
    """Return what comes after predictions: writing them all down; then what is known of how good they are."""
    if not written and len(paths) <= _REPEATED and STDIN not in paths:
        return "predict", *((model,) if model is not None else ()), *paths, "--out", unused(Path("genres.csv"))
    if model is not None and (model / "run.json").exists():
        return "evaluate", model
    if model is not None and model.exists():
        return "models", "add", "NAME", model
    from genrescope.modelfile import shelf

    return "models", "show", model if model is not None else shelf.DEFAULT
