"""The whole way on real clips, and what the built package carries."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_support import PATIENCE, here

from genrescope.training import recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
GENRES = ("classical", "metal")
CLIPS = 4


@pytest.fixture(scope="module")
def clips(real_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a small copy of GTZAN: a few clips of two genres, in whatever containers they are."""
    root = tmp_path_factory.mktemp("gtzan")
    for genre in GENRES:
        found = sorted((real_clips / "genres" / genre).iterdir())[:CLIPS]
        if len(found) < CLIPS:
            pytest.skip(f"fewer than {CLIPS} real clips of {genre} are here")
        (root / genre).mkdir()
        for clip in found:
            shutil.copyfile(clip, root / genre / clip.name)
    return root


@pytest.mark.real
def test_real_clips_go_the_whole_way(clips: Path, tmp_path: Path) -> None:
    store, split, run, out = (tmp_path / name for name in ("store", "split.csv", "run", "genres.jsonl"))
    prepared = here("prepare", f"gtzan:{clips}", "--out", store, "--jobs", 1)
    assert prepared.code == 0, prepared.err
    assert f"{2 * CLIPS} computed, 0 kept, 0 skipped" in prepared.err
    shares = "train=0.5,validation=0.25,test=0.25"
    assert here("split", "make", store, "--method", "stratified", "--shares", shares, "--out", split).code == 0
    trained = here(
        "train", store, "--recipe", "mgcc", "--set", "windows.train=all", "--set", "evaluation.verdict=vote",
        "--set", "model.name=mgcc-small", "--set", "training.epochs=1",
        "--split", split, "--out", run,
    )  # fmt: skip
    assert trained.code == 0, trained.err
    scored = here("evaluate", run)
    assert scored.code == 0, scored.err
    assert "soft voting" in scored.out
    result = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert result["labels"] == list(GENRES)
    assert {track["windows"] for track in result["tracks"]} == {10}
    predicted = here("predict", run, clips, "--out", out)
    assert predicted.code == 0, predicted.err
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(found) == 2 * CLIPS
    by_id = {f"{'.'.join(Path(each['path']).name.split('.')[:2])}": each for each in found}
    for track in result["tracks"]:
        assert by_id[track["id"]]["scores"] == pytest.approx(track["scores"], abs=1e-5)


@pytest.mark.real
def test_real_clips_are_known_by_their_ids(clips: Path, tmp_path: Path) -> None:
    assert here("prepare", f"gtzan:{clips}", "--out", tmp_path / "store", "--jobs", 1, "--genres", "metal").code == 0
    done = here(
        "split", "make", tmp_path / "store", "--method", "gtzan-fault-filtered", "--out", tmp_path / "split.csv"
    )
    assert done.code == 0, done.err
    assert "gtzan-fault-filtered: " in done.err
    assert " of 290 test" in done.err


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel, built from a copy of what it is built from."""
    for needed in ("build", "hatchling"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed, so no wheel can be built")
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("the tests run outside of a checkout")
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)],
        check=True, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    (built,) = out.glob("*.whl")
    return built


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as file:
        return file.namelist()


def missing(wanted: Sequence[str], names: Sequence[str]) -> list[str]:
    return [name for name in wanted if name not in names]


def test_the_wheel_carries_everything_that_is_not_code(wheel: Path) -> None:
    names = names_in(wheel)
    assert missing([f"genrescope/recipes/{name}.toml" for name in recipe.names()], names) == []
    assert missing(["genrescope/py.typed", "genrescope/reports/template.html"], names) == []
    facts = sorted((ROOT / "src" / "genrescope" / "sources" / "cards" / "facts").glob("*.txt"))
    assert facts
    assert missing([f"genrescope/sources/cards/facts/{path.name}" for path in facts], names) == []
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_carries_every_module_and_nothing_else(wheel: Path) -> None:
    source = ROOT / "src"
    files = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    expected = {name for name in files if "__pycache__" not in name}
    found = {name for name in names_in(wheel) if ".dist-info/" not in name}
    assert found == expected


def test_the_wheel_works_where_it_is_unpacked(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "site")
    code = (
        "import genrescope\n"
        "from genrescope.sources import cards\n"
        "from genrescope.training import recipe\n"
        "assert recipe.load('mgcc').training.epochs == 25\n"
        "assert len(cards.official_splits()['gtzan-fault-filtered'].parts()) == 930\n"
        "print(genrescope.__file__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE,
        cwd=tmp_path / "site",
    )  # fmt: skip
    assert Path(done.stdout.strip()) == tmp_path / "site" / "genrescope" / "__init__.py"
