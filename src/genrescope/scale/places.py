"""Where songs and results lie: disks, object stores through pyarrow's filesystems, and what can be read only.

That is web servers, and whatever fsspec has a filesystem for: ftp, sftp, hdfs, and all that other packages bring.

Credentials, regions and end points are found as pyarrow finds them: in the environment, in files of the cloud's own
tools, or from the machine's role. None is ever written down here.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError, GenrescopeError

if TYPE_CHECKING:
    from collections.abc import Iterator

STORES = ("s3", "gs", "abfs", "abfss")
"""Object stores, by the schemes of their URLs."""

WEB = ("http", "https")
"""What can be read, but not listed."""

_DISKS = ("file", "local")
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(?=[^/])(.*)", re.DOTALL)  # a `Path` has one slash of the two
_DENIED = re.compile("ACCESS_DENIED|PERMISSION_DENIED|HTTP status 403", re.IGNORECASE)
_CONNECT, _READ = 5.0, 60.0  # seconds
_TRIES = 5  # of a request
_LONGEST = 300  # letters of a reason
_PATIENCE = timedelta(seconds=15)  # of all tries, where they cannot be counted


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
    if scheme not in STORES + WEB + _others():
        accepted = ", ".join(f"{each}://" for each in STORES + WEB)
        raise DataError(f"{scheme}://{rest}: accepted are paths, and URLs that begin with {accepted}, or as fsspec has")
    return f"{scheme}://{rest}"


@functools.cache
def _others() -> tuple[str, ...]:
    """Return the schemes that fsspec knows, if it is installed."""
    try:
        from fsspec import available_protocols
    except ImportError:
        return ()
    return tuple(each for each in available_protocols() if each not in _DISKS)


def is_store(url: str) -> bool:
    """Whether a URL is that of an object store, which can be written."""
    return url.partition("://")[0] in STORES


def is_web(url: str) -> bool:
    """Whether a URL is that of a web server, which cannot be listed."""
    return url.partition("://")[0] in WEB


def opened(url: str) -> tuple[Any, str]:
    """Return the pyarrow filesystem of a URL, and the path of what it names there.

    Raises:
        DataError: it cannot be reached, or a package for it is not installed.
    """
    scheme, _, path = url.partition("://")
    bucket, _, _ = path.partition("/")
    with failing_as_data(f"{scheme}://{bucket} cannot be reached"):
        if scheme not in STORES:
            return _of_fsspec(url)
        filesystem, root = _filesystem(scheme, bucket)
        return filesystem, (root + path.removeprefix(bucket)).rstrip("/")


@contextlib.contextmanager
def failing_as_data(what: str) -> Iterator[None]:
    """Raise all errors of filesystems as one of ours; those of fsspec are of any kind.

    Raises:
        DataError: there was one; it begins with `what`.
    """
    try:
        yield
    except GenrescopeError:
        raise
    except Exception as error:
        raise DataError(f"{what}: {in_one_line(error)}. Check the name, the region and your access") from error


def in_one_line(error: Exception) -> str:
    r"""Return what an error says without the lines and the pointers to its makers' logs.

    Example:
        >>> in_one_line(OSError("no access\n  to it"))
        'no access to it'
    """
    line = re.sub(r"\s+", " ", str(error)).partition(" See Azure::Core")[0].rstrip(". ") or type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def _of_fsspec(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs
    from pyarrow import fs

    filesystem, path = url_to_fs(url)  # one for each thread: few of them may be shared
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path


@functools.cache
def _filesystem(scheme: str, bucket: str) -> tuple[Any, str]:
    """Return the filesystem of a bucket, and how paths in it begin."""
    from pyarrow import fs

    if scheme == "s3":
        return _s3(bucket), bucket
    if scheme == "gs":
        return _gs(), bucket
    filesystem, root = fs.FileSystem.from_uri(f"{scheme}://{bucket}")
    return filesystem, str(root)


def _gs() -> Any:
    from pyarrow import fs

    scheme, _, host = os.environ.get("STORAGE_EMULATOR_HOST", "").rpartition("://")
    where = {"endpoint_override": host, "scheme": scheme or "http", "anonymous": True} if host else {}
    return fs.GcsFileSystem(retry_time_limit=_PATIENCE, **where)


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
    if is_web(url):
        _from_web(url, to)
    else:
        _from_store(url, to)


def _from_store(url: str, to: Path) -> None:
    import shutil

    try:
        filesystem, path = opened(url)
        with filesystem.open_input_stream(path) as source, to.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except FileNotFoundError:
        raise FetchError("no such file", passing=False) from None
    except Exception as error:  # those of fsspec are of any kind, and one song never stops a run
        reason = in_one_line(error)
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
