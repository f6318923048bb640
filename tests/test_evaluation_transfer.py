"""Published networks on splits and folds: every run predicts, and what it predicts is what was scored."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import transfer_support as networks
from transfer_support import GENRES

import genrescope
from genrescope import Prediction, modelfile
from genrescope.errors import DataError, ModelFileError
from genrescope.evaluation import transfer
from genrescope.evaluation.evaluate import evaluate
from genrescope.models import published_loading
from genrescope.splits import Split
from genrescope.store.prepare import prepare
from genrescope.store.store import open_store
from genrescope.training.job import Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from genrescope.results import TrackRow
    from genrescope.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = ("ast", "hubert", "clap")
WAYS = ("linear", "rbf", "tuned")
HUB_NAME = "someone/hubert"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a network of each kind."""
    return networks.write_all(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give two genres of eight tracks; nothing in it but embeddings and waves may be added."""
    root = tmp_path_factory.mktemp("store")
    return prepare(str(networks.music(root / "music")), root / "store", jobs=0).store


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for figures; other tests look at these."""
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder of a network of the hub, which was downloaded before; there is no connection."""
    folder = networks.on_hub(monkeypatch, tmp_path / "hub", HUB_NAME)
    networks.hubert(folder)
    published_loading._from_hub.cache_clear()
    yield folder
    published_loading._from_hub.cache_clear()


def file_of(store: Store, track_id: str) -> Path:
    return store.path.parent / "music" / track_id


def assert_predicts(row: TrackRow, prediction: object) -> None:
    """A row holds scores rounded to six places: half of the last one is all that may differ, and single precision."""
    assert isinstance(prediction, Prediction), prediction
    assert prediction.genre == row.vote
    assert prediction.scores.keys() == row.scores.keys()
    for label, score in row.scores.items():
        assert prediction.scores[label] == pytest.approx(score, abs=1e-6, rel=0)
    assert len(prediction.windows) == row.windows


def assert_rows_are_predicted(run: Path, rows: Sequence[TrackRow], store: Store) -> None:
    classifier = genrescope.load(run, device="cpu")
    assert classifier.genres == GENRES
    files = [file_of(store, row.id) for row in rows]
    for row, predicted in zip(rows, classifier.predict_many(files), strict=True):
        assert_predicts(row, predicted)


# -- every run predicts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_predicts_what_was_scored(saved: Path, store: Store, tmp_path: Path, kind: str, way: str) -> None:
    body = networks.opened(saved, kind)
    rows = networks.hold_out(store, body, way, tmp_path / "run").tracks
    assert {row.genre for row in rows} == set(GENRES)
    assert {row.windows for row in rows} == {round(networks.SECONDS / body.spec.seconds)}
    assert len({tuple(row.scores.values()) for row in rows}) > 1
    assert_rows_are_predicted(tmp_path / "run", rows, store)
    classifier = genrescope.load(tmp_path / "run" / modelfile.FILE_NAME, device="cpu")
    file = file_of(store, rows[0].id)
    assert_predicts(rows[0], classifier.predict(file))
    assert_predicts(rows[0], classifier.predict(file.read_bytes()))
    assert classifier.embed(file).shape == (body.spec.width,)
    assert classifier.info.window_seconds == pytest.approx(body.spec.seconds)


def folds_of(store: Store) -> Split:
    """Give each genre's first two artists one fold, and the others the second."""
    return Split({track.id: f"fold {1 + int(track.group[-1]) // 2}" for track in store.tracks}, "by hand")


@pytest.mark.parametrize("way", ["linear", "tuned"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_run_of_a_fold_predicts_and_all_of_them_together(
    saved: Path, store: Store, tmp_path: Path, kind: str, way: str
) -> None:
    body, split, out = networks.opened(saved, kind), folds_of(store), tmp_path / "folds"
    recipe = networks.recipe_of(body, way)
    job = Job(store, recipe, split, out, device="cpu", pairs=())
    result = transfer.score(job, transfer.gather(store, body, recipe), part=None).result
    assert len(result.tracks) == len(store.tracks)
    for fold in ("1", "2"):
        rows = [row for row in result.tracks if split.parts[row.id] == f"fold {fold}"]
        assert_rows_are_predicted(out / f"fold-{fold}", rows, store)
    files = [file_of(store, store.tracks[number].id) for number in (0, -1)]
    folds = [genrescope.load(out / f"fold-{fold}", device="cpu") for fold in ("1", "2")]
    together = genrescope.load(out, device="cpu")
    for file in files:
        apart = [fold.predict(file) for fold in folds]
        for label, score in together.predict(file).scores.items():
            assert score == pytest.approx(_pooled([each.windows for each in apart], label), abs=1e-5)


def _pooled(folds: Sequence[Any], label: str) -> float:
    """Return a label's mean over the windows and the folds."""
    return float(np.mean([[window.scores[label] for window in windows] for windows in folds]))


# -- what is copied, and what is named --------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["linear", "tuned"])
def test_a_run_from_a_folder_predicts_without_the_folder(saved: Path, store: Store, tmp_path: Path, way: str) -> None:
    shutil.copytree(saved / "hubert", tmp_path / "network" / "hubert")
    rows = networks.hold_out(store, networks.opened(tmp_path / "network", "hubert"), way, tmp_path / "run").tracks
    shutil.rmtree(tmp_path / "network")
    assert modelfile.read_header(tmp_path / "run").requires == ()
    assert_rows_are_predicted(tmp_path / "run", rows, store)


def probed(store: Store, out: Path, way: str = "linear") -> Sequence[TrackRow]:
    """Learn from a network of the hub."""
    return networks.hold_out(store, published_loading.load(HUB_NAME, seconds=1.0), way, out).tracks


def tensors(run: Path) -> set[str]:
    return set(modelfile.load_tensors(run / modelfile.FILE_NAME)[0])


def test_a_probe_on_a_network_of_the_hub_names_it_and_predicts_where_it_can_be_had(
    hub: Path, store: Store, tmp_path: Path
) -> None:
    rows = probed(store, tmp_path / "run")
    (need,) = modelfile.read_header(tmp_path / "run").requires
    spec = published_loading.load(HUB_NAME).spec
    assert (need.source, need.name, need.revision) == ("huggingface.co", HUB_NAME, networks.COMMIT)
    assert (need.identity, need.parameters) == (spec.identity, spec.parameters)
    assert not [name for name in tensors(tmp_path / "run") if name.startswith(need.prefix)]
    assert_rows_are_predicted(tmp_path / "run", rows, store)
    info = genrescope.load(tmp_path / "run", device="cpu").info
    assert info.requires == (HUB_NAME,)
    assert info.parameters > spec.parameters
    assert HUB_NAME in info.licence


def test_a_fine_tuned_network_of_the_hub_is_copied(hub: Path, store: Store, tmp_path: Path) -> None:
    rows = probed(store, tmp_path / "run", "tuned")
    shutil.rmtree(hub.parents[1])
    published_loading._from_hub.cache_clear()
    assert modelfile.read_header(tmp_path / "run").requires == ()
    assert any(name.startswith("body.") for name in tensors(tmp_path / "run"))
    assert_rows_are_predicted(tmp_path / "run", rows, store)


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        ("other", f"{HUB_NAME} has other weights or another input than the network that the model was trained on"),
        (None, f"{HUB_NAME} cannot be loaded: .* without a connection only what was downloaded before"),
    ],
)
def test_a_network_of_the_hub_that_is_another_or_gone_is_refused(
    hub: Path, store: Store, tmp_path: Path, offered: str | None, message: str
) -> None:
    probed(store, tmp_path / "run")
    shutil.rmtree(hub.parents[1]) if offered is None else networks.hubert(hub, seed=1)
    published_loading._from_hub.cache_clear()
    with pytest.raises(ModelFileError, match=message) as caught:
        genrescope.load(tmp_path / "run", device="cpu")
    assert str(tmp_path / "run") in str(caught.value)
    assert "\n" not in str(caught.value)


# -- predicting alone -------------------------------------------------------------------------------------------

SCRIPT = """
import sys
import genrescope
found = genrescope.load(sys.argv[1], device="cpu").predict(sys.argv[2])
assert found.genre in ("drone", "hiss")
rooms = ("training", "splits", "sources", "store", "evaluation", "results", "reports", "cli")
print(*[name for name in sys.modules if name.startswith("genrescope.") and name.split(".")[1] in rooms])
"""


def test_a_prediction_loads_nothing_that_trains_or_scores(saved: Path, store: Store, tmp_path: Path) -> None:
    networks.hold_out(store, networks.opened(saved, "hubert"), "linear", tmp_path / "run")
    file = file_of(store, store.tracks[0].id)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "run", file], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


