"""Files that clients send, as multipart/form-data: written to disk as they come, within limits."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from genrescope.serve.faults import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from starlette.requests import Request

    from genrescope.serve.settings import Limits

_PIECE = 1 << 20  # bytes that are written at a time
_HEADERS = 8 << 10  # bytes of the headers of a part
_NAME = 255  # letters of a name
_OVERHEAD = 1 << 20  # bytes of a body that are no file


@dataclass(frozen=True)
class Upload:
    """A file that a client sent.

    Attributes:
        name: as the client calls it, without folders.
        path: where it lies.
    """

    name: str
    path: Path


@dataclass
class Room:
    """The place on the disk that all requests share.

    Attributes:
        folder: of the uploads.
        most: bytes that they may have together.
        held: bytes that they have.
    """

    folder: Path
    most: int
    held: int = 0

    def take(self, size: int) -> None:
        """Count bytes that are to be written.

        Raises:
            Refused: there is no room for them.
        """
        if self.held + size > self.most:
            raise _no_room()
        self.held += size


class Uploads:
    """The files of one request, in a folder of their own that goes with it.

    Args:
        request: of the client.
        room: where the folder is made.
        limits: what is accepted.
        field: the name of the form's field.
        most: files that are accepted.
    """

    def __init__(self, request: Request, room: Room, limits: Limits, *, field: str = "files", most: int = 1) -> None:
        self._request, self._room, self._limits, self._field, self._most = request, room, limits, field, most
        self._folder: Path | None = None
        self._size = 0

    async def __aenter__(self) -> list[Upload]:
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await self._received()
        except TimeoutError:
            await self._remove()
            raise Refused(408, f"the request took longer than {self._limits.body_seconds:.0f} s to arrive") from None
        except BaseException:
            await self._remove()
            raise

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self._remove()

    async def _remove(self) -> None:
        if self._folder is not None:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True))
        self._room.held -= self._size
        self._size = 0

    async def _received(self) -> list[Upload]:
        boundary = _boundary(self._request)
        self._check_stated()
        try:
            self._folder = Path(tempfile.mkdtemp(dir=self._room.folder))
            form = _Form(boundary, self._folder, self._limits, field=self._field, most=self._most)
            with contextlib.closing(form):
                async for piece in _joined(self._request.stream(), self._limits.body_bytes + _OVERHEAD):
                    self._room.take(len(piece))
                    self._size += len(piece)
                    await asyncio.to_thread(form.write, piece)
                return form.files()
        except MultipartParseError as error:
            raise Refused(400, f"the body is no multipart/form-data: {error}") from error
        except OSError as error:
            raise _no_room() from error

    def _check_stated(self) -> None:
        stated = self._request.headers.get("content-length", "")
        if stated.isdecimal() and int(stated) > self._limits.body_bytes + _OVERHEAD:
            raise _too_large("the request", self._limits.body_bytes)


def _no_room() -> Refused:
    return Refused(503, "the service has no room for the file now", retry_after=30)


def _too_large(what: str, most: int) -> Refused:
    return Refused(413, f"{what} is larger than {most / 1e6:,.0f} MB, the most that is accepted")


async def _joined(pieces: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """Yield a body in larger pieces, and refuse it once it is too large, whatever its headers state."""
    held, seen = bytearray(), 0
    async for piece in pieces:
        seen += len(piece)
        if seen > most:
            raise _too_large("the request", most - _OVERHEAD)
        held += piece
        if len(held) >= _PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise Refused(415, "accepted is multipart/form-data, as curl -F files=@song.mp3 sends it")
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 200:
        raise Refused(400, "the header content-type names no boundary for multipart/form-data")
    return boundary


class _Form:
    """Takes a body in pieces, and writes its files."""

    def __init__(self, boundary: bytes, folder: Path, limits: Limits, *, field: str, most: int) -> None:
        self._folder, self._limits, self._field, self._most = folder, limits, field, most
        self._files: list[Upload] = []
        self._open: BinaryIO | None = None
        self._size, self._header_size, self._ended = 0, 0, False
        self._name, self._value, self._headers = b"", b"", dict[bytes, bytes]()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin, "on_header_field": self._header_name,
                "on_header_value": self._header_value, "on_header_end": self._header_end,
                "on_headers_finished": self._start, "on_part_data": self._data, "on_part_end": self._finish,
                "on_end": self._end,
            },
        )  # fmt: skip

    def write(self, piece: bytes) -> None:
        self._parser.write(piece)

    def files(self) -> list[Upload]:
        """Return the files of a body that has come to its end."""
        if not self._ended:
            raise Refused(400, "the body ended in the middle of a file")
        if not self._files:
            raise Refused(400, f'no file came; send one in the field "{self._field}"')
        return self._files

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def _begin(self) -> None:
        self._headers, self._header_size = {}, 0

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._count_header(end - start)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._count_header(end - start)

    def _count_header(self, size: int) -> None:
        self._header_size += size
        if self._header_size > _HEADERS:
            raise Refused(400, f"the headers of a file are longer than {_HEADERS:,} bytes")

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _start(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if kind != b"form-data" or field != self._field:
            raise Refused(400, f'a field "{field[:_NAME]}"; accepted is "{self._field}", which holds a file')
        if len(self._files) == self._most:
            raise Refused(400, f"more than {self._most} {'file' if self._most == 1 else 'files'} in a request")
        place = len(self._files) + 1
        self._files.append(Upload(_name(options.get(b"filename", b""), place), self._folder / str(place)))
        self._open, self._size = self._files[-1].path.open("xb"), 0

    def _data(self, data: bytes, start: int, end: int) -> None:
        assert self._open is not None
        self._size += end - start
        if self._size > self._limits.file_bytes:
            raise _too_large(self._files[-1].name, self._limits.file_bytes)
        self._open.write(memoryview(data)[start:end])

    def _finish(self) -> None:
        self.close()

    def _end(self) -> None:
        self._ended = True


def _name(given: bytes, place: int) -> str:
    """Return a file's name without folders: it is shown only, never opened."""
    text = given.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return shown[:_NAME].strip() or f"file {place}"
