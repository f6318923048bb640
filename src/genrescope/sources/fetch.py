"""One file over HTTP: a broken download goes on where it stopped, and two versions of a file are never glued together.

The bytes lie in `NAME.partial`, and beside it `NAME.partial.json` says where they came from. A request to go on names
the version it means (If-Range); an answer that belongs to another version starts the file again. Whether the whole is
right is for the checksum to say: what comes from here has not been verified.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import re
import shutil
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from genrescope import __version__, files
from genrescope.errors import DataError, OutputError
from genrescope.files import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from requests import Response

CHUNK = 1 << 16
TRY_LATER = (408, 425, 429, 500, 502, 503, 504)
"""Answers that another try may better."""

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


@dataclass(frozen=True)
class Origin:
    """Where the bytes of a partial file came from.

    Attributes:
        url: the address.
        validator: the version, as the server names it: a strong ETag, or Last-Modified; empty where it gave none.
        total: the length that the server announced; None where it announced none.
        resumed: whether the file was put together from several answers.
    """

    url: str
    validator: str
    total: int | None
    resumed: bool = False


class Partial:
    """A file in the making.

    Args:
        path: the file that is to be; the partial one lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.partial")
        self._notes = path.with_name(f"{path.name}.partial.json")
        self.origin = self._read()
        if self.origin is None:
            self.discard()  # bytes of unknown origin cannot be gone on with

    @property
    def size(self) -> int:
        """The bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def whole(self) -> bool:
        """Whether all the bytes that were announced are there."""
        return self.origin is not None and self.origin.total == self.size

    def note(self, origin: Origin) -> None:
        """Note where the bytes to come are from.

        Raises:
            OutputError: the disk is full, say.
        """
        files.write_json(self._notes, dataclasses.asdict(origin))
        self.origin = origin

    def discard(self) -> None:
        """Remove the bytes and what is known of them."""
        self.origin = None
        with writing(self.path):
            self.path.unlink(missing_ok=True)
            self._notes.unlink(missing_ok=True)

    def _read(self) -> Origin | None:
        try:
            return Origin(**json.loads(files.read_text(self._notes)))
        except (OSError, ValueError, TypeError):
            return None


class _BrokenError(Exception):
    """A try that failed in a way that another try may better."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def fetch(
    url: str,
    partial: Partial,
    *,
    size: int | None = None,
    patience: Patience = USUAL,
    on_bytes: Callable[[int, int | None], None] = lambda done, total: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> None:
    """Bring a partial file to its whole length, from as many answers as it takes.

    Args:
        url: an HTTP or HTTPS address.
        partial: the file; what it holds already is gone on from where the server allows it.
        size: its length, where that is known for sure; a server that offers another one is refused.
        patience: when to give up.
        on_bytes: called with the bytes so far and the bytes in all, if known.
        on_note: called with what went wrong and was bettered.

    Raises:
        DataError: the server does not have the file, or too many tries brought nothing new; its message is the reason.
        OutputError: the bytes cannot be written. What came before is kept.
    """
    best, failures = partial.size, 0
    while not partial.whole:
        try:
            _one_try(url, partial, size, patience=patience, on_bytes=on_bytes, on_note=on_note)
            return
        except _BrokenError as error:
            failures = 0 if partial.size > best else failures + 1
            best = max(best, partial.size)
            if failures > patience.retries:
                if not partial.size:
                    partial.discard()
                raise DataError(str(error)) from error
            on_note(f"{url}: {error}; trying again")
            time.sleep(min(max(patience.pause * 2**failures, error.wait), LONGEST_PAUSE))


