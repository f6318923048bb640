"""Corrections: genres that the user gives songs. They belong to the sound, so they survive moves and new scans."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.files import absolute
from genrescope.library.database import now, to_text
from genrescope.library.lookup import sound_of
from genrescope.tables import numbered_rows
from genrescope.tags.artists import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from genrescope.library.database import Library

SEPARATOR = ";"
"""What stands between the genres of a song in a table."""


@dataclass(frozen=True)
class Correction:
    """A song and its genres.

    Attributes:
        path: its file.
        genres: at least one; none takes a correction back.
    """

    path: Path
    genres: tuple[str, ...]


def correct(library: Library, wanted: Correction) -> bool:
    """Store a correction, or take it back where it has no genres; return whether anything changed.

    The song need not be in the library; its file, or a row of the library, is needed to know its sound.

    Raises:
        DataError: there is no such file and no such song, or the file cannot be read.
    """
    sound = sound_of(library, wanted.path)
    known = library.corrections(sound).get(sound, ())
    if known == wanted.genres:
        return False
    with library.writing() as rows:
        if not wanted.genres:
            rows.execute("DELETE FROM corrections WHERE sound_id = ?", [sound])
        else:
            genres = to_text(json.dumps(wanted.genres, ensure_ascii=False))
            rows.execute(
                "INSERT OR REPLACE INTO corrections VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), ?)",
                [sound, genres, to_text(absolute(wanted.path)), now()],
            )
    return True


def correct_many(
    library: Library, wanted: Iterable[Correction], *, on_song: Callable[[Path, str], None]
) -> tuple[int, int]:
    """Store corrections one by one.

    Args:
        library: where they are stored.
        wanted: songs with their genres.
        on_song: called after each with its path, and the reason why it could not be stored, or an empty text.

    Returns:
        How many were stored, and how many failed.
    """
    stored = failed = 0
    for each in wanted:
        reason = ""
        try:
            stored += correct(library, each)
        except DataError as error:
            failed, reason = failed + 1, str(error)
        on_song(each.path, reason)
    return stored, failed


def read_corrections(path: Path) -> list[Correction]:
    """Read a table with the columns `path` and `genre`; several genres of a song are separated by `;`.

    Relative paths lie beside the table.

    Raises:
        DataError: it cannot be read, or a row has no path or no genre.
    """
    found = []
    for line, row in numbered_rows(path, required=("path", "genre")):
        genres = cleaned(row["genre"].split(SEPARATOR))
        if not row["path"] or not genres:
            raise DataError(f"{path}, line {line}: a path and a genre are needed")
        found.append(Correction(path.parent / row["path"], genres))
    return found


def cleaned(genres: Iterable[str]) -> tuple[str, ...]:
    """Return genres without blanks around them, empty ones and repeats left out, in their order.

    Example:
        >>> cleaned(["Dub  Techno ", "", "Dub Techno"])
        ('Dub Techno',)
    """
    return tuple(dict.fromkeys(text for genre in genres if (text := " ".join(genre.split()))))


def near_miss(genre: str, known: Sequence[str]) -> str | None:
    """Return the known genre that was probably meant, or None where the genre is known or unlike all.

    Example:
        >>> near_miss("Blus", ["blues", "rock"]), near_miss("rock", ["blues", "rock"]), near_miss("Gnawa", ["blues"])
        ('blues', None, None)
    """
    if genre in known:
        return None
    by_words = {"".join(words(name)): name for name in known}
    close = difflib.get_close_matches("".join(words(genre)), by_words, n=1, cutoff=0.75)
    return by_words[close[0]] if close else None


def known_genres(library: Library) -> list[str]:
    """Return the labels of the library's models, and the genres of its corrections, sorted."""
    labels = {label for model in library.models() for label in model.labels}
    return sorted(labels.union(*library.corrections().values()))
