"""Writing what a model made of songs into a library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from genrescope.library.database import now, to_text

if TYPE_CHECKING:
    from genrescope.inference.classifier import Classifier
    from genrescope.inference.prediction import Prediction
    from genrescope.library.database import Library
    from genrescope.library.rows import StoredModel


def register(library: Library, classifier: Classifier, name: str) -> StoredModel:
    """Note that a scan uses a model; return it as the library keeps it.

    Args:
        library: where it is noted.
        classifier: the model.
        name: what the user calls it.
    """
    header = classifier.header
    choice = classifier.choice
    windows = {
        "seconds": round(header.window_seconds, 3),
        "most": choice.windows,
        "excerpt": choice.excerpt,
    }
    with library.writing() as rows:
        rows.execute(
            "INSERT INTO models (fingerprint, name, labels, exclusive, thresholds, windows, width, used) "
            "VALUES (?, CAST(? AS TEXT), ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (fingerprint) DO UPDATE SET name = excluded.name, used = excluded.used",
            [
                classifier.fingerprint, to_text(name), _json(header.labels), int(header.exclusive),
                _json(header.thresholds), _json(windows), classifier.info.embedding_width, now(),
            ],
        )  # fmt: skip
    return library.model(classifier.fingerprint)


def is_classified(library: Library, song: int, model: StoredModel) -> bool:
    """Whether the library holds a model's prediction of a song."""
    return bool(library.rows("SELECT 1 FROM predictions WHERE song = ? AND model = ?", [song, model.id]))


def add(library: Library, song: int, model: StoredModel, found: Prediction) -> None:
    """Write a prediction, and its embedding where it has one, in one transaction."""
    facts = found.to_dict()
    windows = [
        [each["start"], each["end"], int(each["silent"]), [each["scores"][label] for label in model.labels]]
        for each in facts["windows"]
    ]
    scores = [facts["scores"][label] for label in model.labels]
    with library.writing() as rows:
        rows.execute("UPDATE songs SET status = 'ok', seconds = ? WHERE id = ?", [facts["seconds"], song])
        rows.execute(
            "INSERT OR REPLACE INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                song, model.id, found.genre, facts["confidence"], int(found.unknown), found.warning,
                _json(facts["labels"]), _json(scores), _json(windows), _json(facts["tags"]),
            ],
        )  # fmt: skip
        if found.embedding is not None:
            vector = np.ascontiguousarray(found.embedding, "<f4").tobytes()
            rows.execute("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", [song, model.id, vector])


def fail(library: Library, song: int, reason: str) -> None:
    """Write why a song could not be classified."""
    with library.writing() as rows:
        rows.execute("UPDATE songs SET status = CAST(? AS TEXT) WHERE id = ?", [to_text(reason), song])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
