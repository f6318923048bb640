"""One song in the listening page, in a real browser: its layers, its player, the verdict and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import noise, tone
from page_browser import DESKTOP, PHONE, add, launched, violations, visit
from page_support import Service, serving
from song_page_support import (
    LAYERS,
    RATE,
    VIEW,
    answer,
    answered,
    centre,
    darkest,
    hold,
    pixel,
    refuse,
    scores_at,
    show,
    two_tones,
    upload,
    wav,
    windows,
)  # fmt: skip

from genrescope.pages.colours import colours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

FOUR = windows("rock", "rock", "jazz", "jazz")
FLOW = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
TIME = f"{VIEW}.player.time"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched("--autoplay-policy=no-user-gesture-required") as running:
        yield running


@pytest.fixture(scope="module")
def address(browser: Browser) -> Iterator[str]:
    with serving(Service()) as found:
        yield found


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with visit(browser, address, accepted="status of 4") as found:
        yield found


def verdict(page: Page) -> str:
    return page.locator("song-verdict").inner_text()


def test_the_verdict_has_genre_confidence_and_the_next_two(page: Page) -> None:
    answer(page, windows("rock", "rock", "rock", "jazz"))
    show(page)
    assert page.locator(".genre-name").inner_text() == "rock"
    for text in ("61 % confidence", "4 windows", "jazz"):
        assert text in verdict(page)
    assert page.locator("song-verdict .next li").count() == 3
    assert "84.5 % of 290 test tracks" in page.locator(".measured").inner_text()
    assert page.locator("#live").inner_text() == "song.wav: rock, 61 % confidence"


def test_the_winning_genre_is_named_where_it_wins(page: Page) -> None:
    halves = ((0, 6, "rock"), (6, 12, "jazz"))
    segments = [{"start": start, "end": end, "genre": genre, "confidence": 0.8} for start, end, genre in halves]
    answer(page, FOUR, segments=segments)
    show(page)
    left, _, width, _ = centre(page, "song-layers .scores")
    for name, share in (("rock", 0.25), ("jazz", 0.75)):
        x, _, wide, _ = centre(page, f"song-layers .names span:text('{name}')")
        assert abs((x + wide / 2 - left) / width - share) < 0.2, name
    assert "Changes to jazz at 0:06." in verdict(page)


def test_the_waveform_takes_colour_as_scores_come(page: Page) -> None:
    hold(page)
    add(page, upload("song.wav", two_tones()), wait=False)
    page.wait_for_function(f"() => {LAYERS}.peaks")
    page.wait_for_timeout(100)
    grey = [pixel(page, "waveform", share, 0.5)[:3] for share in (0.2, 0.8)]
    assert grey[0] == grey[1]
    scores_at(page, 6)
    assert pixel(page, "waveform", 0.2, 0.5)[:3] == list(bytes.fromhex(colours(["rock"])["rock"].light[1:]))
    assert pixel(page, "waveform", 0.8, 0.5)[:3] == grey[0]
    assert "so far: 0:06 of 0:12" in verdict(page)
    assert page.locator(".genre-name").inner_text() == "rock"


def test_nothing_jumps_when_the_result_comes(page: Page) -> None:
    held = hold(page)
    add(page, upload("song.wav", two_tones()), wait=False)
    page.wait_for_function(f"() => {LAYERS}.peaks")
    places = [centre(page, f"song-layers .{name}") for name in ("wave", "scores", "mel")]
    answered(held[0], FOUR)
    page.wait_for_function("() => session.chosen.result")
    assert [centre(page, f"song-layers .{name}") for name in ("wave", "scores", "mel")] == places


def test_the_spectrogram_shows_a_tone_at_its_frequency(page: Page) -> None:
    answer(page, FOUR)
    show(page)
    for share, hertz in ((0.25, 440.0), (0.75, 3000.0)):
        place = page.evaluate(f"{LAYERS}.spectrogram.y({hertz})")
        assert abs(darkest(page, share) - place) < 0.02, hertz


def test_the_transform_is_that_of_numpy(page: Page) -> None:
    samples = noise(0.2, seed=3)[:2048]
    script = """async samples => {
        const { Spectrum } = await import("./web/fft.js");
        return [...new Spectrum(2048).at(Float32Array.from(samples), 1024)];
    }"""
    power = np.array(page.evaluate(script, samples.tolist()))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    expected = np.abs(np.fft.rfft(samples * window)) ** 2
    assert np.allclose(power, expected, rtol=1e-3, atol=1e-4)


def test_a_press_seeks_and_keys_move(page: Page) -> None:
    answer(page, FOUR)
    show(page)
    left, top, width, _ = centre(page, "song-layers .scores")
    page.mouse.click(left + width / 2, top + 20)
    page.wait_for_function(f"() => Math.abs({TIME} - 6) < .05")
    area = page.get_by_role("slider", name="Position in the song")
    assert area.get_attribute("aria-valuetext") == "0:06 of 0:12"
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"() => Math.abs({TIME} - 1) < .05")
    area.press("Shift+ArrowRight")
    page.wait_for_function(f"() => Math.abs({TIME} - 2) < .05")
    area.press("End")
    page.wait_for_function(f"() => Math.abs({TIME} - 12) < .05")
    assert "jazz 80 %" in page.locator(".readout").inner_text()


def test_zooming_keeps_the_layers_on_one_axis(page: Page) -> None:
    answer(page, FOUR)
    show(page)
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(f"[{LAYERS}.axis.from, {LAYERS}.axis.to]") == [0, 6]
    page.wait_for_timeout(300)
    place = page.evaluate(f"{LAYERS}.spectrogram.y(440)")
    assert abs(darkest(page, 0.9) - place) < 0.02
    page.keyboard.press("f")
    assert page.get_by_role("button", name="Whole song").is_disabled()


def test_a_part_is_looped(page: Page) -> None:
    answer(page, FOUR)
    show(page)
    left, top, width, _ = centre(page, "song-layers .ruler")
    page.mouse.move(left + width * 0.5, top + 10)
    page.mouse.down()
    page.mouse.move(left + width * 0.54, top + 10, steps=4)
    page.mouse.up()
    loop = page.evaluate(f"{LAYERS}.axis.loop")
    assert loop["from"] == pytest.approx(6, abs=0.05)
    assert loop["to"] == pytest.approx(6.48, abs=0.05)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"() => {TIME} > 6.2")
    page.wait_for_function(f"() => {TIME} < 6.2", polling=20)
    page.keyboard.press("Escape")
    page.wait_for_function(f"() => {TIME} > 6.6")
    page.get_by_role("button", name="Pause", exact=True).click()


def test_space_plays_and_the_playhead_moves(page: Page) -> None:
    answer(page, FOUR)
    show(page)
    page.keyboard.press("Space")
    page.wait_for_function(f"() => {TIME} > .3")
    x, _, wide, _ = centre(page, "song-layers .head")
    left, _, width, _ = centre(page, "song-layers .area")
    time = page.evaluate(TIME)
    assert 0.2 < (x + wide / 2 - left) / width * 12 <= time + 0.1
    page.keyboard.press("Space")
    page.wait_for_function(f"() => !{VIEW}.player.isPlaying")


def test_silence_and_unknown_are_shown_as_such(page: Page) -> None:
    answer(page, windows(None, None, None, None), warnings=["silence: nothing is louder than -60 dB of full scale"])
    add(page, upload("silence.wav", wav(np.zeros(12 * RATE, np.float32))))
    assert page.locator(".genre-name").inner_text() == "Silence"
    assert not page.locator("song-why").is_visible()
    page.get_by_text("silence", exact=True).first.wait_for()
    answer(page, windows("rock", "rock", None, None), unknown=True)
    add(page, upload("unknown.wav", two_tones(9)))
    page.evaluate("() => session.choose(session.songs[1])")
    assert page.locator(".genre-name").inner_text() == "None of its genres"
    assert "nearest: rock" in verdict(page)
    page.get_by_text("rock?").wait_for()


def test_an_error_is_a_sentence_in_the_verdict(page: Page) -> None:
    refuse(page, "FFmpeg: Invalid data; libsndfile: Format not recognised")
    add(page, upload("broken.mp3", b"no sound"))
    page.wait_for_function(f"() => {VIEW}.classList.contains('mute')")
    assert "FFmpeg: Invalid data; libsndfile: Format not recognised" in verdict(page)
    assert page.locator("#live").inner_text() == "broken.mp3: FFmpeg: Invalid data; libsndfile: Format not recognised"
    assert not page.locator("song-layers").is_visible()


def test_a_file_that_the_browser_cannot_decode_has_its_genres_all_the_same(page: Page) -> None:
    answer(page, FOUR)
    add(page, upload("song.aiff", b"only the server knows"))
    page.get_by_text("This browser cannot decode the file").wait_for()
    assert page.locator(".genre-name").inner_text() in ("rock", "jazz")
    assert page.evaluate(f"{LAYERS}.axis.seconds") == 12
    assert pixel(page, "timeline", 0.1, 0.5)[3] == 255
    assert page.get_by_role("button", name="Play", exact=True).is_disabled()


def test_why_lays_the_evidence_over_the_spectrogram(page: Page) -> None:
    answer(page, FOUR)
    rows = [[0.3 if (band, span) == (1, 0) else -0.05 if band == 3 else 0.0 for span in range(16)] for band in range(4)]
    found = {
        "genre": "rock", "start": 0.0, "end": 12.0, "times": [0.75 * n for n in range(17)],
        "bands": [0.0, 300.0, 1000.0, 4000.0, 11025.0], "evidence": rows,
    }  # fmt: skip
    asked: list[str] = []

    def explained(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(json=found)

    page.route("**/v1/explain*", explained)
    show(page)
    place = (0.4, page.evaluate(f"{LAYERS}.spectrogram.y(440)"))
    before = pixel(page, "spectrogram", *place)
    page.get_by_role("button", name="Why?").click()
    text = page.locator("song-why p")
    page.wait_for_function(f"() => {LAYERS}.evidence")
    page.wait_for_timeout(100)
    said = (
        "by up to 30 points, most from 0:00.0 to 0:00.8, 300 to 1000 Hz",
        "raises the score by up to 5 points",
        "not how the model came to it",
    )
    for part in said:
        assert part in text.inner_text()
    assert "start=0&end=12" in asked[0]
    assert max(abs(one - other) for one, other in zip(pixel(page, "spectrogram", *place), before, strict=True)) > 50
    page.get_by_role("button", name="Why?").click()
    page.wait_for_timeout(100)
    assert pixel(page, "spectrogram", *place) == pytest.approx(before, abs=3)
    assert text.inner_text() == ""


def test_why_says_what_failed_and_is_absent_without_an_engine_for_it(page: Page) -> None:
    answer(page, FOUR)
    page.route("**/v1/explain*", lambda route: route.fulfill(status=422, json={"detail": "The part has no sound."}))
    show(page)
    page.get_by_role("button", name="Why?").click()
    page.get_by_text("The part has no sound.").wait_for()
    page.evaluate(
        "() => { session.engine.explain = null;"
        "session.dispatchEvent(new CustomEvent('changed', { detail: session.chosen })) }"
    )
    assert not page.locator("song-why").is_visible()


def test_the_spectrogram_folds(page: Page) -> None:
    answer(page, FOUR)
    show(page)
    button = page.get_by_role("button", name="Spectrogram")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert not page.locator("song-layers .mel").is_visible()
    assert button.get_attribute("aria-pressed") == "false"


def test_an_hour_is_drawn_in_a_blink(page: Page) -> None:
    answer(page, windows(*["rock", "jazz", None, "pop"] * 300))
    show(page, wav(tone(440, rate=RATE, seconds=2)))
    script = f"""() => {{
        const layers = {LAYERS}, Peaks = layers.peaks.constructor;
        layers.peaks = new Peaks({{ peaks: new Uint8Array(2 * 3600 * 22050 / 64).fill(99), step: 64, rate: 22050 }});
        const seconds = [];
        for (let n = 0; n < 10; n++) {{
            const began = performance.now();
            layers.drawAll();
            seconds.push(performance.now() - began);
        }}
        return seconds.sort((one, other) => one - other)[5];
    }}"""
    assert page.evaluate(script) < 50  # milliseconds of script; about 3 on an idle machine


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (DESKTOP, True), (PHONE, False), (PHONE, True)])
def test_axe_finds_nothing_and_nothing_flows_over(
    browser: Browser, address: str, size: tuple[int, int], *, dark: bool
) -> None:
    with visit(browser, address, size=size, dark=dark) as page:
        assert violations(page) == []
        held = hold(page)
        add(page, upload("song.wav", two_tones()), wait=False)
        page.wait_for_function(f"() => {LAYERS}.peaks")
        scores_at(page, 6)
        assert violations(page) == []
        answer(page, FOUR, warnings=["half of this is silence"])
        answered(held[0], FOUR, warnings=["half of this is silence"])
        add(page, upload("other.wav", two_tones(9)))
        assert violations(page) == []
        assert not page.evaluate(FLOW)
