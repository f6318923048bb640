"""Scanning: a library learns what is new, changed, moved or gone, and a model classifies only what it has not yet."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from genrescope.errors import DataError, reason_of
from genrescope.files import absolute
from genrescope.inference.prediction import Prediction
from genrescope.inference.songs import find_songs
from genrescope.library import predictions
from genrescope.library.recognise import recognise
from genrescope.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from genrescope.audio import Walk
    from genrescope.inference.classifier import Classifier
    from genrescope.library.database import Library
    from genrescope.library.recognise import Recognised
    from genrescope.library.rows import StoredModel


@dataclass
class Scanned:
    """What a scan found and did.

    Attributes:
        files: how many there are.
        found: how many of them were `new`, `moved`, `retagged`, `changed`, a `copy` of a known sound, `unchanged` or
            `unreadable`.
        classified: songs with a new prediction.
        failed: files that could not be used, each with its reason.
        failed_before: how many failed in an earlier scan and have not changed since.
        missing: songs whose file vanished since the last scan.
        forgotten: missing songs that were deleted from the library.
    """

    files: int = 0
    found: Counter[str] = field(default_factory=Counter)
    classified: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)
    failed_before: int = 0
    missing: int = 0
    forgotten: int = 0


class Scan:
    """One scan of folders and files. It can be stopped at any moment, and the next one goes on.

    Args:
        library: which the caller has locked.
        classifier: the model.
        name: what the user calls the model.
        jobs: processes that decode, as `Classifier.predict_many` takes them.
        retry: whether files that failed before are tried again though they have not changed.
        on_step: called after each file with the number of files done, from more than one thread; the item is a failed
            file and its reason, or None.
    """

    def __init__(
        self,
        library: Library,
        classifier: Classifier,
        *,
        name: str,
        jobs: int | None = None,
        retry: bool = False,
        on_step: Callable[[Progress[tuple[Path, str]]], None] = lambda _: None,
    ) -> None:
        self._library, self._retry, self._on_step = library, retry, on_step
        self.model: StoredModel = predictions.register(library, classifier, name)
        self._predict = partial(classifier.predict_many, jobs=jobs, embeddings=self.model.width > 0)
        self.result = Scanned()
        self._waiting: deque[tuple[int, Path]] = deque()
        self._seen: set[int] = set()
        self._done = 0

    def run(self, files: Sequence[Path]) -> None:
        """Recognise files, and classify those that the model has not classified yet."""
        self.result.files = len(files)
        self._on_step(Progress(0, len(files)))
        for result in self._predict(self._to_classify(files)):
            song, path = self._waiting.popleft()
            if isinstance(result, Prediction):
                predictions.add(self._library, song, self.model, result)
                self.result.classified += 1
                self._step()
            else:
                predictions.fail(self._library, song, result.reason)
                self._step((path, result.reason))

    def _to_classify(self, files: Iterable[Path]) -> Iterator[Path]:
        """Yield the files that need the model; it is asked from the thread that decodes ahead."""
        for path in files:
            try:
                found = recognise(self._library, path)
            except OSError as error:  # it vanished since the folder was read, or its folder has no rights
                self._step((path, reason_of(error)))
                continue
            again = found.song in self._seen
            self._seen.add(found.song)
            self.result.found[found.how] += 1
            if found.reason:
                self._step((path, found.reason))
            elif again or not self._is_wanted(found):
                self._step()
            else:
                self._waiting.append((found.song, path))
                yield path

    def _is_wanted(self, found: Recognised) -> bool:
        [row] = self._library.rows("SELECT status FROM songs WHERE id = ?", [found.song])
        if row["status"] != "ok" and not self._retry and found.how in ("unchanged", "moved", "copy"):
            self.result.failed_before += 1
            return False
        return row["status"] != "ok" or not predictions.is_classified(self._library, found.song, self.model)

    def _step(self, failure: tuple[Path, str] | None = None) -> None:
        self._done += 1
        if failure is not None:
            self.result.failed.append(failure)
        self._on_step(Progress(self._done, self.result.files, failure))

    def mark_missing(self, roots: Sequence[Path], *, forget: bool = False) -> None:
        """Mark the songs below some folders whose files have vanished.

        Args:
            roots: absolute paths that were scanned.
            forget: delete these songs from the library, with those that were missing before.
        """
        songs = [song for song in self._library.songs() if any(song.path.is_relative_to(root) for root in roots)]
        gone = [song.id for song in songs if not song.missing and song.id not in self._seen and _vanished(song.path)]
        with self._library.writing() as rows:
            rows.executemany("UPDATE songs SET missing = 1 WHERE id = ?", [[song] for song in gone])
            if forget:
                all_gone = {*gone, *(song.id for song in songs if song.missing and song.id not in self._seen)}
                rows.executemany("DELETE FROM songs WHERE id = ?", [[song] for song in all_gone])
                self.result.forgotten = len(all_gone)
        self.result.missing = len(gone)


def find_files(library: Library, paths: Sequence[Path]) -> Walk:
    """List the audio files of folders, absolute; a folder that was emptied or deleted counts where its songs are known.

    Raises:
        DataError: a path does not exist or holds no audio, and the library knows no song there.
    """
    from genrescope.audio import Walk

    all_found = Walk()
    for path in map(absolute, paths):
        try:
            found = find_songs([path])
        except DataError:
            if not any(song.path.is_relative_to(path) for song in library.songs()):
                raise
            continue
        all_found.files += map(absolute, found.files)  # those of a playlist may lie at `lists/../song.mp3`
        all_found.left_out += found.left_out
        all_found.unreadable += found.unreadable
    all_found.files = list(dict.fromkeys(all_found.files))
    return all_found


def _vanished(path: Path) -> bool:
    """Whether there is nothing at a path; a folder without rights hides files that may be there."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
