"""The map of a library in a real browser: found, hovered, played, drawn around, by mouse, touch and keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from browser_support import AA, CONTRASTS, SIZES, SMALLEST, failing, started
from cli_support import here
from conftest import tone, write
from map_support import artist, made_up_library, title

from genrescope import playlists

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.browser import Browser

SONGS = 2000
MAP = "document.querySelector('song-map')"
LISTED = "document.querySelector('library-map').state.listed.length"
AUDIO = "document.querySelector('audio')"
TOP = "document.querySelector('.row[data-place=\"0\"]')"
IS_UP = "Boolean(document.querySelector('song-map')?.took)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        running.watch()
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the map of 2,000 made-up songs, the first of which is there."""
    folder = tmp_path_factory.mktemp("map")
    library = made_up_library(folder / "library.db", folder / "music", SONGS, files=["50 % of a café #1.wav"])
    write(folder / "music" / artist(0) / "50 % of a café #1.wav", tone(220, seconds=2.0))
    done = here("map", "--library", library, "--out", folder / "map.html")
    assert done.code == 0, done.err
    return folder / "map.html"


def opened(browser: Browser, page: Path, *, width: int = 1100, dark: bool = False) -> None:
    browser.events.clear()
    browser.open(page, width=width, dark=dark)
    browser.wait(IS_UP)


def place(browser: Browser, song: int) -> tuple[float, float]:
    """Return where a song is in the window."""
    script = f"""(() => {{
        const map = {MAP}, box = map.area.getBoundingClientRect();
        return [box.left + map.view.right(map.x[{song}]), box.top + map.view.down(map.y[{song}])];
    }})()"""
    x, y = browser.value(script)
    return x, y


def song_called(browser: Browser, name: str) -> int:
    return int(browser.value(f"{MAP}.songs.page.titles.indexOf({json.dumps(name)})"))


def search(browser: Browser, words: str) -> None:
    browser.value("document.querySelector('#search').focus()")
    for letter in words:
        browser.key(letter)


def choose(browser: Browser, song: int) -> None:
    """Zoom in on a song, so that no other lies upon it, and click."""
    browser.value(f"{MAP}.view.centre({MAP}.x[{song}], {MAP}.y[{song}], 40000), {MAP}.moved()")
    x, y = place(browser, song)
    browser.mouse(("moved", x, y), ("pressed", x, y), ("released", x, y))


def trouble(browser: Browser) -> list[str]:
    """Return what the page threw or logged, and every address other than its own that it asked for."""
    browser.value("1")
    found = []
    for event in browser.events:
        held = event["params"]
        if event["method"] in {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}:
            found.append(json.dumps(held))
        url = held["request"]["url"] if event["method"] == "Network.requestWillBeSent" else "data:"
        if not url.startswith(("file:", "blob:", "data:")):
            found.append(url)
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1100])
def test_the_page_is_whole_at_any_width(browser: Browser, page: Path, width: int, dark: bool) -> None:
    opened(browser, page, width=width, dark=dark)
    search(browser, "rain")
    browser.wait(f"{LISTED} < {SONGS}")
    browser.value(f"{TOP}.click()")
    browser.wait("document.querySelector('.note').checkVisibility()")
    assert browser.value("document.scrollingElement.scrollWidth") <= width
    assert failing(browser.value(CONTRASTS), AA) == []
    assert failing(browser.value(SIZES), SMALLEST) == []


def test_nothing_goes_wrong_and_nothing_leaves(browser: Browser, page: Path) -> None:
    opened(browser, page)
    for key in "l+s0":
        browser.key(key)
    for view in ("all", "doubtful", "duplicates", "tags"):
        browser.value(f"document.querySelector('library-map').state.change({{ view: '{view}' }})")
    assert trouble(browser) == []


def test_trouble_would_be_seen(browser: Browser, page: Path) -> None:
    opened(browser, page)
    browser.value("setTimeout(() => { throw new Error('seen') }), 0")
    browser.value("fetch('https://example.org/').catch(() => 0)")
    browser.value("new Promise(done => setTimeout(done, 50))")
    assert any("seen" in each for each in trouble(browser))
    assert any("example.org" in each and "Content Security Policy" in each for each in trouble(browser))


