"""A real terminal of 80 x 24: a command runs in it, and what the screen shows becomes a picture."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import time
from dataclasses import dataclass
from fcntl import ioctl
from itertools import groupby
from termios import TIOCSWINSZ
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pyte

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS, ROWS = 80, 24
_EVERY = 0.1  # seconds between two frames
_CELL, _LINE, _SIZE, _BORDER = 8.4, 19, 14, 16  # pixels of a picture
_PAPER, _INK = "#151a22", "#e4e9f1"
_COLOURS = {
    "black": "#7d8aa0", "red": "#f08a6e", "green": "#8fd18f", "brown": "#e6c36a", "yellow": "#e6c36a",
    "blue": "#6fb1f5", "magenta": "#d59bf0", "cyan": "#7fd3d8", "white": "#e4e9f1",
}  # fmt: skip


@dataclass(frozen=True)
class Span:
    """Characters of one line that look alike.

    Attributes:
        column: where they begin.
        text: the characters.
        colour: of the characters.
        bold: whether they are bold.
    """

    column: int
    text: str
    colour: str
    bold: bool


Frame = tuple[tuple[Span, ...], ...]
"""What a screen shows at a moment: the spans of each line."""


class Terminal:
    """A terminal whose screen stays from one command to the next, as a user's does.

    Attributes:
        frames: what the screen has shown since the last command began, in order.
    """

    def __init__(self) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.frames: list[Frame] = []

    def run(self, command: Sequence[str], *, folder: Path, shown: str, accepted: Sequence[int] = (0,)) -> None:
        """Run a command to its end.

        Args:
            command: the program and its arguments.
            folder: where it runs.
            shown: what stands behind the prompt, as a user would type it.
            accepted: exit codes that are no fault.

        Raises:
            RuntimeError: the command ended otherwise; the message shows the screen.
        """
        self.frames = []
        self._stream.feed(f"\x1b[1;32m$\x1b[0m {shown}\r\n".encode())
        ours, its = pty.openpty()
        ioctl(its, TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        with subprocess.Popen(
            command, cwd=folder, env=_environment(), stdin=its, stdout=its, stderr=its, start_new_session=True
        ) as process:
            os.close(its)
            self._follow(ours)
        os.close(ours)
        self.frames.append(self._frame())
        if process.returncode not in accepted:
            raise RuntimeError(f"{shown} ended with {process.returncode}:\n" + "\n".join(self._screen.display))

    def busy(self) -> Frame:
        """Return what stood on the screen while the last command was at work, two thirds through its time."""
        return self.frames[2 * (len(self.frames) - 1) // 3]

    def _follow(self, number: int) -> None:
        last = 0.0
        while True:
            try:
                piece = os.read(number, 1 << 16)
            except OSError:  # so Linux says that the other side is closed
                return
            if not piece:
                return
            self._stream.feed(piece)
            if time.monotonic() > last + _EVERY:
                last = time.monotonic()
                self.frames.append(self._frame())

    def _frame(self) -> Frame:
        return tuple(_spans(self._screen.buffer[row]) for row in range(ROWS))


def _environment() -> dict[str, str]:
    """Return an environment in which a program sees a terminal and nothing of whoever runs this."""
    away = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI", "TERM"}
    return {name: value for name, value in os.environ.items() if name not in away} | {"TERM": "xterm-256color"}


def _spans(line: Any) -> tuple[Span, ...]:
    cells = [line[column] for column in range(COLUMNS)]
    found, column = [], 0
    for (colour, bold), group in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
        text = "".join(cell.data for cell in group)
        if text.strip():
            found.append(Span(column, text, _colour(colour), bold))
        column += len(text)
    return tuple(found)


def _colour(name: str) -> str:
    if name == "default":
        return _INK
    plain = name.removeprefix("bright")
    return _COLOURS.get(plain) or f"#{name}"


def svg(frame: Frame, title: str) -> str:
    """Return a picture of a screen, as far down as something stands on it.

    Example:
        >>> print(svg(((Span(2, "one <two>", "#ffffff", False),),), "a test"))
        <svg ...<title>a test</title>...<text x="32.8" y="30" textLength="75.6"...>one &lt;two&gt;</text>...</svg>
    """
    used = max((row + 1 for row, line in enumerate(frame) if line), default=1)
    width, height = round(COLUMNS * _CELL + 2 * _BORDER), used * _LINE + 2 * _BORDER - 4
    texts = [_text(span, row) for row, line in enumerate(frame[:used]) for span in line]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{_PAPER}"/>',
            f'<g font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="{_SIZE}">',
            *texts,
            "</g>",
            "</svg>\n",
        ]
    )


def _text(span: Span, row: int) -> str:
    lead = len(span.text) - len(span.text.lstrip())
    text = span.text.strip()
    x, y = _BORDER + (span.column + lead) * _CELL, _BORDER + (row + 0.75) * _LINE
    bold = ' font-weight="bold"' if span.bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.0f}" textLength="{len(text) * _CELL:.1f}" fill="{span.colour}"{bold}'
        f' xml:space="preserve">{escape(text)}</text>'
    )
