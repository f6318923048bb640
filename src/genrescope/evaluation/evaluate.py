"""Score a model on labelled tracks: `evaluation.json`, figures and report."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genrescope import modelfile, splits
from genrescope.devices import choose_device
from genrescope.errors import DataError, RecipeError
from genrescope.evaluation import metrics
from genrescope.evaluation.calibration import calibration
from genrescope.features import windows
from genrescope.features.spec import to_dict
from genrescope.files import write_json
from genrescope.inference import scorer
from genrescope.models import registry
from genrescope.splits.audit import clean_sentence
from genrescope.store.prepare import prepare
from genrescope.store.store import STORE_FILE, Store, StoredTrack, open_store
from genrescope.training import recipe as recipes
from genrescope.training.run_folder import read_history, read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from genrescope.store.index import IndexRow
    from genrescope.store.prepare import Progress
    from genrescope.training.run_folder import Epoch

FORMAT = 1
FILE_NAME = "evaluation.json"


@dataclass(frozen=True)
class Evaluated:
    """What `evaluate` did.

    Attributes:
        result: the content of `evaluation.json`.
        out: the folder it was written to.
        report: the page to look at.
        failed: the rows of the files of `data` that could not be used, with their reasons.
    """

    result: dict[str, Any]
    out: Path
    report: Path
    failed: tuple[IndexRow, ...] = ()


@dataclass(frozen=True)
class Subject:
    """Tracks to score, and where they come from.

    Attributes:
        store: where their log-mels are.
        tracks: the tracks.
        told: what `evaluation.json` tells of them.
        notes: what a reader should know of them, a sentence each.
        failed: the rows of files that could not be used.
        audit: what was found when their split was audited; None where it was not.
    """

    store: Store
    tracks: list[StoredTrack]
    told: dict[str, Any]
    notes: tuple[str, ...] = ()
    failed: tuple[IndexRow, ...] = ()
    audit: dict[str, Any] | None = None


def evaluate(
    model: str | Path,
    *,
    part: str = "test",
    data: str | None = None,
    store: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    jobs: int | None = None,
    on_track: Callable[[Progress], None] = lambda _: None,
) -> Evaluated:
    """Score a model on a part of its own run's split, or on other labelled audio.

    Args:
        model: a run folder or a model file.
        part: the part of the run's split; not used with `data`.
        data: DATA, or a store: score on all of it instead.
        store: where the run's store is now, if it was moved.
        out: folder of the results; by default the run folder, or `evaluation-<data>` beside the model with `data`.
        device: `auto`, `cpu`, `cuda` or `mps`.
        jobs: worker processes for decoding `data`.
        on_track: called after every track of `data` that was decoded.

    Returns:
        The scores, and where they were written. On its own split, the model file's header gets them too.

    Raises:
        ModelFileError: the model cannot be used.
        DataError: there is nothing to score it on.
    """
    device = choose_device(device)
    loaded = modelfile.load(model, device=device)
    run = loaded.path.parent if (loaded.path.parent / "run.json").exists() else None
    with tempfile.TemporaryDirectory(prefix="genrescope-") as scratch:
        if data is not None:
            subject = _labelled(loaded, data, Path(scratch), jobs=jobs, on_track=on_track)
            default = loaded.path.parent / f"evaluation-{_slug(data)}"
        else:
            subject = own_part(_run_of(loaded, run), part, store)
            default = run or Path()
        folder = Path(out) if out is not None else default
        result = score(loaded, subject.store, subject.tracks)
        history = read_history(run) if run is not None else []
        told, page = publish(subject, about_model(loaded, run), result, folder, history=history)
    if data is None and run is not None:
        key = f"{subject.told['split']} / {part}"
        modelfile.add_scores(loaded.path, {key: result["accuracy"] | {"verdict": result["verdict"]}})
    return Evaluated(told, folder, page, subject.failed)


def publish(
    subject: Subject, model: dict[str, Any], counted: dict[str, Any], folder: Path, *, history: Sequence[Epoch] = ()
) -> tuple[dict[str, Any], Path]:
    """Write `evaluation.json`, figures and report; return the content of the first, and the last.

    Args:
        subject: what was scored.
        model: what made the model.
        counted: what `summary` returned.
        folder: where all goes.
        history: the run's epochs; without any there are no curves.
    """
    from genrescope.reports import figures, report

    told = {"data": subject.told, "notes": list(subject.notes), "audit": subject.audit}
    result = {"format": FORMAT, "model": model, **told, **counted}
    write_json(folder / FILE_NAME, result)
    drawn = figures.draw(result, subject.store, subject.tracks, history, folder / "figures")
    return result, report.write(result, drawn, folder / "report.html")


def score(loaded: modelfile.Bundle, store: Store, tracks: Sequence[StoredTrack]) -> dict[str, Any]:
    """Score a model on tracks of a store; what is counted, `summary` tells."""
    verdict = loaded.header.recipe["evaluation"]["verdict"]
    return summary(track_rows(loaded, store, tracks), loaded.header.labels, verdict)


def track_rows(loaded: modelfile.Bundle, store: Store, tracks: Sequence[StoredTrack]) -> list[dict[str, Any]]:
    """Return a row per track, as `evaluation.json` has them: what it is, whose, what it was taken for, and how surely.

    `first` is the genre by the first window alone, `vote` the one by all windows; `predicted` and `scores` are those of
    the recipe's own verdict.
    """
    device = next(loaded.model.parameters()).device
    header = loaded.header
    bank = windows.FrameBank(store.frames, silence=store.spec.silence, device=device, padding=header.padding)
    placed = windows.place(tracks, "all", length=header.window, hop=header.hop)
    scores = scorer.window_scores(loaded.model, bank, placed, length=header.window)
    return scored_rows(tracks, header.labels, scores, placed, verdict=header.recipe["evaluation"]["verdict"])


def scored_rows(
    tracks: Sequence[StoredTrack], labels: Sequence[str], scores: torch.Tensor, placed: windows.Windows, *, verdict: str
) -> list[dict[str, Any]]:
    """Return the rows of tracks from their windows' probabilities.

    Args:
        tracks: what was scored.
        labels: the genres, in the order of the scores.
        scores: shape (windows, genres).
        placed: whose each window is.
        verdict: the recipe's own.
    """
    truth = torch.tensor([labels.index(track.genre) for track in tracks])
    right = torch.bincount(placed.tracks, weights=(scores.argmax(dim=1) == truth[placed.tracks]).double())
    total = torch.bincount(placed.tracks)
    by_verdict = {each: scorer.verdicts(scores, placed, verdict=each, count=len(tracks)) for each in ("first", "vote")}
    genre = {each: [labels[best] for best in its.argmax(dim=1)] for each, its in by_verdict.items()}
    return [
        {
            "id": track.id,
            "genre": track.genre,
            "group": track.group,
            "predicted": genre[verdict][position],
            "scores": _named(labels, by_verdict[verdict][position]),
            "first": genre["first"][position],
            "vote": genre["vote"][position],
            "windows": int(total[position]),
            "windows_right": int(right[position]),
        }
        for position, track in enumerate(tracks)
    ]


def summary(rows: Sequence[dict[str, Any]], labels: Sequence[str], verdict: str) -> dict[str, Any]:
    """Count tracks that were scored.

    Three accuracies are told: of every track by its first window alone (as the original system counts), of every
    window, and of every track when its windows vote. The recipe's own verdict, `first` or `vote`, decides which of
    them the genres, the confusion matrix and the tracks' scores are made of.

    Args:
        rows: a row per track, as `track_rows` returns them.
        labels: the model's genres.
        verdict: the recipe's own.
    """
    truth = [labels.index(row["genre"]) for row in rows]
    counts = metrics.confusion(truth, [labels.index(row["predicted"]) for row in rows], len(labels))
    genres = metrics.per_genre(counts, labels)
    f1 = [figures["f1"] for figures in genres.values() if figures["tracks"]]
    return {
        "verdict": verdict,
        "accuracy": {
            "first": track_share(rows, "first"),
            "window": _window_share(rows),
            "vote": track_share(rows, "vote"),
        },
        "macro_f1": sum(f1) / len(f1),
        "genres": genres,
        "labels": list(labels),
        "confusion": counts.tolist(),
        "confused": metrics.confused_pairs(counts, labels),
        "calibration": _calibrated(rows),
        "tracks": list(rows),
    }


def _calibrated(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Lay the tracks' confidences beside how often they were right."""
    groups = [row["group"] for row in rows]
    return calibration(
        [row["scores"][row["predicted"]] for row in rows],
        [row["predicted"] == row["genre"] for row in rows],
        groups if any(groups) else None,
    )