def need_room(folder: Path, size: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        OutputError: fewer than `size` bytes are free where `folder` is or will be.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    with writing(folder):
        free = shutil.disk_usage(there).free
    if size > free:
        raise OutputError(
            f"{folder}: {size_text(size)} more are needed and {size_text(free)} are free. Free some space, or choose "
            "another folder; what was downloaded before is kept."
        )


def write_all(file: IO[bytes], data: bytes, name: Path) -> None:
    """Write bytes to an unbuffered file, which may take them in pieces.

    Raises:
        OutputError: the disk is full, say; it names `name`.
    """
    rest = memoryview(data)
    with writing(name):
        while rest:
            rest = rest[file.write(rest) :]


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


def _one_try(
    url: str,
    partial: Partial,
    size: int | None,
    *,
    patience: Patience,
    on_bytes: Callable[[int, int | None], None],
    on_note: Callable[[str], None],
) -> None:
    """Make one request and take what it brings."""
    with _answer(url, _headers(url, partial), patience) as response:
        if response.status_code == 416:
            _settle(response, url, partial, on_note)
            return
        _refuse_status(response)
        rest = response.status_code == 206
        total = _range_of(response)[1] if rest else _number(response.headers.get("Content-Length"))
        if size is not None and total not in (None, size):
            raise DataError(f"it offers {total:,} bytes where {size:,} are expected: another file, or a page about it")
        if rest:
            _go_on(response, url, partial, total, on_note)
        else:
            if partial.size:
                on_note(f"{url}: it cannot go on in the middle, or its file has changed; starting again")
            partial.discard()
            partial.note(Origin(url, _validator(response), total))
        need_room(partial.path.parent, (total or size or 0) - partial.size)
        _receive(response, partial, total if total is not None else size, patience, on_bytes)


def _headers(url: str, partial: Partial) -> dict[str, str]:
    """Return the headers of a request: for the rest of the file if its version can be told, or else for all of it."""
    headers = {"User-Agent": f"genrescope/{__version__}", "Accept-Encoding": "identity"}
    origin = partial.origin
    if origin is None or not partial.size:
        return headers
    if origin.url == url and origin.validator:
        return headers | {"Range": f"bytes={partial.size}-", "If-Range": origin.validator}
    if origin.total is not None:  # another mirror, or a server that names no versions: equal lengths must do
        return headers | {"Range": f"bytes={partial.size}-"}
    return headers


def _go_on(response: Response, url: str, partial: Partial, total: int | None, on_note: Callable[[str], None]) -> None:
    """Take an answer that begins in the middle, if it is the rest of what is there."""
    origin = partial.origin
    first, version = _range_of(response)[0], _validator(response)
    if origin is None or first != partial.size:
        partial.discard()
        raise _BrokenError("it sent another part of the file than was asked for")
    same_source = origin.url == url and bool(origin.validator)
    if same_source and version and version != origin.validator:
        partial.discard()
        raise _BrokenError("its file has changed since the download began")
    if total != origin.total:
        if not same_source:
            partial.discard()
            raise _BrokenError(f"its file has {total} bytes; the one begun with had {origin.total}")
        on_note(f"{url}: it announced {origin.total} bytes, and now {total}")
    partial.note(Origin(url, version, total, resumed=True))


def _settle(response: Response, url: str, partial: Partial, on_note: Callable[[str], None]) -> None:
    """Take the answer that there is nothing after what is there: the file is whole, or not the one begun with."""
    total = _range_of(response)[1]
    if partial.origin is None or total != partial.size:
        partial.discard()
        raise _BrokenError("its file is shorter than what came before")
    if partial.origin.total != total:
        on_note(f"{url}: it announced {partial.origin.total} bytes, but has {total}")
    partial.note(dataclasses.replace(partial.origin, total=total, resumed=True))


def _receive(
    response: Response,
    partial: Partial,
    total: int | None,
    patience: Patience,
    on_bytes: Callable[[int, int | None], None],
) -> None:
    """Append an answer's bytes to the file."""
    done = partial.size
    on_bytes(done, total)
    with writing(partial.path):
        file = partial.path.open("ab", buffering=0)  # what came is on disk even if the next moment is a kill
    with file:
        for chunk in _chunks(response, patience):
            done += len(chunk)
            if total is not None and done > total:
                raise DataError(f"it sends more than the {total:,} bytes that it should have")
            write_all(file, chunk, partial.path)
            on_bytes(done, total)
    if total is not None and done < total:
        source = "it announced" if partial.origin is not None and partial.origin.total is not None else "are expected"
        raise _BrokenError(f"the connection ended after {done:,} of the {total:,} bytes that {source}")


def _chunks(response: Response, patience: Patience) -> Iterator[bytes]:
    """Yield an answer's bytes as they were sent, as soon as they come."""
    from urllib3.exceptions import HTTPError

    # A file that is compressed must not be unpacked on the way, so the bytes are taken below requests.
    raw: Any = response.raw
    raw.enforce_content_length = False  # who calls counts the bytes, and keeps those of a short answer
    read = getattr(raw, "read1", raw.read)  # the former since urllib3 2: it does not wait for a whole chunk
    while True:
        try:
            chunk: bytes = read(CHUNK, decode_content=False)
        except (HTTPError, http.client.HTTPException, OSError) as error:
            raise _BrokenError(_reason(error, patience)) from error
        if not chunk:
            return
        yield chunk


@contextlib.contextmanager
def _answer(url: str, headers: dict[str, str], patience: Patience) -> Iterator[Response]:
    """Yield the answer to a request, of which only the headers have come."""
    import requests

    timeout = (patience.timeout, patience.timeout)
    hopeless = (requests.TooManyRedirects, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
    try:
        response = requests.get(url, headers=headers, timeout=timeout, stream=True)
    except (*hopeless, requests.exceptions.MissingSchema) as error:
        raise DataError(_reason(error, patience)) from error
    except requests.RequestException as error:
        raise _BrokenError(_reason(error, patience)) from error
    with response:
        yield response


def _refuse_status(response: Response) -> None:
    """Accept an answer with a file in it, and no other."""
    if response.status_code in (200, 206):
        return
    reason = f"{response.status_code} {response.reason or ''}".strip()
    if response.status_code in TRY_LATER:
        raise _BrokenError(reason, wait=float(_number(response.headers.get("Retry-After")) or 0))
    raise DataError(reason)


def _validator(response: Response) -> str:
    """Return what names the file's version: RFC 9110 wants a strong ETag, or else a date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _range_of(response: Response) -> tuple[int | None, int | None]:
    """Return the first byte's place and the whole length that a Content-Range tells."""
    told = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    return (_number(told[1]), _number(told[2])) if told else (None, None)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _reason(error: BaseException, patience: Patience) -> str:
    """Say in a few words why a request failed; the libraries wrap the cause, which tells it, in several errors."""
    import requests
    from urllib3.exceptions import ReadTimeoutError

    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {patience.timeout:g} s"
    if isinstance(error, requests.ReadTimeout | ReadTimeoutError | TimeoutError):
        return f"it sent nothing for {patience.timeout:g} s"
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
