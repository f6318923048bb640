"""Tuning: the test part is never read, a search goes on where it stopped, and bad values are no end."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cli_support import here
from conftest import genre_folders

from genrescope import splits
from genrescope.errors import DataError
from genrescope.extras import MissingPackageError
from genrescope.research import tune as tuning
from genrescope.research.tune import subset, tune
from genrescope.research.tune_space import Range, read_space
from genrescope.research.tuned import Search, Tuned
from genrescope.store.prepare import prepare
from genrescope.training import recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.research.trials import Tried
    from genrescope.splits import Split
    from genrescope.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")
GENRES = ("blues", "jazz")
CHANGES = {"windows.padding": "silence", "classifier.copies": 0}
SPACE = {
    "classifier.c": Range(low=1e-2, high=1e2, log=True),
    "classifier.gamma": Range(low=1e-3, high=1e3, log=True),
    "classifier.frames": Range(choices=[64, 128]),
}
PLAIN = "classifier.c = { low = 1, high = 2 }\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give two genres of six tracks, all by different artists."""
    root = tmp_path_factory.mktemp("tune")
    data = genre_folders(root / "music", GENRES, tracks=6, seconds=3.2)
    made = prepare(str(data), root / "store", jobs=0).store
    return dataclasses.replace(made, tracks=tuple(dataclasses.replace(t, group=f"by {t.id}") for t in made.tracks))


