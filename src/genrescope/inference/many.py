"""Many songs: walk folders, decode ahead, keep what is done."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from genrescope import audio
from genrescope.errors import AudioError, DataError
from genrescope.files import csv_line, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from genrescope.inference.classifier import Classifier, Prediction

_CSV_COLUMNS = ("path", "genre", "confidence", "seconds", "uncertain")
_AHEAD = 4  # songs decoded before the model asks for them


@dataclass(frozen=True)
class Failure:
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


def predict_all(classifier: Classifier, songs: Iterable[Path]) -> Iterator[Prediction | Failure]:
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
                    result: Prediction | Failure = classifier.judge(*heard.result())
                except AudioError as error:
                    result = Failure(str(song), error.reason)
                yield result
        finally:
            for _, future in waiting:
                future.cancel()


class PredictionFile:
    """A JSON Lines or CSV file of predictions that a second run goes on with.

    Each song is one line, written and flushed at once. On opening, a half-written last line is cut off and the songs
    that stand there are known, so they need not be classified again. Failures are not written.

    Args:
        path: the file; made if need be.
        kind: `jsonl` or `csv`.
        genres: the model's genres, the columns of a CSV file.

    Raises:
        DataError: the file holds something else.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, kind: str, genres: Sequence[str]) -> None:
        self.path, self._kind, self._genres = path, kind, list(genres)
        self.done: set[str] = set()
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                self._take_up()
            self._file: IO[str] = path.open("a", encoding="utf-8", errors="surrogateescape", newline="")
            try:
                if not path.is_file() or path.stat().st_size == 0:
                    self._write(header_line(kind, self._genres))
            except OSError:
                self.__exit__()
                raise

    def __enter__(self) -> PredictionFile:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # a full disk was reported by the write that met it
            self._file.close()

    def write(self, prediction: Prediction) -> None:
        """Append a song.

        Raises:
            OutputError: the disk is full, say.
        """
        with writing(self.path):
            self._write(to_line(prediction, kind=self._kind, genres=self._genres))

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()

    def _take_up(self) -> None:
        """Read what is there; cut off a line that was not finished.

        Raises:
            DataError: it is not what this would write: other content, another format, or another model's genres.
        """
        text = self.path.read_bytes()
        begins = header_line(self._kind, self._genres).encode() or b'{"path": "'
        if text[: len(begins)] != begins[: len(text)]:
            raise DataError(
                f"{self.path} holds something else than {self._kind} predictions of this model; choose another --out"
            )
        whole = text[: text.rfind(b"\n") + 1]
        try:
            lines = whole.decode("utf-8", "surrogateescape")
            if self._kind == "jsonl":
                self.done = {json.loads(line)["path"] for line in lines.split("\n")[:-1]}
            else:
                rows = list(csv.DictReader(io.StringIO(lines, newline="")))
                self.done = {row["path"] for row in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path} holds something else than predictions; choose another --out") from error
        if len(whole) < len(text):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))


def header_line(kind: str, genres: Sequence[str]) -> str:
    """Return the first line of a file of predictions; JSON Lines have none."""
    return "" if kind == "jsonl" else csv_line([*_CSV_COLUMNS, *genres])


def to_line(prediction: Prediction, *, kind: str, genres: Sequence[str]) -> str:
    """Return a prediction as one line of `jsonl` or `csv`; CSV leaves the windows out."""
    if kind == "jsonl":
        return json.dumps(prediction.to_dict(), ensure_ascii=False) + "\n"
    facts = prediction.to_dict()
    values = [
        facts[name] if facts[name] is not None else ""
        for name in ("path", "genre", "confidence", "seconds", "uncertain")
    ]
    return csv_line([*values, *(facts["scores"][genre] for genre in genres)])
