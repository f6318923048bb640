"""What live shows: on a terminal a display that is drawn anew, elsewhere a line for each verdict."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Protocol

from genrescope.cli.bars import clock
from genrescope.cli.big_letters import large
from genrescope.cli.console import out, say
from genrescope.cli.streams import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.text import Text

    from genrescope.inference.verdict import Verdict
    from genrescope.live.played import Played

_BARS, _BAR, _LEVEL = 5, 30, 24  # genres with a bar, columns of a bar, and of the meter
_QUIETEST = -60.0  # dB at the left end of the meter
_MINUTES = 10  # of the strip
_NOTED = 20.0  # seconds for which a note stays once sound comes
_REFRESH = 4  # times a second: the age counts on between verdicts
_OTHER = {"silence": "grey30", "speech": "grey78", "unknown": "grey62", "...": "grey30"}


class Shown(Protocol):
    """Where verdicts are shown."""

    def begin(self, name: str, genres: Sequence[str]) -> None:
        """Say what is played, and which genres may come."""

    def see(self, verdict: Verdict, played: Played) -> None:
        """Show a verdict."""

    def note(self, text: str) -> None:
        """Say something beside."""


@contextlib.contextmanager
def shown(*, quiet: bool) -> Iterator[Shown]:
    """Give what shows verdicts: a display on a terminal, unless quiet, and lines elsewhere."""
    if quiet or not sys.stdout.isatty():
        yield Lines(quiet=quiet)
        return
    with Display() as display:
        yield display


class Lines:
    """A line of text for each verdict."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def begin(self, name: str, genres: Sequence[str]) -> None:
        """Say what is played."""
        say(f"{name}: {len(genres)} genres; Ctrl-C ends it", quiet=self._quiet)

    def see(self, verdict: Verdict, played: Played) -> None:
        """Print a verdict."""
        if not verdict.last:
            late = f"  {verdict.skipped} windows skipped" if verdict.skipped else ""
            print(
                f"{clock(verdict.time)}  {verdict.heading}  {verdict.confidence:.2f}  {verdict.level:.0f} dB  "
                f"{verdict.age:.1f} s old{late}",
                flush=True,
            )

    def note(self, text: str) -> None:
        """Say something on stderr."""
        say(text, quiet=self._quiet, style="yellow")


class Display:
    """A context in which a terminal shows what is playing.

    The genre in large letters, the highest scores as bars, the level, the age of the newest sound, the song so far, and
    the last minutes as a strip of colours.
    """

    def __init__(self) -> None:
        self._name, self._note, self._noted = "", "", 0.0
        self._styles: dict[str, str] = {}
        self._verdict: Verdict | None = None
        self._played: Played | None = None
        self._seen = time.monotonic()
        self._live: Live | None = None

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, name: str, genres: Sequence[str]) -> None:
        """Show that sound is awaited; each genre has its colour from now on."""
        from rich.live import Live

        from genrescope.pages.colours import colours

        self._name = name
        self._styles = {genre: colour.dark for genre, colour in colours(genres).items()} | _OTHER
        self._live = Live(self, console=out(), refresh_per_second=_REFRESH)
        self._live.start()

    def see(self, verdict: Verdict, played: Played) -> None:
        """Show a verdict."""
        self._verdict, self._played, self._seen = verdict, played, time.monotonic()
        self._note = self._note if self._seen < self._noted + _NOTED else ""

    def note(self, text: str) -> None:
        """Show something below."""
        self._note, self._noted = text, time.monotonic()
        if self._live is None:
            say(text, style="yellow")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        from rich.text import Text

        yield Text(f"{self._name}  ·  Ctrl-C ends", style="dim", no_wrap=True, overflow="ellipsis")
        if self._verdict is None or self._played is None:
            yield Text("\nwaiting for sound ...\n")
        else:
            yield from self._drawn(self._verdict, self._played, options.max_width)
        if self._note:
            yield Text(self._note, style="yellow")

    def _drawn(self, verdict: Verdict, played: Played, width: int) -> Iterator[Text]:
        from rich.text import Text

        style = self._styles.get(verdict.heading, "white")
        rows = large(verdict.heading)
        if rows is None or max(map(len, rows)) > width:
            rows = ["", "", printable(verdict.heading), "", ""]
        yield Text("\n" + "\n".join(rows) + "\n", style=f"bold {style}", no_wrap=True)
        yield from self._bars(verdict)
        yield Text("")
        yield _meter(verdict, time.monotonic() - self._seen)
        yield self._so_far(verdict)
        yield self._strip(played, width)
        if verdict.skipped:
            yield Text(f"{verdict.skipped} windows skipped: this machine is too slow for the sound", style="yellow")

    def _bars(self, verdict: Verdict) -> Iterator[Text]:
        """Yield the highest scores; as many lines as ever, so that nothing jumps."""
        from rich.text import Text

        best = [*verdict.scores.items()][:_BARS]
        for genre, score in best:
            filled = round(score * _BAR)
            line = Text(f"{printable(genre)[:16]:<16} ")
            line.append("█" * filled, self._styles.get(genre, "white"))
            line.append("·" * (_BAR - filled), "dim")
            yield line.append(f" {score:.2f}")
        for _ in range(min(_BARS, len(self._styles) - len(_OTHER)) - len(best)):
            yield Text("")

    def _so_far(self, verdict: Verdict) -> Text:
        """Say what the song is, so far."""
        from rich.text import Text

        line = Text("this song  ")
        if verdict.song is None:
            return line.append("between songs" if verdict.silent or verdict.speech else "...", "dim")
        name = "unknown" if verdict.song.unknown else verdict.song.genre
        line.append(printable(name), f"bold {self._styles.get(name, 'white')}")
        return line.append(f" {verdict.song.confidence:.2f}, {clock(verdict.time - verdict.song.start)} so far")

    def _strip(self, played: Played, width: int) -> Text:
        """Draw the last minutes: a column for each of equal times, in the colour of what was playing."""
        from rich.text import Text

        columns = max(10, min(width - 12, 100))
        first = max(0.0, played.seconds - 60 * _MINUTES)
        step = 60 * _MINUTES / columns
        line, seen = Text("last 10 min "), dict.fromkeys(range(columns), "")
        for at, heading in list(played.recent):  # a copy: another thread draws
            if at > first:
                seen[min(columns - 1, int((at - first) / step))] = heading
        before = ""
        for column in range(min(columns, int((played.seconds - first) / step) + 1)):
            before = seen[column] or before
            line.append("▬" if before in _OTHER else "█", self._styles.get(before, "grey30"))
        return line


def _meter(verdict: Verdict, waited: float) -> Text:
    """Draw the level, and say how old the newest sound is and how long it has been playing."""
    from rich.text import Text

    share = min(1.0, max(0.0, 1 - verdict.level / _QUIETEST))
    filled = round(share * _LEVEL)
    line = Text("level      ")
    loud = _LEVEL * 5 // 6
    line.append("▮" * min(filled, loud), "green").append("▮" * max(0, filled - loud), "red")
    line.append("▯" * (_LEVEL - filled), "dim").append(f" {verdict.level:4.0f} dB")
    age = verdict.age + waited
    line.append(f"    {clock(verdict.time)}    ", "dim")
    return line.append(f"{age:.1f} s old", "yellow" if age > 5 else "dim")
