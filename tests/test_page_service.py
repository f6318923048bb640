"""The listening page in front of the real service: its table says and saves what the command line does."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from cli_support import here, world
from live_page_support import SHARE
from map_support import made_up_library
from page_browser import IDLE, add, launched, row, visit
from serve_support import load, make_service, server_of

from genrescope.library.database import Library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli_support import World
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running


@pytest.fixture(scope="module")
def made(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def address(made: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("library")
    path = made_up_library(folder / "library.db", folder / "music", 60)
    with Library(path) as library, server_of(make_service(load(made), library=library)) as found:
        yield found


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with visit(browser, address) as found:
        yield found


def downloaded(page: Page, button: str, path: Path) -> list[dict[str, str]]:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    waiting.value.save_as(path)
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_the_table_has_the_command_lines_numbers(page: Page, made: World, tmp_path: Path) -> None:
    songs = [made.songs(genre)[1] for genre in ("drone", "hiss", "pulse")]
    add(page, *songs)
    found = downloaded(page, "Download CSV", tmp_path / "page.csv")
    told = here("predict", made.run, *songs, "--windows", "all", "--format", "csv", "--device", "cpu")
    expected = list(csv.DictReader(io.StringIO(told.out)))
    assert [list(line) for line in found] == [list(line) for line in expected]
    for one, other, song in zip(found, expected, songs, strict=True):
        assert one["path"] == song.name
        different = {name for name in one if one[name] != other[name]} - {"path", "identity"}
        assert all(float(one[name]) == pytest.approx(float(other[name]), abs=1e-6) for name in different)


def test_a_damaged_file_is_a_row_in_the_words_of_the_command_line(page: Page, made: World, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound at all")
    add(page, broken)
    told = here("predict", made.run, broken)
    sentence = row(page, "broken.wav").locator(".note").inner_text()
    assert sentence
    assert sentence in told.err


def test_corrections_of_a_chosen_folder_are_taken_by_prepare(page: Page, made: World, tmp_path: Path) -> None:
    page.set_input_files("#folders", made.music)
    page.wait_for_function(IDLE, timeout=60_000)
    for name, key in (("drone-01.wav", "2"), ("pulse-03.wav", "n")):
        page.get_by_label("Search songs").fill(name)
        row(page, name).click()
        page.keyboard.press(key)
    table = tmp_path / "corrections.csv"
    found = downloaded(page, "Download corrections", table)
    assert [(line["path"], line["genre"]) for line in found] == [
        ("music/drone/drone-01.wav", "hiss"), ("music/pulse/pulse-03.wav", "not-mine"),
    ]  # fmt: skip
    done = here("prepare", made.music, "--out", tmp_path / "store", "--corrections", table, "--jobs", 1)
    assert done.code == 0, done.err
    assert f"2 labels corrected by {table}" in done.err


def test_the_library_is_searched_and_has_its_map(page: Page) -> None:
    page.get_by_text("Library", exact=True).click()
    page.get_by_text("60 songs").wait_for()
    assert page.locator(".library-songs li").count() == 20
    page.get_by_role("button", name="More").click()
    page.wait_for_function("() => document.querySelectorAll('.library-songs li').length === 40")
    title = page.locator(".library-songs .title").first.inner_text()
    page.get_by_role("button", name=f"Songs like {title}").first.click()
    page.get_by_text(f"Songs like {title}", exact=True).wait_for()
    assert title not in page.locator(".library-songs .title").all_inner_texts()
    page.get_by_role("link", name="Map of the library").click()
    page.wait_for_function("() => document.querySelector('song-map')?.took", timeout=30_000)


def test_live_genres_come_over_a_connection_with_the_token(browser: Browser, made: World) -> None:
    service = make_service(load(made), token="a secret")
    with server_of(service) as address, visit(browser, address, accepted="401") as page:
        page.get_by_label("Token", exact=True).last.fill("a secret")
        page.get_by_role("button", name="Use it").click()
        page.evaluate(SHARE, True)
        page.get_by_role("button", name="Listen live").click()
        page.get_by_role("button", name="Sound of a tab").click()
        page.wait_for_function("() => document.querySelector('live-stage .score').textContent.endsWith(' %')")
        assert page.locator("live-stage .letters").inner_text() in ("drone", "hiss", "pulse")
        assert len(service.live) == 1
        page.get_by_role("button", name="Stop").click()
        page.wait_for_function("() => document.querySelector('live-view').record.verdict.last")
        page.get_by_text("The average of").wait_for()
