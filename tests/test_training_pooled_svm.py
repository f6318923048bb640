"""Pooled statistics are those of the table, and a fitted machine decides as scikit-learn's does."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from conftest import genre_folders, noise, stored
from hypothesis import given
from hypothesis import strategies as st
from training_support import trained

import genrescope
from genrescope import modelfile
from genrescope.errors import RecipeError
from genrescope.evaluation.evaluate import evaluate
from genrescope.features.placement import WindowSpec
from genrescope.features.spec import LogMelSpec
from genrescope.features.windows import FrameBank, place
from genrescope.inference.scorer import Scorer
from genrescope.models.ensemble import NetworkAndSVM
from genrescope.models.pooled import PooledStatistics, PooledSVM
from genrescope.splits import Split
from genrescope.store.prepare import prepare
from genrescope.training import pooled_svm, recipe, run_folder
from genrescope.training.job import Job, Material
from genrescope.training.progress import SILENT

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import nn

    from genrescope.features.windows import Windows
    from genrescope.store.store import Frames, Store, StoredTrack
    from genrescope.training.progress import Epoch
    from genrescope.training.recipe import Recipe

LABELS = ("blues", "jazz", "rock")
LENGTH = 130
pytestmark = pytest.mark.usefixtures("one_thread")


def settings(**changes: Any) -> Recipe:
    plain = {"classifier.copies": 0, "classifier.frames": LENGTH}
    values = plain | {key.replace("__", "."): value for key, value in changes.items()}
    return recipe.load("pooled-svm", values)


def fitted(
    bank: FrameBank, tracks: list[StoredTrack], labels: tuple[str, ...], its: Recipe, seed: int = 0
) -> PooledSVM:
    job = Job(cast("Store", SimpleNamespace(spec=LogMelSpec())), its, Split({}, "none"), Path(), seed=seed)
    return pooled_svm.fit(bank, job, Material(tracks, [], labels), its, SILENT)


def probabilities(model: nn.Module, bank: FrameBank, placed: Windows) -> torch.Tensor:
    """Return what a model makes of windows, as everything that scores does."""
    return Scorer(model, front_end=LogMelSpec(), windows=WindowSpec(LENGTH)).window_scores(bank, placed)


# -- the table, in plain numpy --------------------------------------------------------------------------------------


def table(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the statistics of a window of (128, frames), number by number as the table names them."""
    frames = levels.shape[1]
    power = np.maximum(np.exp(levels) - 1e-6, 0)
    levels = np.log(power / power.mean() + 1e-5)  # relative to the window's own level
    found = [levels[band].mean() - levels.mean() for band in range(128)]
    found += [levels[band].std(ddof=1) for band in range(128)]
    found += [np.diff(levels[band]).std(ddof=1) for band in range(128)]
    cepstra = np.zeros((40, frames))
    for number in range(40):  # the orthonormal cosine transform of every frame
        wave = np.cos(np.pi * number * (2 * np.arange(128) + 1) / 256)
        cepstra[number] = np.sqrt((1 if number == 0 else 2) / 128) * wave @ levels
    found += [each.mean() for each in cepstra[1:]]
    found += [each.std(ddof=1) for each in cepstra]
    found += [np.diff(each).std(ddof=1) for each in cepstra]
    edges = (0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 21.5)
    hann = np.sin(np.pi * np.arange(256) / 256) ** 2
    hz = np.fft.rfftfreq(256, d=512 / 22_050)
    for group in levels.reshape(32, 4, frames).mean(axis=1):
        own = np.pad(group - group.mean(), (0, max(0, 256 - frames)))
        pieces = [own[start : start + 256] for start in range(0, len(own) - 255, 128)]
        power = np.mean([np.abs(np.fft.rfft(hann * piece)) ** 2 for piece in pieces], axis=0)
        found += [np.log(power[(hz >= low) & (hz < high)].mean() + 1e-3) for low, high in pairwise(edges)]
    return np.array(found)


@pytest.mark.parametrize("frames", [3, 100, 128, 256, 300, 430, 700])
def test_statistics_are_those_of_the_table(frames: int) -> None:
    rng = np.random.default_rng(frames)
    beat = np.sin(2 * np.pi * 2.1 * np.arange(frames) * 512 / 22_050)
    levels = rng.normal(-6, 2, (3, 128, 1)) + rng.normal(0, 1, (3, 128, frames)) + 2 * beat
    found = PooledStatistics()(torch.from_numpy(levels[:, None]).float())
    assert found.shape == (3, 855)
    np.testing.assert_allclose(found.numpy(), [table(window) for window in levels], rtol=1e-3, atol=1e-3)


