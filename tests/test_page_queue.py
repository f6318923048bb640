"""The queue of the listening page and the service behind it, in a real browser: progress, waiting, tokens, library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from page_browser import IDLE, add, launched, row, rows, song, violations, visit
from page_support import Service, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with serving(Service()) as address, visit(browser, address) as found:
        yield found


def test_a_queue_has_progress_and_the_chosen_song_goes_first(page: Page) -> None:
    add(page, *(song(f"{number}.mp3", wait=0.06, n=number) for number in range(9)), wait=False)
    page.evaluate("() => session.choose(session.songs[8])")
    page.wait_for_function("() => session.songs[8].state !== 'waiting'")
    assert page.evaluate("() => session.songs[7].state") == "waiting"
    page.get_by_text("of 9 done, about").wait_for()
    page.wait_for_function(IDLE)
    page.get_by_text("9 songs done.").wait_for(state="attached")
    assert not page.locator("progress").is_visible()


def test_many_songs_are_scored_by_ten_windows_and_one_of_them_by_all(browser: Browser) -> None:
    with serving(service := Service()) as address, visit(browser, address) as page:
        add(page, *(song(f"{number}.mp3", n=number) for number in range(21)))
        assert set(service.asked[-21:]) == {"POST /v1/predict?windows=10"}
        page.get_by_role("button", name="Score the whole song").click()
        page.wait_for_function(IDLE)
        assert service.asked[-1] == "POST /v1/predict?windows=all"
        assert not page.get_by_role("button", name="Score the whole song").is_visible()


def test_a_busy_service_is_asked_again(browser: Browser) -> None:
    with serving(Service()) as address, visit(browser, address, accepted="status of 503") as page:
        add(page, song("later.mp3", status=503), wait=False)
        row(page, "later.mp3").get_by_text("the service is busy, next try in 1 second").wait_for()
        page.wait_for_function(IDLE)
        assert page.evaluate("() => session.songs[0].state") == "done"


def test_a_service_that_is_gone_is_a_row_and_can_be_tried_again(browser: Browser) -> None:
    with serving(Service()) as address, visit(browser, address, accepted="ERR_FAILED") as page:
        page.route("**/v1/predict*", lambda route: route.abort())
        add(page, song("one.mp3"))
        row(page, "one.mp3").get_by_text("The service does not answer.").wait_for()
        page.unroute("**/v1/predict*")
        page.get_by_role("button", name="Try again").click()
        page.wait_for_function("() => session.songs[0].state === 'done'")


def test_a_token_is_asked_for_until_it_is_right(browser: Browser) -> None:
    with serving(Service(token="sesame")) as address, visit(browser, address, accepted="status of 401") as page:
        for token in ("wrong", "sesame"):
            page.get_by_label("Token", exact=True).last.fill(token)
            page.get_by_role("button", name="Use it").click()
            page.wait_for_timeout(100)
        page.wait_for_function("() => session.model")
        add(page, song("one.mp3"))
        assert rows(page) == ["one.mp3"]
        assert not page.get_by_role("dialog").is_visible()


def test_the_library_is_searched(browser: Browser) -> None:
    songs = [
        {
            "id": n,
            "title": f"{title} {n}",
            "artist": "A",
            "album": "B",
            "seconds": 61.0,
            "genre": "jazz",
            "confidence": 0.5,
        }
        for n, title in enumerate(("Blue", "Red", "Blue", "Green"))
    ]
    with serving(Service(model={"library": True}, library=songs)) as address, visit(browser, address) as page:
        page.get_by_text("Library", exact=True).click()
        page.get_by_text("4 songs").wait_for()
        page.get_by_label("Search the library").fill("blue")
        page.get_by_text("2 songs").wait_for()
        assert page.locator(".library-songs .title").all_inner_texts() == ["Blue 0", "Blue 2"]
        page.get_by_role("button", name="Songs like Blue 2").click()
        page.get_by_text("Songs like Blue 2").wait_for()
        assert page.locator(".library-songs li").count() == 3
        assert page.get_by_role("link", name="Map of the library").get_attribute("href") == "map"
        assert violations(page) == []
