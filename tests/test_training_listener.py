"""The listener: tags decide where labels are few, labels correct them where they can, and the run predicts."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from conftest import RATE, noise, tone, write
from musicnn_support import random_taggers

import genrescope
from genrescope import locks, modelfile, splits
from genrescope.errors import ModelFileError, OutputError, RecipeError
from genrescope.features.front_end import make, stored
from genrescope.features.level import levels
from genrescope.features.spec import LogMelSpec
from genrescope.inference.classifier import Classifier
from genrescope.inference.scorer import novelty_of, track_scores
from genrescope.modelfile import shelf
from genrescope.models.listener import FAR, FARTHEST, LEVEL, Listener, TagHead, raised
from genrescope.models.tag_genres import prior, tags_of
from genrescope.store import listening
from genrescope.store.prepare import prepare
from genrescope.training import recipe as recipes
from genrescope.training.recipe_listener import ListenerRecipe
from genrescope.training.tag_head import Points, far_from_training, fit, folds_of, left_out

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.inference.prediction import Prediction
    from genrescope.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")
SPEC = LogMelSpec(16_000, 512, 256, 96, f_max=8000, window="hann", compression="log10")
TAGS = {"musicnn-msd": ("blues", "jazz", "happy"), "musicnn-mtt": ("classical", "loud")}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf whose taggers have random weights."""
    return random_taggers(tmp_path_factory.mktemp("cache"), TAGS, citation="who made it")


