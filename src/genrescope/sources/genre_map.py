"""The genre map: from the words that stand in tags to a few genres, by a file that people edit.

The file is TOML: a table `genres` of names, each with the list of words that mean it, and a list `ignore` of words that
mean nothing. Words are compared whole, never by what they contain; the head of `genres.toml`, the map that ships with
genrescope, says how.
"""

from __future__ import annotations

import importlib.resources
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError, nearest
from genrescope.files import write_text
from genrescope.tables import read_toml
from genrescope.tags.artists import plain, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_KEYS = ("genres", "ignore")
_SEPARATORS = tuple(map(re.compile, (r"[;|\x00\r\n]", "[,、]", r"[/\\]")))  # the strongest first
_LISTED = re.compile(r"[;|\x00\r\n,、]")  # a slash may stand inside a word: Singer/Songwriter
_SEPARATOR = re.compile(r"([;|\x00\r\n,、/\\])")
_NUMBERED = re.compile(r"((?:\((?:\d+|RX|CR)\))+)(.*)", re.DOTALL)
_LETTERED = {"RX": "Remix", "CR": "Cover"}


@dataclass(frozen=True)
class Found:
    """What a map says about a song.

    Attributes:
        genre: its genre; empty where the map knows none.
        unmapped: where it knows none, the words that it does not know, as they stand in the tag.
    """

    genre: str
    unmapped: tuple[str, ...] = ()


class GenreMap:
    """Words of tags to genres.

    Args:
        genres: the words that mean each genre; its own name always does.
        ignore: words that mean nothing.
        name: what errors call the map.

    Raises:
        DataError: a word stands under two genres, or has no letter or digit.

    Example:
        >>> words_to_genres = GenreMap({"hiphop": ["Hip-Hop/Rap"], "rock": []}, ignore=["Other"])
        >>> words_to_genres.find(["Other", "Hip Hop/Rap; Trap"])
        Found(genre='hiphop', unmapped=())
        >>> words_to_genres.find(["(12)Shoegaze"])
        Found(genre='', unmapped=('Shoegaze',))
    """

    def __init__(self, genres: Mapping[str, Sequence[str]], ignore: Sequence[str] = (), *, name: str = "map") -> None:
        self.genres = tuple(genres)
        self._name = name
        self._meant: dict[str, str] = {}
        for genre, its in genres.items():
            for word in (genre, *its):
                self._add(word, genre)
        for word in ignore:
            self._add(word, "")

    def find(self, values: Sequence[str]) -> Found:
        """Return the genre of a song with these values in its tag, in their order."""
        for value in values:
            for word in readings(value):
                if genre := self._meant.get(genre_key(word)):
                    return Found(genre)
        parts = (part.strip() for value in values for part in _LISTED.split(_narrow(value)))
        unmapped = filter(None, map(self._unknown, parts))
        return Found("", tuple(dict.fromkeys(unmapped)))

    def find_all(self, values: Sequence[str]) -> tuple[str, ...]:
        """Return all genres of a song with these values in its tag, each once, in their order.

        Example:
            >>> GenreMap({"hiphop": ["Hip-Hop/Rap"], "rock": ["Rap"]}).find_all(["Hip Hop/Rap; Rock", "Jazz"])
            ('hiphop', 'rock')
        """
        return tuple(dict.fromkeys(genre for value in values for genre in self._meant_by(_narrow(value).strip())))

    def _meant_by(self, value: str) -> list[str]:
        """Return the genre of a value; where the map knows it only by its parts, those of all parts."""
        if whole := next(filter(None, (self._meant.get(genre_key(word)) for word in _named(value))), None):
            return [whole]
        for separator in _SEPARATORS:
            parts = [part.strip() for part in separator.split(value)]
            if len(parts) > 1:
                return [genre for part in filter(None, parts) for genre in self._meant_by(part)]
        return []

    def _unknown(self, part: str) -> str:
        """Return what of a part without a genre says something; empty where nothing does."""
        return next((word for word in _named(part) if not self._says_nothing(word)), "")

    def _says_nothing(self, word: str) -> bool:
        keys = [genre_key(word), *map(genre_key, _SEPARATORS[-1].split(word))]
        known = [not key or key in self._meant for key in keys]
        return known[0] or all(known[1:])

    def _add(self, word: str, genre: str) -> None:
        key = genre_key(word)
        if not key:
            raise DataError(f'{self._name}: the word "{word}" has no letter or digit, so nothing can match it')
        if self._meant.setdefault(key, genre) != genre:
            others = " and ".join(f'"{each}"' if each else "ignore" for each in (self._meant[key], genre))
            raise DataError(f'{self._name}: "{word}" stands under {others}; leave it under one of them')


