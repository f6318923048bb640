"""Labels: the genres of a song, written as one text.

A song has one genre (`jazz`), several (`blues; jazz`), or none of those that are to be learnt (`not-mine`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

NEGATIVE = "not-mine"
"""What stands in place of a genre where a song has none of those that are to be learnt: a negative example."""

_SEPARATOR = ";"


def labels_of(text: str) -> tuple[str, ...]:
    """Return the genres that a text as `joined` returns it names; none for a negative example.

    Example:
        >>> labels_of("blues; jazz"), labels_of("jazz"), labels_of("not-mine")
        (('blues', 'jazz'), ('jazz',), ())
    """
    return () if text == NEGATIVE else _parts(text)


def joined(labels: Iterable[str]) -> str:
    """Return genres as one text: each once, in alphabetical order.

    Raises:
        DataError: the negative example has a genre too.

    Example:
        >>> joined(["jazz", "blues", "jazz"]), joined(["Not Mine"])
        ('blues; jazz', 'not-mine')
    """
    found = sorted({NEGATIVE if is_negative(label) else label for label in labels})
    if NEGATIVE in found and len(found) > 1:
        others = ", ".join(label for label in found if label != NEGATIVE)
        raise DataError(f"{NEGATIVE} means that a song has none of the genres, but {others} is named too; remove one")
    return f"{_SEPARATOR} ".join(found)


def normal(text: str) -> str:
    """Return what a person wrote as `joined` would write it; one genre stays as it is.

    Raises:
        DataError: as `joined`.

    Example:
        >>> normal("rock;jazz"), normal("Rock "), normal("not_mine")
        ('jazz; rock', 'Rock ', 'not-mine')
    """
    return joined(_parts(text)) if _SEPARATOR in text or is_negative(text) else text


def _parts(text: str) -> tuple[str, ...]:
    if _SEPARATOR not in text:
        return (text,)
    return tuple(label.strip() for label in text.split(_SEPARATOR) if label.strip())


def is_negative(label: str) -> bool:
    """Whether a name means none of the genres: `not-mine`, in any case, also with a blank or `_`."""
    return label.strip().casefold().replace("_", "-").replace(" ", "-") == NEGATIVE
