"""Recipes are small, typed, frozen diffs; what is wrong in one is named with the nearest right thing."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

from genrescope.errors import RecipeError
from genrescope.training import recipe
from genrescope.training.recipe_sections import AugmentSection

if TYPE_CHECKING:
    from pathlib import Path


def flat(loaded: recipe.Recipe) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for section, values in loaded.model_dump(exclude={"name", "intent"}).items():
        found |= {f"{section}.{key}": value for key, value in values.items()}
    return found


@pytest.mark.parametrize("name", recipe.names())
def test_a_shipped_recipe_loads_and_says_why_it_exists_in_a_line(name: str) -> None:
    loaded = recipe.load_any(name)
    assert loaded.name == name
    assert 20 < len(loaded.intent) < 130
    assert "\n" not in loaded.intent


def test_every_intent_is_its_own() -> None:
    intents = [recipe.load_any(name).intent for name in recipe.names()]
    assert len(set(intents)) == len(intents)


LATER = {
    "windows.frames": 128, "windows.overlap": 0.0, "windows.padding": "silence", "windows.crops": 1,
    "windows.balance": "tracks", "optimizer.name": "sgd", "schedule.warm_up": 0.25,
    "training.weight_average": 0.0, "classifier.kernel": "none", "classifier.c": 10.0,
    "classifier.gamma": 0.3, "classifier.frames": 430, "classifier.copies": 0, "classifier.share": 0.5,
    **{f"augment.{name}": 0.0 for name in AugmentSection.model_fields},
}  # fmt: skip
"""What the article does not know, and what stands in its place."""


def test_mgcc_takes_nothing_that_the_article_does_not_know() -> None:
    assert {key: value for key, value in flat(recipe.load("mgcc")).items() if key in LATER} == LATER


def test_mgcc_has_the_numbers_of_the_article() -> None:
    changed = {key: value for key, value in flat(recipe.load("mgcc")).items() if key not in LATER}
    assert changed == {
        "model.name": "mgcc",
        "model.dropout": 0.5,
        "model.norm_samples": 0.0,
        "windows.train": "first",
        "windows.order": "fixed",
        "optimizer.momentum": 0.9,
        "optimizer.unit_gain": True,
        "optimizer.weight_decay": 0.0005,
        "schedule.name": "triangular2",
        "schedule.base_rate": 1e-5,
        "schedule.max_rate": 1e-3,
        "schedule.half_cycle_epochs": 10,
        "training.epochs": 25,
        "training.batch_size": 32,
        "training.precision": "32-true",
        "evaluation.verdict": "first",
    }


def test_keys_are_all_that_a_recipe_has() -> None:
    assert set(recipe.keys()) == {"name", "intent", *flat(recipe.load("mgcc"))}


def test_changes_are_laid_over_and_the_name_stays() -> None:
    loaded = recipe.load("mgcc", {"training.epochs": 3, "windows.train": "all"})
    assert (loaded.name, loaded.training.epochs, loaded.windows.train) == ("mgcc", 3, "all")
    assert loaded.training.batch_size == 32


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("mgc", {}, 'no recipe called "mgc"; did you mean "mgcc"'),
        ("zzz", {}, "one of: .*mgcc"),
        ("mgcc", {"training.epoch": 3}, 'no recipe key "training.epoch"; did you mean "training.epochs"'),
        ("mgcc", {"training": 3}, 'no recipe key "training"'),
        ("mgcc", {"training.epochs": 0}, "training.epochs = 0"),
        ("mgcc", {"training.epochs": 2.5}, "training.epochs = 2.5"),
        ("mgcc", {"training.epochs": "many"}, "training.epochs = 'many'"),
        ("mgcc", {"training.epochs": True}, "training.epochs = True"),
        ("mgcc", {"windows.train": "frist"}, "windows.train = 'frist'.*'first', 'all' or 'random'"),
        ("mgcc", {"optimizer.momentum": 1.0}, "optimizer.momentum = 1.0"),
        ("mgcc", {"optimizer.momentum": -0.1}, "optimizer.momentum"),
        ("mgcc", {"optimizer.weight_decay": float("inf")}, "optimizer.weight_decay"),
        ("mgcc", {"schedule.max_rate": float("inf")}, "schedule.max_rate"),
        ("mgcc", {"schedule.max_rate": float("nan")}, "schedule.max_rate"),
        ("mgcc", {"schedule.max_rate": 1e-6}, "base_rate 1e-05 is above max_rate 1e-06"),
        ("mgcc", {"optimizer.unit_gain": 1}, "optimizer.unit_gain = 1"),
        ("mgcc", {"windows.frames": 0}, "windows.frames = 0"),
        ("mgcc", {"windows.overlap": 1.0}, "windows.overlap = 1.0"),
        ("mgcc", {"windows.padding": "mirror"}, "windows.padding = 'mirror'.*'silence' or 'repeat'"),
        ("mgcc", {"windows.balance": "song"}, "'tracks' or 'genres'"),
        ("mgcc", {"windows.crops": 0}, "windows.crops = 0"),
        ("mgcc", {"augment.time_mask": 1.0}, "augment.time_mask = 1.0"),
        ("mgcc", {"augment.noise": 1.1}, "augment.noise = 1.1"),
        ("mgcc", {"augment.mixup": -0.1}, "augment.mixup = -0.1"),
        ("mgcc", {"augment.semitone": 3.0}, 'no recipe key "augment.semitone"; did you mean "augment.semitones"'),
        ("mgcc", {"training.weight_average": 1.0}, "training.weight_average = 1.0"),
        ("mgcc", {"schedule.warm_up": 1.5}, "schedule.warm_up = 1.5"),
        ("mgcc", {"optimizer.name": "adam"}, "'sgd' or 'adamw'"),
        ("mgcc", {"training.precision": "8"}, "training.precision = '8'"),
    ],
)  # fmt: skip
def test_a_wrong_name_key_or_value_is_told(name: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        recipe.load(name, changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training.epochs=50", ("training.epochs", 50)),
        ("schedule.max_rate=1e-2", ("schedule.max_rate", 0.01)),
        ("optimizer.unit_gain=false", ("optimizer.unit_gain", False)),
        ("windows.train=all", ("windows.train", "all")),
        ('windows.train="all"', ("windows.train", "all")),
        ("model.name=mgcc-small", ("model.name", "mgcc-small")),
        (" training.epochs = 50 ", ("training.epochs", 50)),
        ("intent=a = b", ("intent", "a = b")),
        ("training.precision=16-mixed", ("training.precision", "16-mixed")),
    ],
)
def test_set_takes_key_and_value(text: str, expected: tuple[str, Any]) -> None:
    assert recipe.parse_change(text) == expected


@pytest.mark.parametrize("text", ["", "training.epochs", "=5", " =5"])
def test_set_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="accepted is key=value"):
        recipe.parse_change(text)


def test_a_recipe_file_extends_a_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "demo"\nintent = "shorter"\n[training]\nepochs = 2\n', encoding="utf-8")
    loaded = recipe.load(str(path))
    assert (loaded.name, loaded.intent, loaded.training.epochs) == ("mine", "shorter", 2)
    assert loaded.windows.order == "shuffled"


def test_recipe_files_extend_each_other(tmp_path: Path) -> None:
    below, above = tmp_path / "below.toml", tmp_path / "above.toml"
    below.write_text('extends = "mgcc"\nintent = "below"\n[training]\nepochs = 2\nbatch_size = 4\n', encoding="utf-8")
    above.write_text(f'extends = "{below.as_posix()}"\nintent = "above"\n[training]\nepochs = 3\n', encoding="utf-8")
    loaded = recipe.load(str(above))
    assert (loaded.training.epochs, loaded.training.batch_size) == (3, 4)


def test_a_recipe_file_extends_its_neighbour_wherever_the_program_runs(tmp_path: Path) -> None:
    (tmp_path / "below.toml").write_text('extends = "mgcc"\nintent = "below"\n', encoding="utf-8")
    (tmp_path / "above.toml").write_text('extends = "below.toml"\nintent = "above"\n', encoding="utf-8")
    assert recipe.load(str(tmp_path / "above.toml")).intent == "above"


def test_recipes_that_extend_each_other_in_a_circle_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n', encoding="utf-8")
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n', encoding="utf-8")
    with pytest.raises(RecipeError, match=r"extends itself: .*a\.toml -> .*b\.toml -> .*a\.toml"):
        recipe.load("a.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'extends = "mgcc"\n[training]\nepochs = \n', "not valid TOML"),
        (b'extends = "mgcc"\nintent = "caf\xe9"\n', "mine"),
        (b'extends = "mgc"\n', 'did you mean "mgcc"'),
        (b'extends = "mgcc"\ntraining = 5\n', "training"),
        (b'extends = "mgcc"\n[trainin]\nepochs = 1\n', 'did you mean "training'),
        (b'extends = "mgcc"\n[training]\nepoch = 1\n', 'did you mean "training.epochs"'),
        (b'intent = "alone"\n', "lacks the key"),
    ],
)
def test_a_faulty_recipe_file_is_a_recipe_error(tmp_path: Path, text: bytes, words: str) -> None:
    (tmp_path / "mine.toml").write_bytes(text)
    with pytest.raises(RecipeError, match=words):
        recipe.load(str(tmp_path / "mine.toml"))


def test_a_missing_recipe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no recipe file .*nowhere\.toml"):
        recipe.load(str(tmp_path / "nowhere.toml"))


NEWER: dict[str, Any] = {
    "windows.train": "random", "windows.frames": 430, "windows.overlap": 0.5, "windows.padding": "repeat",
    "windows.crops": 3, "windows.balance": "genres", "augment.time_mask": 0.1, "augment.mixup": 0.3,
    "augment.equaliser_db": 2.5, "optimizer.name": "adamw", "schedule.name": "one-cycle", "schedule.warm_up": 0.1,
    "training.weight_average": 0.99,
}  # fmt: skip


def test_everything_that_can_be_set_survives_toml() -> None:
    loaded = recipe.load("mgcc", NEWER)
    assert {key: flat(loaded)[key] for key in NEWER} == NEWER
    assert recipe.from_dict(tomllib.loads(recipe.to_toml(loaded))) == loaded
    machine = recipe.load("pooled-svm", {"classifier.kernel": "linear", "classifier.c": 0.5, "windows.overlap": 0.25})
    assert recipe.from_dict(tomllib.loads(recipe.to_toml(machine))) == machine


@pytest.mark.parametrize(
    ("frames", "overlap", "hop"), [(128, 0.0, 128), (128, 0.5, 64), (430, 0.5, 215), (100, 0.98, 2), (1, 0.9, 1)]
)
def test_the_hop_is_what_the_overlap_leaves(frames: int, overlap: float, hop: int) -> None:
    assert recipe.load("mgcc", {"windows.frames": frames, "windows.overlap": overlap}).windows.hop(frames) == hop


@pytest.mark.parametrize("name", recipe.names())
def test_a_recipe_survives_its_own_toml(name: str) -> None:
    loaded = recipe.load_any(name)
    assert recipe.from_dict(tomllib.loads(recipe.to_toml(loaded))) == loaded


def test_a_recipe_is_frozen() -> None:
    loaded = recipe.load("mgcc")
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        loaded.training.epochs = 3  # type: ignore[misc]


# -- recipes that ask for too much ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parent", ["a.toml", "./a.toml", "x/../a.toml", "b.toml", "link.toml"])
def test_a_recipe_that_extends_itself_is_told_by_whatever_name(tmp_path: Path, parent: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "a.toml").write_text(f'extends = "{parent}"\n')
    (tmp_path / "b.toml").write_text('extends = "x/.././a.toml"\n')
    (tmp_path / "link.toml").symlink_to("a.toml")
    with pytest.raises(RecipeError, match=r"extends itself: .*a\.toml -> "):
        recipe.load(str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 100_000,
        "x = " + "{a = " * 50_000,
        "extends = 5",
        'extends = "mgcc"\nmodel = 3',
        'extends = "mgcc"\n[training]\nepochs = ' + "9" * 5000,
        "# " + "x" * 2_000_000,
        "\x00",
    ],
)
def test_a_file_that_is_no_recipe_is_a_recipe_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        recipe.load(str(tmp_path / "a.toml"))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "change",
    [
        "training.batch_size=1000000000000", "training.batch_size=1000000", "training.epochs=1000000000000",
        "windows.frames=1000000000", "windows.overlap=0.9999", "windows.crops=1000000000000",
        "classifier.frames=1000000000000", "augment.semitones=1e300", "training.epochs=" + "9" * 5000,
        "training.epochs=" + "[" * 100_000,
    ],
)  # fmt: skip
def test_absurd_sizes_are_refused(change: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe.load("mgcc", dict([recipe.parse_change(change)]))
    assert len(str(caught.value)) < 1000
