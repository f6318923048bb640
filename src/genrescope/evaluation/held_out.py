"""Held-out tracks with their audio, each with the run that was not trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genrescope import splits
from genrescope.errors import DataError
from genrescope.evaluation.folds import SPLIT_FILE
from genrescope.evaluation.subjects import open_own_store
from genrescope.results import CROSSVAL_NAME, CrossValidation, read_result
from genrescope.sources.data import read_data
from genrescope.store.store import Store, StoredTrack, index_rows
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Selection:
    """Which held-out tracks, and where their sound is.

    Attributes:
        part: the part of a run's own split; not used with a cross-validation.
        most: how many tracks at most, spread evenly over the tracks in order; None takes all.
        data: where the audio is now, as DATA, if it was moved since the store was made.
        store: where the run's store is now, if it was moved.
    """

    part: str = "test"
    most: int | None = None
    data: str | None = None
    store: str | Path | None = None


ALL = Selection()
"""The whole part `test`, where it was when the store was made."""


@dataclass(frozen=True)
class HeldOut:
    """A track, its file, and the run that was not trained on it.

    Attributes:
        track: the track.
        file: its audio.
        sha256: what the file's checksum was when the store was made.
        run: folder of the run that scores it.
    """

    track: StoredTrack
    file: Path
    sha256: str
    run: Path


@dataclass(frozen=True)
class HeldOutTracks:
    """Held-out tracks, run after run.

    Attributes:
        store: where they come from.
        items: the tracks whose audio was found.
        split: how their split was made.
        part: the part that they are; None where every fold is scored in its turn.
        missing: tracks whose audio was not found, with the reason.
        notes: what a reader should know, a sentence each.
    """

    store: Store
    items: list[HeldOut]
    split: str
    part: str | None
    missing: dict[str, str]
    notes: tuple[str, ...]


def held_out(run: Path, selection: Selection) -> HeldOutTracks:
    """Find the held-out tracks of a run, or of every fold of a cross-validation, and their files.

    Raises:
        DataError: there is no such run or part, or no audio.
    """
    notes: list[str] = []
    part, most = selection.part, selection.most
    folded = read_result(run) if (run / CROSSVAL_NAME).exists() else None
    if isinstance(folded, CrossValidation):
        made = splits.read(run / SPLIT_FILE)
        run_of = {track_id: run / fold.run for fold in folded.crossval.folds for track_id in made.ids(fold.fold)}
    else:
        facts = read_run(run)
        made = splits.read(run / "split.csv")
        run_of = dict.fromkeys(made.ids(part), run)
        if part in facts["parts"]:
            notes.append(f"the model was trained on the part {part}: these scores say nothing about new music")
    opened = open_own_store(next(iter(run_of.values())), selection.store)
    opened.refuse_several("a robustness test")
    held = [track for track in opened.tracks if track.id in run_of and track.labels]
    if most is not None and most < len(held):
        notes.append(f"only {most} of {len(held)} tracks, spread evenly")
        held = [held[place] for place in np.linspace(0, len(held) - 1, most).round().astype(int)]
    found = _files(opened, selection.data)
    items = [HeldOut(track, *found[track.id], run_of[track.id]) for track in held if track.id in found]
    missing = {track.id: f"not in {selection.data or opened.data}" for track in held if track.id not in found}
    items.sort(key=lambda item: (str(item.run), item.track.id))  # one model is loaded after the other
    return HeldOutTracks(opened, items, made.method, None if folded else part, missing, tuple(notes))


def _files(store: Store, data: str | None) -> dict[str, tuple[Path, str]]:
    try:
        _, listed = read_data(data if data is not None else store.data)
    except DataError as error:
        raise DataError(f"the audio of the store {store.path}: {error}; give its place with --data") from error
    checksums = {row.id: row.sha256 for row in index_rows(store.path)}
    return {track.id: (track.path, checksums[track.id]) for track in listed if track.id in checksums}
