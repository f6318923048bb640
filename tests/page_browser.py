"""The listening page in a real browser: visits that note all that a page must not do."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tools.browser import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

PHONE, DESKTOP = (390, 844), (1280, 860)
IDLE = "() => session.songs.length > 0 && session.songs.every(s => s.state === 'done' || s.state === 'failed')"


@contextlib.contextmanager
def launched(*arguments: str) -> Iterator[Browser]:
    """Start the Chromium of this machine with arguments; where there is none the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need the package playwright")
    program = chromium()
    if program is None:
        pytest.skip("this machine has no Chromium (`make browser` installs it where it may)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=[*arguments])
        yield browser
        browser.close()


@contextlib.contextmanager
def visit(
    browser: Browser, address: str, *, size: tuple[int, int] = DESKTOP, dark: bool = False, accepted: str = "\0"
) -> Iterator[Page]:
    """Open the page; fail where it wrote errors (but the accepted one), asked another host, or broke its policy."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: faults.append(error.stack or str(error)))
    page.on("request", lambda request: None if ours(request.url, address) else faults.append(f"asks {request.url}"))
    page.goto(address)
    page.wait_for_function(
        "() => window.session?.model || document.querySelector('dialog[open], .trouble:not([hidden])')"
    )
    yield page
    context.close()
    refused = [fault for fault in faults if accepted not in fault]
    assert refused == [], refused


def ours(url: str, address: str) -> bool:
    """Whether a request stays with the server that the page came from."""
    return url.startswith((address, "blob:", "data:"))


def song(name: str, **asked: Any) -> Any:
    """Return a file for an input, which asks the fake service for an answer."""
    return {"name": name, "mimeType": "audio/mpeg", "buffer": json.dumps({"genre": "rock"} | asked).encode()}


def add(page: Page, *songs: Any, wait: bool = True) -> None:
    """Give songs to the page."""
    page.set_input_files("#files", list(songs))
    if wait:
        page.wait_for_function(IDLE)
        page.wait_for_timeout(350)  # until the rows have their places


def rows(page: Page) -> list[str]:
    """Return the titles of the rows in sight, from the top."""
    script = """() => [...document.querySelectorAll('.song-row')]
        .sort((one, other) => one.ariaRowIndex - other.ariaRowIndex)
        .map(row => row.querySelector('.title').textContent)"""
    found: list[str] = page.evaluate(script)
    return found


def row(page: Page, title: str) -> Any:
    """Return a song's row."""
    return page.locator(".song-row", has=page.get_by_text(title, exact=True))


def violations(page: Page) -> list[str]:
    """Return what axe finds against the page, a rule and the first element each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    found = axe.Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]
