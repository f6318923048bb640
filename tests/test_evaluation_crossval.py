"""Cross-validation: every track is scored once, by a network not trained on its fold; what is finished stays."""

from __future__ import annotations

import csv
import dataclasses
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_support import world

import genrescope
from genrescope import modelfile, splits
from genrescope.errors import DataError
from genrescope.evaluation import metrics
from genrescope.evaluation.crossval import cross_validate
from genrescope.evaluation.evaluate import evaluate
from genrescope.modelfile import TrainingData
from genrescope.results import read_result
from genrescope.sources.cards import card
from genrescope.splits.duplicates import Pair
from genrescope.store.store import Store, open_store
from genrescope.training import recipe
from genrescope.training.job import Job
from genrescope.training.progress import Watch
from genrescope.training.run_folder import read_run
from genrescope.training.train import train

if TYPE_CHECKING:
    from collections.abc import Callable

    from genrescope.evaluation.folds import Fold
    from genrescope.evaluation.written import Written
    from genrescope.results import CrossValidation
    from genrescope.splits import Split
    from genrescope.training.progress import Epoch
    from genrescope.training.recipe import Recipe

    CrossValidated = Written[CrossValidation]

FOLDS = 3
pytestmark = pytest.mark.usefixtures("one_thread")


def job(store: Store, recipe: Recipe, split: Split, out: Path, **options: Any) -> Job:
    """Return a job on the CPU, for a store without duplicates."""
    return Job(store, recipe, split, out, **{"device": "cpu", "pairs": (), **options})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give the small world's store; every two tracks of a genre are by one artist, the last two by nobody known."""
    opened = open_store(world(tmp_path_factory).store)
    tracks = [
        dataclasses.replace(track, group=f"{track.genre} {place % 8 // 2}" if place % 8 < 6 else "")
        for place, track in enumerate(opened.tracks)
    ]
    return dataclasses.replace(opened, tracks=tuple(tracks))


@pytest.fixture(scope="module")
def wanted() -> Recipe:
    changes = {"model.name": "mgcc-small", "windows.train": "all", "training.epochs": 1, "evaluation.verdict": "vote"}
    return recipe.load("mgcc", changes)


@pytest.fixture(scope="module")
def split(store: Store) -> Split:
    return splits.make(store.tracks, "stratified-group", folds=FOLDS)