@pytest.fixture(scope="module")
def split(store: Store) -> Split:
    return splits.make(store.tracks, "stratified", shares={"train": 0.5, "validation": 0.2, "test": 0.3})


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the picture out: drawing takes most of the time; `done` has one, since it is made before."""
    monkeypatch.setattr("genrescope.research.tune_figure.write", lambda *_: None)


def search(store: Store, out: Path, *, trials: int = 3, **options: Any) -> Tuned:
    given: dict[str, Any] = {"changes": CHANGES, "folds": 2, "device": "cpu"} | options
    told = {name: given.pop(name) for name in ("minutes", "on_fold", "on_trial") if name in given}
    return tune(Search(store, "pooled-svm", SPACE, **given), out, trials=trials, **told)


def told(tuned: Tuned) -> list[Tried]:
    """Return the trials without what the clock decides."""
    return [dataclasses.replace(each, seconds=0) for each in tuned.trials]


# -- the space --------------------------------------------------------------------------------------------------


def test_a_space_names_keys_of_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        '"schedule.max_rate" = {low=1e-4, high=1e-2, log=true}\nmodel.dropout = {low=0.0, high=0.6}\n'
        "[windows]\nframes = {choices=[128,256]}\n"
    )
    assert read_space(path) == {
        "schedule.max_rate": Range(low=1e-4, high=1e-2, log=True),
        "model.dropout": Range(low=0.0, high=0.6),
        "windows.frames": Range(choices=[128, 256]),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model.dropuot = {low=0.0, high=0.6}", 'no recipe key "model.dropuot"; did you mean "model.dropout"'),
        ("name = {choices=['a']}", 'no recipe key "name"'),
        ("model.dropout = 0.5", "accepted is"),
        ("model.dropout = {low=0.5, hihg=0.6}", 'no "hihg"; did you mean "high"'),
        ("model.dropout = {low=0.5}", "give low and high, or choices"),
        ("model.dropout = {low=0.5, high=0.6, choices=[0.1]}", "give low and high, or choices"),
        ("model.dropout = {low=0.6, high=0.5}", "low 0.6 is above high 0.5"),
        ("model.dropout = {low=0.0, high=0.5, log=true}", "low must be above 0"),
        ("model.dropout = {low='a', high=0.5}", "model.dropout.low"),
        ("", "names no key"),
        ("x = [", "is not valid TOML"),
    ],
)
def test_a_wrong_space_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_space(path)


def test_the_template_is_a_space_that_a_search_takes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = here("tune", "--template")
    assert (shown.code, shown.err) == (0, "")
    path = tmp_path / "space.toml"
    path.write_text(shown.out, encoding="utf-8")
    plain = read_space(path)
    assert plain["schedule.max_rate"].log
    path.write_text(re.sub(r'^# (?=")', "", shown.out, flags=re.MULTILINE), encoding="utf-8")
    whole = read_space(path)
    assert set(whole) > set(plain)
    space = {key: values for key, values in whole.items() if key.startswith("classifier.")}
    assert len(space) == 2
    done = tune(
        Search(store, "pooled-svm", space, CHANGES | {"classifier.frames": 64}, folds=2, device="cpu"),
        tmp_path / "out", trials=1,
    )  # fmt: skip
    assert done.best is not None
    for key, values in plain.items():  # a network's keys are tried by the validator of recipes
        for value in values.choices or (values.low, values.high):
            recipe.load("scratch", {key: value})


# -- the search -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def done(store: Store, split: Split, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    return search(store, tmp_path_factory.mktemp("done") / "out", split=split)


def test_a_search_leaves_its_best_values_as_a_recipe(done: Tuned, store: Store) -> None:
    assert [each.number for each in done.trials] == [1, 2, 3]
    assert done.best is not None
    assert done.best.score == max(each.score for each in done.trials if each.score is not None)
    assert len({each.score for each in done.trials}) > 1, "what follows would compare nothing"
    best = recipe.load(str(done.out / "best.toml"))
    assert (best.model.name, best.windows.padding) == ("pooled-svm", "silence")
    assert best.classifier.c == done.best.values["classifier.c"]
    assert best.classifier.gamma == done.best.values["classifier.gamma"]
    assert best.classifier.frames == done.best.values["classifier.frames"]
    result = json.loads((done.out / "tune.json").read_text())
    assert result["trials"] == [dataclasses.asdict(each) for each in done.trials]
    assert result["tracks"] == 8
    assert (done.out / "tune.png").read_bytes().startswith(b"\x89PNG")
    assert list((done.out / "trials").iterdir()) == []


def test_the_same_seed_gives_the_same_search_and_another_one_another(
    done: Tuned, store: Store, split: Split, tmp_path: Path
) -> None:
    assert told(search(store, tmp_path / "again", split=split)) == told(done)
    other = search(store, tmp_path / "other", split=split, seed=1, trials=1)
    assert other.trials[0].values != done.trials[0].values


def test_the_test_part_is_never_read(done: Tuned, store: Store, split: Split, tmp_path: Path) -> None:
    """With noise and other labels in its place the search is the same."""
    frames = np.array(store.frames)
    test = set(split.ids("test"))
    tracks = []
    for track in store.tracks:
        if track.id in test:
            frames[track.first_frame : track.first_frame + track.frames] = np.nan
            track = dataclasses.replace(track, genre="noise", group="")  # noqa: PLW2901
        tracks.append(track)
    spoilt = dataclasses.replace(store, frames=frames, tracks=tuple(tracks))
    assert told(search(spoilt, tmp_path / "spoilt", split=split)) == told(done)
    assert {track.id for track in subset(store, split).tracks} == set(split.parts) - test


def test_the_training_part_is_read(done: Tuned, store: Store, split: Split, tmp_path: Path) -> None:
    """Guards the test above: the same change to tracks that may be learnt shows."""
    frames = np.array(store.frames)
    for track in store.tracks:
        if split.parts[track.id] == "train":
            rng = np.random.default_rng(track.first_frame)
            frames[track.first_frame : track.first_frame + track.frames] = rng.normal(size=(track.frames, 128))
    other = search(dataclasses.replace(store, frames=frames), tmp_path / "other", split=split)
    assert [each.values for each in other.trials[:1]] == [each.values for each in done.trials[:1]]
    assert [each.score for each in other.trials] != [each.score for each in done.trials]


def test_an_interrupted_search_goes_on_and_ends_the_same(
    done: Tuned, store: Store, split: Split, tmp_path: Path
) -> None:
    def stop(number: int, _: float) -> None:
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(store, tmp_path / "out", split=split, on_fold=stop)
    assert len(list((tmp_path / "out" / "trials").iterdir())) == 1, "the trial in progress keeps its folds"
    numbers: list[int] = []
    again = search(store, tmp_path / "out", split=split, on_trial=lambda tried: numbers.append(tried.number))
    assert numbers == [2, 3]
    assert told(again) == told(done)


def test_a_search_that_is_done_does_nothing_and_can_be_made_longer(
    done: Tuned, store: Store, split: Split, tmp_path: Path
) -> None:
    numbers: list[int] = []
    note: Callable[[Tried], None] = lambda tried: numbers.append(tried.number)  # noqa: E731
    first = search(store, tmp_path / "out", split=split, trials=1, on_trial=note)
    again = search(store, tmp_path / "out", split=split, trials=1, on_trial=note)
    assert (numbers, told(again)) == ([1], told(first))
    assert told(search(store, tmp_path / "out", split=split, trials=3, on_trial=note)) == told(done)


def test_another_search_is_not_gone_on_with(done: Tuned, store: Store, split: Split) -> None:
    others: tuple[dict[str, Any], ...] = ({"seed": 5}, {"changes": {}}, {"folds": 3}, {"split": None})
    for other in others:
        with pytest.raises(DataError, match="holds a search with another recipe, space, split"):
            search(store, done.out, **({"split": split} | other))


def test_bad_values_count_as_failed(store: Store, tmp_path: Path) -> None:
    space = {"schedule.max_rate": Range(choices=[1e30, 1e-9])}
    changes = {"schedule.name": "constant", "training.epochs": 6, "model.name": "mgcc-small"}
    tried = tune(Search(store, "mgcc", space, changes, folds=2, device="cpu"), tmp_path / "out", trials=4)
    reasons = {each.values["schedule.max_rate"]: each.reason for each in tried.trials}
    assert {each.state for each in tried.trials} == {"failed"}
    assert tried.best is None
    assert "base_rate" in reasons[1e-9]
    assert "the loss is" in reasons[1e30]
    assert not (tmp_path / "out" / "best.toml").exists()


def test_a_trial_that_falls_behind_is_given_up(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four trials are right everywhere; the fifth is wrong in the first of three folds."""
    folds: list[int] = []

    def fold(*_: Any) -> tuple[int, int]:
        folds.append(0)
        return (4, 4) if len(folds) <= 12 else (0, 4)

    monkeypatch.setattr(tuning._Running, "_fold", fold)
    tried = search(store, tmp_path / "out", trials=5, folds=3)
    assert [each.state for each in tried.trials] == ["complete"] * 4 + ["pruned"]
    assert len(folds) == 13
    assert tried.trials[-1].score is None