@given(level=st.floats(-2, 8), seed=st.integers(0, 100))
def test_statistics_do_not_hear_the_level(level: float, seed: int) -> None:
    torch.manual_seed(seed)
    images = torch.randn(2, 1, 128, 260)
    statistics = PooledStatistics()
    torch.testing.assert_close(statistics(images + level), statistics(images), rtol=1e-3, atol=2e-3)


def test_statistics_of_silence_are_finite() -> None:
    assert PooledStatistics()(torch.full((1, 1, 128, 200), -13.8)).isfinite().all()


def test_a_beat_shows_at_its_rate() -> None:
    frames = np.arange(512) * 512 / 22_050
    rates = (0.375, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 7, 10, 14, 19)
    for place_of, rate in enumerate(rates):
        levels = torch.from_numpy(np.broadcast_to(np.sin(2 * np.pi * rate * frames), (1, 1, 128, 512)).copy()).float()
        spectrum = PooledStatistics()(levels)[0, -352:].reshape(32, 11)
        assert (spectrum.argmax(dim=1) == place_of).all()


# -- fitting --------------------------------------------------------------------------------------------------------


def library(
    *, tracks: int = 6, artists: int = 3, length: int = 2 * LENGTH, genres: tuple[str, ...] = LABELS, seed: int = 0
) -> tuple[list[StoredTrack], FrameBank]:
    """Return tracks whose genre shows in their spectrum, not too clearly, and their log-mels."""
    rng = np.random.default_rng(seed)
    found: list[StoredTrack] = []
    frames: list[Frames] = []
    for genre in genres:
        colour = np.random.default_rng(LABELS.index(genre)).normal(0, 1, 128)
        for number in range(tracks):
            first = len(found) * length
            found.append(
                stored(f"{genre}{number}", genre, f"{genre} {number % artists}", first_frame=first, frames=length)
            )
            own = -6 + colour + rng.normal(0, 2, 128)
            frames.append((own + rng.normal(0, 1, (length, 128))).astype(np.float16))
    bank = FrameBank(np.concatenate(frames), silence=-13.8, device=torch.device("cpu"), padding="repeat")
    return found, bank


def machines_of(
    tracks: list[StoredTrack], bank: FrameBank, its: Recipe, heard: torch.Tensor
) -> npt.NDArray[np.float64]:
    """Return the decisions of scikit-learn's own machines, fitted and asked in double precision."""
    from sklearn.svm import SVC, LinearSVC

    placed = place(tracks, length=LENGTH)
    points = np.array([table(image) for image in bank.cut(placed, length=LENGTH)[:, 0].double().numpy()])
    asked = np.array([table(image) for image in heard[:, 0].double().numpy()])
    centre, spread = points.mean(axis=0), points.std(axis=0) + 1e-6
    genre = np.array([LABELS.index(tracks[at].genre) for at in placed.tracks.tolist()])
    found = []
    for label in range(len(LABELS)):
        if its.classifier.kernel == "linear":
            machine: Any = LinearSVC(C=its.classifier.c, class_weight="balanced", random_state=0, max_iter=20_000)
        else:
            machine = SVC(C=its.classifier.c, gamma=its.classifier.gamma / 855, class_weight="balanced")
        machine.fit((points - centre) / spread, genre == label)
        found.append(machine.decision_function((asked - centre) / spread))
    return np.stack(found, axis=1)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_logits_are_scikit_learns_decisions_times_the_sharpness(kernel: str) -> None:
    tracks, bank = library()
    its = settings(classifier__kernel=kernel, classifier__c=2.0, classifier__gamma=0.5)
    model = fitted(bank, tracks, LABELS, its).eval()
    unheard, other = library(tracks=2, seed=9)
    heard = other.cut(place(unheard, length=LENGTH), length=LENGTH)
    with torch.inference_mode():
        found = model(heard).double().numpy()
    decisions = machines_of(tracks, bank, its, heard)
    np.testing.assert_allclose(found / sharpness(model), decisions, rtol=0, atol=2e-3)
    assert np.abs(decisions).max() > 0.1
    # the same machines on the very same points agree to the last digits of single precision
    with torch.inference_mode():
        points = ((model.statistics(heard) - model.centre) / model.spread).double().numpy()
    exact = _by_hand(model, points)
    np.testing.assert_allclose(found / sharpness(model), exact, rtol=0, atol=1e-4)


def sharpness(model: PooledSVM) -> float:
    return float(model.sharpness.detach())


