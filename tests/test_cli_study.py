"""The commands study and recipes: what they print, their codes, and an interruption in the middle."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest
from cli_support import assert_refused, here, interrupted, leftovers, world

from genrescope.research import study, study_file, tables
from genrescope.training import recipe

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import World

SVM = """
[[experiment]]
name = "svm"
recipe = "pooled-svm"
split = "stratified"
set = { classifier.kernel = "linear", classifier.frames = 64 }
seeds = [0, 1]
"""
LONG = """
[[experiment]]
name = "long"
recipe = "mgcc"
split = "stratified"
set = { model.name = "mgcc-small", windows.train = "all", training.epochs = 500 }
seeds = [0, 1]
"""
BAD = """
[[experiment]]
name = "bad"
recipe = "mgcc"
split = "stratified"
set = { model.name = "mgcc-small", schedule.name = "constant", schedule.max_rate = 1e30 }
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


def write(made: World, folder: Path, *experiments: str) -> Path:
    path = folder / "study.toml"
    path.write_text(f'defaults.store = "{made.store}"\n' + "".join(experiments))
    return path


def test_a_study_prints_its_table_and_goes_into_the_page(made: World, tmp_path: Path) -> None:
    path, out = write(made, tmp_path, SVM), tmp_path / "out"
    done = here("study", path, "--out", out, "--device", "cpu")
    assert done.code == 0, done.err
    heads, _, row = done.out.splitlines()
    assert heads.startswith("| experiment | recipe |")
    assert row.startswith("| svm | `pooled-svm`, classifier.kernel = linear, classifier.frames = 64 | 3 |")
    assert [line.partition(": ")[0] for line in done.messages] == ["svm, seed 0", "svm, seed 1", "page"]
    again = here("study", path, "--out", out, "--device", "cpu", "--quiet")
    assert (again.code, again.err) == (0, "")

    page = tmp_path / "recipes.md"
    page.write_text(f"# Recipes\n{tables.BEGIN}\n{tables.END}\nwords\n")
    listed = here("recipes", out, "--out", page, "--picture", tmp_path / "recipes.png")
    assert (tmp_path / "recipes.png").read_bytes().startswith(b"\x89PNG")
    assert (listed.code, listed.out, listed.messages) == (0, "", [f"1 rows written to {page}"])
    text = page.read_text()
    assert text.startswith("# Recipes\n")
    assert text.endswith("words\n")
    assert "`pooled-svm`, classifier.kernel = linear, classifier.frames = 64" in text
    assert str(tmp_path) not in text.replace(str(page), "")
    shown = here("recipes", out)
    assert shown.out.splitlines()[0] in text
    assert_refused(here("recipes", tmp_path / "none"), "is no folder of results")


def test_a_failed_run_gives_code_one_and_its_reason(made: World, tmp_path: Path) -> None:
    done = here("study", write(made, tmp_path, BAD, SVM), "--out", tmp_path / "out", "--device", "cpu", "--quiet")
    assert done.code == 1
    (message,) = done.messages
    assert message.startswith("failed: bad, seed 0: the loss is")
    assert "| svm |" in done.out
    assert "| bad |" not in done.out


def test_a_faulty_file_is_refused(made: World, tmp_path: Path) -> None:
    path = write(made, tmp_path, SVM.replace("seeds", "seed"))
    assert_refused(here("study", path, "--out", tmp_path / "out"), 'no key "seed"; did you mean "seeds"?')
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_ctrl_c_ends_all_processes_and_keeps_what_they_did(made: World, tmp_path: Path) -> None:
    path, out = write(made, tmp_path, LONG), tmp_path / "out"
    checkpoints = [out / "long" / f"seed-{seed}" / "checkpoint" / "last.safetensors" for seed in (0, 1)]
    done = interrupted(
        "study", path, "--out", out, "--jobs", 2, "--device", "cpu",
        when=lambda: all(checkpoint.exists() for checkpoint in checkpoints),
    )  # fmt: skip
    assert done.code == 130
    assert "Traceback" not in done.err
    assert f"nothing is lost. Go on with: genrescope study {path} --out {out}" in done.err
    assert all(checkpoint.exists() for checkpoint in checkpoints)
    assert not (out / study.FILE_NAME).exists()
    assert [json.loads((out / "long" / f"seed-{n}" / "run.json").read_text())["status"] for n in (0, 1)] == [
        "running", "running",
    ]  # fmt: skip
    assert len(leftovers(out)) <= 2, "a process may be ended while it writes; the next one writes over it"


def test_without_runs_the_recipes_are_listed() -> None:
    shown = here("recipes")
    assert (shown.code, shown.err) == (0, "")
    for name in recipe.names():
        assert name in shown.out
        assert recipe.load_any(name).intent in shown.out


def test_the_template_is_a_study_that_runs(made: World, tmp_path: Path) -> None:
    shown = here("study", "--template")
    assert (shown.code, shown.err) == (0, "")
    known = study_file.keys()
    for key in known:
        assert re.search(rf"^(# )?{key} = ", shown.out, re.MULTILINE), key
    (tmp_path / "store").symlink_to(made.store)
    fewer = shown.out.replace("stratified-group", "stratified").replace("[0, 1, 2]", "[0]").replace("5 ", "2 ", 1)
    (tmp_path / "study.toml").write_text(
        fewer.replace("\n[[experiment]]", "set = { classifier.frames = 64, classifier.copies = 0 }\n[[experiment]]", 1),
        encoding="utf-8",
    )
    done = here("study", tmp_path / "study.toml", "--out", tmp_path / "out", "--device", "cpu")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 2 + 5  # the baseline, the linear one, three shares


def test_every_line_of_the_template_may_be_used(tmp_path: Path) -> None:
    text = here("study", "--template").out
    path = tmp_path / "study.toml"
    path.write_text(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE), encoding="utf-8")
    found, faults = study_file.read_experiments(path)
    assert faults == []
    assert len(found) == 3
    assert found[0][1].changes == {"training.epochs": 20}