def test_keys_that_explain_the_scores_are_told(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def score(_: Any, __: Any, values: dict[str, Any], ___: int) -> float:
        return 0.5 + 0.005 * float(values["classifier.c"])

    monkeypatch.setattr(tuning._Running, "score", score)
    tried = search(store, tmp_path / "out", trials=12)
    assert max(tried.importance, key=lambda key: tried.importance[key]) == "classifier.c"
    assert sum(tried.importance.values()) == pytest.approx(1)


def test_no_trial_begins_after_the_time(store: Store, tmp_path: Path) -> None:
    assert search(store, tmp_path / "out", minutes=0).trials == ()


def test_a_split_of_folds_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs one with a part train"):
        search(store, tmp_path / "out", split=splits.make(store.tracks, "stratified", folds=2))
    assert not (tmp_path / "out").exists()


def test_without_optuna_the_extra_is_named(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingPackageError, match=r"tuning needs optuna, an extra: pip install 'genrescope\[tune\]'"):
        search(store, tmp_path / "out")


# -- the command ------------------------------------------------------------------------------------------------


def test_the_command_shows_the_best_and_says_what_it_means(store: Store, tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    space.write_text(PLAIN)
    arguments = (
        "tune", store.path, "--recipe", "pooled-svm", "--space", space, "--trials", 1, "--folds", 2, "--set",
        "classifier.frames=64", "--out", tmp_path / "out",
    )  # fmt: skip
    done = here(*arguments)
    assert done.code == 0, done.err
    assert "classifier.c" in done.out
    assert done.messages[0] == "note: without --split all tracks are used to choose, and none is left for a test"
    assert any(line.startswith("trial 1: ") for line in done.messages)
    assert "best.toml; picture: " in done.err
    again = here(*arguments, "--quiet")
    assert (again.code, again.err) == (0, "")


def test_the_command_stops_at_ctrl_c(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning._Running, "_fold", interrupted)
    space = tmp_path / "space.toml"
    space.write_text(PLAIN)
    done = here(
        "tune", store.path, "--recipe", "pooled-svm", "--space", space, "--trials", 1, "--out", tmp_path / "out"
    )
    assert done.code == 130
    assert "nothing is lost. Go on with: genrescope tune" in done.err
