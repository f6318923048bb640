"""Artists' names: one spelling for each artist, so that an artist is one group of a split.

Two artists under one name do no harm, for they are only kept on the same side. One artist under two names puts a
singer into both training and test data. So names are compared without what people spell differently:
case, accents, width, punctuation, the article, guests.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "æ": "ae",
        "œ": "oe",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ŧ": "t",
        "\u0131": "i",
        "ŋ": "n",
    }
)  # those that Unicode does not take apart, as people type them who lack them; casefold has made ß two letters
_ACCENTS = re.compile("[\u0300-\u036f]")  # those of Latin, Greek and Cyrillic; other scripts' marks are letters
_SILENT = re.compile("[.'\u2018\u2019\u02bc`\u00b4]")  # R.E.M. is REM, Destiny's Child is Destinys Child
_N = re.compile(r"(?<=[\s'\u2018\u2019`])n(?=[\s'\u2018\u2019`])")  # that of rock'n'roll
_GUESTS = re.compile(  # the band Little Feat has none
    r"(?<=\S)[\s(\[,]+(?:(?:feat\.|ft\.|featuring\b|f/)|(?:feat|ft)\s+(?!feat|ft)(?=[^\s.)\]])).*", re.IGNORECASE
)
_SEVERAL = re.compile(r"\s*[;\x00\n]\s*|\s+/\s+")
_BRACKETED = re.compile(r"\s*[(\[](\w+)[)\]]$")  # Beatles (The)
_ARTICLES = frozenset(
    ["the", "a", "an", "die", "der", "das", "los", "las", "el", "la", "le", "les", "os", "as", "il", "gli", "de", "het"]
)


def plain(text: str) -> str:
    """Return text without case, accents and full-width forms; every script keeps its letters, ø is o.

    Example:
        >>> plain("Björk"), plain("MØ"), plain("ジャズ"), plain("ЁЛКА")
        ('bjork', 'mo', 'ジャズ', 'елка')
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold()).translate(_LETTERS)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", folded))


def words(text: str) -> list[str]:
    """Split text into plain words: runs of letters, marks and digits of any script; `&`, `+` and `'n'` are `and`.

    Example:
        >>> words("Hip-Hop/Rap"), words("Drum'n'Bass")
        (['hip', 'hop', 'rap'], ['drum', 'and', 'bass'])
    """
    spelled = re.sub("[&+]", " and ", plain(text))
    found = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in spelled).split()
    return found[:1] + ["and" if word == "n" else word for word in found[1:-1]] + found[1:][-1:]


def spelling(text: str) -> str:
    """Return what is equal for texts that differ in case, accents, blanks and punctuation only.

    Example:
        >>> spelling("Hip-Hop"), spelling("hip hop"), spelling("R&B")
        ('hiphop', 'hiphop', 'randb')
    """
    return "".join(words(text))


_NOBODY = frozenset(
    " ".join(words(name))
    for name in """
    various|various artists|various artist|various interprets|various composers|va|v a|diverse|diverse artists
    diverse artister|diverse interpreten|verschiedene|verschiedene interpreten|verschiedene künstler|divers
    divers artistes|artistes divers|artistes variés|multi interprètes|varios|varios artistas|varios intérpretes
    artistas varios|vários artistas|vários|vari|artisti vari|aa vv|aavv|blandade artister|eri esittäjiä|różni wykonawcy
    různí interpreti|různí|çeşitli sanatç\u0131lar|различные исполнители|разные исполнители|сборник|різні виконавці
    ヴァリアス アーティスト|オムニバス|群星|合輯|合辑|多位艺人|compilation|sampler|soundtrack|original soundtrack|ost
    original cast|unknown|unknown artist|no artist|artist|artista|artiste|none|n a|na|untitled|unbekannt
    unbekannter interpret|unbekannter künstler|inconnu|artiste inconnu|desconocido|artista desconocido|desconhecido
    artista desconhecido|sconosciuto|artista sconosciuto|onbekend|onbekende artiest|okänd artist|nieznany
    nieznany wykonawca|неизвестен|неизвестный|неизвестный исполнитель|невідомий виконавець|不明なアーティスト
    アーティスト情報なし|未知艺术家|未知艺人|未知
    """.strip()
    .replace("\n", "|")
    .split("|")
)


@lru_cache(maxsize=65_536)
def artist_key(name: str) -> str:
    """Return the spelling under which an artist is a group; empty where the name is nobody's.

    Case, accents, punctuation and the article `the` do not count, `&`, `+` and `'n'` are `and`, guests after `feat.`
    are cut, and of several artists the first counts. "Various Artists" and "Unknown Artist" are nobody.

    Example:
        >>> artist_key("The Beatles"), artist_key("BEATLES, THE"), artist_key("Björk feat. Thom Yorke")
        ('beatles', 'beatles', 'bjork')
        >>> artist_key("Simon & Garfunkel"), artist_key("Various Artists")
        ('simon and garfunkel', '')
    """
    main = next((part for part in _SEVERAL.split(name.strip()) if part.strip()), "")
    text = plain(_GUESTS.sub("", main)).strip()
    if " ".join(words(text)) in _NOBODY:
        return ""
    head, comma, tail = (_BRACKETED.sub(r", \1", text)).rpartition(",")
    if comma and tail.strip() in _ARTICLES:
        text = f"{tail.strip()} {head}"
    found = words(_SILENT.sub("", _N.sub(" n ", text))) if any(map(str.isalnum, text)) else []
    return " ".join(found[1:] if found[:1] == ["the"] and len(found) > 1 else found) or _of_signs(_SILENT.sub("", text))


def main_artist(artist: str, album_artist: str = "", *, compilation: bool = False) -> str:
    """Return the group of a song: its album's artist, or its own where the album has none or is a compilation.

    Args:
        artist: the song's artist as the tag has it.
        album_artist: the album's artist as the tag has it.
        compilation: whether the tags call the album a compilation.

    Example:
        >>> main_artist("Nina Simone feat. A Choir", "Nina Simone"), main_artist("Nina Simone", "Various Artists")
        ('nina simone', 'nina simone')
    """
    order = (artist, album_artist) if compilation else (album_artist, artist)
    return next((key for key in map(artist_key, order) if key), "")


def _of_signs(text: str) -> str:
    """Keep a name that has no letter, as that of the band !!!, but for what stands for no name."""
    signs = "".join(text.split())
    return "" if set(signs) <= set("?-_.,*<>()[]/") else signs
