"""Many songs: walk folders, decode ahead, predict."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope import audio
from genrescope.errors import AudioError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from genrescope.inference.classifier import Classifier, Prediction

_AHEAD = 4  # songs decoded before the model asks for them


@dataclass(frozen=True)
class FailedSong:
    """A song that could not be classified.

    Attributes:
        path: the file.
        reason: each decoder tried, and why it failed.
    """

    path: str
    reason: str


def find_songs(paths: Sequence[Path]) -> list[Path]:
    """List the files to classify: files as given, and the audio files under folders, sorted.

    Raises:
        DataError: a path does not exist, or a folder holds no audio.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = audio.files_in(path)
            if not inside:
                raise DataError(f"{path}: no audio found in this folder or below it")
            found |= dict.fromkeys(inside)
        elif path.exists():
            found[path] = None
        else:
            raise DataError(f"{path}: no such file or folder")
    return list(found)


def predict_all(classifier: Classifier, songs: Iterable[Path]) -> Iterator[Prediction | FailedSong]:
    """Classify songs in order. A thread decodes ahead while the model works; a bad file stops nothing.

    Yields:
        A prediction, or a failure with its reason, for each song.
    """
    waiting: deque[tuple[Path, Future[Any]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        songs = iter(songs)
        try:
            while True:
                for song in songs:
                    waiting.append((song, pool.submit(classifier.hear, song)))
                    if len(waiting) > _AHEAD:
                        break
                if not waiting:
                    return
                song, heard = waiting.popleft()
                try:
                    result: Prediction | FailedSong = classifier.judge(*heard.result())
                except AudioError as error:
                    result = FailedSong(str(song), error.reason)
                yield result
        finally:
            for _, future in waiting:
                future.cancel()
