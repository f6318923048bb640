"""Cross-validation: a run for each fold, and the score of every track by the model that was not trained on it.

```
OUT/fold-1 ...       a run folder for each fold, whose test part is that fold
OUT/split.csv        the folds
OUT/crossval.json    accuracy by fold, their mean, and of all tracks together with its interval
OUT/figures/  OUT/report.html
```
"""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope import locks, modelfile, results, splits
from genrescope.errors import DataError
from genrescope.evaluation import negatives
from genrescope.evaluation.evaluate import header_rows
from genrescope.evaluation.facts import about_model
from genrescope.evaluation.folds import SPLIT_FILE, Fold, folds_of, held_out, refuse_other
from genrescope.evaluation.multi_label import label_rows, label_summary, of_fold, verdict_of
from genrescope.evaluation.sound import sound_for
from genrescope.evaluation.subjects import is_multi_label
from genrescope.evaluation.summary import summary, track_share
from genrescope.evaluation.written import Written, for_one_genre
from genrescope.inference.scorer import Scorer
from genrescope.results import (
    CROSSVAL_NAME,
    AuditFacts,
    CrossValidation,
    DataFacts,
    FoldResult,
    Folds,
    LabelFolds,
    MultiLabelEvaluation,
)
from genrescope.splits import Split, groups
from genrescope.splits.audit import audit as audit_split
from genrescope.training.progress import SILENT, Watch
from genrescope.training.run_folder import read_run
from genrescope.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genrescope.evaluation.sound import Scored, Sound
    from genrescope.modelfile import Header
    from genrescope.results import ModelFacts, TrackRow, Verdict
    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.job import Job
    from genrescope.training.learner import Learner


@dataclass(frozen=True)
class FoldScores:
    """The scores of a fold's tracks by the model that was not trained on them.

    Attributes:
        fold: the fold.
        scored: tracks that have a genre, or where some have several, all.
        header: the model's.
        unknown: by id, whether a track is called unknown; empty where no track is a negative example.
        model: how it was made.
    """

    fold: Fold
    scored: Scored
    header: Header
    unknown: dict[str, bool]
    model: ModelFacts

    @property
    def rows(self) -> list[TrackRow]:
        """Its tracks, each with one genre."""
        return header_rows(self.header, self.scored)


def cross_validate_any(
    job: Job,
    *,
    learner: Learner | None = None,
    sound: Sound | None = None,
    thin: Callable[[Split], Split] = lambda split: split,
    watch: Watch = SILENT,
    on_fold: Callable[[Fold], None] = lambda _: None,
) -> Written[CrossValidation | MultiLabelEvaluation]:
    """Train a model on all folds but one, score it on that one, and so for every fold.

    Each fold's run is an ordinary one that learns from the others; nothing of the fold held out is used in training.
    A fold that is finished is not trained again. The folder predicts as an ensemble of the folds' models.

    Args:
        job: its split is of folds, and `out` is the folder of their runs and of the results.
        learner: what learns; None takes the recipe's own.
        sound: where the frames of scored tracks come from; None takes the store, or the files where need be.
        thin: takes each fold's split and returns one that leaves less to learn from.
        watch: callbacks for the progress of each training.
        on_fold: called before each fold.

    Returns:
        The scores of every track by the model that was not trained on its fold, and where they were written; a
        `MultiLabelEvaluation` where tracks have several genres.

    Raises:
        DataError: the split is not of folds, or `out` holds something else; from `cross_validate`, also where tracks
            have several genres.
        TrainingError: the loss of a fold is no longer finite.
        OutputError: another process writes into `out`, say.
    """
    with locks.folder(job.out, by="train --folds"):
        return _cross_validated(job, learner, sound, thin=thin, watch=watch, on_fold=on_fold)


cross_validate = for_one_genre(cross_validate_any, "cross_validate")


def _cross_validated(
    job: Job,
    learner: Learner | None,
    sound: Sound | None,
    *,
    thin: Callable[[Split], Split],
    watch: Watch,
    on_fold: Callable[[Fold], None],
) -> Written[CrossValidation | MultiLabelEvaluation]:
    from genrescope.reports import figures, label_page, report

    store, split, out = job.store, job.split, job.out
    job = dataclasses.replace(job.on_device(), pairs=job.duplicates())
    folds = folds_of(split, out)
    refuse_other(out, split, folds, resume=job.resume)
    splits.write(dataclasses.replace(split, data=store.fingerprint), out / SPLIT_FILE)
    scored: list[FoldScores] = []
    for fold in folds:
        on_fold(fold)
        fit_fold(job, fold, learner=learner, thin=thin, watch=watch)
        scored.append(_score(job, fold, sound))
    tracks = [track for track in store.tracks if track.id in split.parts]
    group_of = groups.join(tracks, job.duplicates()) if any(track.group for track in tracks) else None
    heading = _heading(store, split, scored, job.duplicates())
    if is_multi_label(scored[-1].header, tracks):
        labelled = _label_result(scored, heading, group_of)
        results.write(labelled, out / CROSSVAL_NAME)
        return Written(labelled, out, label_page.write(labelled, out))
    result = _result(scored, heading, tracks, group_of)
    results.write(result, out / CROSSVAL_NAME)
    drawn = figures.draw(result, store, [track for track in tracks if track.labels], [], out / "figures")
    return Written(result, out, report.write(result, drawn, out / "report.html"))


