"""Names of genres that look alike: they differ in case, in blanks, or in how Unicode writes them."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.sources.labels import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from genrescope.sources.track import Track


def spelling_key(genre: str) -> str:
    r"""Return what is equal for names that look alike.

    Example:
        >>> spelling_key("Hip Hop") == spelling_key("hip\u00a0hop ") == spelling_key("\u200bHIP HOP")
        True
    """
    return "".join(unicodedata.normalize("NFKC", _seen(genre)).casefold().split())


def alike(genres: Iterable[str]) -> list[list[str]]:
    """Return the names that look alike, each group in the order given.

    Example:
        >>> alike(["Rock", "jazz", "rock"])
        [['Rock', 'rock']]
    """
    by_key: dict[str, list[str]] = defaultdict(list)
    for genre in dict.fromkeys(genres):
        by_key[spelling_key(genre)].append(genre)
    return [names for names in by_key.values() if len(names) > 1]


def normalised(tracks: Sequence[Track]) -> list[Track]:
    """Give genres that look alike one name: the one that most tracks have, without what cannot be seen."""
    counts = Counter(label for track in tracks for label in track.labels)
    best: dict[str, str] = {}
    for genre in sorted(counts, key=lambda genre: (-counts[genre], genre)):
        best.setdefault(spelling_key(genre), " ".join(unicodedata.normalize("NFC", _seen(genre)).split()))
    return [
        dataclasses.replace(track, genre=joined(best[spelling_key(label)] for label in track.labels))
        if track.labels
        else track
        for track in tracks
    ]


def told(genres: Iterable[str], *, made_one: bool) -> list[str]:
    """Say which genres look alike, a sentence for each group; what cannot be seen is shown escaped."""
    what = "joined into one" if made_one else "they count as different genres; --normalise-genres joins them"
    return [f"genres that look alike: {', '.join(map(ascii, names))}: {what}" for names in alike(genres)]


def refuse_bytes(genres: Iterable[str]) -> None:
    """Refuse names of genres that no model file could hold.

    Raises:
        DataError: a name is no text in UTF-8, or nothing that can be seen.
    """
    for genre in genres:
        if any("\ud800" <= character <= "\udfff" for character in genre):
            raise DataError(f"the genre {genre!a} is not UTF-8; rename its folder, or save the table in UTF-8")
        if not spelling_key(genre):
            raise DataError(f"the genre {genre!a} has nothing in its name that can be seen; rename it")


def _seen(text: str) -> str:
    """Leave out what has no width: zero-width blanks, marks of direction, control characters."""
    return "".join(sign for sign in text if unicodedata.category(sign) not in ("Cf", "Cc") or sign.isspace())
