"""Extras: a prediction needs none, and what needs one says which before any work."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_support import assert_refused, genrescope, world

from genrescope import GenrescopeError
from genrescope.extras import EXTRAS, MissingPackageError, require

if TYPE_CHECKING:
    from cli_support import World


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which no package of an extra can be imported."""
    folder = tmp_path_factory.mktemp("base")
    hidden = [module for modules in EXTRAS.values() for module in modules]
    (folder / "sitecustomize.py").write_text(f"import sys; sys.modules |= dict.fromkeys({hidden!r})")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def test_a_base_installation_predicts(made: World, base: dict[str, str]) -> None:
    done = genrescope("predict", made.run, *made.songs()[:2], "--format", "csv", env=base)
    assert (done.code, len(done.out.splitlines())) == (0, 3), done.err


def test_a_base_installation_prepares_splits_and_lists(made: World, base: dict[str, str], tmp_path: Path) -> None:
    store = tmp_path / "store"
    for command in (
        ("prepare", made.music, "--out", store), ("split", "make", store, "--out", tmp_path / "split.csv"),
        ("models",), ("recipes",),
    ):  # fmt: skip
        done = genrescope(*command, env=base)
        assert done.code == 0, done.err


@pytest.mark.parametrize("command", ["train", "evaluate", "check", "compare", "robustness", "synth"])
def test_what_needs_an_extra_says_which_before_any_work(
    command: str, made: World, base: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments: dict[str, tuple[object, ...]] = {
        "train": (made.store, "--recipe", "pooled-svm", "--out", out), "evaluate": (made.run, "--out", out),
        "check": (made.music, "--out", out), "compare": (made.run, made.run, "--out", out),
        "robustness": (made.run, "--out", out), "synth": (out,),
    }  # fmt: skip
    done = genrescope(command, *arguments[command], "--quiet", env=base)
    packages = "lightning-fabric, matplotlib, pillow, scipy, scikit-learn, tensorboardX"
    assert_refused(done, f" needs {packages}, an extra: pip install 'genrescope[train]'")
    assert not out.exists()


def test_a_missing_package_is_an_error_of_ours_and_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    require("train", "training")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match=r"^training needs scikit-learn, an extra: pip install") as caught:
        require("train", "training")
    assert isinstance(caught.value, GenrescopeError)
    assert isinstance(caught.value, ModuleNotFoundError)


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_extras_are_those_that_pip_knows(extra: str) -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stated = [line.partition(">=")[0] for line in project["optional-dependencies"][extra]]
    assert {name for name in stated if not name.startswith("genrescope[")} == set(EXTRAS[extra].values())
    for module in EXTRAS[extra]:
        with contextlib.suppress(OSError):  # sounddevice where the library PortAudio is not installed
            assert importlib.import_module(module)


def test_exact_versions_are_sorted_and_each_stands_once() -> None:
    lines = (Path(__file__).parent.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = [re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines if not line.startswith("#")]
    assert names == sorted(set(names))
