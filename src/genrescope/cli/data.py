"""Commands on data: synth, prepare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.cluster_options import Address, Engine, EngineOption, refuse_without_ray
from genrescope.cli.console import (
    Jobs,
    ListingReport,
    NormaliseGenres,
    Quiet,
    Seed,
    SeveralGenres,
    next_step,
    resumable,
    say,
    unused,
)

if TYPE_CHECKING:
    from genrescope.store.prepare import Compute


def add_to(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(epilog="Example: genrescope synth music --artists 8 --tracks 3 --seconds 9")(synth)
    app.command(epilog="Example: genrescope prepare gtzan:/music/gtzan --out store")(prepare)


def synth(
    folder: Annotated[Path, typer.Argument(help="Folder for the audio files; made if need be.")],
    artists: Annotated[int, typer.Option(min=1, help="Artists in each style.")] = 8,
    tracks: Annotated[int, typer.Option(min=1, help="Tracks by each artist.")] = 3,
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of a track.")] = 30.0,
    crossover: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="How much artists take over from other styles: how hard it is.")
    ] = 0.0,
    seed: Seed = 0,
    jobs: Jobs = None,
    quiet: Quiet = False,
) -> None:
    """Write the synthesised data set: ten invented styles. It proves nothing about real music."""
    from genrescope import synth as music
    from genrescope.workers import cores

    with resumable("Run the same command again to go on."), progress("tracks", quiet=quiet) as bar:
        task = bar.add_task("synthesising", total=None)
        written = music.write_dataset(
            folder,
            music.Collection(artists, tracks, seconds, seed, crossover),
            jobs=jobs or cores(),
            on_track=lambda done, total: bar.update(task, completed=done, total=total),
        )
    say(f"{written} tracks in {folder}; use them as DATA: synth:{folder}", quiet=quiet)
    next_step("check", f"synth:{folder}", quiet=quiet)


def prepare(
    data: Annotated[
        str,
        typer.Argument(
            help="Folder of genre folders, CSV or TSV file, card:folder, library:folder, playlists:folder, library.db."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the store.")],
    genres: Annotated[str | None, typer.Option(help="Keep only these, as blues,jazz.")] = None,
    normalise_genres: NormaliseGenres = False,
    several_genres: SeveralGenres = False,
    corrections: Annotated[
        Path | None,
        typer.Option(help="CSV file (path,genre) whose genres replace those in DATA; several are separated by ;."),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="Where groups (artists) come from: tags, column:NAME, path:{genre}/{artist}/**, regex:EXPRESSION, "
            "file:TABLE, or none; by default as DATA has them."
        ),
    ] = None,
    jobs: Jobs = None,
    engine: EngineOption = Engine.local,
    address: Address = None,
    quiet: Quiet = False,
) -> None:
    """Decode a data set once: its index, and all log-mels in one store. Resumable."""
    from genrescope.store import prepare as preparing

    refuse_without_ray(engine, address=address)
    compute = _on_cluster(address, jobs) if engine is Engine.ray else None
    wanted = [genre.strip() for genre in genres.split(",") if genre.strip()] if genres is not None else None
    with resumable("Run the same command again to go on."), progress("tracks", quiet=quiet) as bar:
        task = bar.add_task("preparing", total=None)
        seconds = 0.0

        def show(at: preparing.Progress) -> None:
            nonlocal seconds
            seconds += at.item.seconds if at.item else 0.0
            bar.update(task, completed=at.done, total=at.total, detail=f"{seconds / 60:.0f} min of music")
            if at.item is not None and at.item.status != "ok":
                bar.console.print(f"skipped {at.item.path}: {at.item.status}", style="yellow", markup=False)

        listed = ListingReport(quiet=quiet)
        done = preparing.prepare(
            data, out, genres=wanted, normalise_genres=normalise_genres, several_genres=several_genres,
            corrections=corrections, groups=groups, jobs=jobs, compute=compute, on_listing=listed, on_track=show,
        )  # fmt: skip
    report_store(done, quiet=quiet)
    if groups not in (None, "none") and (without := sum(not track.group for track in done.store.tracks)):
        say(f"note: {without} of {len(done.store.tracks)} tracks have no group in {groups}", quiet=quiet)
    next_step("train", out, "--out", unused(out.parent / "runs" / "first"), quiet=quiet)
    if done.failed or listed.unreadable:
        raise typer.Exit(1)


def _on_cluster(address: str | None, jobs: int | None) -> Compute:
    from genrescope.scale.prepare import on_cluster

    return on_cluster(address=address, jobs=jobs)


def report_store(done: object, *, quiet: bool) -> None:
    """Say what a run of `prepare` did."""
    from genrescope.sources.listing import some
    from genrescope.store.prepare import Prepared

    assert isinstance(done, Prepared)
    if done.repaired:
        say(
            f"repaired: {some(list(done.repaired))} of {done.store.path} was damaged and was made again", style="yellow"
        )
    tracks = done.store.tracks
    hours = sum(track.seconds for track in tracks) / 3600
    say(
        f"{len(tracks)} tracks of {len(done.store.genres)} genres, {hours:.1f} hours, in {done.store.path}: "
        f"{done.computed - len(done.failed)} computed, {done.kept} kept, {len(done.failed)} skipped, "
        f"{done.seconds:.1f} s; fingerprint {done.store.fingerprint}",
        quiet=quiet,
    )