@lru_cache(maxsize=65_536)
def genre_key(word: str) -> str:
    """Return what of a word counts when words are compared; empty where it has no letter or digit.

    Example:
        >>> genre_key("Hip-Hop"), genre_key("Drum'n'Bass"), genre_key("Música clásica"), genre_key("ジャズ")
        ('hiphop', 'drumandbass', 'musicaclasica', 'ジャズ')
        >>> genre_key("Jazz Blues") == genre_key("Jazz; Blues")
        False
    """
    parts = ["".join(words(part)) or part for part in _SEPARATOR.split(plain(word))]
    return "".join(parts) if any(map(str.isalnum, word)) else ""


def readings(value: str) -> Iterator[str]:
    r"""Yield the words that a value of a tag may mean, the most specific first: itself, then its parts.

    Example:
        >>> list(readings("Hip Hop/Rap; R&B"))
        ['Hip Hop/Rap; R&B', 'Hip Hop/Rap', 'Hip Hop', 'Rap', 'R&B']
        >>> list(readings("(17)Soft Rock")), list(readings("17"))
        (['Soft Rock', 'Rock'], ['Rock'])
    """
    value = _narrow(value).strip()
    yield from _named(value)
    for separator in _SEPARATORS:
        parts = [part.strip() for part in separator.split(value)]
        if len(parts) > 1:
            for part in filter(None, parts):
                yield from readings(part)
            return


def load(path: Path | None = None) -> GenreMap:
    """Read a map; without a path the one that ships with genrescope.

    Raises:
        DataError: it cannot be read, has an unknown key, or names a word under two genres.
    """
    name = "the default genre map" if path is None else str(path)
    content = tomllib.loads(default_text()) if path is None else read_toml(path)
    for key in content:
        if key not in _KEYS:
            raise DataError(f'{name}: unknown key "{key}"; {nearest(key, _KEYS)}. Genres stand below [genres]')
    genres = content.get("genres")
    if not isinstance(genres, dict) or not genres:
        raise DataError(f'{name} has no genres; below [genres] stand lines such as: jazz = ["Bebop", "Swing"]')
    for genre, its in genres.items():
        _check_words(its, f'{name}: the genre "{genre}"')
    _check_words(content.get("ignore", []), f'{name}: "ignore"')
    return GenreMap(genres, content.get("ignore", []), name=name)


def write_default(path: Path) -> None:
    """Write the map that ships with genrescope, with the comments that explain it, whole or not at all."""
    write_text(path, default_text())


def default_text() -> str:
    """Return the map that ships with genrescope, as TOML."""
    return (importlib.resources.files(__package__) / "genres.toml").read_text(encoding="utf-8")


def _check_words(its: Any, where: str) -> None:
    if not isinstance(its, list) or not all(isinstance(word, str) for word in its):
        raise DataError(f'{where} is {its!r}; accepted is a list of words in quotes, as ["Bebop", "Swing"]')


def _narrow(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _named(word: str) -> list[str]:
    """Give ID3v1's numbers, as `17`, `(17)`, `(17)Rock` or `(RX)`, their names; what follows them is more specific."""
    match = _NUMBERED.fullmatch(word)
    if match is None:
        return [_of_number(word) if _is_number(word) else _LETTERED.get(word, word)]
    numbers = match[1][1:-1].split(")(")
    names = [*_named(match[2].strip()), *(_LETTERED.get(number) or _of_number(number) for number in numbers)]
    return [name for name in names if name] or [""]


def _is_number(word: str) -> bool:
    """Whether a word is a byte: a year or a title of digits is a word like others."""
    return word.isascii() and word.isdecimal() and int(word) < 256


def _of_number(number: str) -> str:
    """Return the name of an ID3v1 genre, Winamp's additions included; empty where the number has none."""
    from mutagen.id3 import TCON

    return TCON.GENRES[int(number)] if int(number) < len(TCON.GENRES) else ""
