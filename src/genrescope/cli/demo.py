"""The command demo: the whole pipeline on synthesised music."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from genrescope.cli.console import Quiet, next_step, out, resumable, say, steps_of_one_command
from genrescope.cli.scores import show_scores

ARTISTS, TRACKS, SECONDS = 8, 3, 9.0
SHARES = {"train": 0.5, "validation": 0.125, "test": 0.375}
"""Four, one and three of each style's eight artists: enough test tracks for an interval that says something."""


def add_to(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(epilog="Example: genrescope demo --out demo")(demo)


def demo(
    folder: Annotated[Path, typer.Option("--out", help="Folder for all that the demo makes.")] = Path("demo"),
    quiet: Quiet = False,
) -> None:
    """Run the whole pipeline on synthesised music: synth, check, prepare, split, train, evaluate, predict. Resumable.

    The music is computed, so that the demo needs no download; it proves nothing about real music.
    """
    from genrescope import splits
    from genrescope.cli import check, data, predict, train
    from genrescope.cli.splits import find_pairs
    from genrescope.evaluation.evaluate import evaluate
    from genrescope.store.store import open_store
    from genrescope.training import recipe
    from genrescope.training.job import Job

    begun = time.monotonic()
    music, store, run = folder / "music", folder / "store", folder / "run"
    with resumable(f"Go on with: genrescope demo --out {folder}"), steps_of_one_command():
        say("1/7 synth: ten invented styles, eight artists each", quiet=quiet, style="bold")
        data.synth(music, artists=ARTISTS, tracks=TRACKS, seconds=SECONDS, quiet=quiet)
        say("2/7 check: damaged files, duplicates, band-limited sound", quiet=quiet, style="bold")
        check.check(f"synth:{music}", folder / "check", quiet=quiet)
        say("3/7 prepare: decode, log-mel, store", quiet=quiet, style="bold")
        data.prepare(f"synth:{music}", store, quiet=quiet)
        say("4/7 split: no artist in two parts", quiet=quiet, style="bold")
        opened = open_store(store)
        pairs = find_pairs(opened, quiet=quiet)
        made = splits.make(opened.tracks, "stratified-group", shares=SHARES, pairs=pairs)
        splits.write(made, folder / "split.csv")
        say(", ".join(f"{count} {part}" for part, count in made.counts.items()) + " tracks", quiet=quiet)
        say("5/7 train: recipe demo", quiet=quiet, style="bold")
        job = Job(opened, recipe.load("demo"), made, run, resume=True, pairs=tuple(pairs))
        train.announce(job, folds=False, quiet=quiet)
        train.run_training(job, quiet=quiet)
        say("6/7 evaluate: the artists that were held out", quiet=quiet, style="bold")
        done = evaluate(run, part="test")
        show_scores(done.result)
        say("7/7 predict: songs of held-out artists", quiet=quiet, style="bold")
        songs = [track.id for track in done.result.tracks]
        predict.predict(run, [music / song for song in songs[:: len(songs) // 5][:5]], quiet=quiet)
    console = out()
    console.print(f"report: {done.report}  (open it in a browser)", markup=False)
    console.print(
        f"{time.monotonic() - begun:.0f} s. The music is synthesised: these scores prove nothing about real music."
    )
    next_step("check", "MUSIC", quiet=quiet)
