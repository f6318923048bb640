"""What of other labelled audio a model has learnt: its training tracks, their duplicates, their artists.

Scores on such tracks say little about new music. A run folder names its training tracks in `split.csv`; their sound and
their artists are in the store that it was trained on. So the audio is compared with that store as the parts of a split
are with each other: by its log-mels and their landmarks, by checksums of the files, and by artists' names.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from genrescope import splits
from genrescope.errors import DataError
from genrescope.evaluation.subjects import open_own_store
from genrescope.results import AuditFacts, HeldOutFacts
from genrescope.splits import duplicates
from genrescope.splits.audit import audit
from genrescope.store.store import index_rows
from genrescope.tags.artists import artist_key
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from pathlib import Path

    from genrescope.evaluation.subjects import Subject
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store, StoredTrack

_LEARNT, _SCORED = "train", ""  # sides of the audit; the second has no name, so its tracks are just called tracks
_UNCHECKED = "whether the model was trained on these tracks or artists could not be checked"


@dataclass(frozen=True)
class Finding:
    """What was found of audio that is to be scored.

    Attributes:
        audit: None where nothing could be checked.
        touched: ids of the tracks that training tracks touch.
        unchecked: why nothing could be checked; empty where it could.
    """

    audit: AuditFacts | None = None
    touched: frozenset[str] = frozenset()
    unchecked: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know, a sentence each."""
        if self.audit is not None and not self.audit.clean:
            return (f"audit: {self.audit.summary}",)
        return (self.unchecked,) if self.unchecked else ()


def compare(
    home: Path,
    fingerprint: str,
    subject: Subject,
    *,
    moved: str | Path | None = None,
    on_track: Callable[[int, int], None] = lambda *_: None,
) -> Finding:
    """Find the tracks of labelled audio that a model has learnt in any way.

    Args:
        home: the folder of the model file, or of a cross-validation; only run folders and those know what was learnt.
        fingerprint: of the data that the model was trained on.
        subject: the audio.
        moved: where the run's store is now, if it was moved.
        on_track: called with the tracks compared and the tracks in all.
    """
    runs = [folder for folder in (home, *sorted(home.glob("fold-*"))) if (folder / "run.json").exists()]
    same = subject.store.fingerprint == fingerprint
    if not runs:
        known = "the model was trained on tracks of this very data" if same else "the model file is in no run folder"
        return Finding(unchecked=f"{known}; which of the tracks or artists it has learnt could not be checked")
    ids = {track_id for run in runs for track_id in _learnt(run)}
    if same:
        names = {track.id: track.id for track in subject.tracks}
        sides = _Sides([track for track in subject.store.tracks if track.id in ids], subject.tracks, names)
        return _found(sides, duplicates.in_store(subject.store, on_track=on_track))
    try:
        store = open_own_store(runs[0], moved)
    except DataError as error:
        return Finding(unchecked=f"{_UNCHECKED}: {error}")
    sides = _Sides.of(store, ids, subject)
    return _found(sides, _pairs(store, subject.store, sides, on_track))


def _learnt(run: Path) -> list[str]:
    parts = set(read_run(run)["parts"])
    return [track_id for track_id, part in splits.read(run / "split.csv").parts.items() if part in parts]


@dataclass(frozen=True)
class _Sides:
    """Training tracks, and tracks to be scored, under ids that mean one track on both sides.

    Attributes:
        names: the id of each scored track by its own id in its store.
    """

    learnt: Sequence[StoredTrack]
    scored: Sequence[StoredTrack]
    names: Mapping[str, str]

    @classmethod
    def of(cls, store: Store, ids: Container[str], subject: Subject) -> _Sides:
        """Rename the tracks of two stores: one file has one id, whatever it is called; artists have one spelling."""
        sums = {row.id: row.sha256 for row in index_rows(store.path)}
        learnt = [replace(track, group=artist_key(track.group)) for track in store.tracks if track.id in ids]
        by_file: dict[str, list[str]] = defaultdict(list)  # files that are alike are as many tracks
        for track in reversed(learnt):
            by_file[sums[track.id]].append(track.id)
        theirs = {row.id: row.sha256 for row in index_rows(subject.store.path)}
        strange = "\0"  # no id of a store begins so
        same = {track.id: by_file[theirs[track.id]] for track in subject.tracks}
        names = {track_id: alike.pop() if alike else strange + track_id for track_id, alike in same.items()}
        scored = [replace(track, id=names[track.id], group=artist_key(track.group)) for track in subject.tracks]
        return cls(learnt, scored, names)


def _pairs(own: Store, other: Store, sides: _Sides, on_track: Callable[[int, int], None]) -> list[Pair]:
    """Find the duplicates among the tracks of two stores, where both have one front end."""
    if own.spec != other.spec:
        return []
    known = {track.id for track in sides.learnt}
    new = [track for track in sides.scored if track.id not in known]
    total = len(known) + len(new)
    marked = [
        *duplicates.marked(own, sides.learnt, on_track=lambda done, _: on_track(done, total)),
        *duplicates.marked(other, new, on_track=lambda done, _: on_track(len(known) + done, total)),
    ]
    return duplicates.find(marked, frames_per_second=own.spec.frame_rate)


def _found(sides: _Sides, pairs: Sequence[Pair]) -> Finding:
    tracks = {track.id: track for track in (*sides.scored, *sides.learnt)}
    parts = {_LEARNT: [track.id for track in sides.learnt], _SCORED: [track.id for track in sides.scored]}
    found = audit(list(tracks.values()), parts, pairs, learnt=(_LEARNT,))
    held_out = found.held_out[0]
    touched = {each for leak in found.leaks for each in leak.tracks[leak.parts.index(_SCORED)]}
    facts = AuditFacts(
        clean=not touched,
        summary=held_out.told or _clean(sides),
        held_out=HeldOutFacts(
            part=_SCORED, learnt=held_out.learnt, tracks=held_out.tracks, touched=held_out.touched,
            share=held_out.touched / held_out.tracks, **held_out.by_kind,
        ),
    )  # fmt: skip
    return Finding(facts, frozenset(own for own, name in sides.names.items() if name in touched))


def _clean(sides: _Sides) -> str:
    """Say that nothing was found, and what could not be looked for."""
    told = "no track is a training track or a duplicate of one"
    if not (any(track.group for track in sides.learnt) and any(track.group for track in sides.scored)):
        return f"{told}; artists could not be compared: none is known of one side or of both"
    unknown = sum(not track.group for track in sides.scored)
    left = f"; the artist of {unknown} of {len(sides.scored)} tracks is unknown" if unknown else ""
    return f"{told}, and no artist is one of the training tracks'{left}"
