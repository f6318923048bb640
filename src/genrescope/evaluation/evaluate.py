"""Score a model on labelled tracks: `evaluation.json`, figures and report."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from genrescope import locks, modelfile, results
from genrescope.devices import choose_device
from genrescope.errors import DataError
from genrescope.evaluation import learnt, multi_label, negatives
from genrescope.evaluation.cautions import small_part, with_untouched
from genrescope.evaluation.facts import about_model
from genrescope.evaluation.learnt import Finding
from genrescope.evaluation.multi_label import verdict_of
from genrescope.evaluation.sound import sound_for
from genrescope.evaluation.subjects import is_multi_label, labelled, own_part
from genrescope.evaluation.summary import summary
from genrescope.evaluation.written import Written, for_one_genre
from genrescope.extras import require
from genrescope.inference.scorer import Scorer, verdicts
from genrescope.results import (
    CROSSVAL_NAME,
    EVALUATION_NAME,
    OWN_PART,
    Evaluation,
    TrackRow,
    evaluation_folder,
    read_either,
)
from genrescope.sources.labels import NEGATIVE
from genrescope.training.run_folder import read_history

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.evaluation.sound import Scored, Sound
    from genrescope.evaluation.subjects import Subject
    from genrescope.features.placement import Pooling
    from genrescope.modelfile import Header, Model
    from genrescope.results import ModelFacts, MultiLabelEvaluation, NegativeFigures, Summary, Verdict
    from genrescope.store.prepare import Progress
    from genrescope.training.progress import Epoch


def evaluate_any(
    model: str | Path,
    *,
    part: str = OWN_PART,
    data: str | None = None,
    store: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    jobs: int | None = None,
    sound: Sound | None = None,
    on_track: Callable[[Progress], None] = lambda _: None,
    on_compared: Callable[[int, int], None] = lambda *_: None,
) -> Written[Evaluation | MultiLabelEvaluation]:
    """Score a model on a part of its own run's split, or on other labelled audio.

    Of other audio the results say how much of it the model was trained on: tracks, duplicates of them, their artists.

    Args:
        model: a run folder or a model file; a cross-validation without `data` is not scored again, but read.
        part: the part of the run's split; not used with `data`.
        data: DATA, or a store: score on all of it instead.
        store: where the run's store is now, if it was moved.
        out: folder of the results; by default the run folder for the part `test`, else `evaluation-<part>` or
            `evaluation-<data>` in it.
        device: `auto`, `cpu`, `cuda` or `mps`.
        jobs: worker processes for decoding `data`.
        sound: where the tracks' frames come from; None takes the store, or the audio files where the model has another
            front end than the store.
        on_track: called after every track of `data` that was decoded.
        on_compared: called with the tracks that were compared with the training tracks, and the tracks in all.

    Returns:
        The scores, and where they were written; a `MultiLabelEvaluation` where tracks have several genres and the
        model gives any number of them. On its own split, the model file's header gets them too.

    Raises:
        ModelFileError: the model cannot be used.
        DataError: there is nothing to score it on; from `evaluate`, also where tracks have several genres.
        OutputError: the results cannot be written, or another run is at them.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "an evaluation")
    if data is None and (folds := Path(model) / CROSSVAL_NAME).is_file():
        return Written(read_either(folds.parent), folds.parent, folds.parent / "report.html")
    loaded = modelfile.load(model, device=choose_device(device))
    home = loaded.path if loaded.path.is_dir() else loaded.path.parent
    with tempfile.TemporaryDirectory(prefix="genrescope-") as scratch:
        if data is None:
            subject, finding = own_part(_run_of(loaded), part, store), Finding()
        else:
            subject = labelled(loaded, data, Path(scratch), jobs=jobs, on_track=on_track)
            trained_on = loaded.header.data.fingerprint
            finding = learnt.compare(home, trained_on, subject, moved=store, on_track=on_compared)
            subject = subject.noted(*finding.notes)
        folder = Path(out) if out is not None else evaluation_folder(home, loaded.path.name, subject.data)
        with locks.folder(folder, by="evaluate"):
            return _scored(loaded, subject, finding, folder, sound)


evaluate = for_one_genre(evaluate_any, "evaluate")


def _scored(
    loaded: Model, subject: Subject, finding: Finding, folder: Path, sound: Sound | None
) -> Written[Evaluation | MultiLabelEvaluation]:
    """Score the tracks of a subject and write the results; its own part's scores enter the model file too."""
    scored = (sound or sound_for(loaded, subject.store)).score(Scorer.of(loaded), subject.tracks)
    subject = subject.without(scored.failed)
    if is_multi_label(loaded.header, subject.store.tracks):
        return _scored_labels(loaded, subject.audited(finding.audit), scored, folder)
    rows, verdict, run = track_rows(loaded, scored), verdict_of(loaded.header), _run_folder(loaded)
    result = summary(rows, loaded.header.labels, verdict)
    if subject.data.part is None:
        audit = with_untouched(finding.audit, rows, finding.touched, verdict)
        subject = dataclasses.replace(subject, audit=audit)
    else:
        subject = subject.noted(*small_part(subject.data.part, result.headline, subject.in_split))
    if subject.negatives and not negatives.tells_unknown(loaded):
        subject = subject.noted(f"{len(subject.negatives)} tracks that are {NEGATIVE} left out: the model marks none")
    history = read_history(run) if run is not None and (run / "history.csv").exists() else []
    evaluation, page = publish(
        subject, about_model(loaded, run), result, folder, history=history, negatives=_negatives(loaded, subject)
    )
    if subject.data.part is not None:
        scores = result.accuracy.model_dump(mode="json") | {"verdict": result.verdict}
        modelfile.add_scores(loaded.path, {f"{subject.data.split} / {subject.data.part}": scores})
    return Written(evaluation, folder, page, subject.failed)


