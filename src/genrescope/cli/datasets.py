"""Commands on public data sets: datasets list, datasets show, datasets download."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import bar_of, whole
from genrescope.cli.console import INTERRUPTED, Quiet, next_step, out, resumable, say, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genrescope.sources.cards import Archive, Card
    from genrescope.sources.download.dataset import Downloaded, Progress

_LISTED = 4  # archives that are shown; some data sets have a hundred


group = typer.Typer()


def add_to(app: typer.Typer) -> None:
    """Add this module's commands."""
    group.callback(invoke_without_command=True)(datasets)
    group.command("list", epilog="Example: genrescope datasets list")(list_cards)
    group.command(epilog="Example: genrescope datasets show gtzan")(show)
    group.command(epilog="Example: genrescope datasets download gtzan music/gtzan")(download)
    app.add_typer(group, name="datasets", epilog="Example: genrescope datasets show gtzan")


def datasets(context: typer.Context) -> None:
    """List public data sets, show one, or download one."""
    if context.invoked_subcommand is None:
        list_cards()


def list_cards() -> None:
    """List the data sets that genrescope knows."""
    from genrescope.sources import cards

    rows = table("name", "title", "size", "genres", right=("genres",))
    for card in map(cards.card, cards.names()):
        rows.add_row(card.name, card.title, card.size, str(len(card.genres)))
    out().print(rows)


def show(name: Annotated[str, typer.Argument(help="A card's name, as `genrescope datasets` lists them.")]) -> None:
    """Show a data set in full: citation, terms, known faults, official splits."""
    from genrescope.sources import cards

    card = cards.card(name)
    facts = [
        ("title", card.title),
        ("citation", card.citation),
        ("terms", card.terms),
        ("source", card.source),
        *((archive.file, archive.checksum) for archive in card.archives[:_LISTED]),
        *([("more archives", str(len(card.archives) - _LISTED))] if len(card.archives) > _LISTED else []),
        ("size", card.size),
        ("genres", ", ".join(card.genres)),
        ("known faults", "\n".join(card.known_faults)),
        *((f"split {split.name}", f"{split.title}\n{split.citation}") for split in card.splits),
    ]
    rows = table("heading", "what is known")
    for heading, text in facts:
        rows.add_row(heading, text)
    out().print(rows)


def download(
    name: Annotated[str, typer.Argument(help="A card's name, as `genrescope datasets` lists them.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the data set; made if need be.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether the terms are accepted.")] = False,
    timeout: Annotated[
        float, typer.Option(min=1.0, help="Seconds without a byte after which a mirror is given up.")
    ] = 30.0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the archives after they are unpacked.")] = False,
    quiet: Quiet = False,
) -> None:
    """Download a public data set, verify and unpack it. Resumable; what is there already stays as it is."""
    from genrescope.sources import cards
    from genrescope.sources.download import dataset, record
    from genrescope.sources.download.fetch import Patience

    card = cards.card(name)
    dataset.refuse_without_archives(card, folder)
    with resumable("Run the same command again: it goes on where it stopped."):
        missing = record.missing_archives(card, folder)
        if missing:
            _show_terms(card, missing, yes=yes, quiet=quiet)
        with _progress(quiet=quiet) as (show, note):
            done = dataset.download(
                card, folder, keep=keep, patience=Patience(timeout=timeout), on_progress=show, on_note=note
            )
    _report(card, folder, done, quiet=quiet)
    if done.failed:
        raise typer.Exit(1)


def _show_terms(card: Card, missing: tuple[Archive, ...], *, yes: bool, quiet: bool) -> None:
    """Show what will be downloaded and on what terms; on a terminal ask whether to go on."""
    from genrescope.sources.download.dataset import describe
    from genrescope.sources.download.fetch import size_text

    asks = not yes and sys.stdin.isatty() and sys.stderr.isatty()
    size, hosts = describe(missing)
    names = missing[0].file if len(missing) == 1 else f"{len(missing)} archives"
    facts = {
        "size": card.size,
        "terms of use": card.terms,
        "to cite": card.citation,
        "download": f"{names}{f', {size_text(size)}' if size is not None else ''}, from {' or '.join(hosts)}",
    }
    say(card.title, quiet=quiet and not asks, style="bold")
    for heading, text in facts.items():
        say(f"  {heading + ':':14}{text}", quiet=quiet and not asks)
    if not asks:
        return
    try:
        accepted = typer.confirm("Download it on these terms?", default=True, err=True)
    except typer.Abort:  # Ctrl-C, or the end of the input
        say("")
        raise typer.Exit(INTERRUPTED) from None
    if not accepted:
        say("nothing was downloaded")
        raise typer.Exit(2)


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[tuple[Callable[[Progress], None], Callable[[str], None]]]:
    """Yield what shows a bar of bytes, rate and time left for each archive and step, and what prints notes above it.

    There is no bar when not on a terminal.
    """
    from rich.progress import DownloadColumn, TransferSpeedColumn

    bar = bar_of(DownloadColumn(table_column=whole()), TransferSpeedColumn(whole()), quiet=quiet)
    tasks = [bar.add_task("", total=None, visible=False)]
    shown = [("", "")]

    def show(at: Progress) -> None:
        if (at.step, at.archive) != shown[0]:  # a task of its own, so that the rate is that of this step
            bar.remove_task(tasks.pop())
            tasks.append(bar.add_task(at.step, total=at.total, completed=at.done, detail=at.archive))
            shown[0] = (at.step, at.archive)
        bar.update(tasks[0], completed=at.done, total=at.total)

    def note(text: str) -> None:
        if not quiet:
            bar.console.print(f"note: {text}", markup=False)

    with bar:
        yield show, note


def _report(card: Card, folder: Path, done: Downloaded, *, quiet: bool) -> None:
    from genrescope.sources.download.fetch import size_text

    for path in done.kept:
        say(f"kept: {path} ({size_text(path.stat().st_size)}); it is not needed any more", quiet=quiet)
    for _, reason in done.failed:
        say(f"missing: {reason}", style="yellow")
    what = "there already" if done.there_already else "downloaded and unpacked" if done.fetched else "unpacked"
    how = what if done.there_already else f"{what} in {done.seconds:.0f} s"
    say(f"{card.name}: {done.files:,} files, {size_text(done.bytes)}, in {folder}; {how}", quiet=quiet)
    next_step("check", f"{card.name}:{folder}", quiet=quiet)
