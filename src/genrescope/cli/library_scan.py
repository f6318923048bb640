"""The command library scan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Device, Jobs, Quiet, next_step, report_unreadable, resumable, say, typed_again
from genrescope.cli.library_options import LibraryOption, library_again, library_path
from genrescope.cli.loading import ModelOption, load_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as Bar

    from genrescope.audio import Walk
    from genrescope.library.scan import Scan, Scanned
    from genrescope.progress import Progress

EPILOG = "Example: genrescope library scan ~/Music --library music.db"
_LISTED = 20  # failures at the end; `library list --failed` has all


def scan(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders to walk, and audio files.")],
    model: ModelOption = None,
    library: LibraryOption = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try files again that failed before.")] = False,
    forget_missing: Annotated[
        bool, typer.Option("--forget-missing", help="Delete songs from the library whose files are gone.")
    ] = False,
    jobs: Jobs = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Classify what is new or changed, and keep the results. Files are never written; moved files are recognised."""
    from genrescope import locks
    from genrescope.files import absolute
    from genrescope.library import scan as scanning
    from genrescope.library.database import Library

    place = library_path(library)
    with locks.file(place, by="library scan"), Library(place, create=True) as opened:
        found = scanning.find_files(opened, paths)
        _announce(found, quiet=quiet)
        classifier, name = load_model(model, device=device, quiet=quiet)
        with resumable(typed_again()), progress("files", quiet=quiet) as bar:
            task = scanning.Scan(opened, classifier, name=name, retry=retry, jobs=jobs, on_step=_shown(bar))
            task.run(found.files)
            task.mark_missing([absolute(path) for path in paths], forget=forget_missing)
    _report(task, place, quiet=quiet)
    if task.result.files and len(task.result.failed) == task.result.files:
        raise typer.Exit(2)
    next_step("library", "list", *library_again(library), quiet=quiet)
    if task.result.failed or task.result.failed_before or found.unreadable:
        raise typer.Exit(1)


def _announce(found: Walk, *, quiet: bool) -> None:
    from genrescope.sources.folders import left_out

    report_unreadable(found.unreadable)
    if found.left_out:
        say(f"note: {left_out(found.left_out)}", quiet=quiet)


def _shown(bar: Bar) -> Callable[[Progress[tuple[Path, str]]], None]:
    """Return what shows a scan's progress: files done, files per second, and each failure as it comes."""
    started = time.monotonic()
    task = bar.add_task("scanning", total=None)

    def show(progress: Progress[tuple[Path, str]]) -> None:
        speed = progress.done / max(time.monotonic() - started, 1e-3)
        bar.update(task, total=progress.total, completed=progress.done, detail=f"{speed:.1f} files/s")
        if progress.item is not None:
            path, reason = progress.item
            bar.console.print(f"skipped {path}: {reason}", style="yellow", markup=False)

    return show


def _report(task: Scan, place: Path, *, quiet: bool) -> None:
    result = task.result
    say(f"{result.files} files: {_counted(result)}", quiet=quiet)
    say(
        f"{result.classified} songs classified by {task.model.name} ({task.model.fingerprint}); in {place}", quiet=quiet
    )
    if not task.model.width:
        say("note: this model gives no embeddings, so similar and clusters will not work for these songs", quiet=quiet)
    if result.missing or result.forgotten:
        gone = f"{result.forgotten} songs were deleted from the library" if result.forgotten else "they are kept"
        say(f"{result.missing} songs have no file any more; {gone}", quiet=quiet)
    if result.failed_before:
        say(
            f"{result.failed_before} files failed before and have not changed: genrescope library list --failed; "
            "try them again with --retry",
            quiet=quiet, style="yellow",
        )  # fmt: skip
    _list_failed(result, quiet=quiet)


def _counted(result: Scanned) -> str:
    """Return how many files were new, changed and so on, those that there are."""
    order = ("new", "changed", "moved", "retagged", "copy", "unchanged", "unreadable")
    words = {"copy": "copies of known songs"}
    return ", ".join(f"{result.found[how]} {words.get(how, how)}" for how in order if result.found[how]) or "none"


def _list_failed(result: Scanned, *, quiet: bool) -> None:
    if not result.failed:
        return
    say(f"{len(result.failed)} of {result.files} files could not be used:", quiet=quiet, style="yellow")
    for path, reason in result.failed[:_LISTED]:
        say(f"  {path}: {reason}", quiet=quiet, style="yellow")
    if len(result.failed) > _LISTED:
        say(f"  and {len(result.failed) - _LISTED} more: genrescope library list --failed", quiet=quiet, style="yellow")
