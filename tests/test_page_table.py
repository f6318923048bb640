"""The table of the listening page in a real browser: queue, order, filters, corrections, downloads."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from page_browser import DESKTOP, IDLE, PHONE, add, launched, row, rows, song, violations, visit
from page_support import LABELS, Service, serving

from genrescope.audio.formats import SUFFIXES
from genrescope.inference.rows import RowSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Dialog, Page

SEVERAL = (
    song("sure.mp3", genre="jazz", confidence=0.95),
    song("doubtful.mp3", genre="pop", confidence=0.4),
    song("strange.mp3", genre="disco", confidence=0.9, unknown=True),
    song("quiet.mp3", genre="blues", silent=1.0, warnings=["silence: nothing is louder than -60 dB of full scale"]),
    song("broken.mp3", error="FFmpeg: Invalid data; libsndfile: Format not recognised"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running


@pytest.fixture(scope="module")
def address(browser: Browser) -> Iterator[str]:
    with serving(Service()) as found:
        yield found


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with visit(browser, address) as found:
        yield found


@pytest.fixture
def full(page: Page) -> Page:
    add(page, *SEVERAL)
    return page


def drop(page: Page, *paths: Path) -> None:
    """Drop files or folders as a file manager does."""
    client = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        client.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def saved(page: Page, name: str) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name).click()
    text: str = waiting.value.path().read_text(encoding="utf-8")
    return text


def chosen(page: Page) -> str:
    return str(page.evaluate("() => session.chosen.name"))


def test_an_empty_page_offers_one_thing(page: Page) -> None:
    page.get_by_text("Drop songs here").wait_for()
    assert not page.locator("song-table").is_visible()
    page.locator("model-card summary").first.click()
    page.get_by_text("84.5 % of 290 test tracks").wait_for()


def test_the_most_doubtful_stands_first_and_errors_are_rows(full: Page) -> None:
    assert rows(full) == ["broken.mp3", "strange.mp3", "quiet.mp3", "doubtful.mp3", "sure.mp3"]
    row(full, "broken.mp3").get_by_text("FFmpeg: Invalid data; libsndfile: Format not recognised").wait_for()
    row(full, "strange.mp3").get_by_text("none of these").wait_for()
    row(full, "strange.mp3").get_by_text("nearest: disco").wait_for()
    assert row(full, "quiet.mp3").locator(".genre").inner_text() == "silence"
    row(full, "sure.mp3").get_by_text("95 %").wait_for()


def test_columns_sort(full: Page) -> None:
    full.get_by_role("button", name="Confidence", exact=True).click()
    assert rows(full) == ["doubtful.mp3", "quiet.mp3", "strange.mp3", "sure.mp3", "broken.mp3"]
    full.get_by_role("button", name="Confidence", exact=True).click()
    assert rows(full)[0] == "sure.mp3"
    assert full.get_by_role("columnheader", name="Confidence").get_attribute("aria-sort") == "descending"
    full.get_by_label("Sorted by").select_option("order of adding")
    assert rows(full) == sorted(rows(full))


def test_the_list_is_filtered_by_text_confidence_and_genre(full: Page) -> None:
    full.get_by_label("Search songs").fill("format not")
    assert rows(full) == ["broken.mp3"]
    full.get_by_text("1 of 5 songs").wait_for()
    full.get_by_label("Search songs").fill("")
    full.get_by_label("Confidence up to").fill("50")
    assert rows(full) == ["doubtful.mp3"]
    full.get_by_label("Confidence up to").fill("100")
    for name in ("jazz 1", "none of these 1"):
        full.locator("table-tools").get_by_role("button", name=name).click()
    assert rows(full) == ["strange.mp3", "sure.mp3"]
    full.get_by_label("Search songs").fill("nothing like it")
    full.get_by_text("Clear the search or the filters.").wait_for()


def test_keys_choose_correct_and_remove(full: Page) -> None:
    full.keyboard.press("Home")
    full.keyboard.press("ArrowDown")
    assert chosen(full) == "strange.mp3"
    full.keyboard.press("6")
    row(full, "strange.mp3").get_by_text("corrected, was disco").wait_for()
    assert rows(full)[1] == "strange.mp3", "a corrected row stays where it is"
    full.keyboard.press("0")
    row(full, "strange.mp3").get_by_text("rock", exact=True).wait_for()
    full.keyboard.press("Delete")
    row(full, "strange.mp3").get_by_text("none of these").wait_for()
    full.keyboard.press("n")
    assert full.evaluate("() => session.chosen.corrected") == "not-mine"
    full.keyboard.press("Delete")
    full.keyboard.press("Delete")
    assert rows(full) == ["broken.mp3", "quiet.mp3", "doubtful.mp3", "sure.mp3"]
    full.keyboard.press("Control+z")
    assert rows(full)[1] == "strange.mp3"
    assert chosen(full) == "strange.mp3"


def test_enter_and_a_press_on_the_chosen_row_lead_to_the_song(full: Page) -> None:
    top = "() => Math.round(document.querySelector('song-view').getBoundingClientRect().top)"
    row(full, "sure.mp3").click()
    for act in (lambda: full.keyboard.press("Enter"), lambda: row(full, "sure.mp3").click()):
        full.evaluate("() => scrollTo(0, 2000)")
        assert full.evaluate(top) < 0
        act()
        assert full.evaluate(top) == 0


def test_a_removal_is_taken_back_by_a_press(full: Page) -> None:
    full.keyboard.press("Delete")
    full.get_by_text("broken.mp3 was removed.", exact=True).wait_for()
    full.get_by_role("button", name="Undo").click()
    row(full, "broken.mp3").wait_for()


def test_a_field_keeps_its_keys(full: Page) -> None:
    full.keyboard.press("/")
    full.keyboard.type("6n?")
    assert full.get_by_label("Search songs").input_value() == "6n?"
    assert full.evaluate("() => session.songs.every(song => song.corrected === null)")


def test_a_question_mark_shows_the_keys(full: Page) -> None:
    full.keyboard.press("?")
    full.get_by_role("dialog", name="Keys").wait_for()
    full.keyboard.press("6")
    full.keyboard.press("Escape")
    assert not full.get_by_role("dialog").is_visible()
    assert full.evaluate("() => session.songs.every(song => song.corrected === null)")


def test_predictions_are_saved_as_the_command_line_writes_them(page: Page) -> None:
    add(page, song('=1+1, "a" song.mp3', genre="jazz", confidence=0.75, warnings=["one", "two"]), *SEVERAL)
    found = list(csv.reader(io.StringIO(saved(page, "Download CSV"))))
    assert tuple(found[0]) == RowSpec(LABELS).columns
    records = [dict(zip(found[0], line, strict=True)) for line in found[1:]]
    assert len(records) == 5, "the broken one has no row"
    first = records[0]
    assert first["path"] == '\'=1+1, "a" song.mp3'
    assert (first["genre"], first["confidence"], first["unknown"], first["warning"]) == (
        "jazz",
        "0.75",
        "False",
        "one; two",
    )
    assert float(first["jazz"]) == 0.75
    assert first["model"] == "feedfacefeedface"


def test_corrections_are_saved_and_asked_for_before_they_are_lost(full: Page) -> None:
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    full.on("dialog", refuse)
    assert full.get_by_role("button", name="Download corrections").is_disabled()
    full.keyboard.press("6")
    full.evaluate("() => void setTimeout(() => location.reload())")
    full.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    assert saved(full, "Download corrections") == "path,genre\nbroken.mp3,jazz\n"
    assert full.evaluate("() => session.corrections") == 0


def test_a_dropped_folder_is_walked(page: Page, tmp_path: Path) -> None:
    music = tmp_path / "music"
    names = [
        "b/two.mp3",
        "b/ten.flac",
        "a/one.wav",
        "a/.hidden.mp3",
        ".cache/three.mp3",
        "cover.jpg",
        "notes.txt",
        "more.txt",
    ]
    for number, name in enumerate(names):
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).write_text(json.dumps({"genre": "rock", "n": number}))
    loose = tmp_path / "loose.what"
    loose.write_text(json.dumps({"genre": "pop"}))
    drop(page, music, loose)
    page.wait_for_function(IDLE)
    assert page.evaluate("() => session.songs.map(song => song.name)") == [
        "music/a/one.wav", "music/b/ten.flac", "music/b/two.mp3", "loose.what",
    ]  # fmt: skip
    left = "3 files left out, whose endings are not taken for audio: 2 .txt, 1 .jpg."
    assert page.locator("#trouble").inner_text() == left
    drop(page, music)
    page.wait_for_timeout(300)
    assert page.evaluate("() => session.songs.length") == 4, "a song is not taken twice"


def test_a_chosen_folder_is_taken_the_same_way(page: Page, tmp_path: Path) -> None:
    for name in ("a/one.wav", "a/.hidden.mp3", "cover.jpg"):
        (tmp_path / "music" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "music" / name).write_text('{"genre": "rock"}')
    page.set_input_files("#folders", tmp_path / "music")
    page.wait_for_function(IDLE)
    assert page.evaluate("() => session.songs.map(song => song.name)") == ["music/a/one.wav"]


def test_the_page_takes_the_endings_of_the_command_line(page: Page) -> None:
    found = page.evaluate("async () => [...(await import('./web/dropped_files.js')).ENDINGS]")
    assert {f".{ending}" for ending in found} == set(SUFFIXES)


QUICK_ENGINE = """() => {
    let number = 0;
    session.engine.predict = async () => {
        const high = (number++ % 97) / 100, scores = { rock: high, pop: high - 0.2 };
        return { genre: 'rock', confidence: high, scores, labels: [], unknown: false, seconds: 30, silent: 0,
                 warnings: [], windows: [], segments: [] };
    };
}"""
MILLISECONDS = """() => {
    const began = performance.now();
    document.querySelector('song-table').relist();
    return performance.now() - began;
}"""


def test_a_thousand_rows_stay_few_elements(page: Page) -> None:
    page.evaluate(QUICK_ENGINE)
    add(page, *(song(f"{number:04d}.mp3", n=number) for number in range(1000)))
    assert page.locator(".song-row").count() < 40
    assert page.locator(".grid").get_attribute("aria-rowcount") == "1001"
    page.keyboard.press("End")
    page.wait_for_timeout(100)
    assert chosen(page) in rows(page)
    assert page.evaluate(MILLISECONDS) < 250, "to order and draw a thousand songs"


def test_several_genres_are_toggled_where_a_song_may_have_them(browser: Browser) -> None:
    with serving(Service(model={"exclusive": False})) as address, visit(browser, address) as page:
        add(page, song("one.mp3", genre="rock"))
        for key, genres in (("6", "jazz"), ("1", "jazz; blues"), ("6", "blues"), ("n", "not-mine"), ("7", "metal")):
            page.keyboard.press(key)
            assert page.evaluate("() => session.chosen.corrected") == genres


def test_many_labels_give_the_best_ten_a_key_and_the_rest_a_list(browser: Browser) -> None:
    labels = tuple(f"genre {number}" for number in range(30))
    with serving(Service(model={"labels": labels})) as address, visit(browser, address) as page:
        add(page, song("one.mp3", genre="genre 20"))
        page.keyboard.press("1")
        assert page.evaluate("() => session.chosen.corrected") == "genre 20"
        row(page, "one.mp3").get_by_text("confirmed").wait_for()
        page.get_by_label("Another genre").select_option("genre 29")
        assert page.evaluate("() => session.chosen.corrected") == "genre 29"


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_use_it(browser: Browser, address: str, dark: bool, size: tuple[int, int]) -> None:
    with visit(browser, address, dark=dark, size=size) as page:
        assert violations(page) == []
        add(page, *SEVERAL)
        page.keyboard.press("6")
        assert violations(page) == []
        assert page.evaluate("() => document.scrollingElement.scrollWidth") <= size[0]
        page.keyboard.press("?")
        assert violations(page) == []
