"""Where songs of the listening page come from besides files: the microphone, and made-up examples."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from conftest import pitch, tone, write
from page_browser import DESKTOP, launched, violations, visit
from page_support import Service, serving
from song_page_support import answer, windows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

REFUSE = """() => {
    navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotAllowedError") };
}"""
READ = """async () => {
    const bytes = new Uint8Array(await session.songs[0].file.arrayBuffer());
    return btoa(bytes.reduce((text, each) => text + String.fromCharCode(each), ""));
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(Service()) as found:
        yield found


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write what the browser's made-up microphone gives: a tone of 500 Hz."""
    return write(tmp_path_factory.mktemp("microphone") / "tone.wav", tone(500, rate=48000, seconds=4), 48000)


@pytest.fixture(scope="module")
def browser(microphone: Path) -> Iterator[Browser]:
    with launched("--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}") as running:
        yield running


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with visit(browser, address) as found:
        answer(found, windows("rock", "rock"))
        yield found


def first_song(page: Page) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(page.evaluate(READ))), dtype="float32")
    return samples, rate


def test_the_microphone_is_recorded_with_level_and_time(page: Page) -> None:
    page.context.grant_permissions(["microphone"])
    page.get_by_role("button", name="Record").click()
    page.wait_for_function("() => document.querySelector('song-recorder .time').textContent === '0:02'")
    assert page.evaluate("parseFloat(document.querySelector('song-recorder .level i').style.width)") > 50
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function("() => session.songs[0]?.result")
    assert page.evaluate("session.songs[0].name").startswith("recording ")
    samples, rate = first_song(page)
    assert 2 <= len(samples) / rate < 10
    assert pitch(samples[rate // 2 : rate // 2 + rate], rate) == pytest.approx(500, abs=3)


def test_a_refused_microphone_is_a_sentence(page: Page) -> None:
    page.evaluate(REFUSE)
    page.get_by_role("button", name="Record").click()
    page.get_by_text("The browser may not use the microphone.").wait_for()
    assert page.get_by_role("button", name="Record").is_enabled()
    assert violations(page) == []


def test_a_short_recording_is_not_taken(page: Page) -> None:
    page.context.grant_permissions(["microphone"])
    page.get_by_role("button", name="Record").click()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("That was shorter than a second.").wait_for()
    assert page.evaluate("session.songs.length") == 0


@pytest.mark.parametrize("name", ["Beat", "Strings", "Riff"])
def test_examples_are_made_up_and_sound(browser: Browser, address: str, name: str) -> None:
    with visit(browser, address, size=DESKTOP) as page:
        answer(page, windows("rock", "rock"))
        page.get_by_text("made-up example").wait_for()
        page.get_by_role("button", name=name).click()
        page.wait_for_function("() => session.songs[0]?.result")
        assert page.evaluate("session.songs[0].name") == f"made-up {name.lower()}.wav"
        samples, rate = first_song(page)
    assert len(samples) / rate == 24
    assert 0.8 < np.abs(samples).max() < 0.9
    assert (np.abs(samples.reshape(24, rate)).max(axis=1)[:-2] > 0.05).all()
