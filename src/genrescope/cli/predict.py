"""The command predict."""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Device, Quiet, next_step, out, report_unreadable, resumable, say, table, unused
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.progress import Progress

    from genrescope.audio import Walk
    from genrescope.inference.prediction import Failure, Prediction
    from genrescope.modelfile import Header


_REPEATED = 3  # songs and folders of the command line that the next one names again


class Format(StrEnum):
    """How predictions are written."""

    table = "table"
    jsonl = "jsonl"
    csv = "csv"


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope predict runs/mgcc-0 song.mp3 ~/Music --format csv --out genres.csv")(
        predict
    )


def predict(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="[MODEL]",
            help="Run folder, model file, or a name of `genrescope models`; left out, the model `genres`.",
        ),
    ],
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Audio files, and folders to walk.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Genres or tags to show for each song, in the table.")] = 3,
    format_: Annotated[
        Format | None, typer.Option("--format", help="table, or jsonl and csv with all scores; by the ending of --out.")
    ] = None,
    out_: Annotated[
        Path | None, typer.Option("--out", help="Write there; songs that stand there already are skipped.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Processor threads; by default one for one song, all cores for several."),
    ] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Genres of files and folders. With --out resumable; a file that cannot be decoded is named and skipped."""
    from genrescope.inference.classifier import load
    from genrescope.inference.songs import find_songs

    kind = _kind(format_, out_)
    chosen, given = _model_and_paths(model, paths or [])
    found = find_songs(given)
    songs = found.files
    if threads is None and len(songs) == 1:
        threads = 1
    classifier = load(chosen if chosen is not None else _default(quiet=quiet), device=device, threads=threads)
    _announce(found, classifier.header, kind, quiet=quiet)
    with (
        resumable("With --out, run the same command again to go on."),
        _writer(kind, out_, classifier.header, top=top) as writer,
        progress("songs", quiet=quiet) as bar,
    ):
        missing = [song for song in songs if str(song) not in writer.done]
        bar.add_task("classifying", total=len(songs), completed=len(songs) - len(missing))
        failed = _write_all(classifier.predict_many(missing), writer, bar)
    kept = f", {len(songs) - len(missing)} were there already" if writer.done else ""
    if out_ is not None:
        say(f"{len(missing) - failed} songs written to {out_}{kept}", quiet=quiet)
    if failed:
        say(f"{failed} of {len(songs)} files could not be used", quiet=quiet, style="yellow")
    if failed and failed == len(songs):
        raise typer.Exit(2)
    if out_ is not None or kind is Format.table:  # what a program reads ends with its data
        next_step(*_next_arguments(chosen, given, written=out_ is not None), quiet=quiet)
    if failed or found.unreadable:
        raise typer.Exit(1)


def _write_all(results: Iterable[Prediction | Failure], writer: _Writer, bar: Progress) -> int:
    """Write predictions as they come, name the songs that failed, and return how many did."""
    from genrescope.inference.prediction import Failure

    failed = 0
    for result in results:
        if isinstance(result, Failure):
            failed += 1
            bar.console.print(f"skipped {result.name}: {result.reason}", style="yellow", markup=False)
        else:
            writer.write(result)
        bar.advance(bar.task_ids[-1])
    return failed


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


def _model_and_paths(first: Path, others: list[Path]) -> tuple[Path | None, list[Path]]:
    """Tell a model from songs: a model file, a folder that holds one, or a name that is no path.

    Raises:
        DataError: there is a model and no song.
    """
    from genrescope.modelfile import CROSSVAL_NAME, FILE_NAME

    if first.is_dir():
        is_model = (first / FILE_NAME).exists() or (first / CROSSVAL_NAME).exists() or (first / "run.json").exists()
    else:
        is_model = first.suffix == ".safetensors" or not first.exists()
    if not is_model:
        return None, [first, *others]
    if not others:
        what = "a model, but no song" if first.exists() else "no such file or folder"
        raise DataError(
            f"{first}: {what}; give songs, as genrescope predict song.mp3 or genrescope predict MODEL song.mp3"
        )
    return first, others


def _next_arguments(model: Path | None, paths: list[Path], *, written: bool) -> tuple[object, ...]:
    """Return what comes after predictions: writing them all down; then what is known of how good they are."""
    if not written and len(paths) <= _REPEATED:
        return "predict", *((model,) if model is not None else ()), *paths, "--out", unused(Path("genres.csv"))
    if model is not None and (model / "run.json").exists():
        return "evaluate", model
    if model is not None and model.exists():
        return "models", "add", "NAME", model
    from genrescope.modelfile import shelf

    return "models", "show", model if model is not None else shelf.DEFAULT


def _default(*, quiet: bool) -> Path:
    """Return the model that needs no training, fetched the first time."""
    from genrescope.modelfile import shelf

    new, path = shelf.get(shelf.DEFAULT, on_step=lambda step: say(step, quiet=quiet))
    if new:
        say(f"{', '.join(new)}: on the shelf now. Terms: genrescope models show {shelf.DEFAULT}", quiet=quiet)
    return path


class _Writer(Protocol):
    """Where predictions go; `done` are the songs that stand there already."""

    done: set[str]

    def write(self, prediction: Prediction) -> None: ...


class _Lines:
    """JSON Lines or CSV on stdout, a line as soon as a song is done."""

    def __init__(self, kind: Format, genres: Sequence[str]) -> None:
        from genrescope.inference import outputs

        self.done: set[str] = set()
        self._text = partial(outputs.to_line, kind=kind.value, genres=genres)
        sys.stdout.write(outputs.header_line(kind.value, genres))

    def write(self, prediction: Prediction) -> None:
        sys.stdout.write(self._text(prediction))
        sys.stdout.flush()


class _Table:
    """A table on stdout, printed once all songs are done: genres with confidences, or tags with scores."""

    def __init__(self, top: int, header: Header) -> None:
        self.done: set[str] = set()
        self._top, self._exclusive, self._thresholds = top, header.exclusive, header.thresholds
        found = ["genre", "confidence", "then"] if header.exclusive else ["genres" if header.tags else "tags"]
        found += [", ".join(header.tags)] if header.tags else []
        windows = f"windows of {header.window_seconds:.2f} s"
        self._rows = table("song", *found, windows, "", right=("confidence", windows))

    def write(self, prediction: Prediction) -> None:
        from rich.text import Text

        self._rows.add_row(
            Text(prediction.name),
            *map(Text, self._found(prediction)),
            str(len(prediction.windows)),
            Text(f"warning: {prediction.warning}" if prediction.warning else ""),
        )

    def _found(self, prediction: Prediction) -> tuple[str, ...]:
        top = prediction.top(self._top)
        if not self._exclusive:
            counted = prediction.labels if self._thresholds else prediction.scores
            shown = (f"{tag} {score:.2f}" if tag in counted else f"({tag} {score:.2f})" for tag, score in top)
            others = (", ".join(next(iter(tags)) for tags in prediction.tags.values()),) if prediction.tags else ()
            none = "none: " if self._thresholds and not prediction.labels else ""
            return (none + ", ".join(shown), *others)
        then = ", ".join(f"{genre} {100 * score:.0f} %" for genre, score in top[1:])
        genre = f"unknown (nearest: {prediction.genre})" if prediction.unknown else prediction.genre
        return genre, f"{100 * prediction.confidence:.1f} %", then

    def show(self) -> None:
        if self._rows.row_count:
            out().print(self._rows)


@contextlib.contextmanager
def _writer(kind: Format, path: Path | None, header: Header, *, top: int) -> Iterator[_Writer]:
    from genrescope.inference.outputs import PredictionFile

    if path is not None:
        with PredictionFile(path, kind.value, header.labels) as file:
            yield file
    elif kind is Format.table:
        rows = _Table(top, header)
        try:
            yield rows
        finally:
            rows.show()
    else:
        yield _Lines(kind, header.labels)


def _kind(given: Format | None, path: Path | None) -> Format:
    """Choose the format: as given, or by the file's ending, or a table."""
    if path is None:
        return given or Format.table
    by_ending = {".jsonl": Format.jsonl, ".csv": Format.csv}.get(path.suffix.lower())
    kind = given or by_ending
    if kind in (None, Format.table):
        raise DataError(f"--out {path}: give --format jsonl or csv, or a file that ends in .jsonl or .csv")
    return kind