# -- scored again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["rbf", "tuned"])
@pytest.mark.parametrize("kind", ["ast", "clap"])
def test_evaluate_gives_what_transfer_wrote(saved: Path, store: Store, tmp_path: Path, kind: str, way: str) -> None:
    first = networks.hold_out(store, networks.opened(saved, kind), way, tmp_path / "run")
    again = evaluate(tmp_path / "run", part="test", device="cpu")
    assert again.out == tmp_path / "run"
    assert again.result.data == first.data
    assert again.result.notes == first.notes
    assert again.result.accuracy == first.accuracy
    for row, same in zip(first.tracks, again.result.tracks, strict=True):
        assert {name: pytest.approx(score, abs=1.1e-6) for name, score in row.scores.items()} == same.scores
        assert (row.id, row.vote, row.windows, row.windows_right) == (
            same.id,
            same.vote,
            same.windows,
            same.windows_right,
        )


@pytest.mark.parametrize("way", ["linear", "tuned"])
def test_a_run_is_scored_on_other_music(saved: Path, store: Store, tmp_path: Path, way: str) -> None:
    first = networks.hold_out(store, networks.opened(saved, "hubert"), way, tmp_path / "run")
    for row in first.tracks:
        other = tmp_path / "other" / row.genre / row.id.replace("/", "-")
        other.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file_of(store, row.id), other)
    done = evaluate(tmp_path / "run", data=str(tmp_path / "other"), device="cpu", jobs=0)
    assert done.result.accuracy.vote.value == first.accuracy.vote.value
    scores = {row.id.rpartition("/")[2]: row.scores for row in done.result.tracks}
    for row in first.tracks:
        expected = {name: pytest.approx(score, abs=1.1e-6) for name, score in row.scores.items()}
        assert scores[row.id.replace("/", "-")] == expected


