"""One colour for each genre, the same on every page and figure, for light and dark ones.

The colours of the ten genres of GTZAN lie far apart for normal sight, and as people see them who lack one kind of
cones (simulated as in Machado et al. 2009). Twenty colours cannot all: a name stands beside each, always. The contrast
to the page is 3 at least, as the Web Content Accessibility Guidelines (AA) ask for shapes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Colour(NamedTuple):
    """A colour as `#rrggbb`, for light and for dark pages."""

    light: str
    dark: str


_OF = {
    "blues": Colour("#365bca", "#7fa4ff"),
    "classical": Colour("#501c76", "#a274ce"),
    "country": Colour("#a09205", "#e7d85d"),
    "disco": Colour("#cb3a6c", "#fd9bb3"),
    "hiphop": Colour("#ab4607", "#fe854c"),
    "jazz": Colour("#07828e", "#15cdde"),
    "metal": Colour("#3f4550", "#888f9b"),
    "pop": Colour("#15a0ce", "#a4e2fe"),
    "reggae": Colour("#0a744d", "#09c181"),
    "rock": Colour("#661a02", "#e7562b"),
    "electronic": Colour("#7656e0", "#b5abfd"),
    "techno": Colour("#893e96", "#cd83db"),
    "soul": Colour("#b3868b", "#f9ccd0"),
    "folk": Colour("#7e8d59", "#c2d29d"),
    "funk": Colour("#a57710", "#eebb60"),
    "punk": Colour("#730231", "#da5a7d"),
    "house": Colour("#7423aa", "#b570f0"),
    "ambient": Colour("#597a77", "#9cbdba"),
    "indie": Colour("#465550", "#91a09c"),
    "opera": Colour("#9771b6", "#dcb5fc"),
    "rnb": Colour("#4f8f2f", "#9bdc6a"),
}

_DULL = ("metal", "indie", "ambient")  # the greys go last to names that the table lacks


def colours(genres: Iterable[str]) -> dict[str, Colour]:
    """Return a colour for each genre.

    Known genres have their own, however they are spelt. Any other name takes a colour by its hash, and the next free
    one where another genre of the same list has it; beyond 21 genres colours repeat.

    Example:
        >>> colours(["Hip-Hop", "klezmer"]) == {"Hip-Hop": _OF["hiphop"], "klezmer": _OF["rock"]}
        True
    """
    names = sorted(set(genres))
    found = {name: _OF[_key(name)] for name in names if _key(name) in _OF}
    for name in names:
        if name not in found:
            found[name] = _free(name, set(found.values()))
    return found


def _free(name: str, taken: set[Colour]) -> Colour:
    """Return the first colour that is not taken, from a place that the name decides."""
    palette = [colour for genre, colour in _OF.items() if genre not in _DULL]
    digest = hashlib.sha256(_key(name).encode("utf-8", "surrogatepass")).digest()
    first = int.from_bytes(digest[:4], "big") % len(palette)
    turned = [*palette[first:], *palette[:first], *(_OF[genre] for genre in _DULL)]
    return next((colour for colour in turned if colour not in taken), turned[0])


def _key(name: str) -> str:
    """Return a name without case, spaces and signs."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())
