"""Build a store: worker processes decode and transform, one writer appends, a journal remembers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from genrescope import audio, files, locks, progress, workers
from genrescope.errors import DataError, reason_of
from genrescope.features.front_end import frames_of, make
from genrescope.features.spec import LogMelSpec
from genrescope.sources.data import list_data, select_genres, table_of
from genrescope.sources.groups import assign
from genrescope.store import store
from genrescope.store.index import IndexRow
from genrescope.store.journal import JOURNAL_FILE, PARTIAL_FILE, Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from genrescope.features.front_end import FrontEnd
    from genrescope.features.spec import Spec
    from genrescope.sources.listing import Listing
    from genrescope.sources.track import Track


@dataclass(frozen=True)
class Prepared:
    """What `prepare` did.

    Attributes:
        store: the finished store.
        computed: number of tracks decoded in this run.
        kept: number of tracks that were there already.
        failed: the rows of the tracks that could not be used, with their reasons.
        seconds: how long it took.
        repaired: what was found in `out` that was not as it was written, and was made again: ids of tracks, and files.
    """

    store: store.Store
    computed: int
    kept: int
    failed: tuple[IndexRow, ...]
    seconds: float
    repaired: tuple[str, ...] = ()


Compute: TypeAlias = "Callable[[Sequence[Track], Spec], Iterator[Computed]]"
"""Decodes tracks and computes their frames, here or on other machines; yields them in order."""

Progress: TypeAlias = progress.Progress[IndexRow]
"""Where a run of `prepare` stands; the item is the track's row in the index."""


def prepare(
    data: str,
    out: str | Path,
    *,
    genres: Sequence[str] | None = None,
    normalise_genres: bool = False,
    several_genres: bool = False,
    corrections: Path | None = None,
    groups: str | None = None,
    jobs: int | None = None,
    spec: Spec | None = None,
    compute: Compute | None = None,
    on_listing: Callable[[Listing], None] = lambda _: None,
    on_track: Callable[[Progress], None] = lambda _: None,
) -> Prepared:
    """Make, finish or bring up to date the store of a data set.

    Args:
        data: what `list_data` takes.
        out: the store's folder; made if need be.
        genres: keep only these; None keeps all.
        normalise_genres: join genres whose names differ in case, blanks or Unicode form only.
        several_genres: keep all genres that tags name; else a tagged song has the first.
        corrections: a CSV or TSV file whose genres stand in place of those in `data`.
        groups: where the tracks' groups come from, as `groups.assign` reads it; None keeps those that `data` has.
        jobs: worker processes; None takes one for each core, 0 works in this process.
        spec: the front end's numbers.
        compute: what decodes the tracks in place of `jobs` processes of this machine.
        on_listing: called once, before any work, with the tracks and what is to be said of them.
        on_track: called after every track.

    Returns:
        The finished store, and what was done for it. Tracks that cannot be decoded are left out, and named.

    Raises:
        DataError: `data` has no tracks, none can be used, `groups` knows none, or `out` holds something else.
        OutputError: the store cannot be written, or another run is at it; finished tracks are kept.
    """
    begun, out, spec = time.monotonic(), Path(out), spec or LogMelSpec()
    listing = list_data(data, normalise_genres=normalise_genres, several_genres=several_genres, corrected=corrections)
    on_listing(listing)
    root, tracks = listing.root, select_genres(listing.tracks, genres)
    files.refuse_foreign(out, (store.STORE_FILE, store.FRAMES_FILE, JOURNAL_FILE, PARTIAL_FILE), what="the store")
    if groups is not None:
        tracks = assign(tracks, root, groups, table=table_of(data))
    with locks.folder(out, by="prepare"), Journal(out, spec) as journal:
        held = {track.id: facts for track in tracks if (facts := journal.holds(track)) is not None}
        rows = {track.id: _row(track, root, held[track.id]) for track in tracks if track.id in held}
        on_track(Progress(len(held), len(tracks)))
        missing = [track for track in tracks if track.id not in held]
        for result in (compute or partial(computed, jobs=jobs))(missing, spec):
            if result.frames is not None:
                journal.add(result.track.id, result.frames, result.facts())
            row = rows[result.track.id] = _row(result.track, root, result.facts())
            on_track(Progress(len(rows), len(tracks), row))
        failed = _failed(data, rows.values())
        journal.finish(data, sorted(rows.values(), key=lambda row: row.id))
        repaired = tuple(journal.damaged)
    seconds = time.monotonic() - begun
    return Prepared(store.open_store(out), len(missing), len(held), failed, seconds, repaired)


def _failed(data: str, rows: Collection[IndexRow]) -> tuple[IndexRow, ...]:
    """Return the rows of files that could not be used.

    Raises:
        DataError: none could.
    """
    failed = tuple(row for row in rows if row.status != "ok")
    if len(failed) == len(rows):
        raise DataError(f"{data}: none of its {len(rows)} files could be used; {failed[0].path}: {failed[0].status}")
    return failed


def computed(tracks: Sequence[Track], spec: Spec, *, jobs: int | None) -> Iterator[Computed]:
    """Decode tracks in worker processes, and yield each in order with its frames, or with the reason why not.

    Args:
        tracks: the tracks.
        spec: the front end's numbers.
        jobs: processes; None takes one for each core, 0 works in this process.
    """
    return workers.results(tracks, partial(_worker, spec), jobs=jobs, crashed=_crashed, guard=workers.Guard())


# -- workers ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Computed:
    """A track as a worker returns it; `frames` is None where it failed."""

    track: Track
    frames: store.Frames | None
    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    sha256: str = ""
    bytes: int = 0
    mtime_ns: int = 0
    status: str = "ok"

    def facts(self) -> dict[str, Any]:
        """Return what the index and the journal hold of it."""
        names = ("seconds", "sample_rate", "channels", "sha256", "bytes", "mtime_ns", "status")
        return {name: getattr(self, name) for name in names}


def _worker(spec: Spec) -> Callable[[Track], Computed]:
    transform = make(spec)
    return lambda track: _compute(track, transform)


def _compute(track: Track, transform: FrontEnd) -> Computed:
    try:
        stat = track.path.stat()
        digest = files.sha256(track.path)
        info = audio.probe(track.path)
        frames, samples = frames_of(track.path, transform)
    except Exception as error:  # one bad file never stops a run, whatever a decoder throws
        return Computed(track, None, status=reason_of(error))
    return Computed(
        track,
        frames,
        seconds=round(samples / transform.spec.sample_rate, 6),
        sample_rate=info.sample_rate,
        channels=info.channels,
        sha256=digest,
        bytes=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
    )


def _crashed(track: Track, reason: str) -> Computed:
    return Computed(track, None, status=reason)


def _row(track: Track, root: Path, facts: dict[str, Any]) -> IndexRow:
    path = track.path
    inside = path.relative_to(root) if path.is_relative_to(root) else path
    names = ("seconds", "sample_rate", "channels", "sha256", "status")
    return IndexRow(
        track.id, inside.as_posix(), track.genre, track.group, part=track.part, **{name: facts[name] for name in names}
    )
