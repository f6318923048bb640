"""Cards: one file per public data set, all with the same headings.

A new card is a module of this package with a `CARD`, named in `_NAMES`.
"""

from __future__ import annotations

import importlib

from genrescope.data.cards.card import Archive, Card, Official
from genrescope.errors import DataError, nearest

__all__ = ["Archive", "Card", "Official", "card", "names"]

_NAMES = ("gtzan", "synth")


def names() -> list[str]:
    """Return the names of all cards.

    Example:
        >>> names()
        ['gtzan', 'synth']
    """
    return list(_NAMES)


def card(name: str) -> Card:
    """Return the card called `name`.

    Raises:
        DataError: there is none; the nearest is named.
    """
    if name not in _NAMES:
        raise DataError(f'no data set card called "{name}"; {nearest(name, _NAMES)}')
    found: Card = importlib.import_module(f"{__name__}.{name}").CARD
    return found


def official_splits() -> dict[str, Official]:
    """Return the official splits of all cards by their names."""
    return {split.name: split for name in _NAMES for split in card(name).splits}
