"""The live view of the page, with a microphone that gives two tones in turn, in front of a service that names them."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import tone, write
from live_page_support import LiveService, Refusal
from page_browser import DESKTOP, PHONE, launched, violations, visit
from page_support import Service, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

RATE = 48000
NAMED = "name => document.querySelector('live-stage .letters')?.textContent === name"
TRACKS = "document.querySelector('live-view').input?.capture.stream?.getTracks().map(track => track.readyState) ?? []"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a browser whose microphone gives a low tone and a high one, two seconds each, over and over."""
    sound = np.concatenate([tone(pitch, rate=RATE, seconds=2) for pitch in (500, 3000)])
    path = write(tmp_path_factory.mktemp("microphone") / "tones.wav", sound, RATE)
    with launched("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={path}") as running:
        yield running


@pytest.fixture
def service() -> LiveService:
    return LiveService()


@pytest.fixture
def page(browser: Browser, service: LiveService) -> Iterator[Page]:
    with serving(service) as address, visit(browser, address, accepted="/v1/live") as found:
        found.context.grant_permissions(["microphone"])
        yield found


def begin(page: Page) -> None:
    page.get_by_role("button", name="Listen live").click()
    page.get_by_role("button", name="Microphone or line input").click()


def saved(page: Page, button: str, path: Path) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    waiting.value.save_as(path)
    return path.read_text(encoding="utf-8")


def test_genres_appear_change_and_are_summed_up(page: Page, service: LiveService, tmp_path: Path) -> None:
    begin(page)
    for genre in ("jazz", "rock", "jazz"):
        page.wait_for_function(NAMED, arg=genre)
    changes = page.locator("live-facts .changes li").all_inner_texts()
    assert ["jazz" in line for line in changes] == [line % 2 == len(changes) % 2 for line in range(len(changes))][::-1]
    print(changes)
