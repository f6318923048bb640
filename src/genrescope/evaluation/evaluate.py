"""Score a model on labelled tracks: `evaluation.json`, figures and report."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from genrescope import locks, modelfile, results
from genrescope.devices import choose_device
from genrescope.errors import DataError
from genrescope.evaluation.facts import about_model
from genrescope.evaluation.sound import sound_for
from genrescope.evaluation.subjects import labelled, own_part
from genrescope.evaluation.summary import summary
from genrescope.evaluation.written import Written
from genrescope.extras import require
from genrescope.inference.scorer import Scorer, verdicts
from genrescope.results import EVALUATION_NAME, Evaluation, TrackRow
from genrescope.training.run_folder import read_history

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.evaluation.sound import Scored, Sound
    from genrescope.evaluation.subjects import Subject
    from genrescope.features.windows import Pooling
    from genrescope.modelfile import Header, Model
    from genrescope.results import ModelFacts, Summary, Verdict
    from genrescope.store.prepare import Progress
    from genrescope.training.progress import Epoch


def evaluate(
    model: str | Path,
    *,
    part: str = "test",
    data: str | None = None,
    store: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    jobs: int | None = None,
    sound: Sound | None = None,
    on_track: Callable[[Progress], None] = lambda _: None,
) -> Written[Evaluation]:
    """Score a model on a part of its own run's split, or on other labelled audio.

    Args:
        model: a run folder or a model file.
        part: the part of the run's split; not used with `data`.
        data: DATA, or a store: score on all of it instead.
        store: where the run's store is now, if it was moved.
        out: folder of the results; by default the run folder, or `evaluation-<data>` beside the model with `data`.
        device: `auto`, `cpu`, `cuda` or `mps`.
        jobs: worker processes for decoding `data`.
        sound: where the tracks' frames come from; None takes the store, or the audio files where the model has another
            front end than the store.
        on_track: called after every track of `data` that was decoded.

    Returns:
        The scores, and where they were written. On its own split, the model file's header gets them too.

    Raises:
        ModelFileError: the model cannot be used.
        DataError: there is nothing to score it on.
        OutputError: the results cannot be written, or another run is at them.
        MissingPackageError: a package of the extra `train` is not installed.
    """
    require("train", "an evaluation")
    device = choose_device(device)
    loaded = modelfile.load(model, device=device)
    run = loaded.path.parent if (loaded.path.parent / "run.json").exists() else None
    with tempfile.TemporaryDirectory(prefix="genrescope-") as scratch:
        if data is not None:
            subject = labelled(loaded, data, Path(scratch), jobs=jobs, on_track=on_track)
            default = loaded.path.parent / f"evaluation-{_slug(data)}"
        else:
            subject = own_part(_run_of(loaded, run), part, store)
            default = run or Path()
        folder = Path(out) if out is not None else default
        with locks.folder(folder, by="evaluate"):
            scored = (sound or sound_for(loaded, subject.store)).score(Scorer.of(loaded), subject.tracks)
            subject = subject.without(scored.failed)
            result = summary(track_rows(loaded, scored), loaded.header.labels, verdict_of(loaded.header))
            history = read_history(run) if run is not None and (run / "history.csv").exists() else []
            evaluation, page = publish(subject, about_model(loaded, run), result, folder, history=history)
            if data is None and run is not None:
                scores = result.accuracy.model_dump(mode="json") | {"verdict": result.verdict}
                modelfile.add_scores(loaded.path, {f"{subject.data.split} / {part}": scores})
    return Written(evaluation, folder, page, subject.failed)


def publish(
    subject: Subject, model: ModelFacts, counted: Summary, folder: Path, *, history: Sequence[Epoch] = ()
) -> tuple[Evaluation, Path]:
    """Write `evaluation.json`, figures and report; return the content of the first, and the last.

    Args:
        model: what made the model.
        counted: what `summary` returned.
        history: the run's epochs; without any there are no curves.
    """
    from genrescope.reports import figures, report

    result = Evaluation(model=model, data=subject.data, notes=subject.notes, audit=subject.audit, **dict(counted))
    results.write(result, folder / EVALUATION_NAME)
    drawn = figures.draw(result, subject.store, subject.tracks, history, folder / "figures")
    return result, report.write(result, drawn, folder / "report.html")


def track_rows(model: Model, scored: Scored) -> list[TrackRow]:
    """Return a row per track that was scored: what it is, whose, what it was taken for, and how confidently."""
    header = model.header
    return scored_rows(
        scored, header.labels, verdict=verdict_of(header), pooling=header.windows.pooling, exclusive=header.exclusive
    )


def verdict_of(header: Header) -> Verdict:
    """Return what decides a track's genre by a model's recipe."""
    return "first" if header.verdict == "first" else "vote"


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


def _run_of(loaded: Model, run: Path | None) -> Path:
    if run is None:
        raise DataError(
            f"{loaded.path} lies outside of a run folder, so it has no split of its own; score it on labelled audio "
            "with --data DATA"
        )
    return run


def _named(labels: Sequence[str], scores: torch.Tensor) -> dict[str, float]:
    return {label: round(float(value), 6) for label, value in zip(labels, scores, strict=True)}


def _slug(data: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in Path(data.rpartition(":")[2]).name).strip("-") or "data"
