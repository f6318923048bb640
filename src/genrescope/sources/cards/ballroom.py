"""Ballroom: half a minute each of 698 dances; its eight labels differ in rhythm and tempo."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.sources.cards._common import facts, groups, required
from genrescope.sources.cards.card import Archive, Card, Repeat
from genrescope.sources.track import Track

if TYPE_CHECKING:
    from pathlib import Path

_ALBUM = re.compile(r"Albums-(.+)-\d+$")
_GENRES = ("ChaChaCha", "Jive", "Quickstep", "Rumba", "Samba", "Tango", "VienneseWaltz", "Waltz")


def tracks(root: Path) -> list[Track]:
    """List the excerpts of an unpacked copy, each with its album as its group where the file's name tells it.

    The three folders of rumba (American, International, Misc) are one genre, as in most of the literature. Files in
    folders of other names are left out.

    Raises:
        DataError: there are none.
    """
    folder = root / "BallroomData" if (root / "BallroomData").is_dir() else root
    found = {path.stem: (path, _genre(path.parent.name)) for path in audio.files_in(folder) if path.parent != folder}
    group = groups({name: _ALBUM.findall(name) for name in found}, [repeat.tracks for repeat in known_repeats()])
    listed = [Track(name, path, genre, group[name]) for name, (path, genre) in found.items() if genre]
    return required(
        listed, root, "no ballroom dances found. Expected are files such as BallroomData/Jive/Media-104301.wav"
    )


def known_repeats() -> list[Repeat]:
    """Return the excerpts that stand twice, as B. L. Sturm found in 2014.

    The kinds: `exact`, the same sound; `recording`, the same recording.

    Example:
        >>> known_repeats()[1]
        Repeat(kind='exact', tracks=('Albums-Fire-08', 'Albums-Fire-09'))
    """
    return [
        Repeat(kind, tuple(file.rpartition("/")[2] for file in files)) for kind, *files in facts("ballroom_repeats.txt")
    ]


def _genre(folder: str) -> str:
    name = "Rumba" if folder.startswith("Rumba") else folder
    return name if name in _GENRES else ""


CARDS = (
    Card(
        name="ballroom",
        title="Ballroom: excerpts of ballroom dance music",
        citation=(
            "F. Gouyon, A. Klapuri, S. Dixon, M. Alonso, G. Tzanetakis, C. Uhle and P. Cano, An experimental "
            "comparison of audio tempo induction algorithms, "
            "IEEE Transactions on Audio, Speech and Language Processing 14(5), 2006"
        ),
        terms="mirdata names CC BY-NC-SA 4.0; the excerpts are of commercial recordings, so keep to research.",
        source="mtg.upf.edu/ismir2004/contest/tempoContest",
        size="698 excerpts of about 30 s, 8 dances of 60 to 111, 1.5 GB",
        genres=_GENRES,
        known_faults=(
            "4 excerpts stand twice and 9 recordings too (Sturm 2014); one of them has two labels, Albums-Fire-08 "
            "(ChaChaCha) and Albums-Fire-09 (Samba).",
            "The labels are dances with customary tempi: how fast a piece is tells much of them, so this is no test of "
            "genre at large.",
            "Artists are not known. Groups are albums where a file's name tells them (244 excerpts), joined by the "
            "known repeats; the others have none.",
        ),
        tracks=tracks,
        archives=(
            Archive(
                file="data1.tar.gz",
                urls=("https://mtg.upf.edu/ismir2004/contest/tempoContest/data1.tar.gz",),
                checksum="md5:2872a3e52070bc342a4510a95e2fa0b8",
            ),
        ),
        by_hand="Download data1.tar.gz from mtg.upf.edu/ismir2004/contest/tempoContest in a browser and unpack it.",
    ),
)
