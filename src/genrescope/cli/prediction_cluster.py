"""The command predict on a cluster: what it refuses, its progress, and what it says at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from genrescope import extras
from genrescope.cli.bars import progress
from genrescope.cli.console import next_step, report_unreadable, resumable, say
from genrescope.cli.prediction_options import STDIN, Format
from genrescope.cli.prediction_outputs import name_failure
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.progress import Progress

    from genrescope.inference.classifier import Classifier
    from genrescope.inference.rows import RowSpec
    from genrescope.scale.part_writer import Summary
    from genrescope.scale.predict import Done
    from genrescope.scale.songs import Found

_GENRES = 12  # that are counted one by one


@dataclass(frozen=True)
class Where:
    """Where the work is done, and where the results go.

    Attributes:
        out: the folder of the results.
        address: of the cluster; None is this machine.
        jobs: workers; None is one for each processor.
        part: songs of a part; None is a share of all.
        replace: whether to begin afresh.
    """

    out: Path
    address: str | None
    jobs: int | None
    part: int | None
    replace: bool


def checked(
    *, format_: Format | None, out: Path | None, segments: Path | None, device: str, paths: Sequence[Path]
) -> Path:
    """Return the folder of the results, after what a cluster cannot do was refused.

    Raises:
        DataError: it is asked for.
        MissingPackageError: Ray is not installed.
    """
    extras.require("scale", "--engine ray")
    if out is None:
        raise DataError("--engine ray: give --out FOLDER, a folder or an s3://, gs:// or abfs:// URL for the results")
    if format_ not in (None, Format.parquet):
        raise DataError(f"--engine ray: the results are Parquet files; --format {format_} is not accepted")
    if segments is not None:
        raise DataError("--engine ray: --segments is not accepted; leave it out, or leave out --engine ray")
    if device not in ("auto", "cpu"):
        raise DataError(f"--engine ray: workers score on their processors; --device {device} is not accepted")
    if STDIN in paths:
        raise DataError("--engine ray: paths from stdin (-) are not accepted; give a table with a column path or url")
    return out


def run(
    classifier: Classifier,
    paths: Sequence[Path],
    spec: RowSpec,
    where: Where,
    *,
    following: tuple[object, ...],
    quiet: bool,
) -> None:
    """Classify on a cluster, and say what was done, and which command comes after it.

    Raises:
        typer.Exit: some songs failed, or all.
    """
    from genrescope.scale import predict, songs
    from genrescope.scale.folder import Folder

    folder = Folder.at(where.out)
    with progress("songs", quiet=quiet) as bar:
        bar.add_task("listing", total=None)
        found = songs.find(paths)
    _announce(found, quiet=quiet)
    with resumable("Run the same command again to go on."), progress("songs", quiet=quiet) as bar:
        shown = _Shown(bar, len(found.songs))
        done = predict.run(
            classifier, found.songs, folder, spec, address=where.address, jobs=where.jobs,
            most=where.part, replace=where.replace, on_part=shown.part, on_look=shown.look,
        )  # fmt: skip
    _report(done, folder.place, quiet=quiet)
    next_step(*following, quiet=quiet)
    if done.failed or found.unreadable:
        raise typer.Exit(2 if done.failed == done.songs else 1)


class _Shown:
    """The progress of a run: songs go by parts, so its speed counts from when workers were there to the last part."""

    def __init__(self, bar: Progress, songs: int) -> None:
        self._bar, self._songs = bar, songs
        self._task = bar.add_task("classifying", total=songs, detail="starting workers")
        self._ready = self._last = 0.0
        self._new = 0

    def part(self, part: Summary) -> None:
        """Count a part."""
        self._bar.update(self._task, advance=part.songs)
        if part.kept:
            return
        self._new += part.songs
        self._last = time.monotonic()

    def look(self, workers: int) -> None:
        """Show how many workers there are, how fast they are, and how long it will take."""
        now = time.monotonic()
        self._ready = self._ready or (now if workers else 0.0)
        told = [f"{workers} worker{'' if workers == 1 else 's'}" if workers or self._ready else "starting workers"]
        remaining = None
        if self._new:
            speed = self._new / max(self._last - self._ready, 1e-3)
            told.insert(0, f"{speed:.1f} songs/s")
            left = self._songs - self._bar.tasks[self._task].completed
            remaining = max(0.0, left / speed - (now - self._last))
        self._bar.update(self._task, detail=", ".join(told), remaining=remaining)


def _announce(found: Found, *, quiet: bool) -> None:
    from genrescope.sources.folders import left_out

    report_unreadable(found.unreadable)
    if others := +found.left_out:
        say(f"note: {left_out(others)}", quiet=quiet)


def _report(done: Done, place: str, *, quiet: bool) -> None:
    """Say how many songs were classified, where they are, and which failed."""
    new = done.songs - done.kept
    common = done.genres.most_common()
    counts = ", ".join(f"{genre} {count}" for genre, count in common[:_GENRES])
    others = sum(count for _, count in common[_GENRES:])
    more = f", other genres {others}" if others else ""
    working = done.seconds - done.starting
    started = f", after {done.starting:.1f} s until workers were ready" if new else ""
    speed = f", {new / working:.1f} songs/s" if new else ""
    say(f"{new} songs in {working:.1f} s{speed}{started}", quiet=quiet)
    say(f"{done.hours:.1f} hours: {counts}{more}", quiet=quiet)
    there = f", {done.kept} of them by an earlier run" if done.kept else ""
    say(f"{done.songs} songs in {done.parts} parts written to {place}{there}", quiet=quiet)
    if done.died:
        say(f"note: {done.died} worker{'' if done.died == 1 else 's'} died; others did the work", quiet=quiet)
    if len(done.processors) > 1:
        say(f"note: processors of several kinds ({', '.join(done.processors)}): last digits may differ", quiet=quiet)
    for name, reason in done.failures:
        name_failure(name, reason)
    if done.failed:
        again = f"; the next run tries {done.unfetched} again that were not fetched" if done.unfetched else ""
        say(f"{done.failed} of {done.songs} files could not be used{again}", quiet=quiet, style="yellow")
