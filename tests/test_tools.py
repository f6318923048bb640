"""The pictures of the documentation: what takes them works, and they are all there and small."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tools import browser, gallery
from tools.terminal import COLUMNS, ROWS, Terminal, svg

ROOT = Path(__file__).resolve().parent.parent
SIZE = "import os; print(*os.get_terminal_size(), os.isatty(1), '\\x1b[31m<red>\\x1b[0m')"


def test_a_command_sees_a_terminal_and_its_colours_are_in_the_picture(tmp_path: Path) -> None:
    terminal = Terminal()
    terminal.run([sys.executable, "-c", SIZE], folder=tmp_path, shown="size")
    texts = [text for text in ET.fromstring(svg(terminal.frames[-1], "a test")).iter() if text.tag.endswith("text")]
    assert [text.text for text in texts] == ["$", "size", f"{COLUMNS} {ROWS} True", "<red>"]
    assert texts[3].get("fill") != texts[2].get("fill")


def test_the_screen_of_a_command_at_work_is_kept(tmp_path: Path) -> None:
    code = "import time\nfor n in range(9): print('step', n, end='\\r', flush=True); time.sleep(0.2)\nprint('all done')"
    terminal = Terminal()
    terminal.run([sys.executable, "-c", code], folder=tmp_path, shown="work")
    assert "step" in svg(terminal.busy(), "at work")
    assert "all done" in svg(terminal.frames[-1], "at the end")


def test_a_command_that_fails_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)work ended with 3:.*no such thing"):
        Terminal().run([sys.executable, "-c", "print('no such thing'); exit(3)"], folder=tmp_path, shown="work")


def test_every_picture_of_the_documentation_is_shown_and_small() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"img/([\w.-]+)", page.read_text(encoding="utf-8"))}
    pictures = {path.name: path.stat().st_size for path in gallery.IMG.iterdir()}
    assert shown == set(pictures)
    assert [name for name, size in pictures.items() if size > gallery.LARGEST] == []


def test_a_machine_that_gets_no_chromium_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert browser.install() == "no Chromium on this machine; the tests of pages in a browser are skipped"
    (tmp_path / "apt-get").write_text("#!/bin/sh\necho 'E: no network' >&2; exit 100\n")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert "could not be installed (E: no network)" in browser.install()
