"""Cards: one file per public data set (or family of them), all with the same headings.

A new card stands in the tuple `CARDS` of a module of this package, and its name in `_MODULES`.
"""

from __future__ import annotations

import importlib

from genrescope.errors import DataError, nearest
from genrescope.sources.cards.card import Archive, Card, Official, Repeat

__all__ = ["Archive", "Card", "Official", "Repeat", "card", "names", "official_splits"]

_MODULES = {
    "ballroom": "ballroom",
    "fma-full": "fma",
    "fma-large": "fma",
    "fma-medium": "fma",
    "fma-small": "fma",
    "gtzan": "gtzan",
    "homburg": "homburg",
    "ismir04": "ismir04",
    "mtg-jamendo": "mtg_jamendo",
    "synth": "synth",
}
"""The module of each card, so that naming them all loads none."""


def names() -> list[str]:
    """Return the names of all cards, in alphabetical order.

    Example:
        >>> names()[:3]
        ['ballroom', 'fma-full', 'fma-large']
    """
    return list(_MODULES)


def card(name: str) -> Card:
    """Return the card called `name`.

    Raises:
        DataError: there is none; the nearest is named.

    Example:
        >>> card("fma-small").title
        'FMA small: 8,000 clips of the Free Music Archive'
    """
    if name not in _MODULES:
        raise DataError(f'no data set card called "{name}"; {nearest(name, _MODULES)}')
    cards: tuple[Card, ...] = importlib.import_module(f"{__name__}.{_MODULES[name]}").CARDS
    return next(card for card in cards if card.name == name)


def official_splits() -> dict[str, Official]:
    """Return the official splits of all cards by their names."""
    return {split.name: split for name in _MODULES for split in card(name).splits}
