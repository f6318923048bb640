"""What is to be written into a file's tags, whatever its format."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

JOIN = "; "
"""What stands between several genres where a format has room for one text only."""


@dataclass(frozen=True)
class Change:
    """The fields of a file that are to be written.

    Attributes:
        genres: values of its genre, in their order; None leaves it as it is.
        fields: values of custom fields, by name; no values remove the field.
        join: what stands between several values in ID3v2.2, ID3v2.3, APEv1 and the INFO chunk of wav.
    """

    genres: tuple[str, ...] | None = None
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    join: str = JOIN

    def with_genre_as(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return the custom fields, and before them the genre under this name where it is to be written."""
        return ({} if self.genres is None else {name: self.genres}) | dict(self.fields)

    def joined(self, values: tuple[str, ...]) -> str:
        """Return values as one text."""
        return self.join.join(values)


def checked_word(word: object, *, where: str) -> str:
    """Return a genre as it can be written.

    Raises:
        DataError: it is no text, has control characters, is empty, or only digits, which players take for a number.
    """
    text = " ".join(word.split()) if isinstance(word, str) else ""
    odd = any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)
    if not text or odd or text.isdigit() or text.startswith("("):
        raise DataError(
            f"{where}: {word!r} cannot be written as a genre; accepted is text that is not only digits and does not "
            "begin with a bracket"
        )
    return text


def checked_field(name: str) -> str:
    """Return the name of a custom field that every format can have.

    Raises:
        DataError: it is none.
    """
    accepted = name.isascii() and name.isprintable() and name == name.strip() and 2 <= len(name) <= 100
    if not accepted or "=" in name or ":" in name or name.upper() in ("TAG", "OGGS", "MP+", "ID3", "GENRE"):
        raise DataError(
            f"{name!r} cannot be a custom field in every format; accepted are 2 to 100 letters, digits, blanks and "
            "signs of ASCII without = and :, such as PREDICTED_GENRE"
        )
    return name
