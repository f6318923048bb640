"""Facts: what made a model, what it was scored on, and what an audit found there."""

from __future__ import annotations

from typing import Any

from genrescope.results.figures import Share
from genrescope.results.record import Count, Many, Portion, Record


class TrainingFacts(Record):
    """What a model was trained on; null where nobody noted it."""

    tracks: Count | None = None
    windows: Count | None = None
    epochs: Count | None = None
    seconds: float | None = None


class MachineFacts(Record):
    """Where a model was trained."""

    device: str
    name: str
    """Of the processor or of the accelerator."""
    system: str
    cores: Count | None
    threads: Count


class ModelFacts(Record):
    """What made a model; what only a run folder tells is null for a model file that lies outside of one."""

    file: str
    """Name of the model file."""
    architecture: str
    parameters: Count
    """Numbers in the model."""
    recipe: dict[str, Any]
    """The whole recipe."""
    front_end: dict[str, Any]
    """The front end's numbers."""
    window_seconds: float | None = None
    """Length of a window; null where an earlier version did not tell it."""
    data_fingerprint: str
    """Of the store that it was trained on."""
    made_with: str
    """Version of genrescope."""
    seed: int | None = None
    trained_on: TrainingFacts = TrainingFacts()
    machine: MachineFacts | None = None
    versions: dict[str, str] | None = None
    """Of genrescope and the libraries that it was trained with."""
    commit: str | None = None
    """Of genrescope's own checkout."""


class DataFacts(Record):
    """What was scored."""

    name: str
    """As it was given to `prepare`, or to `evaluate --data`."""
    fingerprint: str
    """Of the store."""
    split: str | None
    """How the split was made; null where all tracks were scored."""
    part: str | None
    """The part that was scored; null where there is no split, or every fold was scored in its turn."""
    tracks: Count


class HeldOutFacts(Record):
    """How many tracks of a part, or of other audio, are touched by tracks that were learnt from."""

    part: str
    """Empty for other audio."""
    learnt: Many[str]
    """The parts that were learnt from."""
    tracks: Count
    track: Count
    """Tracks that are training tracks themselves."""
    exact: Count
    """Tracks that repeat a training track exactly."""
    near: Count
    """Tracks that are near duplicates of a training track."""
    group: Count
    """Tracks that share an artist with training tracks."""
    touched: Count
    """Tracks touched in any way."""
    share: Portion
    """`touched / tracks`."""


class AuditFacts(Record):
    """What an audit of the split found on what was scored."""

    clean: bool
    """Whether no scored track is touched by a training track, as far as could be checked."""
    summary: str
    """What was found, in a sentence."""
    held_out: HeldOutFacts | None = None
    """Counts of what was touched, where the part of a split is, or other audio."""
    untouched: Share | None = None
    """Accuracy, by the recipe's own verdict, over the tracks that no training track touches; null where all or none are
    touched, and for a part of a split."""
