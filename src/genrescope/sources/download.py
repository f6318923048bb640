"""Downloading a public data set: fetch, verify, unpack; each step goes on where an interruption stopped it.

Everything in the making lies in the folder `.genrescope` of the data set's own: archives and their partial files
until they are unpacked, and `unpacked.json`, which says what has been unpacked and makes a second run do nothing.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from genrescope import files
from genrescope.errors import DataError
from genrescope.files import writing
from genrescope.sources.fetch import USUAL, Partial, Patience, fetch, need_room
from genrescope.sources.unpack import Staged, is_archive, place, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from genrescope.sources.cards.card import Archive, Card

FORMAT = 1
WORK_FOLDER = ".genrescope"
RECORD_FILE = "unpacked.json"


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
        OutputError: the disk is too small or full, or the folder cannot be written.
    """
    folder, begun = Path(folder).absolute(), time.monotonic()
    refuse_without_archives(card, folder)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; name a folder for the data set")
    run = _Run(card, folder, keep=keep, patience=patience, on_progress=on_progress, on_note=on_note)
    missing = missing_archives(card, folder, on_note=on_note)
    need_room(folder, sum(run.bytes_to_come(archive) for archive in missing))
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
    sizes = [size for archive in card.archives for size in (run.record.files_of(archive) or {}).values()]
    kept = tuple(path for archive in card.archives if (path := run.work / archive.file).exists())
    seconds = time.monotonic() - begun
    fetched = tuple(name for name in run.unpacked if name in run.fetched)
    return Downloaded(folder, len(sizes), sum(sizes), tuple(run.unpacked), fetched, kept, tuple(failed), seconds)


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


def missing_archives(
    card: Card, folder: Path, *, on_note: Callable[[str], None] = lambda _: None
) -> tuple[Archive, ...]:
    """Return the archives of which not every file lies in the folder, as an earlier run unpacked it."""
    record = _Record(folder)
    missing = []
    for archive in card.archives:
        its = record.files_of(archive)
        gone = [name for name, size in (its or {}).items() if not _has_size(folder / name, size)]
        if gone:
            on_note(f"{len(gone)} of the {len(its or {}):,} files of {archive.file} are missing or changed ({gone[0]})")
        if its is None or gone:
            missing.append(archive)
    return tuple(missing)