def track_share(rows: Sequence[dict[str, Any]], verdict: str) -> dict[str, Any]:
    """Return the share of tracks that a verdict, `first` or `vote`, gets right, with its interval."""
    return metrics.share(sum(row[verdict] == row["genre"] for row in rows), len(rows))


def open_own_store(run: Path, moved: str | Path | None = None) -> Store:
    """Open the store that a run was trained on.

    Args:
        run: its folder.
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


def _run_of(loaded: modelfile.Bundle, run: Path | None) -> Path:
    if run is None:
        raise DataError(
            f"{loaded.path} lies outside of a run folder, so it has no split of its own; score it on labelled audio "
            "with --data DATA"
        )
    return run


def own_part(run: Path, part: str, moved: str | Path | None = None) -> Subject:
    """Take a part of the run's own split.

    Args:
        run: its folder.
        part: the part's name.
        moved: where the run's store is now, if it was moved.

    Raises:
        DataError: there is no such part, or the store is gone or has changed.
    """
    facts = read_run(run)
    store = open_own_store(run, moved)
    wanted = set(splits.read(run / "split.csv").ids(part))
    tracks = [track for track in store.tracks if track.id in wanted]
    notes = list(facts["split"]["notes"])
    audited = _audited(facts, part)
    if audited is not None and not audited["clean"]:
        notes.insert(0, f"audit: {audited['told']}")
    if part in facts["parts"]:
        notes.insert(0, f"the model was trained on the part {part}: these scores say nothing about new music")
    told = {
        "name": facts["data"],
        "fingerprint": store.fingerprint,
        "split": facts["split"]["method"],
        "part": part,
        "tracks": len(tracks),
    }
    return Subject(store, tracks, told, tuple(notes), audit=audited)


def _audited(facts: dict[str, Any], part: str) -> dict[str, Any] | None:
    """Return what the run's audit found on a part; None where it was not audited."""
    audit: dict[str, Any] | None = facts.get("audit")
    if audit is None or part in facts["parts"]:
        return None
    for each in audit["held_out"]:
        if each["part"] == part and each["touched"]:
            return {**each, "clean": False}
    if audit["clean"]:
        return {"clean": True, "told": clean_sentence(audit["grouped"], audit["tracks"])}
    return {"clean": True, "told": f"no {part} track is touched by training tracks; elsewhere: {audit['summary']}"}


