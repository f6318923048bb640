"""Check a data set from end to end: measure every file, find duplicates, apply the rules, and report."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope import records, workers
from genrescope.check import faults
from genrescope.check.checked import FILE_NAME, FORMAT, NOTES_NAME, PAGE_NAME, Checked
from genrescope.check.listen import FileMeasurements, listen
from genrescope.extras import require
from genrescope.features.spec import LogMelSpec
from genrescope.files import refuse_foreign, write_json
from genrescope.progress import Progress
from genrescope.sources.data import list_data, select_genres
from genrescope.splits import duplicates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.sources.listing import Listing
    from genrescope.sources.track import Track


def check(
    data: str,
    out: str | Path,
    *,
    genres: Sequence[str] | None = None,
    normalise_genres: bool = False,
    jobs: int | None = None,
    on_listing: Callable[[Listing], None] = lambda _: None,
    on_track: Callable[[Progress[FileMeasurements]], None] = lambda _: None,
) -> Checked:
    """Check a data set; leave `check.json`, `check.html` and what was measured of each file.

    A later check of the same files in the same folder reads only those that have changed since.

    Args:
        data: a folder of genre folders, a CSV or TSV file, or `card:folder`.
        out: folder of the results; made if need be.
        genres: keep only these; None keeps all.
        normalise_genres: join genres whose names differ in case, blanks or Unicode form only.
        jobs: worker processes; None takes one for each core, 0 works in this process.
        on_listing: called once, before any work, with the tracks and what is to be said of them.
        on_track: called after every file.

    Returns:
        The faults, each with its reason and severity.

    Raises:
        DataError: `data` has no tracks, or `out` holds something else or cannot be read.
        OutputError: the results cannot be written; what was measured is kept for the next run.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "a check")
    from genrescope.check import page

    begun = time.monotonic()
    out, spec = Path(out), LogMelSpec()
    refuse_foreign(out, (FILE_NAME, PAGE_NAME, NOTES_NAME), what="the results")
    listing = list_data(data, normalise_genres=normalise_genres)
    on_listing(listing)
    tracks = select_genres(listing.tracks, genres)
    before = {measured.id: measured for measured in records.read(out / NOTES_NAME, _noted, damaged="skip")}
    known = {each.id: before[each.id] for each in tracks if each.id in before and _is_unchanged(each, before[each.id])}
    missing = [track for track in tracks if track.id not in known]
    with records.RecordWriter(out / NOTES_NAME) as notes:
        on_track(Progress(len(known), len(tracks)))
        results = workers.results(missing, partial(_worker, spec), jobs=jobs, crashed=_crashed, guard=workers.Guard())
        for number, measured in enumerate(results, start=len(known) + 1):
            known[measured.id] = measured
            notes.add({"format": FORMAT} | measured.to_dict())
            on_track(Progress(number, len(tracks), measured))
    measurements = [known[track.id] for track in tracks]
    pairs = _same_recordings(measurements, spec)
    findings = faults.judge(tracks, measurements, pairs)
    done = Checked(
        data, tuple(tracks), tuple(measurements), tuple(pairs), tuple(findings), computed=len(missing),
        seconds=time.monotonic() - begun, out=out,
    )  # fmt: skip
    write_json(out / FILE_NAME, done.to_dict())
    page.write(done)
    return done


def _same_recordings(measurements: Sequence[FileMeasurements], spec: LogMelSpec) -> list[duplicates.Pair]:
    compared = [duplicates.TrackLandmarks(each.id, each.digest, each.marks) for each in measurements if each.spread > 0]
    return duplicates.find(compared, frames_per_second=spec.sample_rate / spec.hop)


def _worker(spec: LogMelSpec) -> Callable[[Track], FileMeasurements]:
    """Make the front end, once in each worker."""
    from genrescope.features.logmel import LogMel

    return partial(listen, log_mel=LogMel(spec))


def _crashed(track: Track, reason: str) -> FileMeasurements:
    return FileMeasurements(track.id, fault="unreadable", reason=reason)


def _is_unchanged(track: Track, measured: FileMeasurements) -> bool:
    """Whether what was measured of a track's file still holds; what could not be read may be readable now."""
    try:
        stat = track.path.stat()
    except OSError:
        return False
    return bool(measured.codec) and (measured.bytes, measured.mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def _noted(line: dict[str, Any]) -> FileMeasurements:
    if line.pop("format") != FORMAT:
        raise ValueError("another version's measurements")
    return FileMeasurements.from_dict(line)
