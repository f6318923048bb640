"""Every page that the product writes, in a real browser: on a telephone and a wide screen, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from browser_support import AA, CONTRASTS, SIZES, SMALLEST, failing, started
from cli_support import here
from conftest import genre_folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.browser import Browser

PAGES = ("report", "crossval", "check", "compare", "robustness", "study")
TELEPHONE, SCREEN = 390, 1100
GENRES = ("jazz", "progressive metal of the nineties", "Donaudampfschifffahrtsgesellschaftskapitaensmuetzenlieder")
"""Names that have no room on a telephone, with blanks and without."""

SHRUNK = """[...document.images].map(i => [i.alt, i.getBoundingClientRect().width / i.naturalWidth])"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def pages(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write every page from the command line, after one that says whether there is a browser to see them."""
    root = tmp_path_factory.mktemp("pages")
    music, store, run, folds = (
        genre_folders(root / "music", GENRES, tracks=8),
        root / "store",
        root / "run",
        root / "cv",
    )
    (root / "study.toml").write_text(
        f'[defaults]\nstore = "{store}"\nfolds = 2\nseeds = [0, 1]\nset = {{ classifier.copies = 0 }}\n'
        '[[experiment]]\nrecipe = "pooled-svm"\nshare = [0.5, 1.0]\nby = "tracks"\n'
    )
    svm = ("--recipe", "pooled-svm", "--set", "classifier.copies=0")
    commands: tuple[tuple[object, ...], ...] = (
        ("check", music, "--out", root / "check", "--jobs", 1),
        ("prepare", music, "--out", store, "--jobs", 1),
        ("train", store, *svm, "--out", run),
        ("evaluate", run),
        ("train", store, *svm, "--folds", 2, "--out", folds),
        ("compare", run, f"{run}@first", "--compute", "--out", root / "compare"),
        ("robustness", run, "--conditions", "noise-10", "--out", root / "robustness", "--jobs", 1),
        ("study", root / "study.toml", "--out", root / "study"),
    )
    for command in commands:
        done = here(*command)
        assert done.code in {0, 1}, done.err
    named = [run / "report.html", folds / "report.html"]
    named += [root / name / f"{name}.html" for name in ("check", "compare", "robustness", "study")]
    return dict(zip(PAGES, named, strict=True))


def at(browser: Browser, page: Path, *, width: int = TELEPHONE, dark: bool = False, value: str) -> Any:
    browser.open(page, width=width, dark=dark)
    return browser.value(value)


@pytest.mark.parametrize("width", [320, TELEPHONE, 700, SCREEN])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways(name: str, width: int, browser: Browser, pages: dict[str, Path]) -> None:
    assert at(browser, pages[name], width=width, value="document.scrollingElement.scrollWidth") <= width


def test_a_page_that_is_too_wide_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "wide.html"
    page.write_text('<meta name="viewport" content="width=device-width"><pre>' + "wide " * 50)
    assert at(browser, page, value="document.scrollingElement.scrollWidth") > TELEPHONE


@pytest.mark.parametrize("name", PAGES)
def test_figures_are_not_shrunk_on_a_telephone(name: str, browser: Browser, pages: dict[str, Path]) -> None:
    shown = at(browser, pages[name], value=SHRUNK)
    assert failing(shown, 0.99 * 89 / 150) == []  # CSS pixels and pixels of an inch of a narrow figure


@pytest.mark.parametrize("width", [TELEPHONE, SCREEN])
@pytest.mark.parametrize("name", PAGES)
def test_no_type_is_tiny(name: str, width: int, browser: Browser, pages: dict[str, Path]) -> None:
    assert failing(at(browser, pages[name], width=width, value=SIZES), SMALLEST) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_all_text_stands_out(name: str, dark: bool, browser: Browser, pages: dict[str, Path]) -> None:
    assert failing(at(browser, pages[name], dark=dark, value=CONTRASTS), AA) == []


@pytest.mark.parametrize("width", [TELEPHONE, SCREEN])
@pytest.mark.parametrize("name", PAGES)
def test_a_dark_page_has_dark_figures(name: str, width: int, browser: Browser, pages: dict[str, Path]) -> None:
    sources = "[...document.images].map(i => i.currentSrc)"
    light, dark = (at(browser, pages[name], width=width, dark=dark, value=sources) for dark in (False, True))
    assert len(light) > 0
    assert set(light).isdisjoint(dark)
