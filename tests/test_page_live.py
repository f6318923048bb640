"""The live view of the page, with a microphone that gives two tones in turn, in front of a service that names them."""

from __future__ import annotations

import csv
import json
from base64 import urlsafe_b64encode
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import tone, write
from live_page_support import SHARE, LiveService, Refusal
from page_browser import PHONE, launched, violations, visit
from page_support import Service, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

RATE = 48000
REFUSE = "name => navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', name) }"
NAMED = "name => document.querySelector('live-stage .letters')?.textContent === name"
NAMES = """() => [
    [...document.querySelectorAll('live-facts .changes li')].map(item => item.children[1].textContent).reverse(), said,
]"""
NOTICE = "text => document.querySelector('live-view .notice').textContent.includes(text)"
# Streams that the page has opened, to see that each is ended; and its own words for who listens to it.
WATCH = """() => {
    window.opened = [], window.said = [];
    const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async wanted => {
        const stream = await open(wanted);
        opened.push({ stream, wanted });
        return stream;
    };
    const status = document.querySelector('live-view .sr-only[role=status]');
    new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true });
}"""
ENDED = "opened.every(({ stream }) => stream.getTracks().every(track => track.readyState === 'ended'))"
SLOW = """async () => {
    const { LiveLink } = await import('/web/live_link.js');
    const sent = [], socket = new EventTarget();
    Object.assign(socket, { bufferedAmount: 0, send: block => sent.push(block.length), close() {} });
    const link = new LiveLink({ connect: () => socket, check: async () => ({ live: true }), rate: 1000 });
    link.open();
    link.send(new Int16Array(100));
    socket.dispatchEvent(new MessageEvent('message', { data: '{"type": "ready"}' }));
    for (const waiting of [0, 3000, 5000, 9000, 100]) {
        socket.bufferedAmount = waiting;
        link.send(new Int16Array(100));
    }
    link.close();
    return { sent, leftOut: link.leftOut };
}"""
RECORD = """async () => {
    const { LiveRecord } = await import('/web/live_record.js');
    const record = new LiveRecord(0), base = { lost: 0, skipped: 0, confidence: 0.5, scores: { jazz: 0.5 } };
    Object.assign(base, { silent: false, unknown: false });
    const see = (time, genre, at, more = {}) => record.see({ ...base, time, genre, ...more }, at);
    record.connect(0);
    for (let time = 1; time <= 10; time++) see(time, 'jazz', 1000 * time, { silent: time === 5, skipped: 2 });
    record.interrupt(10500);
    record.connect(20000);
    for (let time = 1; time <= 5; time++)
        see(time, 'rock', 20000 + 1000 * time, { unknown: time === 4, speech: time === 5, skipped: 1 });
    see(6, 'rock', 26000, { skipped: 1, last: true });
    const days = new LiveRecord(0);
    days.connect(0);
    for (let time = 1; time <= 2000; time++) {
        days.sound(0.1, 1, 1000 * time);
        days.see({ ...base, time, genre: time % 20 < 10 ? 'jazz' : 'rock' }, 1000 * time);
    }
    return {
        totals: record.ranked(), skipped: record.skipped,
        passages: record.passages.map(({ what, from, until }) => [what, from, until]),
        kept: [days.recent.length, days.levels.length, days.blobs.length, days.lines.length],
        lines: (await days.jsonLines().text()).split('\\n').length - 1,
    };
}"""


SPOKEN = """() => {
    const stage = document.querySelector('live-stage'), scores = { jazz: 0.5, rock: 0.3 };
    stage.show({ genre: 'rock', confidence: 0.3, scores, silent: false, speech: true, unknown: false }, 0, Date.now());
    return ['.letters', '.score', '.next'].map(each => stage.querySelector(each).textContent);
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a browser whose microphone gives a low tone and a high one, for a second each, over and over."""
    sound = np.concatenate([tone(pitch, rate=RATE, seconds=1.25) for pitch in (500, 3000)])
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
        found.evaluate(WATCH)
        yield found