def _labelled(
    loaded: modelfile.Bundle, data: str, scratch: Path, *, jobs: int | None, on_track: Callable[[Progress], None]
) -> Subject:
    """Take all tracks of DATA, or of a store, whose genres the model knows."""
    labels = set(loaded.header.labels)
    failed: list[IndexRow] = []
    if (Path(data) / STORE_FILE).exists():
        store = open_store(data)
    else:
        prepared = prepare(data, scratch / "store", jobs=jobs, spec=loaded.header.front_end, on_track=on_track)
        store, failed = prepared.store, list(prepared.failed)
    if store.spec != loaded.header.front_end:
        raise DataError(f"the store {data} was made by another front end than the model's; prepare it again")
    tracks = [track for track in store.tracks if track.genre in labels]
    strange = Counter(track.genre for track in store.tracks if track.genre not in labels)
    if not tracks:
        raise DataError(
            f"{data} has no genre that the model knows. It has: {', '.join(sorted(strange))}; "
            f"the model knows: {', '.join(sorted(labels))}"
        )
    notes = [f"{row.path} could not be used: {row.status}" for row in failed]
    notes += [f"{count} tracks of {genre} left out: the model does not know it" for genre, count in strange.items()]
    told = {"name": data, "fingerprint": store.fingerprint, "split": None, "part": None, "tracks": len(tracks)}
    return Subject(store, tracks, told, tuple(notes), tuple(failed))


def about_model(loaded: modelfile.Bundle, run: Path | None) -> dict[str, Any]:
    """Return what made a model, as `evaluation.json` tells it."""
    header = loaded.header
    return {
        "file": loaded.path.name,
        "architecture": header.model,
        "parameters": registry.count_parameters(loaded.model),
        "recipe": header.recipe,
        "front_end": to_dict(header.front_end),
        "data_fingerprint": header.data,
        "made_with": header.made_with,
        **about_run(run),
    }


def about_run(run: Path | None) -> dict[str, Any]:
    """Return what a run folder tells of how its model was made; None for each fact where there is no run."""
    facts = read_run(run) if run is not None else {}
    return {
        "seed": facts.get("seed"),
        "trained_on": {name: facts.get(name) for name in ("tracks", "windows", "epochs", "seconds")},
        "machine": facts.get("machine"),
        "versions": facts.get("versions"),
        "commit": facts.get("commit"),
    }


def settings(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe of a model, as `evaluation.json` tells of it.

    Keys that came after it was made have their defaults, which is what it was made with.
    """
    recipe: dict[str, Any] = model["recipe"]
    with contextlib.suppress(RecipeError):  # that of a probe is of another kind
        recipe = recipes.from_dict(recipe).model_dump()
    return recipe


def _window_share(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Count windows; beside Wilson's interval give the wider one that knows which windows belong together."""
    right, total = ([row[name] for row in rows] for name in ("windows_right", "windows"))
    by_tracks = metrics.resampled_interval(right, total)
    return metrics.share(sum(right), sum(total)) | {"interval_by_tracks": list(by_tracks)}


def _named(labels: Sequence[str], scores: torch.Tensor) -> dict[str, float]:
    return {label: round(float(value), 6) for label, value in zip(labels, scores, strict=True)}


def _slug(data: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in Path(data.rpartition(":")[2]).name).strip("-") or "data"
