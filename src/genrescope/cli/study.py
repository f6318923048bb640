"""The command study."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import bar_of
from genrescope.cli.console import Device, Quiet, next_step, resumable, say, template, typed_again
from genrescope.cli.splits import find_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genrescope.research.study import Ended, Studied, StudyProgress

_STEPS = 1000  # of a run, on the bar


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope study study.toml --out studies/first --jobs 2")(study)


def study(
    file: Annotated[Path, typer.Argument(help="TOML file that lists experiments.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs and the results.")],
    jobs: Annotated[
        int, typer.Option(min=1, help="Experiments at once, each in a process with its share of the cores.")
    ] = 1,
    template: Annotated[bool, template("study_template.toml")] = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Run many experiments over several seeds; leave a table, a page, learning curves. Runs only what is not done."""
    from genrescope.research import study as studies

    with resumable(typed_again()), showing(quiet=quiet) as (on_progress, on_end):
        done = studies.study(
            file, out, jobs=jobs, device=device, find_pairs=lambda store: find_pairs(store, quiet=quiet),
            on_progress=on_progress, on_end=on_end,
        )  # fmt: skip
    print(done.table)
    if done.page is not None:
        say(f"page: {done.page}", quiet=quiet)
    finish(done, quiet=quiet)


def finish(done: Studied, *, quiet: bool) -> None:
    """Name the runs that failed and the next command; code 1 if any failed."""
    from genrescope.research import study as studies

    for each in done.failed:
        say(f"failed: {each.run.name}, seed {each.run.seed}: {each.reason}", style="yellow")
    if done.page is not None:
        next_step(*studies.next_arguments(done), quiet=quiet)
    if done.failed:
        raise typer.Exit(1)


@contextlib.contextmanager
def showing(*, quiet: bool) -> Iterator[tuple[Callable[[StudyProgress], None], Callable[[Ended], None]]]:
    """Yield what shows progress on a bar, and what tells of a run that has ended on a line."""
    from genrescope.research.tables import duration

    bar = bar_of(quiet=quiet)
    task = bar.add_task("fits", total=None, visible=False)

    def on_progress(at: StudyProgress) -> None:
        running = f"  {at.run.name}, seed {at.run.seed}" if at.run is not None else ""
        detail = f"{at.standing}{'  waiting for other processes' if at.waiting else running}"
        ahead = at.standing.total - at.standing.done + at.share
        bar.update(task, completed=_STEPS * at.share, total=_STEPS * ahead, detail=detail, visible=True)

    def on_end(ended: Ended) -> None:
        how = duration(ended.seconds) if ended.reason is None else f"failed: {ended.reason}"
        if not quiet:
            bar.console.print(f"{ended.run.name}, seed {ended.run.seed}: {how}", markup=False)

    with bar:
        yield on_progress, on_end
