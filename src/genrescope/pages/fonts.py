"""Fonts for figures: names in any script are drawn with a font of this machine that has their characters."""

from __future__ import annotations

import functools
import logging
import unicodedata
from typing import TYPE_CHECKING

from matplotlib import font_manager, rcParams
from matplotlib.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import Figure

_NO_CHARACTER = 0x10FFFF
_LOG = logging.getLogger(__name__)
_noted: list[str] = []  # characters that were named as having no font


def fit(figure: Figure) -> None:
    """Give each text of a figure the fonts that its characters need; a log message says it where no font has them."""
    texts = [text for text in figure.findobj(Text) if not text.get_text().isascii()]
    if texts:
        others = families(frozenset("".join(text.get_text() for text in texts)))
        for text in texts:
            text.set_fontfamily([*_own(), *others])


@functools.cache
def families(needed: frozenset[str]) -> tuple[str, ...]:
    """Return the families that have those of some characters which matplotlib's own font lacks.

    The font that has most of them stands first; between equals a plain sans serif does.

    Example:
        >>> families(frozenset("é"))
        ()
    """
    missing = {ord(letter) for letter in needed if _visible(letter)} - _characters(_default())
    found: list[str] = []
    for entry in _by_coverage(missing) if missing else ():
        if has := missing & _characters(entry.fname):
            found.append(entry.name)
            missing -= has
    if missing:
        _note("".join(sorted(map(chr, missing))))
    return tuple(found)


def _visible(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Cc", "Cf", "Zl", "Zp", "Zs", "Mn"}


def _by_coverage(missing: set[int]) -> Sequence[font_manager.FontEntry]:
    """Return this machine's upright fonts of normal weight, those with most of some characters first."""
    entries: Iterable[font_manager.FontEntry] = font_manager.fontManager.ttflist
    plain = [entry for entry in entries if entry.style == "normal" and entry.weight in (400, "normal", "regular")]
    return sorted(
        plain,
        key=lambda entry: (-len(missing & _characters(entry.fname)), "sans" not in entry.name.lower(), entry.name),
    )


@functools.cache
def _characters(file: str) -> frozenset[int]:
    """Return the code points that a font file has; none where it cannot be read, or has but boxes for them.

    A font "of last resort", as matplotlib brings one, claims all code points, even one that is no character.
    """
    try:
        found = frozenset(font_manager.get_font(file).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset() if _NO_CHARACTER in found else found


def _own() -> list[str]:
    return list(rcParams["font.family"])


def _default() -> str:
    return str(font_manager.findfont(font_manager.FontProperties(family=_own())))


def _note(letters: str) -> None:
    if _noted:
        return  # once is enough: the next figures have the same names
    _noted.append(letters)
    _LOG.warning(
        "note: no font on this machine has the characters %s; figures show boxes in their place. Install a font that "
        "has them, for instance Noto Sans CJK for Chinese, Japanese and Korean",
        " ".join(letters[:10]) + (" ..." if len(letters) > 10 else ""),
    )
