"""Robustness: the same held-out tracks, changed as recordings, codecs and rooms change music, and scored again.

```
OUT/robustness.json   OUT/robustness.html   OUT/figures/robustness.png
OUT/heard.jsonl       a line per track; a second run scores only the tracks that are missing
```
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope import files, locks, modelfile, records, results, workers
from genrescope.devices import choose_device
from genrescope.errors import DataError
from genrescope.evaluation import metrics, paired
from genrescope.evaluation.changed_sound import Work, crashed, worker
from genrescope.evaluation.conditions import CONDITIONS, UNCHANGED, chosen
from genrescope.evaluation.evaluate import track_rows
from genrescope.evaluation.facts import about_model
from genrescope.evaluation.held_out import ALL, held_out
from genrescope.evaluation.multi_label import verdict_of
from genrescope.evaluation.sound import Scored
from genrescope.evaluation.written import Written
from genrescope.extras import require
from genrescope.inference.scorer import Scorer
from genrescope.progress import Progress
from genrescope.results import ROBUSTNESS_NAME, ConditionFigures, DataFacts, RobustnessResult, RobustnessRow
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genrescope.evaluation.changed_sound import ChangedSound
    from genrescope.evaluation.held_out import HeldOut, HeldOutTracks, Selection
    from genrescope.store.store import StoredTrack

_JOURNAL_FORMAT = 1
HEARD_FILE = "heard.jsonl"

Verdicts = dict[str, dict[str, Any]]
"""By condition what a track was taken for, `predicted`, and how surely, `confidence`: a line of `heard.jsonl`."""


def robustness(
    run: str | Path,
    selection: Selection = ALL,
    *,
    conditions: str | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    jobs: int | None = None,
    on_track: Callable[[Progress[ChangedSound]], None] = lambda _: None,
) -> Written[RobustnessResult]:
    """Score a run on its held-out tracks, changed in many ways.

    Every file is decoded once and all changes are made from that wave. Each track is its own control, so a difference
    is known far better than two accuracies are.

    Args:
        run: a run folder; or the folder of a cross-validation, where each track is scored by the model that was not
            trained on its fold.
        selection: which of its tracks, and where their sound is.
        conditions: names as `mp3-64,noise-10`; None takes all.
        out: folder of the results; by default `robustness` in the run's folder.
        device: `auto`, `cpu`, `cuda` or `mps`.
        jobs: worker processes for decoding.
        on_track: called after every track.

    Returns:
        Accuracy under each condition, and what it loses; tracks that could not be used are named and left out.

    Raises:
        DataError: there is no such run, part or condition, or no audio.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "a robustness test")
    from genrescope.reports import robustness_page

    wanted = [condition.name for condition in chosen(conditions)]
    run, device = Path(run), choose_device(device)
    folder = Path(out) if out is not None else run / "robustness"
    files.refuse_foreign(folder, (ROBUSTNESS_NAME, HEARD_FILE), what="the robustness test")
    subject = held_out(run, selection)
    with locks.folder(folder, by="robustness"):
        heard, failed = _heard(subject, folder, wanted, device=device, jobs=jobs, on_track=on_track)
    if len(failed) == len(subject.items) + len(subject.missing):
        track_id, reason = next(iter(failed.items()))
        raise DataError(f"none of the {len(failed)} tracks could be used; {track_id}: {reason}")
    result = _result(subject, wanted, heard, failed)
    results.write(result, folder / ROBUSTNESS_NAME)
    return Written(result, folder, robustness_page.write(result, folder))


def _result(
    subject: HeldOutTracks, wanted: Sequence[str], heard: dict[str, Verdicts], failed: dict[str, str]
) -> RobustnessResult:
    model = modelfile.load(subject.items[0].run)
    about = about_model(model, subject.items[0].run)
    rows = [_row(item.track, heard[item.track.id], wanted) for item in subject.items if item.track.id not in failed]
    store = subject.store
    return RobustnessResult(
        model=about,
        data=DataFacts(
            name=store.data, fingerprint=store.fingerprint, split=subject.split, part=subject.part, tracks=len(rows)
        ),
        verdict=verdict_of(model.header),
        conditions=tuple(_counted(name, rows) for name in wanted),
        notes=subject.notes,
        failed=failed,
        tracks=tuple(sorted(rows, key=lambda row: row.id)),
    )


# -- from files to verdicts ---------------------------------------------------------------------------------------


