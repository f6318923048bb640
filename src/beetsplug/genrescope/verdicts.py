"""What the model made of songs and albums, and which songs are to be classified at all."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal

import confuse
from beets import config
from beets.exceptions import UserError
from beets.library import Album, Item

from genrescope.tags import plan
from genrescope.tags.plan import Scored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.inference.prediction import Prediction
    from genrescope.modelfile import Header

UNKNOWN = "unknown"
"""What the attribute `genrescope_genre` has for a song that is none of the model's genres."""

_SHOWN = 4  # labels that the log lists, with their scores


@dataclass(frozen=True)
class Verdict:
    """What the model made of a song or an album.

    Attributes:
        scored: the scores in [0, 1], and the labels that reach the model's thresholds.
        why_none: why it has no genre; empty where it may have one.
    """

    scored: Scored
    why_none: str = ""

    @classmethod
    def of(cls, song: Prediction, header: Header) -> Verdict:
        """Return the verdict on a song."""
        silent = song.silent_windows == len(song.windows)
        why = "silence" if silent else "none of the model's genres" if song.unknown else ""
        return cls(_scored(song.scores, header), why)

    @classmethod
    def mean(cls, songs: Sequence[Verdict], header: Header) -> Verdict:
        """Return the verdict on an album: the mean scores of its songs, without those that have no genre."""
        known = [song for song in songs if not song.why_none]
        means = {label: fmean(song.scored.scores[label] for song in known or songs) for label in header.labels}
        scores = dict(sorted(means.items(), key=lambda item: -item[1]))
        return cls(_scored(scores, header), "" if known else "none of its songs has a genre")

    @property
    def genre(self) -> str:
        """The label with the highest score, or `unknown`."""
        return UNKNOWN if self.why_none else next(iter(self.scored.scores))

    @property
    def confidence(self) -> float:
        """The highest score."""
        return next(iter(self.scored.scores.values()))

    def candidates(self, min_confidence: float | None) -> tuple[list[str], str]:
        """Return the labels that may be written, as `genrescope tag` chooses them; where there are none, why."""
        if self.why_none:
            return [], self.why_none
        rules = plan.Rules(count=len(self.scored.scores), minimum=min_confidence)
        labels = plan.counted(self.scored, rules)
        return labels, "" if labels else plan.too_low(self.scored, rules)

    def __str__(self) -> str:
        return ", ".join(f"{label} {score:.2f}" for label, score in list(self.scored.scores.items())[:_SHOWN])


def _scored(scores: dict[str, float], header: Header) -> Scored:
    return Scored.of_model(scores, header.counted(scores), header.thresholds)


@dataclass(frozen=True)
class Rules:
    """The options that decide which songs are classified, and what is changed."""

    force: bool
    keep_existing: bool
    classify_existing: bool
    pretend: bool
    by_album: bool
    count: int
    min_confidence: float | None
    jobs: int | None

    @classmethod
    def of(cls, view: confuse.Subview) -> Rules:
        """Read them from the plugin's section of the configuration.

        Raises:
            UserError: a number is out of its range.
            ConfigError: an option has a value of another type.
        """
        count, least = view["count"].get(int), view["min_confidence"].get(confuse.Optional(float))
        if count < 1:
            raise UserError(f"{view.name}.count: {count}; accepted is a whole number from 1")
        if least is not None and not 0 <= least <= 1:
            raise UserError(f"{view.name}.min_confidence: {least}; accepted is a score from 0 to 1")
        if (jobs := view["jobs"].get(confuse.Optional(int))) is not None and jobs < 0:
            raise UserError(f"{view.name}.jobs: {jobs}; accepted is a whole number from 0")
        flags = {name: view[name].get(bool) for name in ("force", "keep_existing", "classify_existing", "pretend")}
        source = view["source"].as_choice(["track", "album"])
        return cls(**flags, by_album=source == "album", count=count, min_confidence=least, jobs=jobs)

    def wanted(self, album: Album | None, items: Sequence[Item]) -> list[Item]:
        """Return those songs of an album, or of none, that are to be classified."""
        lacking = [item for item in items if not existing(item)]
        if self.force or self.classify_existing or (self.of_album(album) and (lacking or not existing(album))):
            return list(items)
        return lacking

    def of_album(self, album: Album | None) -> bool:
        """Whether songs get the genre of their album: those of compilations keep their own."""
        various = album is not None and (album.comp or album.albumartist == config["va_name"].as_str())
        return self.by_album and album is not None and not various


def windows_of(view: confuse.Subview) -> int | Literal["all"]:
    """Return how many windows of a song are scored, as the plugin's section of the configuration says.

    Raises:
        UserError: it is neither a number from 1 nor `all`.
    """
    given = view["windows"].get()
    if given == "all":
        return "all"
    try:
        if int(given) >= 1:
            return int(given)
    except (TypeError, ValueError):
        pass
    raise UserError(f"{view.name}.windows: {given}; accepted are a whole number from 1, and all")


def existing(thing: Album | Item | None) -> list[str]:
    """Return the genres that a song or an album has itself."""
    if isinstance(thing, Item):
        return list(thing.get("genres", with_album=False) or [])
    return list(thing.get("genres") or []) if thing else []