def test_points_are_drawn_in_the_colours_of_their_genres(browser: Browser, page: Path) -> None:
    opened(browser, page)
    script = f"""(() => {{
        const map = {MAP}, canvas = map.layers[1], context = canvas.getContext("2d");
        const seen = new Set(), held = context.getImageData(0, 0, canvas.width, canvas.height).data;
        for (let at = 0; at < held.length; at += 4) if (held[at + 3] === 255) seen.add(held.slice(at, at + 3).join());
        return [seen.size, new Set(map.songs.genre).size, canvas.width / map.clientWidth];
    }})()"""
    colours, genres, ratio = browser.value(script)
    assert colours >= genres == 12
    assert ratio == 1


def test_a_search_finds_by_title_and_artist_without_accents_and_order(browser: Browser, page: Path) -> None:
    opened(browser, page)
    search(browser, "harbour VELVET cafe")
    browser.wait(f"{LISTED} === 1")
    assert browser.value(f"{TOP}.innerText").splitlines()[0] == title(0)
    assert browser.value("document.querySelector('#count').textContent") == "1 song"
    browser.key("Escape")
    browser.wait(f"{LISTED} === {SONGS}")


def test_hovering_names_a_song(browser: Browser, page: Path) -> None:
    opened(browser, page)
    song = song_called(browser, title(77))
    browser.value(f"{MAP}.view.centre({MAP}.x[{song}], {MAP}.y[{song}], 40000), {MAP}.moved()")
    browser.mouse(("moved", *place(browser, song)))
    shown = browser.wait("document.querySelector('.tip').hidden ? '' : document.querySelector('.tip').innerText")
    assert shown.splitlines()[:2] == [title(77), artist(77 // 20)]


def test_a_click_plays_the_file_beside_the_page(browser: Browser, page: Path) -> None:
    opened(browser, page)
    choose(browser, song_called(browser, title(0)))
    assert browser.wait(f"{AUDIO}.currentTime > 0.05 && {AUDIO}.duration") == pytest.approx(2.0, abs=0.1)
    assert trouble(browser) == []
    browser.key("p")
    browser.wait(f"{AUDIO}.paused")
    assert title(0) in browser.value("document.querySelector('song-player').innerText")


def test_a_page_that_was_moved_plays_from_where_the_music_was(browser: Browser, page: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "map.html"
    moved.parent.mkdir()
    moved.write_bytes(page.read_bytes())
    opened(browser, moved)
    choose(browser, song_called(browser, title(0)))
    browser.wait(f"{AUDIO}.currentTime > 0.05")
    assert browser.value("document.querySelector('.note').hidden")


def test_a_song_that_cannot_be_played_says_why(browser: Browser, page: Path) -> None:
    opened(browser, page)
    choose(browser, song_called(browser, title(77)))
    said = browser.wait("document.querySelector('.note').textContent")
    assert "could not open" in said
    assert "00077.mp3" in said
    assert "has moved" in said
    assert browser.value("document.querySelector('#live').textContent") == said


def test_a_lasso_makes_a_playlist(browser: Browser, page: Path, tmp_path: Path) -> None:
    opened(browser, page)
    songs = browser.value(f"[...{MAP}.x.keys()].filter(i => {MAP}.x[i] > .2 && {MAP}.x[i] < .6 && {MAP}.y[i] < .5)")
    corners = [(0.2, 0.5), (0.2, -0.02), (0.6, -0.02), (0.6, 0.5)]
    script = f"(() => {{ const b = {MAP}.area.getBoundingClientRect(), v = {MAP}.view; return %s }})()"
    line = [browser.value(script % f"[b.left + v.right({x}), b.top + v.down({y})]") for x, y in corners]
    browser.value(f"{MAP}.area.focus()")
    browser.key("l")
    browser.mouse(("pressed", *line[0]), *(("moved", *each) for each in line[1:]), ("released", *line[-1]))
    assert abs(browser.wait(f"{LISTED} < {SONGS} && {LISTED}") - len(songs)) <= 0.02 * SONGS
    browser.value("URL.createObjectURL = blob => { window.saved = blob; return 'blob:null/saved'; }")
    browser.value("HTMLAnchorElement.prototype.click = function () { window.called = this.download; }")
    browser.value("document.querySelector('#download').click()")
    (tmp_path / "lasso.m3u8").write_text(browser.value("window.saved.text()"), encoding="utf-8")
    assert browser.value("window.called") == "lasso.m3u8"
    found = playlists.read(tmp_path / "lasso.m3u8")
    assert len(found) == browser.value(LISTED)
    assert all(each.is_relative_to(page.parent / "music") for each in found)


def test_songs_like_this_are_the_ten_nearest(browser: Browser, page: Path) -> None:
    opened(browser, page)
    song = song_called(browser, title(77))
    choose(browser, song)
    browser.key("s")
    browser.wait(f"{LISTED} === 11")
    listed = browser.value(f"Array.from({MAP}.state.listed)")
    assert listed == [song, *browser.value(f"{MAP}.songs.neighbours({song})")]
    assert browser.value(f"{MAP}.state.lit.reduce((sum, lit) => sum + lit)") == 11
    browser.value("HTMLAnchorElement.prototype.click = function () { window.called = this.download; }")
    browser.value("document.querySelector('song-player .buttons').lastChild.click()")
    browser.value("document.querySelector('#download').click()")
    assert browser.value("window.called") == f"like {title(77)}.m3u8", "the song is not chosen any more"


def test_the_legend_and_the_confidence_hide_songs(browser: Browser, page: Path) -> None:
    opened(browser, page)
    button = "document.querySelector('genre-legend button')"
    count = int(browser.value(f"{button}.lastChild.textContent"))
    browser.value(f"{button}.click()")
    assert browser.value(LISTED) == SONGS - count
    assert browser.value(f"{button}.getAttribute('aria-pressed')") == "false"
    browser.value("[...document.querySelectorAll('genre-legend .quiet')][0].click()")
    assert browser.value(LISTED) == SONGS
    browser.value("(e => { e.value = 70; e.dispatchEvent(new Event('input')); })(document.querySelector('#least'))")
    sure = browser.value(f"{MAP}.songs.confidence.filter(value => value >= 7000).length")
    assert browser.value(LISTED) == sure < SONGS


def test_the_list_is_worked_by_keys(browser: Browser, page: Path) -> None:
    opened(browser, page)
    browser.value("document.querySelector('.rows').focus()")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
        browser.key(key)
    active = "document.getElementById(document.querySelector('.rows').getAttribute('aria-activedescendant'))"
    assert browser.value(f"{active}.getAttribute('aria-posinset')") == "2"
    assert browser.value(f"{active}.getAttribute('aria-selected')") == "true"
    browser.key("End")
    assert browser.wait(f"{active} && {active}.getAttribute('aria-posinset')") == str(SONGS)
    assert browser.value("document.querySelectorAll('.row').length") < 60


def test_the_list_has_orders(browser: Browser, page: Path) -> None:
    opened(browser, page)
    order = "(e => { e.value = 'lowest confidence'; e.dispatchEvent(new Event('change')); })"
    browser.value(f"{order}(document.querySelector('#order'))")
    assert browser.value(f"{MAP}.songs.confidence[{MAP}.state.listed[0]] === Math.min(...{MAP}.songs.confidence)")


def test_the_map_is_worked_by_keys(browser: Browser, page: Path) -> None:
    opened(browser, page)
    browser.value(f"{MAP}.area.focus()")
    browser.key("+")
    browser.key("ArrowRight")
    assert browser.value(f"{MAP}.view.zoom") == pytest.approx(1.5)
    song = int(browser.value(f"{MAP}.grid.nearest(.5, .5, 1)"))
    browser.value(f"{MAP}.view.centre({MAP}.x[{song}], {MAP}.y[{song}], 40000), {MAP}.moved()")
    browser.key("Enter")
    browser.wait(f"{MAP}.state.chosen === {song}")
    browser.key("0")
    assert browser.value(f"{MAP}.view.zoom") == 1


def test_dragging_moves_the_map_and_chooses_nothing(browser: Browser, page: Path) -> None:
    opened(browser, page)
    left = browser.value(f"{MAP}.view.left")
    browser.mouse(
        ("moved", 400, 400), ("pressed", 400, 400), ("moved", 430, 400), ("moved", 460, 400), ("released", 460, 400)
    )
    assert browser.value(f"{MAP}.view.left") > left + 20
    assert browser.value(f"{MAP}.state.chosen") == -1


def test_what_deserves_a_second_look_has_its_reason(browser: Browser, page: Path) -> None:
    opened(browser, page)
    views = browser.value("[...document.querySelectorAll('.look button')].filter(b => !b.hidden).map(b => b.innerText)")
    assert [name.split()[0] for name in views] == ["Doubtful", "Duplicates", "Tag"]
    browser.value("document.querySelectorAll('.look button')[2].click()")
    assert browser.value(LISTED) == SONGS // 10
    assert browser.wait(f"{TOP}.innerText").splitlines()[2].startswith("in the file: ")
    browser.value("document.querySelectorAll('.look button')[1].click()")
    copies: list[Any] = browser.value(f"Array.from({MAP}.state.listed, song => {MAP}.songs.copies[song])")
    assert copies == sorted(copies)
    assert len(copies) >= 2 * len(set(copies)) > 100