# -- the music that is learnt -----------------------------------------------------------------------------------


@pytest.fixture
def own(store: Store, tmp_path: Path) -> Store:
    """Give a copy of the store whose music may be changed."""
    shutil.copytree(store.path.parent, tmp_path / "own", ignore=shutil.ignore_patterns("transfer"))
    opened = open_store(tmp_path / "own" / "store")
    return dataclasses.replace(opened, data=str(tmp_path / "own" / "music" / "songs.csv"))


@pytest.mark.parametrize("way", ["linear", "tuned"])
def test_music_that_was_moved_is_learnt_and_scored_where_it_is(
    saved: Path, own: Store, tmp_path: Path, way: str
) -> None:
    body = networks.opened(saved, "hubert")
    recipe = networks.recipe_of(body, way)
    (own.path.parent / "music").rename(tmp_path / "moved")
    job = Job(own, recipe, networks.by_hand(own), tmp_path / "run", device="cpu", pairs=())
    with pytest.raises(DataError, match=r"is not there"):
        transfer.gather(own, body, recipe)
    found = transfer.gather(own, body, recipe, data=str(tmp_path / "moved" / "songs.csv"))
    result = transfer.score(job, found).result
    assert len(result.tracks) == 4


@pytest.mark.parametrize("way", ["linear", "tuned"])
def test_a_file_that_has_changed_is_left_out_and_noted(saved: Path, own: Store, tmp_path: Path, way: str) -> None:
    (own.path.parent / "music" / "hiss-0" / "0.wav").write_bytes(b"no music")
    result = networks.hold_out(own, networks.opened(saved, "hubert"), way, tmp_path / "run")
    assert [row.id for row in result.tracks] == ["drone-0/0.wav", "drone-0/1.wav", "hiss-0/1.wav"]
    assert any("hiss-0/0.wav could not be used: it has changed" in note for note in result.notes)
    assert any("these tracks may be in its training data" in note for note in result.notes)


def test_a_folder_that_holds_a_run_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    transfer.refuse_begun(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match="holds a run already; go on with it by --resume"):
        transfer.refuse_begun(tmp_path)
