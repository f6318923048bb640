"""The documentation: its examples run, and its links lead somewhere."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_support import world

from genrescope.models import registry

if TYPE_CHECKING:
    from cli_support import World

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.mark.usefixtures("one_thread")
def test_the_examples_of_the_api_run(made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_VARIANTS", dict(registry._VARIANTS))  # the page registers a model
    text = re.sub(r"^```.*$", "", (DOCS / "api.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    names = {
        "run": made.run,
        "path": made.songs()[0],
        "hiss": made.songs("hiss")[0],
        "music": made.music,
        "folder": tmp_path,
    }
    test = doctest.DocTestParser().get_doctest(text, names, "api.md", "api.md", 0)
    assert len(test.examples) > 20
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    output: list[str] = []
    runner.run(test, out=output.append)
    assert not runner.failures, "".join(output)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    found = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in found if not (page.parent / link).exists()] == []
