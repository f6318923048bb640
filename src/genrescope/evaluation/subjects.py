"""What is scored: a part of a run's own split, or other labelled audio."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope import splits
from genrescope.errors import DataError
from genrescope.features.spec import LogMelSpec
from genrescope.results import AuditFacts, DataFacts, HeldOutFacts
from genrescope.sources.labels import NEGATIVE, labels_of
from genrescope.splits.leaks import clean_sentence
from genrescope.store.prepare import prepare
from genrescope.store.store import STORE_FILE, Store, StoredTrack, index_rows, open_store
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genrescope.modelfile import Header, Model
    from genrescope.store.index import IndexRow
    from genrescope.store.prepare import Progress


@dataclass(frozen=True)
class Subject:
    """Tracks to score, and where they come from.

    Attributes:
        notes: what a reader should know of them, a sentence each.
        audit: what was found when their split was audited; None where it was not.
        in_split: tracks of all parts of the split, where a part of it is held out; else 0.
        negatives: tracks that have none of the genres, where the others have one each; they are counted apart.
    """

    store: Store
    tracks: list[StoredTrack]
    data: DataFacts
    notes: tuple[str, ...] = ()
    failed: tuple[IndexRow, ...] = ()
    audit: AuditFacts | None = None
    in_split: int = 0
    negatives: tuple[StoredTrack, ...] = ()

    def noted(self, *notes: str) -> Subject:
        """Return the subject with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def audited(self, audit: AuditFacts | None) -> Subject:
        """Return the subject with what an audit found, where one was made."""
        return self if audit is None else replace(self, audit=audit)

    def without(self, failed: Mapping[str, str]) -> Subject:
        """Return the subject without tracks that could not be used, which are named instead."""
        if not failed:
            return self
        rows = {row.id: row for row in index_rows(self.store.path)}
        lost = tuple(replace(rows[track_id], status=reason) for track_id, reason in failed.items())
        tracks = [track for track in self.tracks if track.id not in failed]
        notes = tuple(f"{row.path} could not be used: {row.status}" for row in lost)
        data = self.data.model_copy(update={"tracks": len(tracks)})
        return replace(self, tracks=tracks, data=data, notes=(*self.notes, *notes), failed=(*self.failed, *lost))


def is_multi_label(header: Header, tracks: Sequence[StoredTrack]) -> bool:
    """Whether a model is scored label by label: it gives any number of them, and a track has several."""
    return not header.exclusive and any(len(track.labels) > 1 for track in tracks)


def open_own_store(run: Path, moved: str | Path | None = None) -> Store:
    """Open the store that a run was trained on.

    Args:
        moved: where the store is now, if it was moved.

    Raises:
        DataError: it is not there, or has changed since.
    """
    facts = read_run(run)
    store = open_store(moved if moved is not None else facts["store"])
    if store.fingerprint != facts["data_fingerprint"]:
        raise DataError(
            f"the store {store.path} has changed since the run was trained (fingerprint {store.fingerprint}, then "
            f"{facts['data_fingerprint']}); prepare the same data again, or score on it with --data {store.path}"
        )
    return store


