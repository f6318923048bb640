"""One file over HTTP: a broken download goes on where it stopped.

What came lies in `NAME.partial`, and the next request asks for the rest of it, whichever mirror it goes to. Nothing is
verified here: bytes that do not belong together show in the checksum, and the file is then begun again.
"""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope import __version__
from genrescope.errors import DataError, OutputError
from genrescope.files import writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from requests import RequestException, Response

CHUNK = 1 << 14  # bytes; what came of a chunk is lost when the connection breaks
TRY_LATER = (408, 425, 429, 500, 502, 503, 504)
"""Status codes that another try may better."""

LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Patience:
    """When to give up.

    Attributes:
        timeout: seconds that connecting may take, and seconds without a byte; a slow server that sends is waited for.
        retries: tries, one after another, that may bring nothing new.
        pause: seconds before the first of them; it doubles with each.
    """

    timeout: float = 30.0
    retries: int = 3
    pause: float = 1.0


USUAL = Patience()


class _BrokenError(Exception):
    """A try that failed in a way that another try may better."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def fetch(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    patience: Patience = USUAL,
    on_bytes: Callable[[int, int | None], None] = lambda done, total: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> None:
    """Bring a file to its whole length, from as many answers as it takes.

    Args:
        url: an HTTP or HTTPS address.
        path: the file; bytes that it has are gone on with.
        size: its bytes, where known; a server that offers another number is refused.
        patience: when to give up.
        on_bytes: called with the bytes so far and the bytes in all, if known.
        on_note: called with what went wrong and was bettered.

    Raises:
        DataError: the server does not have the file, or too many tries brought nothing new; its message is the reason.
        OutputError: the bytes cannot be written. What came before is kept.
    """
    best, failures = _bytes_of(path), 0
    while size is None or _bytes_of(path) != size:
        try:
            _take(url, path, size, patience.timeout, on_bytes)
            return
        except _BrokenError as error:
            failures = 0 if _bytes_of(path) > best else failures + 1
            best = max(best, _bytes_of(path))
            if failures > patience.retries:
                if not best:
                    path.unlink(missing_ok=True)
                raise DataError(str(error)) from error
            on_note(f"{url}: {error}; trying again")
            time.sleep(min(max(patience.pause * 2**failures, error.wait), LONGEST_PAUSE))


def _take(url: str, path: Path, size: int | None, timeout: float, on_bytes: Callable[[int, int | None], None]) -> None:
    """Make one request, for the rest of the file if some of it is there, and take what it brings."""
    import requests

    done = _bytes_of(path)
    headers = {"User-Agent": f"genrescope/{__version__}", "Accept-Encoding": "identity"}
    try:
        with requests.get(
            url, headers=headers | ({"Range": f"bytes={done}-"} if done else {}), stream=True, timeout=timeout
        ) as answer:
            done, total = _accepted(answer, path, size)
            need_room(path.parent, (total or 0) - done)
            on_bytes(done, total)
            try:
                for chunk in answer.iter_content(CHUNK):
                    done += len(chunk)
                    if total is not None and done > total:
                        raise DataError(f"it sends more than the {total:,} bytes that it should have")
                    with writing(path), path.open("ab") as file:
                        file.write(chunk)
                    on_bytes(done, total)
                ended_early = done < (total or 0)
            except requests.exceptions.ChunkedEncodingError:
                ended_early = True
    except requests.RequestException as error:
        raise _fault(error, timeout) from error
    if ended_early:
        told = "unknown number of" if total is None else f"{total:,}"
        raise _BrokenError(f"the connection ended after {done:,} of the {told} bytes expected")


def _accepted(answer: Response, path: Path, size: int | None) -> tuple[int, int | None]:
    """Accept a file or its rest, no other answer; return the bytes that are there, and those in all, if known."""
    import requests

    done = _bytes_of(path)
    # Accept-Encoding was identity: the coding belongs to the file, which must not be unpacked on the way.
    answer.raw.headers.pop("Content-Encoding", None)
    rest = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
    if answer.status_code == 206 and rest is not None and _number(rest[1]) == done:
        return done, _number(rest[2]) or size
    if answer.status_code in (206, 416):
        if answer.status_code == 416 and rest is not None and _number(rest[2]) == done:
            return done, done  # all of it was there
        path.unlink(missing_ok=True)
        raise _BrokenError("its file has changed since the download began")
    if answer.status_code != 200:
        raise requests.HTTPError(f"{answer.status_code} {answer.reason or ''}".strip(), response=answer)
    total = _number(answer.headers.get("Content-Length"))
    if None not in (size, total) and total != size:
        raise DataError(f"it offers {total:,} bytes where {size:,} are expected: another file, or a page")
    with writing(path):
        path.write_bytes(b"")
    return 0, total if total is not None else size


def need_room(folder: Path, size: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        OutputError: fewer than `size` bytes are free where `folder` is or will be.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    with writing(folder):
        free = shutil.disk_usage(existing).free
    if size > free:
        raise OutputError(
            f"{folder}: {size_text(size)} more are needed and {size_text(free)} are free. Free some space, or choose "
            "another folder; what was downloaded before is kept."
        )


def size_text(size: int) -> str:
    """Return a number of bytes in words.

    Example:
        >>> size_text(999), size_text(1_225_571_541)
        ('999 bytes', '1.2 GB')
    """
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _fault(error: RequestException, timeout: float) -> DataError | _BrokenError:
    """Return the error that says in a few words why a request failed, and whether another try may better it."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        if error.response.status_code in TRY_LATER:
            return _BrokenError(str(error), wait=float(_number(error.response.headers.get("Retry-After")) or 0))
        return DataError(str(error))
    cause: Any = error
    while cause.__cause__ or cause.__context__:  # the libraries wrap the cause in several errors
        cause = cause.__cause__ or cause.__context__
    silent = isinstance(cause, TimeoutError) or isinstance(error, exceptions.Timeout)
    reason = f"it sent nothing for {timeout:g} s" if silent else getattr(cause, "strerror", None) or str(cause)
    # An address that is none, and redirects without end.
    return DataError(reason) if isinstance(error, ValueError | exceptions.TooManyRedirects) else _BrokenError(reason)
