"""Where the command tag has its songs and predictions from: a model, a file that predict has written, or a library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope.cli.console import report_unreadable, say
from genrescope.cli.loading import load_model
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from genrescope.inference.classifier import Classifier
    from genrescope.library.rows import Entry, StoredModel
    from genrescope.tags.plan import Scored
    from genrescope.tags.tagging import Classify


@dataclass(frozen=True)
class Source:
    """Songs, and what says which genre they have.

    Attributes:
        songs: files, each once.
        classify: yields for songs what a model makes of them, or why it cannot.
        model: what provenance says of the model; empty where nothing is known.
        labels: labels that the model may give.
        without_threshold: those that count only where `--min-confidence` gives them one.
        has_unreadable: whether there was something that could not be looked into.
    """

    songs: list[Path]
    classify: Classify
    model: str
    labels: frozenset[str]
    without_threshold: tuple[str, ...] = ()
    has_unreadable: bool = False


def from_file(path: Path, given: Sequence[Path], *, quiet: bool) -> Source:
    """Return the songs of a file of predictions; where paths are given, those among them.

    Raises:
        DataError: it is no such file, or has none of the songs.
    """
    from genrescope.tags import predictions, tagging

    held = predictions.read(path)
    songs, unreadable = _found(given, quiet=quiet) if given else (tagging.unique(held.songs), False)
    if not any(held.of(song) for song in songs):
        raise DataError(
            f"{path} has predictions of other songs; classify these with: genrescope predict PATH --out FILE"
        )
    if not held.thresholds:
        say(
            f"note: {path} has no thresholds of a model, so that only the highest score counts; --min-confidence sets "
            "a lowest one",
            quiet=quiet,
        )

    def classify(wanted: Sequence[Path]) -> Iterator[tuple[Path, Scored | str]]:
        for song in wanted:
            yield song, held.of(song) or f"not in {path}"

    labels = frozenset(label for scored in held.songs.values() for label in scored.scores)
    return Source(songs, classify, ", ".join(sorted(held.models)), labels, (), unreadable)


def from_library(path: Path, given: Sequence[Path], *, quiet: bool) -> Source:
    """Return the songs of a library with predictions of the model last used; where paths are given, those among them.

    Genres that the user has corrected count as they are.

    Raises:
        DataError: it is no library, or has none of the songs.
    """
    from genrescope.library.database import Library
    from genrescope.tags import tagging

    with Library(path) as library:
        model = library.model()
        entries = library.entries(model)
    held = {os.path.realpath(e.song.path): s for e in entries if (s := _of_entry(e, model)) is not None}
    present = [entry.song.path for entry in entries if not entry.song.missing]
    songs, unreadable = _found(given, quiet=quiet) if given else (tagging.unique(present), False)
    if not any(os.path.realpath(song) in held for song in songs):
        raise DataError(f"{path} has predictions of other songs; classify these with: genrescope library scan PATH")

    def classify(wanted: Sequence[Path]) -> Iterator[tuple[Path, Scored | str]]:
        for song in wanted:
            yield song, held.get(os.path.realpath(song)) or f"not classified in {path}"

    missing = _without_threshold(model.labels, model.thresholds)
    return Source(songs, classify, f"{model.name} {model.fingerprint}", frozenset(model.labels), missing, unreadable)


def _of_entry(entry: Entry, model: StoredModel) -> Scored | None:
    from genrescope.tags.plan import Scored

    if entry.correction:
        return Scored(dict.fromkeys(entry.correction, 1.0), entry.correction)
    if entry.prediction is None:
        return None
    found = entry.prediction
    return Scored.of_model(found.scores, found.labels, model.thresholds, unknown=found.unknown)


def from_model(given: Sequence[Path], *, device: str, quiet: bool) -> Source:
    """Return songs, and a model to classify them.

    Raises:
        DataError: there is no song.
    """
    from genrescope.cli.prediction_options import model_and_paths

    if not given:
        raise DataError("no song was given; give songs, as genrescope tag song.mp3, or --predictions FILE")
    chosen, paths = model_and_paths(given[0], list(given[1:]))
    songs, unreadable = _found(paths, quiet=quiet)
    classifier, place = load_model(chosen, device=device, quiet=quiet)
    name = f"{Path(place).name} {classifier.fingerprint}"
    missing = _without_threshold(classifier.genres, classifier.header.thresholds)
    return Source(songs, _by(classifier), name, frozenset(classifier.genres), missing, unreadable)


def _found(paths: Sequence[Path], *, quiet: bool) -> tuple[list[Path], bool]:
    """Return the songs in paths, each once, and whether there was something that could not be looked into."""
    from genrescope.inference.songs import find_songs
    from genrescope.sources.folders import left_out

    found = find_songs(paths)
    report_unreadable(found.unreadable)
    if found.left_out:
        say(f"note: {left_out(found.left_out)}", quiet=quiet)
    return found.files, bool(found.unreadable)


def _without_threshold(labels: Sequence[str], thresholds: Mapping[str, float]) -> tuple[str, ...]:
    """Return the labels of a model with thresholds that have none."""
    return tuple(label for label in labels if thresholds and label not in thresholds)


def _by(classifier: Classifier) -> Classify:
    from genrescope.inference.prediction import Failure
    from genrescope.tags.plan import Scored

    thresholds = classifier.header.thresholds

    def classify(wanted: Sequence[Path]) -> Iterator[tuple[Path, Scored | str]]:
        for song, found in zip(wanted, classifier.predict_many(wanted) if wanted else (), strict=True):
            if isinstance(found, Failure):
                yield song, found.reason
            else:
                yield song, Scored.of_model(found.scores, found.labels, thresholds, unknown=found.unknown)

    return classify
