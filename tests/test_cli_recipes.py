"""Recipes on the command line: listed, found by name in the working folder, and told key by key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cli_support import assert_refused, here, world

from genrescope.training import recipe, recipe_keys
from genrescope.training.recipe_listener import ListenerRecipe

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import World

MINE = 'extends = "{}"\nintent = "Mine."\n[classifier]\nframes = 64\ncopies = 0\n'


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


def recipe_of(run: Path) -> str:
    return str(json.loads((run / "run.json").read_text(encoding="utf-8"))["recipe"])


def test_a_recipe_of_the_working_folder_is_found_by_its_name(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(MINE.format("pooled-svm"), encoding="utf-8")
    done = here("train", made.store, "--recipe", "mine", "--split", made.split, "--out", "run")
    assert done.code == 0, done.err
    assert recipe_of(tmp_path / "run") == "mine"
    assert "note: mine" not in done.err
    (tmp_path / "other.toml").write_text(MINE.format("mine"), encoding="utf-8")  # one that extends the other by name
    assert recipe.load("other").kind == "svm"
    assert_refused(here("train", made.store, "--recipe", "ours", "--out", "x"), 'no recipe called "ours"')


def test_a_shipped_recipe_comes_before_a_file_of_its_name_and_says_so(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mgcc.toml").write_text(MINE.format("pooled-svm"), encoding="utf-8")
    asked = ("train", made.store, "--split", made.split, "--set", "training.epochs=1", "--set", "model.name=mgcc-small")
    shipped = here(*asked, "--recipe", "mgcc", "--out", "shipped")
    assert "note: mgcc is the recipe that ships with genrescope; for yours give --recipe mgcc.toml" in shipped.messages
    assert "epoch   1/1" in shipped.err
    own = here("train", made.store, "--split", made.split, "--recipe", "mgcc.toml", "--out", "own")
    assert "ships with genrescope" not in own.err
    assert "fitted in " in own.err


@pytest.mark.parametrize("kind", [recipe.Recipe, ListenerRecipe])
def test_every_key_is_listed_with_what_it_accepts_and_does(kind: type[recipe.AnyRecipe]) -> None:
    listed = {key.name: key for key in recipe_keys.described()}
    for name in recipe.keys(kind):
        if "." in name:
            assert listed[name].accepted
            assert listed[name].about.endswith((".", "`"))


def test_the_keys_of_a_section_are_shown_with_their_defaults() -> None:
    done = here("recipes", "--keys", "optimizer", "listener")
    rows = [line.split("  ") for line in done.out.splitlines() if line.strip()]
    cells = {row[0].strip(): [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
    assert cells["optimizer.momentum"][:2] == ["number, 0 or more, below 1", "0.9"]
    assert cells["optimizer.name"][:2] == ["sgd or adamw", '"sgd"']
    assert cells["listener.tagged"][0] == "list of: number, above 0"
    assert not any(name.startswith("training") for name in cells)
    assert_refused(here("recipes", "--keys", "optimiser"), 'did you mean "optimizer"')