def begin(page: Page, source: str = "Microphone or line input") -> None:
    page.get_by_role("button", name="Listen live").click()
    page.get_by_role("button", name=source).click()


def saved(page: Page, button: str, path: Path) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    waiting.value.save_as(path)
    return path.read_text(encoding="utf-8")


def test_genres_appear_and_change_and_the_end_has_a_log(page: Page, service: LiveService, tmp_path: Path) -> None:
    service.skipped = 3
    begin(page)
    for genre in ("jazz", "rock", "jazz"):
        page.wait_for_function(NAMED, arg=genre)
    assert violations(page) == []
    wanted = page.evaluate("opened[0].wanted.audio")
    assert [wanted[name] for name in ("echoCancellation", "noiseSuppression", "autoGainControl")] == [False] * 3
    assert service.streams == [{"rate": [str(page.evaluate("document.querySelector('live-view').link.rate"))]}]
    assert page.locator("live-tools .elapsed").inner_text().startswith("0:0")
    assert page.evaluate("parseFloat(document.querySelector('live-tools .level i').style.width)") > 50
    assert float(page.locator("live-stage .behind").inner_text().removesuffix(" s behind")) < 3
    assert "3 windows skipped" in page.locator("live-facts").inner_text()
    names, said = page.evaluate(NAMES)
    assert set(names) == {"jazz", "rock"}
    assert all(one != other for one, other in pairwise(names))
    assert said == names  # each change once, not each verdict
    page.get_by_role("button", name="Stop").click()
    assert page.evaluate(ENDED)
    page.wait_for_function("() => document.querySelector('live-view').record.verdict.last")
    table = page.locator("live-summary tbody tr").all_inner_texts()
    assert {row.split("\t")[0] for row in table} == {"jazz", "rock"}
    lines = [json.loads(line) for line in saved(page, "Verdicts as JSON lines", tmp_path / "log.jsonl").splitlines()]
    assert [line["last"] for line in lines] == [False] * (len(lines) - 1) + [True]
    rows = list(csv.DictReader(saved(page, "Log as CSV", tmp_path / "log.csv").splitlines()))
    assert [row["genre"] for row in rows][: len(names)] == names
    assert sum(float(row["seconds"]) for row in rows) == pytest.approx(lines[-2]["time"], abs=0.5)
    assert violations(page) == []


def test_a_moment_of_the_strip_is_read_by_keys_and_pointer(browser: Browser, service: LiveService) -> None:
    with serving(service) as address, visit(browser, address, size=PHONE, dark=True) as page:
        page.context.grant_permissions(["microphone"])
        begin(page)
        page.wait_for_function("() => document.querySelector('live-view').record?.recent.length > 4")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        assert violations(page) == []
        strip = page.get_by_role("slider", name="The last ten minutes")
        strip.hover(position={"x": 5, "y": 20})
        assert any(f"{genre} 80 %" in page.locator("live-strip .reading").inner_text() for genre in ("jazz", "rock"))
        strip.press("ArrowLeft")
        assert strip.get_attribute("aria-valuetext") != "now"
        strip.press("Escape")
        assert strip.get_attribute("aria-valuetext") == "now"
        assert page.evaluate(SPOKEN) == ["Speech", "", ""]


def test_a_connection_that_drops_is_made_again_with_the_token(page: Page, service: LiveService) -> None:
    token = "a secret \N{EURO SIGN}?"
    page.evaluate("token => session.engine.token = token", token)
    begin(page)
    page.wait_for_function(NAMED, arg="jazz")
    service.drop.set()
    page.wait_for_function(NOTICE, arg="The connection was lost. Next try in 1 s.")
    page.wait_for_function("() => document.querySelector('live-view').record.passages.length > 2")
    passages = page.evaluate("document.querySelector('live-view').record.passages.map(({ what }) => what)")
    assert "interrupted" in passages
    assert passages[-1] in {"jazz", "rock"}
    assert service.protocols == [f"genrescope, token.{urlsafe_b64encode(token.encode()).decode().rstrip('=')}"] * 2
    assert not page.locator("live-view .notice").is_visible()
    page.go_back()  # closes the view
    assert page.evaluate(ENDED)
    assert page.get_by_role("button", name="Listen live").is_visible()


