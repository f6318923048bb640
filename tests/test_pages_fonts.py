"""Figures draw names in any script with a font of this machine that has their characters."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cli_support import PATIENCE, environment
from conftest import genre_folders
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from genrescope.pages import drawing, fonts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.figure import Figure

OWN = "mpl-data"
"""What stands in the path of each font that matplotlib brings: DejaVu, and one that has boxes for all characters."""
GENRE = "演歌"
"""Enka, a genre of Japan; matplotlib's own font does not have these characters."""


@pytest.fixture
def only_own_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[font_manager.FontManager]:
    """Let matplotlib know only the fonts that it brings, whatever this machine has."""
    manager = font_manager.fontManager
    own = [entry for entry in manager.ttflist if OWN in entry.fname]
    monkeypatch.setattr(manager, "ttflist", own)
    monkeypatch.setattr(fonts, "_noted", [])
    fonts.families.cache_clear()
    yield manager
    fonts.families.cache_clear()


def made_up_font(path: Path, name: str, letters: str) -> Path:
    """Write a font whose characters are black squares of different widths."""
    builder = FontBuilder(1000, isTTF=True)
    glyphs = [".notdef", *(f"uni{ord(letter):04X}" for letter in letters)]
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap(dict(zip(map(ord, letters), glyphs[1:], strict=True)))
    drawn = {}
    for place, glyph in enumerate(glyphs):
        pen = TTGlyphPen(None)
        pen.moveTo((0, 0))
        for corner in ((0, 700), (300 + 100 * place, 700), (300 + 100 * place, 0)):
            pen.lineTo(corner)
        pen.closePath()
        drawn[glyph] = pen.glyph()
    builder.setupGlyf(drawn)
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWeightClass=400)
    builder.setupPost()
    builder.save(path)
    return path


def titled(text: str) -> Figure:
    figure, (axis,) = drawing.panels(drawing.LIGHT, 1, 1, size=(3, 2))
    axis.set_title(text)
    return figure


def test_a_font_with_the_characters_is_found_and_used(only_own_fonts: font_manager.FontManager, tmp_path: Path) -> None:
    boxes = drawing._png(titled(GENRE))
    only_own_fonts.addfont(made_up_font(tmp_path / "half.ttf", "Half Font", GENRE[0]))
    only_own_fonts.addfont(made_up_font(tmp_path / "whole.ttf", "Whole Font", GENRE))
    fonts.families.cache_clear()
    assert fonts.families(frozenset(f"Enka {GENRE} é")) == ("Whole Font",)
    figure = titled(GENRE)
    assert drawing._png(figure) != boxes
    assert figure.axes[0].title.get_fontfamily() == ["sans-serif", "Whole Font"]


def test_several_fonts_complete_each_other(only_own_fonts: font_manager.FontManager, tmp_path: Path) -> None:
    only_own_fonts.addfont(made_up_font(tmp_path / "one.ttf", "Font One", GENRE))
    only_own_fonts.addfont(made_up_font(tmp_path / "two.ttf", "Font Two", "한" + GENRE[0]))
    assert set(fonts.families(frozenset(GENRE + "한"))) == {"Font One", "Font Two"}


def test_a_font_file_that_is_gone_or_broken_is_passed_over(
    only_own_fonts: font_manager.FontManager, tmp_path: Path
) -> None:
    for name in ("gone", "broken"):
        only_own_fonts.addfont(made_up_font(tmp_path / f"{name}.ttf", name, GENRE))
    (tmp_path / "gone.ttf").unlink()
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    fonts._characters.cache_clear()
    assert fonts.families(frozenset(GENRE)) == ()


def checked_without_fonts(folder: Path, *options: str) -> list[str]:
    """Run `check` in a process where matplotlib knows only its own fonts; return the lines of its stderr."""
    music = genre_folders(folder / "music", (GENRE, "jazz", "民謡"))
    code = (
        "from matplotlib import font_manager; manager = font_manager.fontManager; "
        f"manager.ttflist = [each for each in manager.ttflist if {OWN!r} in each.fname]; "
        "from genrescope.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "check", music, "--out", folder / "check", "--jobs", "1", *options],
        capture_output=True, text=True, encoding="utf-8", env=environment(), check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert (folder / "check" / "check.html").is_file(), done.stderr
    return done.stderr.splitlines()


def test_without_such_a_font_one_note_says_what_to_install(tmp_path: Path) -> None:
    messages = checked_without_fonts(tmp_path)
    (note,) = [line for line in messages if "Glyph" in line or "no font" in line]
    assert note.startswith("note: no font on this machine has the characters 歌 民 演 謡;")
    assert "Noto Sans CJK" in note


def test_quiet_leaves_the_note_out(tmp_path: Path) -> None:
    assert checked_without_fonts(tmp_path, "--quiet") == []


def test_a_font_of_this_machine_draws_japanese_names(caplog: pytest.LogCaptureFixture) -> None:
    listed = (
        shutil.which("fc-list")
        and subprocess.run(["fc-list", ":lang=ja"], capture_output=True, text=True, check=False, timeout=60).stdout
    )
    if not listed:
        pytest.skip("this machine has no font with Japanese characters (fc-list :lang=ja names none)")
    assert fonts.families(frozenset(GENRE))
    assert caplog.records == []
