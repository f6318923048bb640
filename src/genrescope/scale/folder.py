"""The folder of a run's results, on a disk or in an object store: each file is written whole or not at all."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope import files, locks
from genrescope.errors import DataError, OutputError
from genrescope.scale import places

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Folder:
    """A folder that all machines of a cluster can reach.

    Attributes:
        place: an absolute path, or the URL of an object store.
    """

    place: str

    @classmethod
    def at(cls, place: str | Path) -> Folder:
        """Return the folder of a path or URL.

        Raises:
            DataError: the URL is that of a web server, or of a scheme that is not known.
        """
        url = places.url_of(place)
        if url is not None and not places.is_store(url):
            raise DataError(f"--out {url}: results are written to a folder, or to s3://, gs:// or abfs://")
        return cls(str(files.absolute(place)) if url is None else url.rstrip("/"))

    @property
    def is_local(self) -> bool:
        """Whether it is a path."""
        return "://" not in self.place

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None where there is none.

        Raises:
            DataError: it cannot be read.
        """
        with places.failing_as_data(f"{self.place}/{name} cannot be read"):
            try:
                if self.is_local:
                    return Path(self.place, name).read_bytes()
                filesystem, path = places.opened(f"{self.place}/{name}")
                with filesystem.open_input_stream(path) as file:
                    content: bytes = file.read()
                    return content
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file in one step: readers see all of it, or what was there before.

        Raises:
            OutputError: it cannot be written.
        """
        if self.is_local:
            with files.replacing(Path(self.place, name)) as temporary:
                temporary.write_bytes(content)
            return
        with self._remote(name) as (filesystem, path), filesystem.open_output_stream(path) as file:
            file.write(content)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there.

        Raises:
            OutputError: it may not be.
        """
        if self.is_local:
            with files.writing(Path(self.place, name)):
                Path(self.place, name).unlink(missing_ok=True)
            return
        with self._remote(name) as (filesystem, path), contextlib.suppress(FileNotFoundError):
            filesystem.delete_file(path)

    def names(self, inside: str = "") -> set[str]:
        """Return the names of what lies in it, or in a folder inside.

        Raises:
            DataError: it cannot be looked into.
        """
        with places.failing_as_data(f"{self.place} cannot be looked into"):
            try:
                if self.is_local:
                    return {path.name for path in Path(self.place, inside).iterdir()}
                from pyarrow import fs

                filesystem, path = places.opened(f"{self.place}/{inside}")
                found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
                return {each.base_name for each in found}
            except FileNotFoundError:
                return set()

    @contextlib.contextmanager
    def held(self, *, by: str) -> Iterator[None]:
        """Hold a path against a second run. An object store has no locks: two runs there do the same work twice.

        Raises:
            OutputError: another run holds it.
        """
        if not self.is_local:
            yield
            return
        with locks.folder(self.place, by=by):
            yield

    @contextlib.contextmanager
    def _remote(self, name: str) -> Iterator[tuple[Any, str]]:
        try:
            yield places.opened(f"{self.place}/{name}")
        except Exception as error:  # those of filesystems are of several kinds
            told = f"cannot write {self.place}/{name}: {places.in_one_line(error)}"
            raise OutputError(
                f"{told}. What was finished before is kept; check your access, and run the same command again"
            ) from error