@pytest.fixture(scope="module")
def done(store: Store, wanted: Recipe, split: Split, tmp_path_factory: pytest.TempPathFactory) -> CrossValidated:
    return cross_validate(job(store, wanted, split, tmp_path_factory.mktemp("crossval") / "cv", seed=1))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out: they take most of the time, and other tests look at them."""
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


@pytest.mark.usefixtures("plain")
def test_every_track_is_scored_once_and_by_the_network_that_did_not_learn_its_fold(
    done: CrossValidated, store: Store, split: Split
) -> None:
    rows = {row.id: row for row in done.result.tracks}
    assert list(rows) == sorted(track.id for track in store.tracks)
    for fold in done.result.crossval.folds:
        run = done.out / fold.run
        with (run / "split.csv").open(encoding="utf-8") as file:
            assert next(file).startswith("# genrescope split: stratified-group (seed 0, 3 folds), fold ")
            parts = {row["id"]: row["part"] for row in csv.DictReader(file)}
        assert {track_id for track_id, part in parts.items() if part == "test"} == set(split.ids(fold.fold))
        assert set(parts) == set(rows)
        assert read_run(run)["parts"] == ["train"]
        again = evaluate(run, store=store.path, out=run / "again", device="cpu").result
        assert [row.id for row in again.tracks] == split.ids(fold.fold)
        unknown = {"group": ""}  # the store on disk knows no artists
        assert list(again.tracks) == [rows[row.id].model_copy(update=unknown) for row in again.tracks]
        assert again.accuracy.vote.model_dump() == fold.accuracy.model_dump() | {"interval_by_groups": None}


def test_the_folds_add_up(done: CrossValidated) -> None:
    assert read_result(done.out) == done.result
    told = done.result.crossval
    shares = [fold.accuracy for fold in told.folds]
    pooled = done.result.accuracy.vote
    assert [fold.fold for fold in told.folds] == ["1", "2", "3"]
    assert sum(share.correct for share in shares) == pooled.correct
    assert sum(share.total for share in shares) == pooled.total == 24
    assert pooled.interval == metrics.wilson(pooled.correct, 24)
    assert told.mean == pytest.approx(statistics.fmean(share.value for share in shares))
    assert told.deviation == pytest.approx(statistics.stdev(share.value for share in shares))
    assert sum(map(sum, done.result.confusion)) == 24


def test_the_interval_over_groups_resamples_whole_artists(done: CrossValidated, store: Store) -> None:
    group_of = {track.id: track.group or track.id for track in store.tracks}
    names = dict.fromkeys(group_of[row.id] for row in done.result.tracks)
    right = [sum(row.vote == row.genre for row in done.result.tracks if group_of[row.id] == name) for name in names]
    total = [list(group_of.values()).count(name) for name in names]
    assert len(names) == 15
    expected = metrics.resampled_interval(right, total)
    assert done.result.accuracy.vote.interval_by_groups == expected


def test_the_report_shows_the_folds_and_what_the_audit_found(done: CrossValidated) -> None:
    text = " ".join(done.report.read_text(encoding="utf-8").split())
    assert "cross-validated over <b>3 folds</b>" in text
    for fold in done.result.crossval.folds:
        assert f"<td>{fold.run}</td>" in text
        assert f"{100 * fold.accuracy.value:.1f} %" in text
    assert "resampling whole artists" in text
    assert "audit: no track, duplicate or artist in two parts; the artist of 6 of 24 tracks is unknown" in text
    assert {path.stem for path in (done.out / "figures").iterdir()} >= {"confusion", "genres"}


@pytest.mark.usefixtures("plain")
def test_what_is_finished_is_not_trained_again(
    done: CrossValidated, store: Store, wanted: Recipe, split: Split
) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.out.glob("fold-*/model.safetensors")}
    epochs: list[Epoch] = []
    wished = job(store, wanted, split, done.out, seed=1, resume=True)
    again = cross_validate(wished, watch=Watch(on_epoch=epochs.append))
    assert epochs == []
    assert again.result == done.result
    assert {path: path.stat().st_mtime_ns for path in before} == before


class _StopError(Exception):
    pass


@pytest.mark.usefixtures("plain")
def test_an_interrupted_cross_validation_goes_on_and_ends_the_same(
    done: CrossValidated, store: Store, wanted: Recipe, split: Split, tmp_path: Path
) -> None:
    def stop(fold: Fold) -> None:
        if fold.number == 3:
            raise _StopError

    def run(on_fold: Callable[[Fold], None], *, resume: bool) -> Any:
        return cross_validate(job(store, wanted, split, tmp_path / "cv", seed=1, resume=resume), on_fold=on_fold).result

    with pytest.raises(_StopError):
        run(stop, resume=False)
    assert not (tmp_path / "cv" / "crossval.json").exists()
    with pytest.raises(DataError, match="holds a cross-validation already; go on with it by --resume"):
        run(lambda _: None, resume=False)
    told: list[str] = []
    result = run(lambda fold: told.append(fold.path.name), resume=True)
    assert told == ["fold-1", "fold-2", "fold-3"]
    assert result.tracks == done.result.tracks


@pytest.mark.usefixtures("plain")
def test_leaks_between_folds_are_noted(store: Store, wanted: Recipe, tmp_path: Path) -> None:
    """Folds are drawn without looking at artists; one pair of duplicates is in two parts as well."""
    split = splits.make(store.tracks, "random", folds=2)
    pair = Pair(split.ids("1")[0], split.ids("2")[0], "exact")
    tracks = tuple(dataclasses.replace(track, group="") for track in store.tracks)
    unknown = dataclasses.replace(store, tracks=tracks)
    done = cross_validate(job(unknown, wanted, split, tmp_path / "cv", pairs=(pair,)))
    assert done.result.notes[0] == "audit: 2 of 24 tracks repeat a training track exactly (8 %)"
    assert done.result.audit is not None
    assert not done.result.audit.clean
    assert done.result.accuracy.vote.interval_by_groups is None
    scored = evaluate(tmp_path / "cv" / "fold-1", store=store.path, device="cpu", out=tmp_path / "scores").result
    assert scored.notes[0] == "audit: 1 of 12 test tracks repeats a training track exactly (8 %)"


@pytest.mark.parametrize(
    ("parts", "folders"),
    [
        (["0", "1"], ["fold-0", "fold-1"]),
        (["fold2", "fold10"], ["fold-2", "fold-10"]),
        (["a/b", "a b"], ["fold-1", "fold-2"]),
    ],
)
def test_folds_have_folders_by_their_names(
    parts: list[str], folders: list[str], store: Store, wanted: Recipe, tmp_path: Path
) -> None:
    def stop(fold: Fold) -> None:
        told.append(fold.path.name)
        if fold.number == 2:
            raise _StopError

    told: list[str] = []
    quick = recipe.load("mgcc", {"model.name": "mgcc-small", "training.epochs": 1, "training.batch_size": 12})
    tracks = store.tracks[::2]
    split = splits.Split({track.id: parts[place % 2] for place, track in enumerate(tracks)}, "by hand")
    with pytest.raises(_StopError):
        cross_validate(job(store, quick, split, tmp_path), on_fold=stop)
    assert sorted(told) == sorted(folders)


def test_parts_that_are_no_folds_are_refused(store: Store, wanted: Recipe, tmp_path: Path) -> None:
    split = splits.make(store.tracks, "stratified")
    with pytest.raises(DataError, match=r"has the parts train, validation, test, which are no folds; .*--folds 5"):
        cross_validate(job(store, wanted, split, tmp_path / "cv"))
    assert not (tmp_path / "cv").exists()


def test_a_folder_of_something_else_is_refused(
    done: CrossValidated, store: Store, wanted: Recipe, split: Split
) -> None:
    with pytest.raises(DataError, match="holds a run; choose another --out"):
        cross_validate(job(store, wanted, split, done.out / "fold-1", resume=True))
    other = splits.make(store.tracks, "stratified-group", folds=FOLDS, seed=5)
    assert other.fingerprint != split.fingerprint
    with pytest.raises(DataError, match="over other folds"):
        cross_validate(job(store, wanted, other, done.out, resume=True))


@pytest.mark.usefixtures("plain")
def test_training_does_not_depend_on_the_fold_held_out(store: Store, wanted: Recipe, tmp_path: Path) -> None:
    """A run whose test tracks are moved out of the split altogether learns the same network."""
    split = splits.make(store.tracks, "stratified", folds=2)
    kept = dict.fromkeys(split.ids("2"), "train")
    done = cross_validate(job(store, wanted, split, tmp_path / "cv", seed=3))
    alone = train(job(store, wanted, splits.Split(kept, "alone"), tmp_path / "alone", seed=3))
    assert (done.out / "fold-1" / "history.csv").exists()

    def learnt(run: Path) -> list[str]:
        with (run / "history.csv").open(encoding="utf-8") as file:
            return [row["train_loss"] for row in csv.DictReader(file)]

    assert learnt(done.out / "fold-1") == learnt(alone)


# -- the folder as a model ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted(store: Store, split: Split, tmp_path_factory: pytest.TempPathFactory) -> CrossValidated:
    wanted = recipe.load("pooled-svm", {"classifier.copies": 0, "classifier.frames": 128})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrescope.reports.figures.draw", lambda *_: [])
        return cross_validate(job(store, wanted, split, tmp_path_factory.mktemp("fitted") / "cv"))


@pytest.mark.parametrize("name", ["done", "fitted"])
def test_a_folds_model_predicts_its_held_out_files_as_they_were_scored(
    name: str, store: Store, split: Split, request: pytest.FixtureRequest
) -> None:
    validated: CrossValidated = request.getfixturevalue(name)
    rows = {row.id: row for row in validated.result.tracks}
    for fold in validated.result.crossval.folds:
        classifier = genrescope.load(validated.out / fold.run, device="cpu")
        for track_id in split.ids(fold.fold):
            found = classifier.predict(Path(store.data) / track_id)
            assert found.scores == pytest.approx(rows[track_id].scores, abs=1e-6)


@pytest.mark.parametrize("name", ["done", "fitted"])
def test_the_folder_predicts_as_an_ensemble_of_its_folds(
    name: str, store: Store, request: pytest.FixtureRequest
) -> None:
    validated: CrossValidated = request.getfixturevalue(name)
    ensemble = genrescope.load(validated.out, device="cpu")
    folds = [genrescope.load(validated.out / fold.run, device="cpu") for fold in validated.result.crossval.folds]
    for track in store.tracks[::5]:
        song = Path(store.data) / track.id
        apart = [fold.predict(song).scores for fold in folds]
        assert len({tuple(sorted(scores.items())) for scores in apart}) == FOLDS
        mean = {genre: statistics.fmean(scores[genre] for scores in apart) for genre in store.genres}
        assert ensemble.predict(song).scores == pytest.approx(mean, abs=1e-6)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("data", ["synth:music", "music"])
def test_a_folds_model_file_carries_the_terms_of_a_public_data_set(
    data: str, store: Store, split: Split, tmp_path: Path
) -> None:
    wanted = recipe.load("pooled-svm", {"classifier.kernel": "linear", "classifier.copies": 0})
    named = dataclasses.replace(store, data=data)
    out = cross_validate(job(named, wanted, split, tmp_path / "cv")).out
    found = modelfile.read_header(out / "fold-1").data
    public = card("synth")
    if data.startswith("synth:"):
        assert found == TrainingData(
            name=public.title, fingerprint=named.fingerprint, licence=public.terms, citation=public.citation
        )
    else:
        assert found == TrainingData(fingerprint=named.fingerprint)
        assert (found.name, found.licence, found.citation) == ("", "unspecified", "")
