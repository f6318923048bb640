"""The commands tag and untag: genres are written into files, and files become again what they were."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli import tag_options as options
from genrescope.cli import tag_sources, tag_table
from genrescope.cli.bars import progress
from genrescope.cli.console import Device, Quiet, next_step, resumable, say
from genrescope.cli.grids import FormatOption, TableFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.cli.tag_sources import Source
    from genrescope.tags.journal import Entry, Journal
    from genrescope.tags.plan import Rules
    from genrescope.tags.tagging import Row, Style


def add_to(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(epilog="Example: genrescope tag ~/Music --count 2 --min-confidence 0.6 --write")(tag)
    app.command(epilog="Example: genrescope untag journal.jsonl")(untag)


def tag(
    model: options.Model = None,
    paths: options.Paths = None,
    write: options.Write = False,
    replace: options.Replace = False,
    generic: options.Generic = None,
    count: options.Count = 1,
    min_confidence: options.MinConfidence = None,
    map_: options.Map = None,
    template: options.Template = False,
    field: options.Field = None,
    provenance: options.Provenance = True,
    join: options.Join = "; ",
    predictions: options.Predictions = None,
    library: options.LibraryFile = None,
    journal: options.JournalFile = None,
    touch: options.Touch = False,
    break_links: options.BreakLinks = False,
    verify: options.Verify = options.Compare.packets,
    all_: options.All = False,
    format_: FormatOption = TableFormat.table,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Write genres into the tags of files: a table of what would be done; with --write done, and noted in a journal."""
    from genrescope.tags import plan, tagging
    from genrescope.tags.change import checked_field

    rules = plan.Rules(
        count, *plan.minimums(min_confidence or []), plan.load_map(map_), replace, plan.generic_words(generic or [])
    )
    given = [path for path in (model, *(paths or [])) if path is not None]
    if predictions is not None:
        source = tag_sources.from_file(predictions, given, quiet=quiet)
    elif library is not None:
        source = tag_sources.from_library(library, given, quiet=quiet)
    else:
        source = tag_sources.from_model(given, device=device, quiet=quiet)
    _check_labels(rules, source, map_, quiet=quiet)
    name = checked_field(field) if field is not None else None
    style = tagging.Style(
        name, provenance, source.model, join, touch, break_links, verify is options.Compare.decoded
    )  # fmt: skip
    place = _journal_at(journal) if write else None
    rows = _run(source, rules, style, place, every=all_, quiet=quiet)
    tag_table.show(rows, format_, every=all_)
    tag_table.report(rows, source.without_threshold if not min_confidence else (), write=write, quiet=quiet)
    _end(rows, source, place, quiet=quiet)


def _run(source: Source, rules: Rules, style: Style, place: Path | None, *, every: bool, quiet: bool) -> list[Row]:
    """Decide on each song, write where there is a journal, and name what is not possible as it comes."""
    from genrescope.tags import tagging

    rows: list[Row] = []
    with (
        resumable("Run the same command again to go on." + (f" So far: genrescope untag {place}" if place else "")),
        _journal(place, source) as journal,
        progress("songs", quiet=quiet) as bar,
    ):
        if journal is not None:
            say(f"journal: {place}", quiet=quiet)
        if journal is not None and (gone := tagging.clean(source.songs)):
            say(f"{len(gone)} half-written copies of an interrupted run removed", quiet=quiet)
        task = bar.add_task("writing" if journal else "reading", total=len(source.songs))
        for row in tagging.Tagger(rules, style, journal).run(source.songs, source.classify, score_all=every):
            rows.append(row)
            if row.decision.action == "refuse":
                bar.console.print(f"refused {row.path}: {row.decision.why}", style="yellow", markup=False)
            bar.update(task, advance=1, detail=row.path.name)
    return rows


def _journal_at(path: Path | None) -> Path:
    from genrescope.tags import journal

    return path if path is not None else journal.default_path()


def _journal(place: Path | None, source: Source) -> contextlib.AbstractContextManager[Journal | None]:
    if place is None:
        return contextlib.nullcontext()
    from genrescope.tags.journal import Journal

    return Journal(place, {"model": source.model})


def _check_labels(rules: Rules, source: Source, map_: Path | None, *, quiet: bool) -> None:
    """Refuse a label of the command line that the model does not have, and name those of a map."""
    from genrescope.errors import DataError, nearest

    for label in rules.minimums:
        if label not in source.labels:
            raise DataError(f"--min-confidence {label}: the model has no such label; {nearest(label, source.labels)}")
    unknown = sorted(rules.map.keys() - source.labels) if map_ is not None else []
    if unknown:  # a map may serve several models
        say(f"note: {map_} names labels that the model does not have: {', '.join(unknown)}", quiet=quiet)


def _end(rows: Sequence[Row], source: Source, place: Path | None, *, quiet: bool) -> None:
    """Say what comes next, and end with the code that fits."""
    refused = sum(row.decision.action == "refuse" for row in rows)
    if rows and refused == len(rows):
        raise typer.Exit(2)
    if place is not None and any(row.written for row in rows):
        next_step("untag", place, quiet=quiet)
    elif place is None and any(row.decision.action == "write" for row in rows):
        next_step(*sys.argv[1:], "--write", quiet=quiet)
    elif more := next((option for option in ("--all", "--replace") if option not in sys.argv), None):
        next_step(*(word for word in sys.argv[1:] if word != "--write"), more, quiet=quiet)
    if refused or source.has_unreadable:
        raise typer.Exit(1)


def untag(
    journal: Annotated[Path, typer.Argument(help="A journal that genrescope tag --write has left.")],
    break_links: options.BreakLinks = False,
    quiet: Quiet = False,
) -> None:
    """Make files again what they were before genrescope tag, to the byte; those changed since are named and left."""
    from genrescope.tags import journal as journals
    from genrescope.tags import tagging

    entries = journals.read(journal)
    tagging.clean(entry.path for entry in entries)
    counts = {"restored": 0, "unchanged": 0, "refused": 0}
    with resumable("Run the same command again to go on."), progress("songs", quiet=quiet) as bar:
        task = bar.add_task("restoring", total=len(entries))
        for entry in reversed(entries):  # of two changes of one file the later is undone first
            outcome, reason = _undone(entry, break_links=break_links)
            counts[outcome] += 1
            if reason:
                bar.console.print(f"refused {entry.path}: {reason}", style="yellow", markup=False)
            bar.update(task, advance=1, detail=entry.path.name)
    say(
        f"{counts['restored']:,} songs restored, {counts['unchanged']:,} were as before already, "
        f"{counts['refused']:,} not possible",
        quiet=quiet,
    )
    if entries and counts["refused"] == len(entries):
        raise typer.Exit(2)
    next_step("tag", _folder([entry.path for entry in entries]), quiet=quiet)
    if counts["refused"]:
        raise typer.Exit(1)


def _folder(songs: Sequence[Path]) -> Path:
    """Return the folder that has all songs, or where that is the root or a drive of none, that of the first."""
    with contextlib.suppress(ValueError):
        common = Path(os.path.commonpath([song.parent for song in songs]))
        if common != Path(common.anchor):
            return common
    return songs[0].parent if songs else Path("PATH")


def _undone(entry: Entry, *, break_links: bool) -> tuple[str, str]:
    """Undo a change; return what became of it, and why where it was not possible."""
    from genrescope.errors import reason_of
    from genrescope.tags.edits import TagError
    from genrescope.tags.undo import undo

    try:
        return undo(entry, break_links=break_links), ""
    except (TagError, OSError) as error:
        return "refused", reason_of(error)