@pytest.fixture(autouse=True)
def _shelf(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_CACHE", str(cache))
    assert shelf.path_of("musicnn-msd") is not None, "the weights lie where the shelf looks"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give two genres, one of them with a tag, of four artists with two songs each."""
    root = tmp_path_factory.mktemp("music")
    lines = ["path,genre,group"]
    for number in range(8):
        artist = number // 2
        write(root / f"b{number}.wav", tone(200 + 30 * number, seconds=4) + noise(4, level=0.01, seed=number))
        write(root / f"r{number}.wav", noise(4, level=0.2, seed=50 + number))
        lines += [f"b{number}.wav,blues,b{artist}", f"r{number}.wav,reggae,r{artist}"]
    (root / "songs.csv").write_text("\n".join(lines) + "\n")
    return prepare(str(root / "songs.csv"), root / "store", jobs=0).store


@pytest.fixture(scope="module")
def run(store: Store, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENRESCOPE_CACHE", str(cache))
        split = splits.choose(store.tracks, "stratified-group", seed=0)
        out = tmp_path_factory.mktemp("run") / "run"
        return genrescope.train(genrescope.Job(store, recipes.load_any("listener"), split, out, device="cpu"))


# -- what is fitted ---------------------------------------------------------------------------------------------


def points(*, told: bool, seed: int = 0, tracks: int = 60) -> Points:
    """Return tracks of two genres whose tags tell them apart, or whose pooled layer does."""
    random = np.random.default_rng(seed)
    genre = np.arange(tracks) % 2
    shown, noise_ = np.eye(2)[genre] + 0.1 * random.normal(size=(tracks, 2)), random.normal(size=(tracks, 5))
    hidden = np.concatenate([np.eye(2)[genre] * 3, noise_], axis=1) / 3
    tags, pooled = (shown, noise_ / 3) if told else (np.zeros((tracks, 2)), hidden)
    rivals = random.normal(size=(tracks, 3)) - 5
    return Points(tags, rivals, pooled, genre, np.array([f"artist {number // 4}" for number in range(tracks)]))


def test_a_large_penalty_leaves_the_tags_alone_and_a_small_one_learns() -> None:
    held = fit(points(told=True), np.full(2, 1e6))
    assert np.abs(held.weights).max() < 1e-3
    assert held.scale > 2, "the tags are trusted as far as the labels bear them out"
    free = fit(points(told=False), np.full(2, 0.01))
    found = points(told=False, seed=1)
    right = (free.scale * found.tags + found.pooled @ free.weights + free.bias).argmax(axis=1) == found.genre
    assert right.mean() > 0.9


def test_each_genre_has_a_penalty_of_its_own() -> None:
    head = fit(points(told=False), np.array([1e6, 0.01]))
    assert np.abs(head.weights[:, 0]).max() < 1e-3 < np.abs(head.weights[:, 1]).max()


def test_a_head_is_what_its_formula_says() -> None:
    torch.manual_seed(0)
    head = TagHead(3, tags=4, features=6)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    pooled, tags = torch.randn(5, 6), torch.randn(5, 4)
    expected = head.scale * ((tags - head.level) @ head.prior.T) + head.bias
    expected = expected + ((pooled - head.centre) / head.spread) @ head.weights.T
    torch.testing.assert_close(head(torch.cat([pooled, tags], dim=1)), expected)


def test_rivals_follow_the_genres_in_an_open_set() -> None:
    torch.manual_seed(0)
    head = TagHead(3, tags=4, features=6, others=2)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    features = torch.randn(5, 10)
    found = head.with_others(features)
    torch.testing.assert_close(found[:, :3], head(features))
    torch.testing.assert_close(found[:, 3:5], features[:, 6:] @ head.others.T - head.other_level)
    squares = ((features[:, :6] - head.centre) / head.spread).square().clamp(max=FARTHEST / 6)
    torch.testing.assert_close(found[:, 5], FAR * (squares.sum(dim=1) - head.limit))


def test_novelty_is_the_logarithm_of_the_odds_of_rivals_against_genres() -> None:
    logits = torch.tensor([1.0, 2.0, 3.0, -1.0, 0.5])
    odds = logits[3:].exp().sum() / logits[:3].exp().sum()
    assert novelty_of(logits, 3) == pytest.approx(float(odds.log()))
    assert novelty_of(logits + 7, 3) == pytest.approx(float(odds.log())), "a common shift does not count"


def test_ninety_five_in_a_hundred_tracks_of_left_out_artists_are_not_called_unknown() -> None:
    found = points(told=True, tracks=200)
    heard = left_out(found, folds_of(found), np.full(2, 1e6))
    outputs = torch.from_numpy(np.concatenate([heard.logits, heard.rivals], axis=1))
    assert sum(novelty_of(row, 2) > heard.unknown_above for row in outputs) == 10


def test_one_in_a_hundred_tracks_of_left_out_artists_is_beyond_the_limit_and_noise_far_beyond() -> None:
    random = np.random.default_rng(0)
    windows = [random.normal(random.normal(0, 1, 30), 0.5, size=(10, 30)) for _ in range(200)]
    windows[7] = windows[7] + 40
    folds = [(np.arange(100, 200), np.arange(99)), (np.arange(100), np.arange(100, 200))]
    logits, limit = far_from_training(windows, folds)
    assert sum(logits > 0) == 2
    assert logits[7] == logits.max() > 100
    assert logits[99] == -FAR, "it is in no fold"
    means = np.stack([each.mean(axis=0) for each in windows])
    scores = (windows[3] - means[100:].mean(axis=0)) / (means[100:].std(axis=0) + 1e-6)
    assert logits[3] == pytest.approx(FAR * (np.square(scores).mean() - limit))
    same = [np.pad(each, ((0, 0), (0, 1))) for each in windows]
    same[7][:, -1] = 1e9
    assert far_from_training(same, folds)[0][7] <= FAR * FARTHEST, "one feature has a bound"


def test_windows_pooled_by_logits_are_the_logits_of_the_mean() -> None:
    logits = torch.randn(6, 3, dtype=torch.float64).float()
    owners = torch.tensor([0, 0, 0, 0, 1, 1])
    found = track_scores(logits.softmax(dim=1), owners, count=2, pooling="logits")
    torch.testing.assert_close(found[0], logits[:4].mean(dim=0).softmax(dim=0))
    torch.testing.assert_close(found[1], logits[4:].mean(dim=0).softmax(dim=0))
    several = track_scores(logits.sigmoid(), owners, count=2, pooling="logits", exclusive=False)
    torch.testing.assert_close(several[0], logits[:4].mean(dim=0).sigmoid())


def test_genres_are_matched_to_tags_by_name() -> None:
    tags = listening.tags_of(listening.taggers(list(TAGS)))
    assert tags[-1] == "musicnn-mtt:loud"
    assert prior(["Blues", "classical", "my own"], tags).tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0] * 5]
    assert tags_of("hip hop") == tags_of("HIPHOP") == tags_of("Rap") != ()


def test_its_own_keys_can_be_set_and_no_others() -> None:
    found = recipes.load_any("listener", {"listener.taggers": ["musicnn-mtt"], "evaluation.verdict": "first"})
    assert isinstance(found, ListenerRecipe)
    assert (found.listener.taggers, found.evaluation.verdict) == (["musicnn-mtt"], "first")
    with pytest.raises(RecipeError, match=r'no recipe key "listener\.tagger"; did you mean "listener\.tagge'):
        recipes.load_any("listener", {"listener.tagger": []})
    with pytest.raises(RecipeError, match=r'no recipe key "training\.epochs"; one of: .*listener\.taggers'):
        recipes.load_any("listener", {"training.epochs": 3})


def test_what_is_no_tagger_is_refused(run: Path) -> None:
    shelf.add("mine", run)
    try:
        with pytest.raises(ModelFileError, match="mine is a model listener; accepted as a tagger are musicnn networks"):
            listening.taggers(["musicnn-msd", "mine"])
    finally:
        shelf.remove("mine")


# -- the run ----------------------------------------------------------------------------------------------------


def test_a_run_predicts_what_evaluate_scored(run: Path, store: Store) -> None:
    done = genrescope.evaluate(run, part="test")
    classifier = genrescope.load(run)
    assert classifier.genres == ("blues", "reggae")
    for row in done.result.tracks:
        song = classifier.predict(store.path.parent / row.id)
        assert song.genre == row.predicted
        for genre, score in song.scores.items():
            assert score == pytest.approx(row.scores[genre], abs=1.5e-6)
    assert classifier.embed(store.path.parent / "b0.wav").shape == (200,)


def test_a_song_that_is_none_of_the_genres_is_called_unknown(run: Path, store: Store) -> None:
    model, song = modelfile.load(run), store.path.parent / "b0.wav"
    assert isinstance(model.header.unknown_above, float)
    assert model.header.options["others"] == 2, (
        "jazz and classical are known to the taggers, and no genres of the store"
    )
    assert 0 < model.network.state_dict()["head.limit"] <= FARTHEST

    def classified(above: float | None) -> Prediction:
        header = model.header.model_copy(update={"unknown_above": above})
        return Classifier(dataclasses.replace(model, header=header)).predict(song)

    far, near, cannot = classified(-1e9), classified(1e9), classified(None)
    assert (far.unknown, near.unknown, cannot.unknown) == (True, False, False)
    assert far.scores == near.scores == cannot.scores, "genres are scored as if it were one of them"
    assert json.loads(far.to_json())["unknown"] is True


@pytest.mark.parametrize("each", [1, 2, 3])
def test_a_few_tracks_of_each_genre_are_enough(store: Store, tmp_path: Path, each: int) -> None:
    chosen = [track for genre in store.genres for track in [t for t in store.tracks if t.genre == genre][:each]]
    split = splits.Split({track.id: "train" for track in chosen}, "few")
    genrescope.train(genrescope.Job(store, recipes.load_any("listener"), split, tmp_path / "run", device="cpu"))
    header = modelfile.load(tmp_path / "run").header
    assert (header.unknown_above is None) == (each < 3), "tracks of one artist say nothing about others"


def test_folds_that_vote_do_not_call_songs_unknown(store: Store, tmp_path: Path) -> None:
    split = splits.choose(store.tracks, None, folds=2, seed=0)
    job = genrescope.Job(store, recipes.load_any("listener"), split, tmp_path / "folds", device="cpu")
    genrescope.cross_validate(job)
    assert modelfile.load(tmp_path / "folds").header.unknown_above is None


def test_the_model_file_carries_the_taggers_and_their_terms(
    run: Path, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    header = modelfile.read_header(run)
    assert (header.weights.licence, header.weights.citation) == ("ISC", "who made it")
    assert header.requires == ()
    assert header.windows.pooling == "logits"
    monkeypatch.setenv("GENRESCOPE_CACHE", str(tmp_path / "empty"))
    assert genrescope.load(run).predict(store.path.parent / "b0.wav").genre in ("blues", "reggae")


def test_each_file_is_read_once(run: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a file was decoded again")

    monkeypatch.setattr("genrescope.audio.decode", forbidden)
    split = splits.choose(store.tracks, "stratified-group", seed=1, folds=2)
    job = genrescope.Job(store, recipes.load_any("listener"), split, tmp_path / "cv", device="cpu")
    done = genrescope.cross_validate(job)
    assert done.result.accuracy.vote.total == 16
    facts = json.loads((run / "run.json").read_text())
    assert len(facts["penalties"]) == 2
    assert 0.25 <= facts["temperature"] <= 8


def test_windows_without_sound_are_not_learnt_from(tmp_path: Path) -> None:
    music = tmp_path / "music"
    for genre in ("blues", "reggae"):
        (music / genre).mkdir(parents=True)
        write(music / genre / "song.wav", np.concatenate([tone(300, seconds=3), np.zeros(6 * RATE, np.float32)]))
    made, models = prepare(str(music), tmp_path / "store", jobs=0).store, listening.taggers(list(TAGS))
    found = listening.extract(made, Listener.of([model.network for model in models], 2), models).found
    assert [len(features) for features in found.values()] == [2, 2], "of four windows two hold sound"


def test_without_the_weights_the_way_to_them_is_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENRESCOPE_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    split = splits.choose(store.tracks, "stratified-group", seed=0)
    job = genrescope.Job(store, recipes.load_any("listener"), split, tmp_path / "run", device="cpu")
    with pytest.raises(ModelFileError, match=r"models get musicnn-msd --from .*--recipe scratch$"):
        genrescope.train(job)
    assert not (tmp_path / "run").exists()


def test_its_recipe_is_checked() -> None:
    assert isinstance(recipes.load_any("listener"), ListenerRecipe)
    with pytest.raises(RecipeError, match="that of a listener"):
        recipes.load("listener")
    with pytest.raises(RecipeError, match="listener"):
        recipes.from_dict({"name": "mine", "intent": "none", "listener": {"taggers": []}})


def test_a_genre_of_one_artist_is_no_obstacle(store: Store, tmp_path: Path) -> None:
    """Penalties are chosen by the other genres' artists; nothing warns."""
    some = [track for track in store.tracks if track.genre == "blues" or track.group == "r0"]
    split = splits.Split({track.id: "train" for track in some}, "by hand")
    job = genrescope.Job(store, recipes.load_any("listener"), split, tmp_path / "run", device="cpu")
    facts = json.loads((genrescope.train(job) / "run.json").read_text())
    assert facts["temperature"] != 1.0


def test_a_program_trains_into_a_folder_only_one_at_a_time(store: Store, tmp_path: Path) -> None:
    split = splits.choose(store.tracks, "stratified-group", seed=0)
    job = genrescope.Job(store, recipes.load_any("listener"), split, tmp_path / "run", device="cpu")
    with locks.folder(tmp_path / "run", by="train"), pytest.raises(OutputError, match="being written by another run"):
        genrescope.train(job)
    genrescope.train(job)


def _windows(level: float) -> torch.Tensor:
    """Return two windows of noise of a level in dB of full scale."""
    sound = noise(3.2, level=1.0)
    sound = sound / np.sqrt(np.mean(np.square(sound))) * 10 ** (level / 20)
    frames = torch.from_numpy(np.array(stored([sound.astype(np.float32)], make(SPEC))[:187])).float()
    return frames.T.expand(2, 1, 96, 187)


def _level(windows: torch.Tensor) -> float:
    return float(10 * np.log10(np.square(levels(windows[0, 0].T.numpy(), SPEC).astype(float)).mean()))


def test_quiet_windows_are_raised_and_others_stay_as_they_are() -> None:
    loud, quiet = _windows(-25), _windows(-45)
    assert torch.equal(raised(loud), loud)
    assert _level(quiet) == pytest.approx(-45, abs=1), "the test's own windows are quiet"
    assert _level(raised(quiet)) == pytest.approx(LEVEL, abs=0.05)
    torch.testing.assert_close(raised(quiet), _windows(-45 + LEVEL - _level(quiet)), rtol=0, atol=2e-3)


def test_what_is_nearly_silent_is_raised_by_30_db_at_most() -> None:
    assert _level(raised(_windows(-80))) == pytest.approx(_level(_windows(-80)) + 30, abs=0.05)
    assert torch.equal(raised(torch.zeros(1, 1, 96, 187)), torch.zeros(1, 1, 96, 187))


def test_a_quiet_recording_gets_the_embedding_of_a_louder_one() -> None:
    network = Listener.of([model.network for model in listening.taggers(tuple(TAGS))], 2)
    with torch.inference_mode():
        found, expected = network.embed(_windows(-50)), network.embed(_windows(-35))
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)
