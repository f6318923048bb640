"""Which tags of published taggers speak for which genre: a table that people can read."""

from __future__ import annotations

import functools
import importlib.resources
import tomllib


def tags_of(genre: str) -> tuple[str, ...]:
    """Return the tags, as `tagger:tag`, that speak for a genre; none where no tag is known for it.

    Example:
        >>> tags_of("Hip-Hop"), tags_of("reggae")
        (('musicnn-msd:Hip-Hop',), ())
    """
    return _table().get(_key(genre), ())


@functools.cache
def _table() -> dict[str, tuple[str, ...]]:
    text = (importlib.resources.files(__package__) / "tag_genres.toml").read_text(encoding="utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for genre, entry in tomllib.loads(text).items():
        found |= dict.fromkeys(map(_key, [genre, *entry.get("names", [])]), tuple(entry["tags"]))
    return found


def _key(genre: str) -> str:
    """Return a genre's name without case, spaces and signs."""
    return "".join(character for character in genre.casefold() if character.isalnum())
