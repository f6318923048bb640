"""What a worker does: it makes a part of the results, and writes it once. It knows nothing of Ray."""

from __future__ import annotations

import io
import tempfile
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.inference import arrow
from genrescope.inference.prediction import Failure
from genrescope.inference.rows import text
from genrescope.scale.fetching import discard, local_files
from genrescope.scale.places import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genrescope.inference.classifier import Classifier
    from genrescope.inference.prediction import Prediction
    from genrescope.inference.rows import RowSpec
    from genrescope.scale.folder import Folder
    from genrescope.scale.plan import Part
    from genrescope.scale.songs import Song

_NAMED = 20  # failures that a summary names
PASSING = "not fetched: "
"""How the reason of a failure begins that another run may not have."""


@dataclass
class Summary:
    """What stands in a part.

    Attributes:
        name: the part's.
        songs: its songs, failures included.
        failed: how many of them failed.
        unfetched: how many of these could not be fetched, for a reason that may pass.
        seconds: of sound.
        genres: how many songs of each genre.
        failures: the first songs that failed, each with its reason.
        kept: whether an earlier run has written it.
    """

    name: str
    songs: int = 0
    failed: int = 0
    unfetched: int = 0
    seconds: float = 0.0
    genres: Counter[str] = field(default_factory=Counter)
    failures: list[list[str]] = field(default_factory=list)
    kept: bool = False


class PartWriter:
    """Makes parts: loads the model once, then fetches, decodes, scores and writes.

    Args:
        classifier: the model.
        spec: how predictions become rows; with rows for failures.
        folder: where parts are written.
    """

    def __init__(self, classifier: Classifier, spec: RowSpec, folder: Folder) -> None:
        self._classifier, self._spec, self._folder = classifier, spec, folder
        self._decoders = classifier.decoders(1)

    def close(self) -> None:
        """End the process that decodes."""
        self._decoders.close()

    def write(self, part: Part) -> Summary:
        """Write a part, unless it is there already and whole; a part with songs that were not fetched is made again.

        Raises:
            OutputError: it cannot be written.
        """
        content = self._folder.read(part.file)
        if content is not None:
            done = summary_of(part.name, _rows_in(content))
            if not done.unfetched:
                done.kept = True
                return done
        rows = {row["path"]: row for row in self.rows(part.songs)}
        ordered = [rows[text(song.path)] for song in part.songs]
        self._folder.write(part.file, self._encoded(ordered))
        return summary_of(part.name, ordered)

    def rows(self, songs: Sequence[Song]) -> Iterator[dict[str, Any]]:
        """Yield a row for each song, in whatever order: a prediction's, or a failure's with its reason."""
        for song, result in self.results(songs):
            if isinstance(result, Failure | FetchError):
                reason = result.reason if isinstance(result, Failure) else _reason(result)
                yield self._spec.failure(song.path, song.identity, reason)
            else:
                yield self._spec.flat(result, song.identity) | {"path": text(song.path)}

    def results(self, songs: Sequence[Song]) -> Iterator[tuple[Song, Prediction | Failure | FetchError]]:
        """Yield what `Classifier.predict_many` makes of each song's file, or why there is none."""
        given: deque[tuple[Song, Path]] = deque()
        missing: deque[tuple[Song, FetchError]] = deque()

        def found(folder: Path) -> Iterator[Path]:
            for song, file in local_files(songs, folder):
                if isinstance(file, FetchError):
                    missing.append((song, file))
                else:
                    given.append((song, file))
                    yield file

        with tempfile.TemporaryDirectory(prefix="genrescope-") as folder:
            for result in self._classifier.predict_many(found(Path(folder)), decoders=self._decoders):
                song, file = given.popleft()
                yield song, result
                discard(song, file)
            yield from missing

    def _encoded(self, rows: list[dict[str, Any]]) -> bytes:
        held = io.BytesIO()
        arrow.write_to(held, rows, self._spec)
        return held.getvalue()


def _reason(error: FetchError) -> str:
    return str(error) if error.passing else str(error).removeprefix(PASSING)


def summary_of(name: str, rows: list[dict[str, Any]]) -> Summary:
    """Count what stands in a part's rows."""
    failed = [[row["path"], row["error"]] for row in rows if row["error"] is not None]
    return Summary(
        name,
        songs=len(rows),
        failed=len(failed),
        unfetched=sum(reason.startswith(PASSING) for _, reason in failed),
        seconds=sum(row["seconds"] or 0.0 for row in rows),
        genres=Counter(
            "unknown" if row["unknown"] or not row["genre"] else row["genre"] for row in rows if row["error"] is None
        ),
        failures=failed[:_NAMED],
    )


def _rows_in(content: bytes) -> list[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    columns = ["path", "genre", "unknown", "seconds", "error"]
    rows: list[dict[str, Any]] = parquet.read_table(pa.BufferReader(content), columns=columns).to_pylist()
    return rows


def facts() -> dict[str, str]:
    """Return what makes the digits of scores: the versions, and the kind of processor."""
    import numpy as np
    import torch

    from genrescope import __version__

    kind = torch.backends.cpu.get_cpu_capability()
    return {"genrescope": __version__, "numpy": np.__version__, "torch": torch.__version__, "processor": kind}
