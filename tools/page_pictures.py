"""Pictures of the service's page, for `tools.gallery`: the real service, and a browser that drops songs on it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Page

LIVE_SECONDS = 14
SCREEN, PHONE = (1180, 720), (390, 760)
_OVER = "() => session.songs.every(song => song.state === 'done' || song.state === 'failed')"
_CORRECT = (
    "() => session.correct(session.chosen, session.model.labels.find(name => session.chosen.name.includes(name)))"
)
_PATIENCE = 300_000.0  # milliseconds for all songs


@contextlib.contextmanager
def service(model: Path) -> Iterator[str]:
    """Run `genrescope serve` on a free port, and give its address."""
    command = [sys.executable, "-m", "genrescope", "serve", str(model), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr is not None
            found = (re.search(r"served at (http://\S+)", line) for line in running.stderr)
            yield next(match[1] for match in found if match)
        finally:
            running.terminate()


@contextlib.contextmanager
def page_of(
    address: str, program: str, *, size: tuple[int, int], dark: bool = False, flags: Sequence[str] = ()
) -> Iterator[Page]:
    """Open the page of a service in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver, driver.chromium.launch(executable_path=program, args=flags) as browser:
        page = browser.new_page(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            device_scale_factor=1.5,
        )
        page.goto(address)
        yield page


def give(page: Page, songs: Sequence[Path]) -> None:
    """Choose songs on the page, and wait until all are classified."""
    page.set_input_files("#files", [str(song) for song in songs])
    page.wait_for_function(_OVER, timeout=_PATIENCE)
    page.wait_for_timeout(1000)  # until the rows have their places


def show_table(model: Path, songs: Sequence[Path], program: str, folder: Path) -> None:
    """Write `page-many.png` and `page-phone.png`: the table of many songs, one of them corrected."""
    with service(model) as address:
        for name, size, dark in (("page-many", SCREEN, False), ("page-phone", PHONE, True)):
            with page_of(address, program, size=size, dark=dark) as page:
                give(page, songs)
                for key in ("Home", "ArrowDown", "ArrowDown"):
                    page.keyboard.press(key)
                page.evaluate(_CORRECT)
                page.evaluate("() => document.querySelector('song-table').scrollIntoView()")
                page.wait_for_timeout(300)
                page.screenshot(path=folder / f"{name}.png")


def medley(songs: Sequence[Path], path: Path, seconds: float = 12.0) -> Path:
    """Write the first seconds of several songs one after the other, with a little silence after the second."""
    import numpy as np
    import soundfile

    parts = [soundfile.read(song, dtype="float32", always_2d=True) for song in songs]
    rate = parts[0][1]
    waves = [samples[: round(seconds * rate)].mean(axis=1) for samples, _ in parts]
    waves.insert(2, np.zeros(round(seconds / 2 * rate), np.float32))
    soundfile.write(path, np.concatenate(waves), rate)
    return path


def show_song(model: Path, song: Path, program: str, folder: Path) -> None:
    """Write `page-song.png` and `page-why.png`: one song with its layers and its verdict, and why."""
    with service(model) as address:
        for name, dark in (("page-song", False), ("page-why", True)):
            with page_of(address, program, size=SCREEN, dark=dark) as page:
                give(page, [song])
                if dark:
                    page.get_by_role("button", name="Why?").click()
                    page.wait_for_function("() => document.querySelector('song-why').found", timeout=_PATIENCE)
                    page.wait_for_timeout(500)
                page.screenshot(path=folder / f"{name}.png")


def show_live(model: Path, song: Path, program: str, folder: Path) -> None:
    """Write `page-live.png`: the live view, while a browser's microphone plays a WAV file."""
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
             f"--use-file-for-fake-audio-capture={song.resolve()}")  # fmt: skip
    with service(model) as address, page_of(address, program, size=SCREEN, dark=True, flags=flags) as page:
        page.get_by_role("button", name="Listen live").click()
        page.get_by_role("button", name="Microphone or line input").click()
        page.wait_for_timeout(1000.0 * LIVE_SECONDS)
        page.screenshot(path=folder / "page-live.png")
