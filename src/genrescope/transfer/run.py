"""A probe on a split or on folds: run folders and scores in the form of all others.

```
RUN/recipe.toml  RUN/split.csv  RUN/run.json    as of every run; run.json tells the network
RUN/probe.safetensors                           the probe: arrays and a JSON header
RUN/evaluation.json  RUN/figures/  RUN/report.html
```

With folds, `OUT/fold-1` and so on are such runs without scores of their own, and `OUT/crossval.json` has those of all.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import genrescope
from genrescope import bundle
from genrescope.data.audit import audit as audit_split
from genrescope.errors import DataError
from genrescope.evaluation import compute, crossval, evaluate
from genrescope.evaluation.crossval import Judged
from genrescope.training.run import RunFolder
from genrescope.transfer import probe as probes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from genrescope.data.duplicates import Pair
    from genrescope.data.splits import Split
    from genrescope.data.store import Store, StoredTrack
    from genrescope.evaluation.crossval import CrossValidated, Fold
    from genrescope.training.recipe import ProbeRecipe
    from genrescope.transfer.features import Extracted
    from genrescope.transfer.network import Features, Network


@dataclass(frozen=True)
class Heard:
    """A store as a network heard it: all that a probe needs.

    Attributes:
        store: its tracks are those that could be heard.
        features: of each track, of shape (windows, width).
        network: what heard them.
        cost: milliseconds of one core for 30 s of music.
        notes: what a reader should know, a sentence each.
    """

    store: Store
    features: Mapping[str, Features]
    network: Network
    cost: float
    notes: tuple[str, ...] = ()


def heard(store: Store, network: Network, extracted: Extracted) -> Heard:
    """Put together what a network heard of a store; tracks that failed are left out and told."""
    usable = tuple(track for track in store.tracks if track.id in extracted.features)
    notes = (
        f"{network.name} was trained elsewhere, on music that no split here knows of: it may have heard these tracks",
        *(f"{row.path} could not be heard: {row.status}" for row in extracted.failed),
    )
    cost = network.milliseconds()
    return Heard(dataclasses.replace(store, tracks=usable), extracted.features, network, cost, notes)


def refuse_begun(out: Path) -> None:
    """Refuse a folder that holds a run already, before hours of hearing rather than after.

    Raises:
        DataError: it does.
    """
    if any((out / name).exists() for name in ("run.json", crossval.FILE_NAME, evaluate.FILE_NAME)):
        raise DataError(f"{out} holds a run already; go on with it by --resume, or choose another --out")


def cross_validate(
    its: Heard,
    recipe: ProbeRecipe,
    split: Split,
    out: Path,
    *,
    pairs: Sequence[Pair] = (),
    seed: int = 0,
    resume: bool = False,
    on_fold: Callable[[Fold], None] = lambda _: None,
) -> CrossValidated:
    """Fit a probe to all folds but one, score it on that one, and so for every fold.

    Args:
        its: what the network heard.
        recipe: the probe.
        split: the fold of each track.
        out: folder of the folds' runs and of the results.
        pairs: the duplicates among the tracks.
        seed: what the run is noted under; fitting draws nothing.
        resume: go on with the cross-validation in `out`.
        on_fold: called before each fold.

    Raises:
        DataError: the split is not of folds, or `out` holds something else.
    """
    split, pairs = _without(split, its), _among(pairs, its)

    def judge(held_out: Split, fold: Fold) -> Judged:
        found = _fitted(its, recipe, held_out, fold.path, parts=("train",), pairs=pairs, seed=seed, resume=True)
        tracks = [track for track in its.store.tracks if split.parts.get(track.id) == fold.name]
        return Judged(_rows(its, found, tracks), found.labels, _verdict(found), _about(its, found, fold.path))

    return crossval.over_folds(its.store, split, out, judge, pairs=pairs, resume=resume, on_fold=on_fold)


def hold_out(
    its: Heard,
    recipe: ProbeRecipe,
    split: Split,
    out: Path,
    *,
    parts: Sequence[str] = ("train",),
    part: str = "test",
    pairs: Sequence[Pair] = (),
    seed: int = 0,
    resume: bool = False,
) -> tuple[dict[str, Any], Path]:
    """Fit a probe to some parts of a split and score it on another.

    Args:
        its: what the network heard.
        recipe: the probe.
        split: the part of each track.
        out: the run folder.
        parts: what is learnt.
        part: what is scored.
        pairs: the duplicates among the tracks.
        seed: what the run is noted under; fitting draws nothing.
        resume: take the probe that is in `out`, if there is one.

    Returns:
        The content of `evaluation.json`, and the page to look at.

    Raises:
        DataError: a part is not there, or `out` holds something else.
    """
    split, pairs = _without(split, its), _among(pairs, its)
    split.ids(part)
    found = _fitted(its, recipe, split, out, parts=tuple(parts), pairs=pairs, seed=seed, resume=resume)
    subject = evaluate.own_part(out, part, its.store.path)
    counted = evaluate.summary(_rows(its, found, subject.tracks), found.labels, _verdict(found))
    return evaluate.publish(subject, _about(its, found, out), counted, out)


def _without(split: Split, its: Heard) -> Split:
    """Leave out of a split what could not be heard."""
    parts = {track_id: part for track_id, part in split.parts.items() if track_id in its.features}
    return dataclasses.replace(split, parts=parts, notes=(*split.notes, *its.notes))


def _among(pairs: Sequence[Pair], its: Heard) -> list[Pair]:
    return [pair for pair in pairs if {pair.first, pair.second} <= set(its.features)]


def _fitted(
    its: Heard,
    recipe: ProbeRecipe,
    split: Split,
    path: Path,
    *,
    parts: tuple[str, ...],
    pairs: Sequence[Pair],
    seed: int,
    resume: bool,
) -> probes.Probe:
    """Fit a probe and leave its run folder; one that is finished is read."""
    ids = {track_id for part in parts for track_id in split.ids(part)}
    learnt = [track for track in its.store.tracks if track.id in ids]
    if len({track.genre for track in learnt}) < 2:
        raise DataError(f"the parts {', '.join(parts)} have tracks of one genre only; a probe needs two or more")
    audit = audit_split(its.store.tracks, split.by_part, pairs, learnt=parts)
    folder = RunFolder.begin(
        path, store=its.store, recipe=recipe, split=split, parts=parts, seed=seed, resume=resume,
        device=its.network.device, audit=audit,
    )  # fmt: skip
    if folder.finished:
        return probes.load(path)
    begun = time.monotonic()
    found = probes.fit(its.features, learnt, its.store.genres, recipe)
    probes.save(path, found)
    folder.note(
        {
            "status": "finished",
            "tracks": len(learnt),
            "windows": sum(len(its.features[track.id]) for track in learnt),
            "epochs": 1,
            "seconds": round(time.monotonic() - begun, 1),
            "network_revision": its.network.revision,
            compute.NOTED: its.cost,
        }
    )
    return found


def _rows(its: Heard, found: probes.Probe, tracks: Sequence[StoredTrack]) -> list[dict[str, Any]]:
    scores, placed = probes.score(found, its.features, tracks)
    return evaluate.scored_rows(tracks, found.labels, scores, placed, verdict=_verdict(found))


def _verdict(found: probes.Probe) -> str:
    return str(found.recipe["evaluation"]["verdict"])


def _about(its: Heard, found: probes.Probe, run: Path) -> dict[str, Any]:
    """Return what made the probe, as `evaluation.json` tells it."""
    own = sum(tensor.numel() for tensor in found.machines.parameters())
    network = its.network
    return {
        "file": bundle.PROBE_NAME,
        "architecture": f"{network.model_type}, frozen, and a {found.machines.kernel} probe",
        "parameters": network.parameters + own,
        "recipe": found.recipe,
        "front_end": {"network": network.name, "sample_rate": network.rate, "seconds": network.seconds},
        "data_fingerprint": its.store.fingerprint,
        "made_with": genrescope.__version__,
        **evaluate.about_run(run),
    }
