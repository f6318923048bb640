"""A published network on a split or on folds: run folders and scores in the form of all others.

```
RUN/recipe.toml  RUN/split.csv  RUN/run.json    as of every run; run.json tells the network
RUN/probe.safetensors or RUN/tuned.safetensors  what was learnt: arrays and a JSON header
RUN/evaluation.json  RUN/figures/  RUN/report.html
```

With folds, `OUT/fold-1` and so on are such runs without scores of their own, and `OUT/crossval.json` has those of all.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import genrescope
from genrescope.errors import DataError
from genrescope.evaluation import cost, crossval, evaluate
from genrescope.evaluation.crossval import Judged
from genrescope.evaluation.facts import model_facts
from genrescope.evaluation.subjects import own_part
from genrescope.evaluation.summary import summary
from genrescope.results import CROSSVAL_NAME, EVALUATION_NAME
from genrescope.splits.audit import audit as audit_split
from genrescope.training.run_folder import RunFolder, read_history
from genrescope.transfer.learner import Material

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from genrescope.evaluation.crossval import CrossValidated, Fold
    from genrescope.results import Evaluation, Verdict
    from genrescope.splits import Split
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store, StoredTrack
    from genrescope.transfer.cache import Gathered
    from genrescope.transfer.learner import Learner
    from genrescope.transfer.network import Network


@dataclass(frozen=True)
class Heard:
    """A store as a network can hear it.

    Attributes:
        store: its tracks are those that could be heard.
        network: what hears them.
        cost: milliseconds of one core for 30 s of music.
        notes: what a reader should know, a sentence each.
    """

    store: Store
    network: Network
    cost: float
    notes: tuple[str, ...] = ()


def heard(store: Store, network: Network, gathered: Gathered[Any]) -> Heard:
    """Tell what a network can hear of a store; tracks that failed are left out and told."""
    usable = tuple(track for track in store.tracks if track.id in gathered.found)
    notes = (
        f"{network.name} was trained elsewhere, on music that no split here knows of: it may have heard these tracks",
        *(f"{row.path} could not be heard: {row.status}" for row in gathered.failed),
    )
    return Heard(dataclasses.replace(store, tracks=usable), network, network.milliseconds(), notes)


def refuse_begun(out: Path) -> None:
    """Refuse a folder that holds a run already, before hours of hearing rather than after.

    Raises:
        DataError: it does.
    """
    if any((out / name).exists() for name in ("run.json", CROSSVAL_NAME, EVALUATION_NAME)):
        raise DataError(f"{out} holds a run already; go on with it by --resume, or choose another --out")


def cross_validate(
    its: Heard,
    learner: Learner,
    split: Split,
    out: Path,
    *,
    pairs: Sequence[Pair] = (),
    seed: int = 0,
    resume: bool = False,
    on_fold: Callable[[Fold], None] = lambda _: None,
) -> CrossValidated:
    """Learn all folds but one, score that one, and so for every fold.

    Args:
        its: what the network can hear.
        learner: what learns and scores.
        split: the fold of each track.
        out: folder of the folds' runs and of the results.
        pairs: the duplicates among the tracks.
        seed: of everything random.
        resume: go on with the cross-validation in `out`.
        on_fold: called before each fold.

    Raises:
        DataError: the split is not of folds, or `out` holds something else.
        TrainingError: the loss of a fold is no longer finite.
    """
    split, pairs = _without(split, its), _among(pairs, its)

    def judge(held_out: Split, fold: Fold) -> Judged:
        _learn(its, learner, held_out, fold.path, parts=("train",), pairs=pairs, seed=seed, resume=True)
        tracks = [track for track in its.store.tracks if split.parts.get(track.id) == fold.name]
        return _judged(its, learner, fold.path, tracks)

    return crossval.over_folds(its.store, split, out, judge, pairs=pairs, resume=resume, on_fold=on_fold)


def hold_out(
    its: Heard,
    learner: Learner,
    split: Split,
    out: Path,
    *,
    parts: Sequence[str] = ("train",),
    part: str = "test",
    pairs: Sequence[Pair] = (),
    seed: int = 0,
    resume: bool = False,
) -> tuple[Evaluation, Path]:
    """Learn some parts of a split and score another.

    Args:
        its: what the network can hear.
        learner: what learns and scores.
        split: the part of each track.
        out: the run folder.
        parts: what is learnt.
        part: what is scored.
        pairs: the duplicates among the tracks.
        seed: of everything random.
        resume: go on with the run in `out`, or score what is finished there.

    Returns:
        What was scored, and the page to look at.

    Raises:
        DataError: a part is not there, or `out` holds something else.
        TrainingError: the loss is no longer finite.
    """
    split, pairs = _without(split, its), _among(pairs, its)
    split.ids(part)
    _learn(its, learner, split, out, parts=tuple(parts), pairs=pairs, seed=seed, resume=resume)
    subject = own_part(out, part, its.store.path)
    judged = _judged(its, learner, out, subject.tracks)
    counted = summary(judged.rows, judged.labels, judged.verdict)
    history = read_history(out) if (out / "history.csv").exists() else []
    return evaluate.publish(subject, judged.model, counted, out, history=history)


def _without(split: Split, its: Heard) -> Split:
    """Leave out of a split what could not be heard."""
    usable = {track.id for track in its.store.tracks}
    parts = {track_id: part for track_id, part in split.parts.items() if track_id in usable}
    return dataclasses.replace(split, parts=parts, notes=(*split.notes, *its.notes))


def _among(pairs: Sequence[Pair], its: Heard) -> list[Pair]:
    usable = {track.id for track in its.store.tracks}
    return [pair for pair in pairs if {pair.first, pair.second} <= usable]


def _learn(
    its: Heard,
    learner: Learner,
    split: Split,
    path: Path,
    *,
    parts: tuple[str, ...],
    pairs: Sequence[Pair],
    seed: int,
    resume: bool,
) -> None:
    """Learn and leave a run folder; one that is finished stays as it is."""
    material = _material(its.store, split, parts, seed)
    audit = audit_split(its.store.tracks, split.by_part, pairs, learnt=parts)
    folder = RunFolder.begin(
        path, store=its.store, recipe=learner.recipe, split=split, parts=parts, seed=seed, resume=resume,
        device=its.network.device, audit=audit,
    )  # fmt: skip
    if folder.finished:
        return
    facts = learner.learn(folder, material)
    its_own = {"tracks": len(material.learnt), "network_revision": its.network.revision, cost.NOTED: its.cost}
    folder.note({"status": "finished", **facts, **its_own})
    folder.remove_checkpoint()


def _material(store: Store, split: Split, parts: Sequence[str], seed: int) -> Material:
    """Return what is learnt.

    Raises:
        DataError: it is of one genre only.
    """
    ids = {track_id for part in parts for track_id in split.ids(part)}
    learnt = [track for track in store.tracks if track.id in ids]
    if len({track.genre for track in learnt}) < 2:
        raise DataError(f"the parts {', '.join(parts)} have tracks of one genre only; two or more can be told apart")
    held_out = [] if "validation" in parts else [t for t in store.tracks if split.parts.get(t.id) == "validation"]
    return Material(learnt, held_out, store.genres, seed)


def _judged(its: Heard, learner: Learner, run: Path, tracks: Sequence[StoredTrack]) -> Judged:
    """Score tracks by what stands in a run folder, and tell what that is."""
    answer = learner.judge(run, tracks)
    verdict: Verdict = answer.recipe["evaluation"]["verdict"]
    rows = evaluate.scored_rows(tracks, answer.labels, answer.scores, answer.placed, verdict=verdict)
    network = its.network
    model = model_facts(
        run,
        file=answer.file,
        architecture=answer.architecture,
        parameters=answer.parameters,
        recipe=answer.recipe,
        front_end={"network": network.name, "sample_rate": network.rate, "seconds": network.seconds},
        data_fingerprint=its.store.fingerprint,
        made_with=genrescope.__version__,
    )
    return Judged(rows, answer.labels, verdict, model)
