"""Which tags of pre-trained taggers belong to which genre, mood, era or instrument: tables that people can read."""

from __future__ import annotations

import functools
import importlib.resources
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


@dataclass(frozen=True)
class TaggedLabel:
    """A genre, or something else, and its tags.

    Attributes:
        name: what it is called.
        names: what else it is called.
        tags: as `tagger:tag`.
        level: the mean logit of its tags over many songs.
        threshold: the score from which the model `genres` counts it; None where no labelled music was at hand.
    """

    name: str
    names: tuple[str, ...]
    tags: tuple[str, ...]
    level: float
    threshold: float | None = None


@functools.cache
def genres() -> tuple[TaggedLabel, ...]:
    """Return the genres of the table."""
    return _labels(_table("tag_genres.toml"))


@functools.cache
def kinds() -> dict[str, tuple[TaggedLabel, ...]]:
    """Return what tags say that is no genre, by kind.

    Example:
        >>> list(kinds()), [era.name for era in kinds()["era"]]
        (['mood', 'tempo', 'era', 'instrument', 'voice'], ['60s', '70s', '80s', '90s', '00s'])
    """
    return {kind: _labels(entries) for kind, entries in _table("tag_kinds.toml").items()}


def tags_of(genre: str) -> tuple[str, ...]:
    """Return the tags, as `tagger:tag`, of a genre; none where no tag is known for it.

    Example:
        >>> tags_of("Hip-Hop"), tags_of("reggae")
        (('musicnn-msd:Hip-Hop',), ())
    """
    wanted = _key(genre)
    return next((each.tags for each in genres() if wanted in map(_key, (each.name, *each.names))), ())


def named(text: str, labels: Sequence[str]) -> str | None:
    """Return the label that a text names in any of its spellings; None where it names none.

    Example:
        >>> named("Hip-Hop", ["rock", "hiphop"]), named("Rap", ["hiphop"]), named("Schlager", ["hiphop"])
        ('hiphop', 'hiphop', None)
    """
    wanted, tags = _key(text), tags_of(text)
    same = (label for label in labels if _key(label) == wanted or (tags and tags_of(label) == tags))
    return next(same, None) if wanted else None


def rivals(labels: Sequence[str], tags: Sequence[str]) -> tuple[TaggedLabel, ...]:
    """Return the genres of the table that these tags know, that are no labels, and that share no tag with one.

    Args:
        labels: the genres that are no rivals.
        tags: as `tagger:tag`.

    Example:
        >>> tags = ["musicnn-msd:rock", "musicnn-msd:blues", "musicnn-msd:jazz"]
        >>> [genre.name for genre in rivals(["Rock", "reggae"], tags)]
        ['blues', 'jazz']
    """
    own = {tag for label in labels for tag in tags_of(label)}
    return tuple(genre for genre in genres() if own.isdisjoint(genre.tags) and not set(tags).isdisjoint(genre.tags))


def prior(labels: Sequence[str], tags: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return how much each tag speaks for each genre, of shape (genres, tags): equal shares, or nothing.

    Args:
        labels: the genres.
        tags: as `tagger:tag`.

    Example:
        >>> prior(["heavy metal", "reggae"], ["musicnn-msd:metal", "musicnn-msd:heavy metal"]).tolist()
        [[0.5, 0.5], [0.0, 0.0]]
    """
    return shares([tags_of(label) for label in labels], tags)


def shares(wanted: Sequence[Sequence[str]], tags: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return how much each tag speaks for each of several groups of tags, of shape (groups, tags): equal shares.

    Example:
        >>> shares([["a:slow", "b:slow"], ["b:fast"]], ["a:slow", "b:slow", "b:loud"]).tolist()
        [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    found = np.zeros((len(wanted), len(tags)))
    for row, group in zip(found, wanted, strict=True):
        known = [tags.index(tag) for tag in group if tag in tags]
        row[known] = 1 / max(1, len(known))
    return found


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((importlib.resources.files(__package__) / name).read_text(encoding="utf-8"))


def _labels(entries: dict[str, Any]) -> tuple[TaggedLabel, ...]:
    return tuple(
        TaggedLabel(
            name, tuple(entry.get("names", ())), tuple(entry["tags"]), float(entry["level"]), entry.get("threshold")
        )
        for name, entry in entries.items()
    )


def _key(genre: str) -> str:
    """Return a genre's name without case, spaces and signs."""
    return "".join(character for character in genre.casefold() if character.isalnum())