def own_part(run: Path, part: str, moved: str | Path | None = None) -> Subject:
    """Take a part of the run's own split.

    Args:
        moved: where the run's store is now, if it was moved.

    Raises:
        DataError: there is no such part, or the store is gone or has changed.
    """
    facts = read_run(run)
    store = open_own_store(run, moved)
    made = splits.read(run / "split.csv")
    wanted = set(made.ids(part))
    several = any(len(track.labels) > 1 for track in store.tracks if track.id in made.parts)
    tracks = [track for track in store.tracks if track.id in wanted and (track.labels or several)]
    negatives = tuple(track for track in store.tracks if track.id in wanted and not (track.labels or several))
    if not tracks:
        raise DataError(f"all {len(negatives)} tracks of the part {part} are {NEGATIVE}; there is no genre to score")
    notes = list(facts["split"]["notes"])
    audited = _audited(facts, part)
    if audited is not None and not audited.clean:
        notes.insert(0, f"audit: {audited.summary}")
    if part in facts["parts"]:
        notes.insert(0, f"the model was trained on the part {part}: these scores say nothing about new music")
    data = DataFacts(
        name=facts["data"], fingerprint=store.fingerprint, split=facts["split"]["method"], part=part, tracks=len(tracks)
    )
    apart = 0 if several else sum(track.id in made.parts and not track.labels for track in store.tracks)
    in_split = 0 if part in facts["parts"] else sum(facts["split"]["counts"].values()) - apart
    return Subject(store, tracks, data, tuple(notes), audit=audited, in_split=in_split, negatives=negatives)


def _audited(facts: dict[str, Any], part: str) -> AuditFacts | None:
    """Return what the run's audit found on a part; None where it was not audited."""
    audit: dict[str, Any] | None = facts.get("audit")
    if audit is None or part in facts["parts"]:
        return None
    for each in audit["held_out"]:
        if each["part"] == part and each["touched"]:
            counts = {name: value for name, value in each.items() if name != "told"}
            return AuditFacts(clean=False, summary=each["told"], held_out=HeldOutFacts.model_validate(counts))
    if audit["clean"]:
        return AuditFacts(clean=True, summary=clean_sentence(audit["grouped"], audit["tracks"]))
    summary = f"no {part} track is touched by training tracks; elsewhere: {audit['summary']}"
    return AuditFacts(clean=True, summary=summary)


def labelled(
    loaded: Model, data: str, scratch: Path, *, jobs: int | None, on_track: Callable[[Progress], None]
) -> Subject:
    """Take all tracks of DATA, or of a store, whose genres the model knows.

    Args:
        scratch: folder for the store of DATA.

    Raises:
        DataError: there is no such track.
    """
    labels = set(loaded.header.labels)
    failed: list[IndexRow] = []
    if (Path(data) / STORE_FILE).exists():
        store = open_store(data)
    else:
        own = loaded.header.front_end
        spec = own if isinstance(own, LogMelSpec) else None  # figures show log-mels, whatever the model takes
        prepared = prepare(data, scratch / "store", jobs=jobs, spec=spec, on_track=on_track)
        store, failed = prepared.store, list(prepared.failed)
    tracks, negatives = _usable(store, labels, several=is_multi_label(loaded.header, store.tracks))
    used = {track.id for track in (*tracks, *negatives)}
    strange = Counter(track.genre for track in store.tracks if track.id not in used)
    if not tracks:
        raise DataError(
            f"{data} has no genre that the model knows. It has: {', '.join(sorted(strange))}; "
            f"the model knows: {', '.join(sorted(labels))}"
        )
    notes = [f"{row.path} could not be used: {row.status}" for row in failed]
    notes += [f"{count} tracks of {genre} left out: {_why_not(genre, labels)}" for genre, count in strange.items()]
    facts = DataFacts(name=data, fingerprint=store.fingerprint, split=None, part=None, tracks=len(tracks))
    return Subject(store, tracks, facts, tuple(notes), tuple(failed), negatives=tuple(negatives))


def _why_not(genre: str, known: set[str]) -> str:
    """Say why tracks of a genre, or of several, are not scored."""
    return "the model gives one genre a track" if known.intersection(labels_of(genre)) else "the model does not know it"


def _usable(store: Store, labels: set[str], *, several: bool) -> tuple[list[StoredTrack], list[StoredTrack]]:
    """Return the tracks to score, and negative examples that are counted apart."""
    if several:
        return [track for track in store.tracks if not track.labels or labels.intersection(track.labels)], []
    negatives = [track for track in store.tracks if not track.labels]
    return [track for track in store.tracks if track.labels and track.genre in labels], negatives