def _scored_labels(
    loaded: Model, subject: Subject, scored: Scored, folder: Path
) -> Written[Evaluation | MultiLabelEvaluation]:
    """Write the results of tracks that have several genres."""
    header, run = loaded.header, _run_folder(loaded)
    rows = multi_label.label_rows(header, scored)
    result, page = multi_label.publish(subject, about_model(loaded, run), rows, header, folder)
    if subject.data.part is not None:
        figures = {"mean_average_precision": result.mean_average_precision.model_dump(mode="json")}
        modelfile.add_scores(loaded.path, {f"{subject.data.split} / {subject.data.part}": figures})
    return Written(result, folder, page, subject.failed)


def _negatives(loaded: Model, subject: Subject) -> NegativeFigures | None:
    """Count how many negative examples are called unknown, and how many of the tracks that have a genre."""
    if not subject.negatives or not negatives.tells_unknown(loaded):
        return None
    tracks = (*subject.tracks, *subject.negatives)
    return negatives.counted(negatives.unknown_among(loaded, subject.store, tracks), tracks)


def publish(
    subject: Subject,
    model: ModelFacts,
    counted: Summary,
    folder: Path,
    *,
    history: Sequence[Epoch] = (),
    negatives: NegativeFigures | None = None,
) -> tuple[Evaluation, Path]:
    """Write `evaluation.json`, figures and report; return the content of the first, and the last.

    Args:
        model: what made the model.
        counted: what `summary` returned.
        history: the run's epochs; without any there are no curves.
        negatives: what became of negative examples.
    """
    from genrescope.reports import figures, report

    result = Evaluation(
        model=model, data=subject.data, notes=subject.notes, audit=subject.audit, negatives=negatives, **dict(counted)
    )
    results.write(result, folder / EVALUATION_NAME)
    drawn = figures.draw(result, subject.store, subject.tracks, history, folder / "figures")
    return result, report.write(result, drawn, folder / "report.html")


def track_rows(model: Model, scored: Scored) -> list[TrackRow]:
    """Return a row per track that was scored: what it is, whose, what it was taken for, and how confidently."""
    return header_rows(model.header, scored)


def header_rows(header: Header, scored: Scored) -> list[TrackRow]:
    """Return the same by the model's header."""
    return scored_rows(
        scored, header.labels, verdict=verdict_of(header), pooling=header.windows.pooling, exclusive=header.exclusive
    )


def scored_rows(
    scored: Scored,
    labels: Sequence[str],
    *,
    verdict: Verdict,
    pooling: Pooling = "probabilities",
    exclusive: bool = True,
) -> list[TrackRow]:
    """Return the rows of tracks from their windows' probabilities.

    Args:
        scored: what was scored.
        labels: the genres, in the order of the scores.
        verdict: the recipe's own.
        pooling: what is averaged over a track's windows.
        exclusive: whether labels exclude each other.
    """
    tracks, scores, placed = scored.tracks, scored.scores, scored.placed
    truth = torch.tensor([labels.index(track.genre) for track in tracks])
    right = torch.bincount(placed.tracks, weights=(scores.argmax(dim=1) == truth[placed.tracks]).double())
    total = torch.bincount(placed.tracks)
    by_verdict = {
        each: verdicts(scores, placed, verdict=each, count=len(tracks), pooling=pooling, exclusive=exclusive)
        for each in ("first", "vote")
    }
    genre = {each: [labels[best] for best in shares.argmax(dim=1)] for each, shares in by_verdict.items()}
    return [
        TrackRow(
            id=track.id,
            genre=track.genre,
            group=track.group,
            predicted=genre[verdict][position],
            scores=_named(labels, by_verdict[verdict][position]),
            first=genre["first"][position],
            vote=genre["vote"][position],
            windows=int(total[position]),
            windows_right=int(right[position]),
        )
        for position, track in enumerate(tracks)
    ]


def _run_folder(loaded: Model) -> Path | None:
    run = loaded.path.parent
    return run if (run / "run.json").exists() else None


def _run_of(loaded: Model) -> Path:
    run = _run_folder(loaded)
    if run is None:
        raise DataError(
            f"{loaded.path} lies outside of a run folder, so it has no split of its own; score it on labelled audio "
            "with --data DATA"
        )
    return run


def _named(labels: Sequence[str], scores: torch.Tensor) -> dict[str, float]:
    return {label: round(float(value), 6) for label, value in zip(labels, scores, strict=True)}