def test_a_service_that_is_full_is_asked_again(page: Page, service: LiveService) -> None:
    service.refusals = [Refusal(503), Refusal(1013, "2 streams are live already, the most that this service takes")]
    begin(page)
    page.wait_for_function(NOTICE, arg="The service takes no further stream at the moment.")
    page.wait_for_function(NOTICE, arg="2 streams are live already, the most that this service takes. Next try in 2 s.")
    page.wait_for_function(NAMED, arg="rock")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Once more").click()
    service.refusals = [Refusal(1008, "every: 0.1 is not in 0.2..60")]
    page.get_by_role("button", name="Microphone or line input").click()
    page.get_by_text("Every: 0.1 is not in 0.2..60.").wait_for()
    page.get_by_text("No sound was scored").wait_for()
    assert page.evaluate(ENDED)


def test_a_microphone_that_is_not_there_is_a_sentence(page: Page) -> None:
    for name, sentence in (
        ("NotAllowedError", "The browser may not use the microphone."),
        ("NotFoundError", "There is no microphone."),
    ):
        page.evaluate(REFUSE, name)
        begin(page)
        page.get_by_role("alert").get_by_text(sentence).wait_for()
        page.get_by_role("button", name="Close").click()
        assert page.get_by_role("button", name="Listen live").evaluate("button => button === document.activeElement")


def test_a_tab_ends_and_an_input_that_is_unplugged_is_opened_again(page: Page) -> None:
    page.evaluate(SHARE, False)
    begin(page, "Sound of a tab")
    page.get_by_text("No sound was shared.").wait_for()
    assert page.evaluate("shared.getTracks()[0].readyState") == "ended"
    page.evaluate(SHARE, True)
    page.get_by_role("button", name="Sound of a tab").click()
    page.wait_for_function(NAMED, arg="rock")
    page.evaluate("() => shared.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
    page.get_by_role("button", name="Once more").click()
    assert page.evaluate("shared.getTracks().map(track => track.readyState)") == ["ended", "ended"]
    page.get_by_role("button", name="Microphone").click()
    page.wait_for_function(NAMED, arg="jazz")
    inputs = page.get_by_label("Input", exact=True).locator("option").all_inner_texts()
    assert len(inputs) > 1
    page.get_by_label("Input", exact=True).select_option(inputs[-1])
    page.wait_for_function("() => opened.length === 2")
    assert page.evaluate("opened[0].stream.getTracks()[0].readyState") == "ended"
    page.evaluate("() => opened[1].stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    page.wait_for_function(NOTICE, arg="The input is not there any more.")
    page.wait_for_function("() => opened.length === 3 && !document.querySelector('live-view .notice').textContent")
    assert page.evaluate("opened[2].stream.getTracks()[0].readyState") == "live"


def test_a_service_without_live_genres_offers_none(browser: Browser) -> None:
    with serving(Service()) as address, visit(browser, address) as page:
        page.evaluate("location.hash = 'live-view'")
        assert not page.get_by_role("button", name="Listen live").is_visible()
        assert not page.locator("live-view").is_visible()
        _holds_bounds(page)


def _holds_bounds(page: Page) -> None:
    """See that neither sound piles up before a slow connection, nor what is kept of days."""
    assert page.evaluate(SLOW) == {"sent": [100, 100, 100], "leftOut": pytest.approx(0.2)}
    found: dict[str, Any] = page.evaluate(RECORD)
    assert found["totals"] == [["jazz", 9], ["rock", 3], ["silence", 1], ["none of the genres", 1], ["speech", 1]]
    assert found["passages"] == [
        ["jazz", 0, 10000], ["interrupted", 10500, 20000], ["rock", 20000, 23000],
        ["none of the genres", 23000, 24000], ["speech", 24000, 25000],
    ]  # fmt: skip
    assert found["skipped"] == 3
    assert found["kept"] == [pytest.approx(601, abs=1), pytest.approx(601, abs=1), 4, 0]
    assert found["lines"] == 2000
