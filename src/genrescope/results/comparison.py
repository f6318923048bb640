"""A comparison of runs on the same tracks: the content of `compare.json`."""

from __future__ import annotations

from genrescope.results.figures import Chance, Difference, Interval, Verdict
from genrescope.results.record import FORMAT, Count, Format, Many, Portion, Record


class EntryAccuracy(Record):
    """An entry's accuracy over its runs."""

    mean: Portion
    interval: Interval
    """Wilson's for one run; for several it resamples tracks, each by its mean over the runs."""
    interval_by_groups: Interval | None
    """95 % interval that resamples whole artists; null where none is known."""
    by_run: Many[Portion]
    lowest: Portion
    highest: Portion
    deviation: float | None
    """Standard deviation over runs; null for one run."""


class Entry(Record):
    """Runs of one recipe, counted at one level, that differ by their seeds."""

    name: str
    """The recipe, and what tells it from others of its name."""
    recipe: str
    level: Verdict
    parameters: Count
    """Numbers in the model."""
    runs: Many[str]
    """Folders of the runs."""
    seeds: Many[int | None]
    accuracy: EntryAccuracy
    milliseconds: float | None = None
    """Of one core for 30 s of decoded music; null where it was not timed."""


class NamedDifference(Difference):
    """An entry held against another."""

    name: str
    reference: str
    """Name of the entry that it is held against."""


class AdjustedDifference(NamedDifference):
    """An entry held against the comparison's reference."""

    p_holm: Portion
    """`p`, allowing for how many entries are held against the reference."""


class GenreEntry(Record):
    """An entry's tracks of one genre."""

    name: str
    recall: Portion
    """Share of the genre's tracks that are classified correctly; over several runs their mean."""
    interval: Interval
    """Wilson's for one run; for several it resamples tracks."""


class ComparedGenre(Record):
    """The entries on the tracks of one genre."""

    genre: str
    tracks: Count
    best: str | None
    """The entry with the highest recall; null where several share it."""
    entries: Many[GenreEntry]
    against_reference: Many[AdjustedDifference]
    """`p_holm` allows for all entries and genres."""


class Comparison(Record):
    """Entries on the same tracks, and their differences."""

    format: Format = FORMAT
    """Version of the file's form."""
    tracks: Count
    groups: Count | None
    """Artists of the tracks, each track of an unknown artist counted as one; null where none is known."""
    data: Many[str]
    """Names of the data."""
    reference: str
    """Name of the first entry, against which the others are held."""
    entries: Many[Entry]
    against_reference: Many[AdjustedDifference]
    pairs: Many[NamedDifference]
    """Every two entries."""
    chance: Chance
    """The accuracy of giving every track the most frequent genre."""
    genres: Many[ComparedGenre]
    """The same genre by genre."""
    notes: Many[str]
    """What a reader should know, a sentence each."""