def _by_hand(model: PooledSVM, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    state = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    if model.kernel == "linear":
        like = points @ state["vectors"].T
    else:
        like = np.exp(-state["gamma"] * ((points[:, None] - state["vectors"]) ** 2).sum(axis=2))
    found: npt.NDArray[np.float64] = like @ state["weights"].T + state["bias"]
    return found


def test_fitting_twice_gives_the_same_numbers() -> None:
    tracks, bank = library()
    one, other = (fitted(bank, tracks, LABELS, settings()).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_learnt_is_known_and_the_unheard_better_than_by_chance() -> None:
    tracks, bank = library(tracks=8)
    model = fitted(bank, tracks, LABELS, settings())
    for seed, least in ((0, 1.0), (5, 0.6)):
        its, where = library(tracks=8, seed=seed)
        placed = place(its, length=LENGTH)
        scores = probabilities(model, where, placed)
        truth = torch.tensor([LABELS.index(its[at].genre) for at in placed.tracks.tolist()])
        assert float((scores.argmax(dim=1) == truth).double().mean()) >= least


def test_how_sure_it_is_comes_from_artists_it_has_not_heard() -> None:
    clear, _ = library(tracks=8, artists=4)
    rng = np.random.default_rng(0)
    noise_only = rng.normal(-6, 2, (len(clear) * 2 * LENGTH, 128)).astype(np.float16)
    lost = FrameBank(noise_only, silence=-13.8, device=torch.device("cpu"))
    sure = fitted(library(tracks=8, artists=4)[1], clear, LABELS, settings())
    unsure = fitted(lost, clear, LABELS, settings())
    assert sharpness(unsure) < 1 < sharpness(sure)
    placed = place(clear, length=LENGTH)
    heard = torch.from_numpy(rng.normal(-6, 2, (6, 1, 128, LENGTH))).float()
    assert len(placed) == 48
    with torch.inference_mode():
        assert float(unsure(heard).softmax(dim=1).max()) < 0.6


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_a_genre_of_one_artist_can_be_learnt(kernel: str) -> None:
    tracks, bank = library(artists=1)
    model = fitted(bank, tracks, LABELS, settings(classifier__kernel=kernel))
    assert sharpness(model) == 1.0


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("there", [("blues", "rock"), ("jazz",)])
def test_a_genre_without_a_track_to_learn_is_never_the_answer(kernel: str, there: tuple[str, ...]) -> None:
    tracks, bank = library(genres=there)
    model = fitted(bank, tracks, LABELS, settings(classifier__kernel=kernel)).eval()
    placed = place(tracks, length=LENGTH)
    answers = probabilities(model, bank, placed).argmax(dim=1)
    assert [LABELS[at] for at in answers.tolist()] == [tracks[at].genre for at in placed.tracks.tolist()]


def test_an_artist_of_two_genres_may_take_a_genre_along() -> None:
    tracks, bank = library(tracks=3, artists=3)
    shared = [stored(t.id, t.genre, "one" if t.genre != "rock" else t.group, first_frame=t.first_frame, frames=t.frames)
              if t.id.endswith(("0", "1")) else t for t in tracks]  # fmt: skip
    assert sharpness(fitted(bank, shared, LABELS, settings())) > 0


def test_changed_copies_are_learnt_too_and_their_seed_decides_them() -> None:
    tracks, bank = library()
    plain, one, again, other = (
        fitted(bank, tracks, LABELS, settings(classifier__copies=copies), seed)
        for copies, seed in ((0, 0), (2, 0), (2, 0), (2, 1))
    )
    assert len(one.vectors) > len(plain.vectors)
    assert torch.equal(one.centre, again.centre)
    assert not torch.equal(one.centre, other.centre)
    placed = place(tracks, length=LENGTH)
    dull = bank.cut(placed, length=LENGTH)
    dull[:, :, 80:] = LogMelSpec().silence  # as a codec leaves it
    truth = torch.tensor([LABELS.index(tracks[at].genre) for at in placed.tracks.tolist()])
    right = [float((model(dull).argmax(dim=1) == truth).double().mean()) for model in (plain, one)]
    assert right[1] > right[0]


def test_only_first_windows_are_learnt_when_the_recipe_says_so() -> None:
    tracks, bank = library()
    first = fitted(bank, tracks, LABELS, settings(windows__train="first"))
    alone = [stored(t.id, t.genre, t.group, first_frame=t.first_frame, frames=LENGTH) for t in tracks]
    expected = fitted(bank, alone, LABELS, settings())
    assert torch.equal(first.centre, expected.centre)
    assert len(pooled_svm.learnt_windows(tracks, settings(windows__overlap=0.5))) == 3 * 18


# -- whole runs -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("classical")
    data = genre_folders(root / "music", LABELS, tracks=5, seconds=4.0)
    return prepare(str(data), root / "store", jobs=0).store


def split_of(store: Store, *parts: str) -> Split:
    found: dict[str, str] = {}
    for genre in LABELS:
        ids = sorted(track.id for track in store.tracks if track.genre == genre)
        found |= dict(zip(ids, parts, strict=True))
    return Split({track: part for track, part in found.items() if part}, "by hand")


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_a_run_is_fitted_saved_loaded_asked_and_scored(store: Store, tmp_path: Path, kernel: str) -> None:
    rows: list[Epoch] = []
    split = split_of(store, "train", "train", "train", "validation", "test")
    out = trained(store, settings(classifier__kernel=kernel), split, tmp_path / "run", on_epoch=rows.append)
    assert [row.epoch for row in run_folder.read_history(out)] == [row.epoch for row in rows] == [1]
    assert rows[0].validation_loss is not None
    told = run_folder.read_run(out)
    assert (told["status"], told["windows"], told["tracks"]) == ("finished", 9, 9)
    header = modelfile.read_header(out)
    assert (header.model, header.windows) == ("pooled-svm", WindowSpec(LENGTH, LENGTH, "repeat"))
    assert header.options["kernel"] == kernel

    classifier = genrescope.load(out, device="cpu")
    songs = sorted(store.path.parent.glob("music/*/*.wav"))
    found = [classifier.predict(song) for song in songs]
    right = [each.genre == song.parent.name for each, song in zip(found, songs, strict=True)]
    assert all(right[number] for number in range(15) if number % 5 < 3)  # those that were learnt
    assert all(sum(each.scores.values()) == pytest.approx(1, abs=1e-5) for each in found)
    short = classifier.predict(noise(1.0), sample_rate=22_050)
    assert short.warning is not None
    assert short.warning.endswith("repeated to fill it")

    scored = evaluate(out, device="cpu").result
    assert scored.accuracy.vote.value == pytest.approx(np.mean(right[4::5]))
    assert (out / "report.html").exists()


def test_a_run_needs_no_validation_part_and_ends_the_same_when_it_is_done_again(store: Store, tmp_path: Path) -> None:
    split = split_of(store, "train", "train", "train", "test", "test")
    runs = [trained(store, settings(), split, tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 7))]
    assert run_folder.read_history(runs[0])[0].validation_loss is None
    one, other = (modelfile.load(each).network.state_dict() for each in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)
    before = (runs[0] / modelfile.FILE_NAME).read_bytes()
    trained(store, settings(), split, runs[0], resume=True)
    assert (runs[0] / modelfile.FILE_NAME).read_bytes() == before


def test_a_model_file_gives_back_the_machine_to_the_bit(tmp_path: Path, store: Store) -> None:
    out = trained(store, settings(), split_of(store, *["train"] * 5), tmp_path / "run")
    loaded = modelfile.load(out).network
    bank = FrameBank(store.frames, silence=store.spec.silence, device=torch.device("cpu"), padding="repeat")
    fresh = fitted(bank, list(store.tracks), LABELS, settings())
    images = torch.randn(3, 1, 128, LENGTH)
    with torch.inference_mode():
        assert torch.equal(loaded(images), fresh.eval()(images))


def test_windows_too_short_to_change_are_refused_before_anything_is_written(store: Store, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r'"pooled-svm" does not take windows of 2 frames'):
        trained(store, settings(classifier__frames=2), split_of(store, *["train"] * 5), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.name": "vgg-16"}, "classifier.frames 430 is no multiple of windows.frames 128"),
        ({"classifier.kernel": "none"}, 'model.name "pooled-svm" with classifier.kernel "none"'),
        ({"windows.train": "random"}, 'windows.train "random"; "pooled-svm" is fitted once'),
        ({"augment.mixup": 0.5}, r"augment\.mixup is set.*equaliser_db, low_pass, noise"),
        ({"classifier.c": 0.0}, r"classifier\.c = 0\.0"),
        ({"classifier.kernel": "poly"}, "classifier.kernel = 'poly'.*'none', 'rbf' or 'linear'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_in_a_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        recipe.load("pooled-svm", changes)
    assert len(str(caught.value)) < 200


def test_a_network_and_its_colleague_are_one_model(store: Store, tmp_path: Path) -> None:
    changes = {"training.epochs": 2, "windows.frames": 64, "windows.overlap": 0.5, "classifier.frames": 128}
    its = recipe.load("scratch", changes)
    out = trained(store, its, split_of(store, "train", "train", "train", "validation", "test"), tmp_path / "run")
    header = modelfile.read_header(out)
    assert (header.model, header.windows) == ("network-and-svm", WindowSpec(128, 64, its.windows.padding))
    assert header.options["network"] == its.model.name
    loaded = modelfile.load(out).network
    assert isinstance(loaded, NetworkAndSVM)
    assert loaded.frames == 64
    assert run_folder.read_history(out)[1].validation_loss is not None
    song = next(store.path.parent.glob("music/blues/*.wav"))
    found = genrescope.load(out, device="cpu").predict(song)
    assert sum(found.scores.values()) == pytest.approx(1, abs=1e-5)
    assert len(found.windows) == 1 + (LogMelSpec().frames(round(found.seconds * 22_050)) - 128) // 64
    assert evaluate(out, device="cpu").result.model.parameters > 400_000
