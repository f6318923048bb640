"""One file over HTTP: a broken download goes on where it stopped, and two versions of a file are never glued together.

`pooch.HTTPDownloader` makes the request and takes the bytes. pooch cannot resume: its retries begin from the start, and
`pooch.retrieve` deletes its temporary file when it fails. That is what is here. The bytes lie in `NAME.partial`, and
`NAME.partial.json` says where they came from. A request for the rest names the version it means (If-Range); an answer
of another version starts the file again. The checksum is not verified here.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope import __version__, files
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


@dataclass(frozen=True)
class Origin:
    """Where the bytes of a partial file came from.

    Attributes:
        url: the address.
        validator: the version, as the server names it: a strong ETag, or Last-Modified; empty where it gave none.
        total: bytes that the server announced; None where it announced none.
    """

    url: str
    validator: str
    total: int | None


class Partial:
    """A file in the making.

    Args:
        path: the file that is to be; the partial one lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.partial")
        self._notes = path.with_name(f"{path.name}.partial.json")
        try:
            self.origin: Origin | None = Origin(**json.loads(files.read_text(self._notes)))
        except (OSError, ValueError, TypeError):
            self.start(None)  # bytes of unknown origin cannot be gone on with

    @property
    def size(self) -> int:
        """The bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def whole(self) -> bool:
        """Whether all the bytes that were announced are there."""
        return self.origin is not None and self.origin.total == self.size > 0

    def start(self, origin: Origin | None) -> None:
        """Drop the bytes; note where those to come are from, or None to leave nothing."""
        self.origin = origin
        with writing(self.path):
            self.path.unlink(missing_ok=True)
            self._notes.unlink(missing_ok=True)
            if origin is not None:
                files.write_json(self._notes, dataclasses.asdict(origin))
                self.path.touch()


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
        partial: the file; what it holds of this address's version is kept.
        size: its bytes, where known; a server that offers another number is refused.
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
            _Try(url, partial, size, on_bytes).run(patience.timeout)
            return
        except _BrokenError as error:
            failures = 0 if partial.size > best else failures + 1
            best = max(best, partial.size)
            if failures > patience.retries:
                if not partial.size:
                    partial.start(None)
                raise DataError(str(error)) from error
            on_note(f"{url}: {error}; trying again")
            time.sleep(min(max(patience.pause * 2**failures, error.wait), LONGEST_PAUSE))


class _Try:
    """One request: the file that pooch's downloader writes into, and the hook that sees the headers before."""

    def __init__(
        self, url: str, partial: Partial, size: int | None, on_bytes: Callable[[int, int | None], None]
    ) -> None:
        self._url, self._partial, self._size, self._on_bytes = url, partial, size, on_bytes
        self._total = size
        self._done = partial.size
        self._response: Response | None = None

    def run(self, timeout: float) -> None:
        """Make the request and take what it brings."""
        import pooch
        import requests

        ended_early = False
        downloader = pooch.HTTPDownloader(
            chunk_size=CHUNK, timeout=timeout, headers=self._headers(), hooks={"response": self._begin}
        )
        try:
            downloader(self._url, self, None)
        except requests.exceptions.ChunkedEncodingError:
            ended_early = True
        except requests.RequestException as error:
            raise _fault(error, timeout) from error
        except ValueError as error:  # pooch reads the Content-Length as a number, whatever was sent
            raise DataError(f"its answer cannot be understood: {error}") from error
        finally:
            if self._response is not None:
                self._response.close()
        if ended_early or self._done < (self._total or 0):
            total = "unknown number of" if self._total is None else f"{self._total:,}"
            raise _BrokenError(f"the connection ended after {self._done:,} of the {total} bytes expected")

    def write(self, data: bytes) -> None:
        """Append bytes to the file."""
        if self._total is not None and self._done + len(data) > self._total:
            raise DataError(f"it sends more than the {self._total:,} bytes that it should have")
        with writing(self._partial.path), self._partial.path.open("ab") as file:
            file.write(data)
        self._done += len(data)
        self._on_bytes(self._done, self._total)

    def flush(self) -> None:
        """Do nothing: all that was written is in the file."""

    def _headers(self) -> dict[str, str]:
        """Return the headers of a request: for the rest of the file if its version is known, or else for all of it."""
        headers = {"User-Agent": f"genrescope/{__version__}", "Accept-Encoding": "identity"}
        origin = self._partial.origin
        if origin is None or not self._done or origin.url != self._url or not origin.validator:
            return headers
        return headers | {"Range": f"bytes={self._done}-", "If-Range": origin.validator}

    def _begin(self, response: Response, **_: object) -> None:
        """See the headers of an answer, whose bytes have not come yet, and accept a file or its rest, no other."""
        import requests

        if response.is_redirect:
            return
        self._response = response
        if response.status_code == 416 or (response.status_code == 206 and not self._agrees(response)):
            self._partial.start(None)
            raise _BrokenError("its file has changed since the download began")
        if response.status_code not in (200, 206):
            raise requests.HTTPError(f"{response.status_code} {response.reason or ''}".strip(), response=response)
        # Accept-Encoding was identity: the coding belongs to the file, which must not be unpacked on the way.
        response.raw.headers.pop("Content-Encoding", None)
        if response.status_code == 200:
            total = _number(response.headers.get("Content-Length"))
            if None not in (self._size, total) and total != self._size:
                raise DataError(f"it offers {total:,} bytes where {self._size:,} are expected: another file, or a page")
            self._partial.start(Origin(self._url, _validator(response), total))
            self._done, self._total = 0, total if total is not None else self._size
        need_room(self._partial.path.parent, (self._total or 0) - self._done)
        self._on_bytes(self._done, self._total)

    def _agrees(self, response: Response) -> bool:
        """Tell whether a partial answer is the rest of the bytes that are there."""
        origin = self._partial.origin
        content = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if origin is None or content is None or int(content[1]) != self._done:
            return False
        total = _number(content[2])
        self._total = origin.total or total or self._size
        # An answer to If-Range may leave the validator out (RFC 9110, 15.3.7).
        return total in (None, self._total) and _validator(response) in ("", origin.validator)


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


def _validator(response: Response) -> str:
    """Return what names the file's version: RFC 9110 wants a strong ETag, or else a date."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


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
