"""GTZAN: ten genres, a hundred clips each; the field's most used and most faulted data set."""

from __future__ import annotations

import importlib.resources
import re
from typing import TYPE_CHECKING

from genrescope.data import index
from genrescope.data.cards.card import Archive, Card, Official

if TYPE_CHECKING:
    from pathlib import Path

_ID = re.compile(r"(?<![a-z])([a-z]+)[._](\d{5})(?!\d)")


def track_id(text: str) -> str | None:
    """Return the id that a file name or path of GTZAN contains, whatever its folder and ending.

    Example:
        >>> track_id("genres/blues/blues.00012.wav"), track_id("./blues_00012.au"), track_id("song.mp3")
        ('blues.00012', 'blues.00012', None)
    """
    found = _ID.findall(text)
    return ".".join(found[-1]) if found else None


def tracks(root: Path) -> list[index.Track]:
    """List the clips of a copy of GTZAN, in whatever container; files with other names are left out."""
    for inside in ("genres_original", "genres", "Data/genres_original"):  # as the common archives unpack
        if (root / inside).is_dir():
            root = root / inside
            break
    by_id = {
        name: index.Track(name, track.path, track.genre)
        for track in index.folder_tracks(root)
        if (name := track_id(track.path.name)) is not None
    }
    return list(by_id.values())


def read_parts(name: str) -> dict[str, str]:
    """Read a split that is shipped compactly, `part genre first-last,number,...` a line, to parts by track id."""
    text = importlib.resources.files(__package__).joinpath("facts", name).read_text(encoding="utf-8")
    parts = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            part, genre, numbers = line.split()
            for span in numbers.split(","):
                first, _, last = span.partition("-")
                for number in range(int(first), int(last or first) + 1):
                    parts[f"{genre}.{number:05d}"] = part
    return parts


CARD = Card(
    name="gtzan",
    title="GTZAN Genre Collection",
    citation=(
        "G. Tzanetakis and P. Cook, Musical genre classification of audio signals, "
        "IEEE Transactions on Speech and Audio Processing 10(5), 2002"
    ),
    terms="Research use only; the clips are excerpts of commercial recordings. Do not redistribute.",
    source="The original host is gone. Public copies: Hugging Face marsyas/gtzan, Kaggle gtzan-dataset.",
    size="1,000 clips of 30 s, 22,050 Hz mono, 1.2 GB",
    genres=(
        "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
    ),
    known_faults=(
        "7.2 % of the clips come from the same recording as another, 5 % repeat one exactly (Sturm 2012, 2013).",
        "10.6 % are mislabelled; some are distorted (Sturm 2013).",
        "Few artists dominate: nine in all of blues, 35 of 100 reggae clips are Bob Marley (Sturm 2012).",
        "jazz.00054 is corrupt in the most common copy: it has no RIFF header.",
    ),
    tracks=tracks,
    archives=(
        Archive(
            file="genres.tar.gz",
            urls=("https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz",),
            checksum="md5:5b3d6dddb579ab49814ab86dba69e7c7",
        ),
    ),
    by_hand="Download genres.tar.gz from Hugging Face (marsyas/gtzan) in a browser and unpack it.",
    splits=(
        Official(
            name="gtzan-fault-filtered",
            title="443 train, 197 validation and 290 test clips: repeats and faults left out, artists kept apart",
            citation=(
                "C. Kereliuk, B. L. Sturm and J. Larsen, Deep learning and music adversaries, "
                "IEEE Transactions on Multimedia 17(11), 2015"
            ),
            parts=lambda: read_parts("gtzan_fault_filtered.txt"),
            track_id=track_id,
        ),
    ),
)  # fmt: skip
