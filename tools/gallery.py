"""The pictures in `docs/img`, taken of a real first hour: `python -m tools.gallery`, or `make docs-figures`.

All steps are those that a user types, on music that genrescope synthesises; they run in a terminal of 80 x 24 and leave
pages, which Chromium shows. It takes some minutes. What is done is done again each time: the pictures show what
the commands print today. A few faults are put into a copy of the music first, so that `check` has something to find.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from tools.browser import Browser, chromium
from tools.page_pictures import medley, show_live, show_song, show_table
from tools.terminal import Terminal, svg

IMG = Path(__file__).resolve().parent.parent / "docs" / "img"
LARGEST = 200_000
"""Bytes of a picture in the documentation."""
PAGES = {
    "check-page": ("check/check.html", 1000),
    "report": ("runs/first/report.html", 1060),
    "compare": ("compare/compare.html", 960),
}
"""Pictures of pages on a wide screen: which page, and how many CSS pixels of it."""
FIGURES = ("confusion", "curves", "genres")
"""Figures of the report that stand in the documentation by themselves."""
_WIDE, _PHONE, _PHONE_HEIGHT, _MAP_HEIGHT = 1100, 390, 844, 640


class Hour:
    """A first hour in a folder: commands as a user types them, and pictures of the screen after some."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._terminal = folder, Terminal()

    def type(self, line: str, *, accepted: tuple[int, ...] = (0,)) -> None:
        """Run a line that begins with `genrescope` in the terminal."""
        print(f"$ {line}", file=sys.stderr)
        command = [sys.executable, "-m", *shlex.split(line)]
        self._terminal.run(command, folder=self.folder, shown=line, accepted=accepted)

    def clear(self) -> None:
        """Give the next command an empty screen."""
        self._terminal = Terminal()

    def picture(self, name: str, title: str, *, busy: bool = False) -> None:
        """Write `terminal-NAME.svg` of the screen as it is, or as it was while the last command was at work."""
        frame = self._terminal.busy() if busy else self._terminal.frames[-1]
        (IMG / f"terminal-{name}.svg").write_text(svg(frame, title), encoding="utf-8")


def take(folder: Path, program: str) -> None:
    """Go through the hour in an empty folder, and write all pictures."""
    hour = Hour(folder)
    hour.type("genrescope synth music --artists 6 --tracks 3 --seconds 15 --crossover 0.75")
    hour.type("genrescope synth new --artists 1 --tracks 1 --seconds 30 --seed 7")
    _gather(folder / "new", folder / "songs")
    _spoil(folder / "music", folder / "spoilt")
    hour.clear()
    hour.type("genrescope check spoilt --out check", accepted=(0, 1))
    hour.picture("check", "genrescope check: damaged files, duplicates, band-limited sound")
    hour.type("genrescope prepare synth:music --out store")
    hour.clear()
    hour.type("genrescope train store --recipe scratch --out runs/first")
    hour.picture("train", "genrescope train, at work", busy=True)
    hour.clear()
    hour.type("genrescope evaluate runs/first")
    hour.picture("evaluate", "genrescope evaluate: accuracy with its interval")
    hour.type("genrescope train store --recipe pooled-svm --out runs/svm")
    hour.type("genrescope evaluate runs/svm")
    hour.clear()
    hour.type("genrescope compare runs/first runs/svm --out compare")
    hour.picture("compare", "genrescope compare: differences track by track")
    hour.clear()
    hour.type("genrescope predict runs/first songs")
    hour.picture("predict", "genrescope predict: genres of songs that no model has heard")
    hour.type("genrescope library scan music --model runs/first --library library.db")
    hour.type("genrescope map --library library.db --out map.html")
    _show(folder, program)
    songs = sorted((folder / "songs").iterdir())
    mix = medley(songs[:4], folder / "medley.wav")
    show_song(folder / "runs" / "first", mix, program, IMG)
    show_live(folder / "runs" / "first", mix, program, IMG)
    show_table(folder / "runs" / "first", sorted(folder.glob("music/*/*.flac"))[::4], program, IMG)
    for name in FIGURES:
        shutil.copyfile(folder / "runs" / "first" / "figures" / f"{name}.png", IMG / f"{name}.png")


def _spoil(music: Path, spoilt: Path) -> None:
    """Copy the folders of genres and put faults into two files: one is cut off, one stands under two genres."""
    genres = sorted(path for path in music.iterdir() if path.is_dir())
    for genre in genres:
        shutil.copytree(genre, spoilt / genre.name)
    first, second, third = (sorted((spoilt / genre.name).iterdir()) for genre in genres[:3])
    first[0].write_bytes(first[0].read_bytes()[: first[0].stat().st_size // 2])
    shutil.copyfile(second[0], third[0])


def _gather(music: Path, songs: Path) -> None:
    """Copy a song of every second style into one folder, under short names."""
    songs.mkdir()
    for genre in sorted(path for path in music.iterdir() if path.is_dir())[::2]:
        song = next(genre.iterdir())
        shutil.copyfile(song, songs / f"{genre.name}{song.suffix}")


def _show(folder: Path, program: str) -> None:
    with Browser(program) as browser:
        for name, (page, height) in PAGES.items():
            browser.open(folder / page, width=_WIDE)
            browser.picture(IMG / f"{name}.png", height=height)
        show_map(folder / "map.html", browser)
        for dark in (False, True):
            browser.open(folder / "runs/first/report.html", width=_PHONE, dark=dark, scale=1.5)
            name = f"phone-{'dark' if dark else 'light'}.png"
            browser.picture(IMG / name, top=300 if dark else 0, height=_PHONE_HEIGHT)


def show_map(page: Path, browser: Browser) -> None:
    """Take a picture of a library's map on a wide, dark screen."""
    browser.open(page, width=_WIDE, height=_MAP_HEIGHT, dark=True)
    browser.wait("document.querySelector('song-map').took")
    browser.picture(IMG / "map.png", height=_MAP_HEIGHT)


def pack(path: Path) -> None:
    """Make a PNG file small enough for the documentation: fewer colours first, then fewer pixels."""
    from PIL import Image

    image = Image.open(path).convert("RGB")
    while path.stat().st_size > LARGEST:
        for colours in (256, 128, 64):
            image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
            if path.stat().st_size <= LARGEST:
                return
        image = image.resize((image.width * 4 // 5, image.height * 4 // 5), Image.Resampling.LANCZOS)


def main() -> None:
    """Take the pictures again; with a folder, leave there what the commands have made."""
    parser = argparse.ArgumentParser(prog="python -m tools.gallery", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="an empty folder to work in, which is kept")
    folder: Path | None = parser.parse_args().folder
    program = chromium()
    if program is None:
        sys.exit("error: there is no Chromium on this machine; `make browser` installs it where it may")
    with tempfile.TemporaryDirectory() as temporary:
        work = folder or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        if any(work.iterdir()):
            sys.exit(f"error: {work} is not empty; name an empty folder")
        take(work, program)
    for path in sorted(IMG.glob("*.png")):
        pack(path)


if __name__ == "__main__":
    main()
