"""Downloading a public data set: fetch, verify, unpack; each step goes on where an interruption stopped it.

Everything in the making lies in the folder `.genrescope` of the data set's own: archives and their partial files
until they are unpacked, and the record of what has been unpacked (see record.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from genrescope import locks
from genrescope.errors import DataError
from genrescope.files import writing
from genrescope.sources.download.archive import Staged, is_archive, place, unpack
from genrescope.sources.download.fetch import USUAL, Patience, fetch
from genrescope.sources.download.record import WORK_FOLDER, add_to_record, key, missing_archives, read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.sources.cards.card import Archive, Card


@dataclass(frozen=True)
class Progress:
    """Where a download stands.

    Attributes:
        archive: the file.
        step: `downloading`, `checking` or `unpacking`.
        done: bytes fetched or written, those of earlier runs included.
        total: bytes in all; None where unknown.
    """

    archive: str
    step: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Downloaded:
    """What a run of `download` did.

    Attributes:
        folder: the data set's folder.
        files: files of the data set that are there now.
        bytes: their sizes together.
        unpacked: archives unpacked in this run; none when all was there already.
        fetched: those of them that were downloaded in this run.
        kept: archives that were not removed after they were unpacked.
        failed: archives that could not be had, each with the reason.
        seconds: how long the run took.
    """

    folder: Path
    files: int
    bytes: int
    unpacked: tuple[str, ...]
    fetched: tuple[str, ...]
    kept: tuple[Path, ...]
    failed: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def there_already(self) -> bool:
        """Whether there was nothing to do."""
        return not self.unpacked and not self.failed


def download(
    card: Card,
    folder: str | Path,
    *,
    keep: bool = False,
    patience: Patience = USUAL,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Downloaded:
    """Fetch, verify and unpack a data set, or what is missing of it.

    Nothing is unpacked before its checksum is right, and no file that is there already is overwritten. An archive that
    lies in `folder` under its own name, downloaded by hand, is used and left there.

    Args:
        card: the data set.
        folder: its folder; made if need be.
        keep: keep the archives in the folder `.genrescope` after they are unpacked.
        patience: when a mirror is given up.
        on_progress: called as bytes come, and as they are unpacked.
        on_note: called with what went wrong and was bettered.

    Returns:
        What is there now. Archives that could not be had are named in it, if others could.

    Raises:
        DataError: the card names no archive, or none could be had; each mirror is named with its reason.
        OutputError: the disk is too small or full, or the folder cannot be written, or another run is at it.
    """
    folder, begun = Path(folder).absolute(), time.monotonic()
    refuse_without_archives(card, folder)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; name a folder for the data set")
    with writing(folder):
        folder.mkdir(
            parents=True, exist_ok=True
        )  # it stays, also where nothing could be had: archives may be put there
    with locks.folder(folder, by="datasets download"):
        run = _Run(card, folder, keep, patience, on_progress, on_note)
        missing = missing_archives(card, folder, on_note=on_note)
        failed = []
        for archive in missing:
            try:
                run.bring(archive)
            except DataError as error:
                if len(card.archives) == 1:
                    raise
                failed.append((archive.file, str(error)))
        if len(failed) == len(card.archives):
            raise DataError(f"none of the {len(failed)} archives could be had; {failed[0][1]}")
    record = read_record(folder)
    sizes = [size for archive in card.archives for size in record.get(key(archive), {}).values()]
    kept = tuple(path for archive in card.archives if (path := run.work / archive.file).exists())
    seconds = time.monotonic() - begun
    done = (tuple(run.unpacked), tuple(run.fetched))
    return Downloaded(folder, len(sizes), sum(sizes), *done, kept, tuple(failed), seconds)


def refuse_without_archives(card: Card, folder: Path) -> None:
    """Refuse a card that names nothing to download.

    Raises:
        DataError: it says how to get the data set instead.
    """
    if card.archives:
        return
    if card.source.startswith("genrescope "):  # a command of ours makes it
        raise DataError(f"{card.name} is not downloaded but made: {card.source.replace('DIR', str(folder))}")
    raise DataError(f"{card.name} cannot be downloaded by a program. Get it so: {card.source} {card.by_hand}".rstrip())


@dataclass
class _Run:
    """One run over a card's archives; `fetched` and `unpacked` name those that were."""

    card: Card
    folder: Path
    keep: bool
    patience: Patience
    on_progress: Callable[[Progress], None]
    on_note: Callable[[str], None]
    fetched: list[str] = field(default_factory=list)
    unpacked: list[str] = field(default_factory=list)

    @property
    def work(self) -> Path:
        """The folder of what is in the making."""
        return self.folder / WORK_FOLDER

    def bring(self, archive: Archive) -> None:
        """Fetch an archive if need be, verify it, unpack it, and note that."""
        with writing(self.folder):
            self.work.mkdir(parents=True, exist_ok=True)
        try:
            path = self._at_hand(archive) or self._from_mirrors(archive)
            sizes = self._unpack(archive, path)
        finally:
            with contextlib.suppress(OSError):  # it holds something, as a rule
                self.work.rmdir()
        add_to_record(self.folder, archive, sizes)
        self.unpacked.append(archive.file)
        if path.parent == self.work and not self.keep:
            path.unlink()

    def _places(self, archive: Archive) -> tuple[Path, Path]:
        """Return where an archive may lie: put there by hand, or kept by an earlier run."""
        return self.folder / archive.file, self.work / archive.file

    def _partial(self, archive: Archive) -> Path:
        return self.work / f"{archive.file}.partial"

    def _at_hand(self, archive: Archive) -> Path | None:
        for path in self._places(archive):
            if path.is_file():
                if (fault := self._checksum_fault(archive, path)) is None:
                    return path
                self.on_note(f"{path} is not used: {fault}")
        return None

    def _checksum_fault(self, archive: Archive, path: Path) -> str | None:
        size = path.stat().st_size
        self.on_progress(Progress(archive.file, "checking", size, size))
        algorithm, _, expected = archive.checksum.partition(":")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        return None if found == expected.lower() else f"its {algorithm} is {found}, and the data set's is {expected}"

    def _from_mirrors(self, archive: Archive) -> Path:
        """Download an archive from the first mirror that has it, and return its place."""
        reasons = []
        for url in archive.urls:
            try:
                return self._from_mirror(archive, url)
            except DataError as error:
                reasons.append(f"{url}: {error}")
                if url != archive.urls[-1]:
                    self.on_note(f"{reasons[-1]}; trying the next mirror")
        raise DataError(
            f"{archive.file} could not be downloaded: {'; '.join(reasons)}. {self.card.by_hand} "
            f"If you have {archive.file}, put it into {self.folder} and run the same again: it is used if it is right."
        )

    def _from_mirror(self, archive: Archive, url: str) -> Path:
        """Download an archive from one mirror; only when it is verified does it get its name."""

        def show(done: int, total: int | None) -> None:
            self.on_progress(Progress(archive.file, "downloading", done, total))

        path = self.work / archive.file
        partial = self._partial(archive)
        for resumed in (True, False) if partial.exists() else (False,):
            fetch(url, partial, size=archive.bytes, patience=self.patience, on_bytes=show, on_note=self.on_note)
            if (fault := self._checksum_fault(archive, partial)) is None:
                break
            partial.unlink()
            if not resumed:
                raise DataError(f"what came is not the file: {fault}")
            self.on_note(f"{archive.file}: {fault}; what came before does not belong to it, so it is begun again")
        with writing(path):
            partial.replace(path)
        self.fetched.append(archive.file)
        return path

    def _unpack(self, archive: Archive, path: Path) -> dict[str, int]:
        """Unpack an archive, or copy what is none, into the data set's folder, and return the files' sizes by name."""
        staging = self.work / "unpacking"
        try:
            with writing(staging):
                shutil.rmtree(staging, ignore_errors=True)  # what a killed run left
                staging.mkdir()
            staged = self._staged(archive, path, staging)
            sizes = {str(name): temporary.stat().st_size for name, temporary in staged.items()}
            place(staged, self.folder)
            return sizes
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _staged(self, archive: Archive, path: Path, staging: Path) -> Staged:
        """Return the temporary files of an archive by their places to be."""
        into = PurePosixPath(archive.into)
        if not is_archive(archive.file):
            with writing(staging):
                return {into / archive.file: Path(shutil.copyfile(path, staging / "0"))}

        def show(done: int, total: int) -> None:
            self.on_progress(Progress(archive.file, "unpacking", done, total))

        staged = {into / name: temporary for name, temporary in unpack(path, staging, on_bytes=show).items()}
        if any(name.parts[:1] == (WORK_FOLDER,) for name in staged):
            raise DataError(f"{archive.file} has members in {WORK_FOLDER}, genrescope's own folder; it is not unpacked")
        return staged


def describe(archives: Sequence[Archive]) -> tuple[int | None, tuple[str, ...]]:
    """Return the bytes of archives together, None where one is unknown, and the hosts they come from."""
    from urllib.parse import urlsplit

    sizes = [archive.bytes for archive in archives]
    known = [size for size in sizes if size is not None]
    hosts = dict.fromkeys(urlsplit(url).hostname or url for archive in archives for url in archive.urls)
    return (sum(known) if len(known) == len(sizes) else None), tuple(hosts)