def _heard(
    subject: HeldOutTracks,
    folder: Path,
    wanted: Sequence[str],
    *,
    device: str,
    jobs: int | None,
    on_track: Callable[[Progress[ChangedSound]], None],
) -> tuple[dict[str, Verdicts], dict[str, str]]:
    """Return each track's verdicts, those of earlier runs included, and the tracks that failed."""
    identity = _identities(subject.items)
    kept = _kept(folder / HEARD_FILE, identity)
    work = [
        Work(item.track.id, item.file, item.sha256, missing)
        for item in subject.items
        if (missing := tuple(name for name in wanted if name not in kept.get(item.track.id, {})))
    ]
    failed = dict(subject.missing)
    done, total = len(subject.items) - len(work), len(subject.items)
    on_track(Progress(done, total))
    if not work:
        return kept, failed
    by_id = {item.track.id: item for item in subject.items}
    models = _Models(device)
    with records.RecordWriter(folder / HEARD_FILE) as log:
        spec = modelfile.read_header(subject.items[0].run).front_end
        sounds = workers.results(work, partial(worker, spec), jobs=jobs, crashed=crashed, guard=workers.Guard())
        for done_now, sound in enumerate(sounds, start=done + 1):
            if sound.reason:
                failed[sound.id] = sound.reason
            else:
                verdicts = models.judge(by_id[sound.id], sound)
                kept[sound.id] = kept.get(sound.id, {}) | verdicts
                log.add({"id": sound.id, "identity": identity[sound.id], "verdicts": verdicts})
            on_track(Progress(done_now, total, sound))
    return kept, failed


class _Models:
    """The model that is needed now; tracks come run after run."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._run: Path | None = None

    def judge(self, item: HeldOut, sound: ChangedSound) -> Verdicts:
        """Score a track under all its conditions at once, in the way of `evaluate`."""
        if self._run != item.run:
            self._model, self._run = modelfile.load(item.run, device=self._device), item.run
        assert sound.frames is not None
        begins = np.cumsum([0, *sound.lengths])
        takes = [
            dataclasses.replace(item.track, id=name, first_frame=int(begin), frames=length)
            for name, begin, length in zip(sound.names, begins, sound.lengths, strict=False)
        ]
        scored = Scored(takes, *Scorer.of(self._model).tracks(sound.frames, takes))
        rows = track_rows(self._model, scored)
        return {row.id: {"predicted": row.predicted, "confidence": row.confidence} for row in rows}


def _identities(items: Sequence[HeldOut]) -> dict[str, str]:
    """Identify what a verdict depends on: the run as it was trained, and the bytes of the file."""
    trained = {run: read_run(run) for run in {item.run for item in items}}
    return {
        item.track.id: files.fingerprint(
            [_JOURNAL_FORMAT, trained[item.run]["identity"], trained[item.run].get("started"), item.sha256]
        )
        for item in items
    }


def _kept(path: Path, identity: Mapping[str, str]) -> dict[str, Verdicts]:
    """Read the predictions of earlier runs for these tracks and models."""
    kept: dict[str, Verdicts] = defaultdict(dict)
    for track_id, heard_by, verdicts in records.read(path, _noted, damaged="skip"):
        if identity.get(track_id) == heard_by:
            kept[track_id] |= verdicts
    return dict(kept)


def _noted(line: dict[str, Any]) -> tuple[str, str, Verdicts]:
    verdicts = line["verdicts"]
    return line["id"], line["identity"], {name: verdicts[name] for name in verdicts if name in CONDITIONS}


# -- counting -----------------------------------------------------------------------------------------------------


def _row(track: StoredTrack, verdicts: Verdicts, wanted: Sequence[str]) -> RobustnessRow:
    return RobustnessRow(
        id=track.id,
        genre=track.genre,
        group=track.group,
        predicted={name: verdicts[name]["predicted"] for name in wanted},
        confidence={name: verdicts[name]["confidence"] for name in wanted},
    )


def _counted(name: str, rows: Sequence[RobustnessRow]) -> ConditionFigures:
    """Count a condition, and hold it against the unchanged sound track by track."""
    right = [float(row.right(name)) for row in rows]
    before = [float(row.right(UNCHANGED)) for row in rows]
    groups = [row.group for row in rows]
    unchanged = name == UNCHANGED
    return ConditionFigures(
        name=name,
        description=CONDITIONS[name].description,
        accuracy=metrics.share(int(sum(right)), len(right)),
        confidence=float(np.mean([row.confidence[name] for row in rows])),
        against_unchanged=None if unchanged else paired.difference(right, before, groups if any(groups) else None),
    )