class _Record:
    """What has been unpacked into a folder, for whichever card: the sizes of each archive's files, by its checksum."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / WORK_FOLDER / RECORD_FILE

    def files_of(self, archive: Archive) -> dict[str, int] | None:
        """Return the sizes of an archive's files by their names; None where it was not unpacked, or not there."""
        sizes: dict[str, int] | None = self._read().get(_key(archive))
        return sizes

    def add(self, archive: Archive, sizes: dict[str, int]) -> None:
        """Note that an archive was unpacked as a whole."""
        files.write_json(self._path, {"format": FORMAT, "archives": self._read() | {_key(archive): sizes}})

    def _read(self) -> dict[str, Any]:
        """Read the entries; a damaged record is as good as none: what lies there is compared and stays."""
        try:
            record = json.loads(files.read_text(self._path))
            entries: dict[str, Any] = record["archives"] if record["format"] == FORMAT else {}
            return {key: sizes for key, sizes in entries.items() if isinstance(sizes, dict)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


class _Run:
    """One run over a card's archives."""

    def __init__(
        self,
        card: Card,
        folder: Path,
        *,
        keep: bool,
        patience: Patience,
        on_progress: Callable[[Progress], None],
        on_note: Callable[[str], None],
    ) -> None:
        self._card, self._folder, self._keep, self._patience = card, folder, keep, patience
        self._on_progress, self._on_note = on_progress, on_note
        self.work = folder / WORK_FOLDER
        self.record = _Record(folder)
        self.fetched: set[str] = set()
        self.unpacked: list[str] = []

    def bytes_to_come(self, archive: Archive) -> int:
        """Return what is known to be still to download of an archive."""
        there = [self._folder / archive.file, self.work / archive.file, self.work / f"{archive.file}.partial"]
        return max(0, (archive.bytes or 0) - max(path.stat().st_size if path.is_file() else 0 for path in there))

    def bring(self, archive: Archive) -> None:
        """Fetch an archive if need be, verify it, unpack it, and note that."""
        with writing(self._folder):
            self.work.mkdir(parents=True, exist_ok=True)
            for left in self.work.glob("tmp*"):  # by a run that was killed while the checksum was computed
                left.unlink()
        try:
            path = self._given_by_hand(archive) or self._from_mirrors(archive)
            with self._staging() as folder:
                staged = self._staged(archive, path, folder)
                sizes = {str(name): temporary.stat().st_size for name, temporary in staged.items()}
                place(staged, self._folder)
            self.record.add(archive, sizes)
        finally:
            with contextlib.suppress(OSError):  # it holds something, as a rule
                self.work.rmdir()
        self.unpacked.append(archive.file)
        if path.parent == self.work and not self._keep:
            path.unlink()

    def _given_by_hand(self, archive: Archive) -> Path | None:
        """Return the archive if it lies in the data set's folder and is the right one."""
        import pooch

        path = self._folder / archive.file
        if not path.is_file():
            return None
        self._on_progress(Progress(archive.file, "checking", 0, None))
        algorithm, _, wanted = archive.checksum.partition(":")
        if (found := pooch.file_hash(path, alg=algorithm)) == wanted.lower():
            return path
        self._on_note(f"{path} is not used: its {algorithm} is {found}, and that of the data set's is {wanted}")
        return None

    def _from_mirrors(self, archive: Archive) -> Path:
        """Download an archive from the first mirror that has it, and return its place.

        Raises:
            DataError: none has; it names each with its reason.
        """
        reasons = []
        for url in archive.urls:
            try:
                return self._from_mirror(archive, url)
            except DataError as error:
                reasons.append(f"{url}: {error}")
                if url != archive.urls[-1]:
                    self._on_note(f"{reasons[-1]}; trying the next mirror")
        raise DataError(
            f"{archive.file} could not be downloaded: {'; '.join(reasons)}. {self._card.by_hand} "
            f"If you have {archive.file}, put it into {self._folder} and run the same again: it is used if it is right."
        )

    def _from_mirror(self, archive: Archive, url: str) -> Path:
        """Download an archive from one mirror; only when it is verified does it get its name.

        Raises:
            DataError: the mirror does not have it; the message is the reason.
        """
        partial = Partial(self.work / archive.file)
        for last in (False, True):
            try:
                path = self._verified(archive, url, partial)
            except ValueError as wrong:  # what pooch says when a checksum differs
                pieced = partial.origin is not None and partial.origin.resumed
                partial.discard()
                if last or not pieced:
                    raise DataError(f"what came is not the file: {str(wrong).partition('. Deleted')[0]}") from wrong
                self._on_note(f"{url}: put together from several tries it is not the file; once more from its start")
            else:
                partial.discard()
                return path
        raise AssertionError("the second try returns or raises")

    def _verified(self, archive: Archive, url: str, partial: Partial) -> Path:
        """Return the archive's place, if what lies there, or else what the mirror sends, has the right checksum."""
        import pooch

        def bring(_: str, temporary: str, __: object) -> None:
            fetch(
                url, partial, size=archive.bytes, patience=self._patience, on_note=self._on_note,
                on_bytes=lambda done, total: self._on_progress(Progress(archive.file, "downloading", done, total)),
            )  # fmt: skip
            self._on_progress(Progress(archive.file, "checking", partial.size, partial.size))
            self.fetched.add(archive.file)
            _lend(partial.path, Path(temporary))

        with writing(self.work), _silent(pooch.get_logger()):
            return Path(pooch.retrieve(url, archive.checksum, fname=archive.file, path=self.work, downloader=bring))

    @contextlib.contextmanager
    def _staging(self) -> Iterator[Path]:
        """Yield an empty folder, and remove it at the end; what a killed run left in it goes first."""
        folder = self.work / "unpacking"
        with writing(folder):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _staged(self, archive: Archive, path: Path, folder: Path) -> Staged:
        """Unpack an archive, or copy what is none, into temporary files, and return them by their places to be."""
        into = PurePosixPath(archive.into)
        if not is_archive(archive.file):
            with writing(folder):
                return {into / archive.file: Path(shutil.copyfile(path, folder / "0"))}

        def show(done: int, total: int) -> None:
            self._on_progress(Progress(archive.file, "unpacking", done, total))

        staged = {into / name: temporary for name, temporary in unpack(path, folder, on_bytes=show).items()}
        if any(name.parts[0] == WORK_FOLDER for name in staged):
            raise DataError(
                f"{archive.file} has members in {WORK_FOLDER}, which is genrescope's own; it is not unpacked"
            )
        return staged


def _key(archive: Archive) -> str:
    """Return what tells an archive, whatever its name, and the place it is unpacked into."""
    return f"{archive.checksum} {archive.into}".strip()


def _lend(partial: Path, temporary: Path) -> None:
    """Give the bytes a second name, so that an interruption while they are verified does not cost them."""
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(partial)
    except OSError:  # a file system without links
        partial.replace(temporary)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


@contextlib.contextmanager
def _silent(logger: Any) -> Iterator[None]:
    """Keep pooch from writing to stderr what the callbacks tell already."""
    before = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(before)


def describe(archives: Sequence[Archive]) -> tuple[int | None, tuple[str, ...]]:
    """Return the bytes of archives together, None where one is unknown, and the hosts they come from."""
    from urllib.parse import urlsplit

    sizes = [archive.bytes for archive in archives]
    known = [size for size in sizes if size is not None]
    hosts = dict.fromkeys(urlsplit(url).hostname or url for archive in archives for url in archive.urls)
    return (sum(known) if len(known) == len(sizes) else None), tuple(hosts)