def fit_fold(
    job: Job,
    fold: Fold,
    *,
    learner: Learner | None = None,
    thin: Callable[[Split], Split] = lambda split: split,
    watch: Watch = SILENT,
) -> None:
    """Train on all folds but one, unless that is done; arguments are those of `cross_validate_any`.

    Raises:
        DataError: the fold's folder holds another run.
        TrainingError: the loss is no longer finite.
        OutputError: another process trains it, say.
    """
    learnt = thin(held_out(job.split, fold.name))
    job = dataclasses.replace(job, split=learnt, out=fold.path, parts=("train",), resume=True)
    train(job, learner=learner, watch=watch)


def _score(job: Job, fold: Fold, sound: Sound | None) -> FoldScores:
    """Score the tracks of a fold by the model that was not trained on them."""
    model = modelfile.load(fold.path, device=job.device)
    whole = [track for track in job.store.tracks if job.split.parts.get(track.id) == fold.name]
    several = is_multi_label(model.header, [track for track in job.store.tracks if track.id in job.split.parts])
    tracks = [track for track in whole if track.labels or several]
    scored = (sound or sound_for(model, job.store)).score(Scorer.of(model), tracks)
    for track_id, reason in scored.failed.items():
        raise DataError(f"{track_id} can no longer be used: {reason}; prepare the store again")
    apart = not several and negatives.tells_unknown(model) and any(not track.labels for track in job.store.tracks)
    unknown = negatives.unknown_among(model, job.store, whole) if apart else {}
    return FoldScores(fold, scored, model.header, unknown, about_model(model, fold.path))


def _result(
    scored: Sequence[FoldScores],
    heading: dict[str, Any],
    tracks: Sequence[StoredTrack],
    group_of: Mapping[str, str] | None,
) -> CrossValidation:
    """Count all tracks together, and by fold."""
    header = scored[-1].header
    verdict = verdict_of(header)
    unknown = {track_id: its for each in scored for track_id, its in each.unknown.items()}
    together = sorted((row for each in scored for row in each.rows), key=lambda row: row.id)
    return CrossValidation(
        **heading,
        negatives=negatives.counted(unknown, tracks),
        crossval=_by_fold(scored, verdict),
        **dict(summary(together, header.labels, verdict, group_of=group_of)),
    )


def _label_result(
    scored: Sequence[FoldScores], heading: dict[str, Any], group_of: Mapping[str, str] | None
) -> MultiLabelEvaluation:
    """Count all tracks together, and by fold, where tracks have several genres."""
    header = scored[-1].header
    rows = [(each.fold, label_rows(each.header, each.scored)) for each in scored]
    together = sorted((row for _, its in rows for row in its), key=lambda row: row.id)
    thresholds = modelfile.mean_thresholds([each.header for each in scored])
    return MultiLabelEvaluation(
        **heading,
        verdict=verdict_of(header),
        crossval=LabelFolds(
            folds=tuple(of_fold(fold.name, fold.path.name, its, header.labels) for fold, its in rows),
            seconds=_seconds(scored),
        ),
        **label_summary(together, header.labels, thresholds, group_of=group_of),
    )


def _heading(store: Store, split: Split, scored: Sequence[FoldScores], pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return what stands above the figures."""
    found = audit_split(store.tracks, split.by_part, pairs)
    tracks = sum(len(each.scored.tracks) for each in scored)
    return {
        "model": scored[-1].model,
        "data": DataFacts(name=store.data, fingerprint=store.fingerprint, split=split.method, part=None, tracks=tracks),
        "notes": (*([] if found.clean else [f"audit: {found.summary}"]), *split.notes),
        "audit": AuditFacts(clean=found.clean, summary=found.summary),
    }


def _by_fold(scored: Sequence[FoldScores], verdict: Verdict) -> Folds:
    shares = [track_share(each.rows, verdict) for each in scored]
    values = [share.value for share in shares]
    return Folds(
        folds=tuple(
            FoldResult(fold=each.fold.name, run=each.fold.path.name, accuracy=share)
            for each, share in zip(scored, shares, strict=True)
        ),
        mean=statistics.fmean(values),
        deviation=statistics.stdev(values),
        seconds=_seconds(scored),
    )


def _seconds(scored: Sequence[FoldScores]) -> float:
    seconds: list[float] = [read_run(each.fold.path)["seconds"] for each in scored]
    return round(sum(seconds), 1)
