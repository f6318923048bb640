"""Where songs and results lie: disks, object stores through pyarrow's filesystems, and web servers to read from.

Credentials, regions and end points are found as pyarrow finds them: in the environment, in files of the cloud's own
tools, or from the machine's role. None is ever written down here.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

from genrescope.errors import DataError, GenrescopeError

STORES = ("s3", "gs", "abfs", "abfss")
"""Object stores, by the schemes of their URLs."""

WEB = ("http", "https")
"""What can be read only."""

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(?=[^/])(.*)", re.DOTALL)  # a `Path` has one slash of the two
_DENIED = re.compile("ACCESS_DENIED|PERMISSION_DENIED|HTTP status 403", re.IGNORECASE)
_CONNECT, _READ = 10.0, 60.0  # seconds
_TRIES = 5  # of a request


class FetchError(GenrescopeError):
    """A file that could not be fetched.

    Attributes:
        passing: whether another try, later, may do: a time-out or a server in trouble, but no missing file.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


def url_of(place: str | os.PathLike[str]) -> str | None:
    """Return a URL as it was typed, even where it went through a `Path`; None for a path.

    Raises:
        DataError: a scheme that is not known.

    Example:
        >>> url_of(Path("s3://music/a.mp3")), url_of("/music/a.mp3")
        ('s3://music/a.mp3', None)
    """
    text = os.fspath(place)
    found = _URL.fullmatch(text)
    if found is None or Path(text).exists():
        return None
    scheme, rest = found.groups()
    if scheme not in STORES + WEB:
        accepted = ", ".join(f"{each}://" for each in STORES + WEB)
        raise DataError(f"{scheme}://{rest}: accepted are paths, and URLs that begin with {accepted}")
    return f"{scheme}://{rest}"


def is_store(url: str) -> bool:
    """Whether a URL is that of an object store, which can be listed and written."""
    return url.partition("://")[0] in STORES


def opened(url: str) -> tuple[Any, str]:
    """Return the pyarrow filesystem of an object store's URL, and the path of what it names there.

    Raises:
        DataError: the store cannot be reached, or pyarrow lacks its filesystem.
    """
    scheme, _, path = url.partition("://")
    bucket, _, _ = path.partition("/")
    return _filesystem(scheme, bucket), path.rstrip("/")


@functools.cache
def _filesystem(scheme: str, bucket: str) -> Any:
    import pyarrow as pa
    from pyarrow import fs

    try:
        return _s3(bucket) if scheme == "s3" else fs.FileSystem.from_uri(f"{scheme}://{bucket}")[0]
    except (OSError, AttributeError, pa.ArrowException) as error:
        raise DataError(f"{scheme}://{bucket} cannot be reached: {error}. Check its name, region and access") from error


def _s3(bucket: str) -> Any:
    from pyarrow import fs

    where: dict[str, str] = {}
    if end_point := os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):  # MinIO, Ceph, R2
        scheme, _, host = end_point.rpartition("://")
        where = {"endpoint_override": host.rstrip("/"), "scheme": scheme or "https"}
    elif not any(map(os.environ.get, ("AWS_REGION", "AWS_DEFAULT_REGION"))):
        where = {"region": fs.resolve_s3_region(bucket)}
    retry = fs.AwsStandardS3RetryStrategy(max_attempts=_TRIES)
    return fs.S3FileSystem(connect_timeout=_CONNECT, request_timeout=_READ, retry_strategy=retry, **where)


def fetch(url: str, to: Path) -> None:
    """Copy what a URL names into a local file; both ways try several times.

    Raises:
        FetchError: it is not there, or cannot be fetched.
    """
    if is_store(url):
        _from_store(url, to)
    else:
        _from_web(url, to)


def _from_store(url: str, to: Path) -> None:
    import shutil

    filesystem, path = opened(url)
    try:
        with filesystem.open_input_stream(path) as source, to.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except FileNotFoundError:
        raise FetchError("no such file", passing=False) from None
    except OSError as error:
        reason = re.sub(r"\s+", " ", str(error))
        raise FetchError(f"not fetched: {reason}", passing=not _DENIED.search(reason)) from error


def _from_web(url: str, to: Path) -> None:
    """Follows redirects; tries again where a server is in trouble."""
    import time

    for left in reversed(range(_TRIES)):
        try:
            _download(url, to)
        except FetchError as error:
            if not error.passing or not left:
                raise
            time.sleep(0.2 * 2 ** (_TRIES - left))
        else:
            return


def _download(url: str, to: Path) -> None:
    import requests

    try:
        with requests.get(url, stream=True, timeout=(_CONNECT, _READ)) as answer, to.open("wb") as target:
            if answer.status_code in (404, 410):
                raise FetchError("no such file", passing=False)
            answer.raise_for_status()
            for piece in answer.iter_content(1 << 20):
                target.write(piece)
    except requests.HTTPError as error:
        code = error.response.status_code
        raise FetchError(f"not fetched: HTTP status {code}", passing=code in (408, 429) or code >= 500) from error
    except requests.RequestException as error:
        raise FetchError(f"not fetched: {type(error).__name__}", passing=True) from error
