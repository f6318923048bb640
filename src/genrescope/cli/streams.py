"""What stdout and stderr are given: a reader that leaves, a full disk, no stream at all, and names that are no text."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TYPE_CHECKING

from genrescope.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIPE_CLOSED = 141
"""What a shell says of a program whose reader has left: 128 and the number of SIGPIPE."""

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters: they move the cursor, or begin an escape
    "\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # no width, other directions, other line ends
    "\ud800-\udfff]"  # bytes that are no UTF-8
)


def printable(text: str) -> str:
    r"""Return text as a terminal may be given it: what would move its cursor, or hide, is shown escaped.

    Example:
        >>> print(printable("\x1b[31mred\u202e.mp3"))
        \x1b[31mred\u202e.mp3
    """
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def prepare() -> None:
    """Make stdout and stderr streams that can be written to in any case."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever began this: what is opened next must not take its number
            number = os.open(os.devnull, os.O_WRONLY)
            os.set_inheritable(number, True)  # nor in a worker
            setattr(sys, name, io.TextIOWrapper(io.FileIO(number, "w"), errors="replace"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold bytes that are no UTF-8
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout is sys.__stdout__:
        sys.stdout = _watched(sys.stdout)


def forget_stdout() -> None:
    """Point stdout at nothing, so that Python does not try to flush it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Stdout(io.FileIO):
    """Stdout that tells its own faults from those of other files."""

    def write(self, held: ReadableBuffer, /) -> int:
        try:
            return super().write(held)
        except BrokenPipeError:  # the reader of a pipe has seen enough
            forget_stdout()
            sys.exit(PIPE_CLOSED)
        except OSError as error:
            forget_stdout()
            raise OutputError(
                f"cannot write to stdout: {error.strerror or error}. Free some space, or send it elsewhere"
            ) from error


def _watched(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = _Stdout(stream.fileno(), "w", closefd=False)
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffer, encoding=stream.encoding, errors=stream.errors, line_buffering=stream.line_buffering
    )
