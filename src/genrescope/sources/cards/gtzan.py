"""GTZAN: ten genres, a hundred clips each; the field's most used and most faulted data set."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from genrescope.sources.cards._common import facts, groups, required
from genrescope.sources.cards.card import Archive, Card, Official, Repeat
from genrescope.sources.folders import folder_tracks
from genrescope.sources.track import Track

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


def tracks(root: Path) -> list[Track]:
    """List the clips of a copy of GTZAN, in whatever container, each with its artist as its group.

    Files with other names are left out.

    Raises:
        DataError: there are no clips of GTZAN.
    """
    folder = root
    for inside in ("genres_original", "genres", "Data/genres_original"):  # as the common archives unpack
        if (root / inside).is_dir():
            folder = root / inside
            break
    group = groups(artists())
    by_id = {
        name: Track(name, track.path, track.genre, group.get(name, ""))
        for track in folder_tracks(folder)
        if (name := track_id(track.path.name)) is not None
    }
    return required(
        list(by_id.values()), root, "no clips of GTZAN found. Expected are files such as genres/blues/blues.00012.wav"
    )


def clips(text: str) -> list[str]:
    """Return the ids that compact text names: genres, each with numbers and spans of them.

    Example:
        >>> clips("metal 58-59 rock 16")
        ['metal.00058', 'metal.00059', 'rock.00016']
    """
    words = text.split()
    found = []
    for genre, numbers in zip(words[::2], words[1::2], strict=True):
        for span in numbers.split(","):
            first, _, last = span.partition("-")
            found += [f"{genre}.{number:05d}" for number in range(int(first), int(last or first) + 1)]
    return found


def read_parts(name: str) -> dict[str, str]:
    """Read a split that is shipped compactly, a part and its clips in each line, to parts by track id."""
    return {clip: part for part, text in facts(name) for clip in clips(text)}


def artists() -> dict[str, tuple[str, ...]]:
    """Return the artists of the clips by track id, as B. L. Sturm identified them in 2012; 81 clips he could not.

    Of classical music it is the composer. Spellings of one artist are one, and who sings together stands each alone.

    Example:
        >>> artists()["reggae.00087"]
        ('Bob Marley', 'Lauryn Hill')
    """
    found: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for artist, text in facts("gtzan_artists.txt"):
        for clip in clips(text):
            found[clip] += (artist,)
    return dict(sorted(found.items()))


def known_repeats() -> list[Repeat]:
    """Return the clips that repeat each other, or may; a clip may stand in several.

    The kinds, from certain to possible: `bytes`, the files are equal byte for byte; `exact`, counted as the same sound
    by Sturm (2013); `left-out`, of one artist and title, and all but one at most left out of the fault-filtered split;
    `title`, of one title and, as far as it is known, one artist: the same recording, or another performance.

    Example:
        >>> known_repeats()[10]
        Repeat(kind='bytes', tracks=('metal.00058', 'rock.00016'))
    """
    return [Repeat(kind, tuple(clips(text))) for kind, text in facts("gtzan_repeats.txt")]


CARDS = (
    Card(
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
            "7.2 % of the clips come from the same recording as another, 5 % repeat one exactly (Sturm 2012, 2013); "
            "14 pairs of files are equal byte for byte, and one of them has two labels: metal.00058 is rock.00016.",
            "10.6 % are mislabelled; some are distorted (Sturm 2013), "
            "pop.00037 and reggae.00086 most of all (Foleis and Tavares 2020).",
            "Few artists dominate: nine in all of blues, 35 of 100 reggae clips are Bob Marley (Sturm 2012). Groups "
            "are artists (of classical music, composers) after Sturm's index; he could not identify 81 clips.",
            "jazz.00054 is corrupt in the most common copy: it has no RIFF header.",
            "The split gtzan-fault-filtered has three artists in two parts: Bob Marley (reggae.00087 is a test clip), "
            "Donna Summer (disco.00047) and Shania Twain (pop.00012). In gtzan-artist-folds 25 are, A Tribe Called "
            "Quest among them, and six songs that the other split leaves out as repeats.",
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
                title=(
                    "443 train, 197 validation and 290 test clips: repeats and faults left out, "
                    "artists kept apart but for three joint songs"
                ),
                citation=(
                    "C. Kereliuk, B. L. Sturm and J. Larsen, Deep learning and music adversaries, "
                    "IEEE Transactions on Multimedia 17(11), 2015"
                ),
                parts=lambda: read_parts("gtzan_fault_filtered.txt"),
                track_id=track_id,
            ),
            Official(
                name="gtzan-artist-folds",
                title=(
                    "three folds of 315, 316 and 317 clips: exact repeats left out, "
                    "25 of 242 artists in more than one fold"
                ),
                citation=(
                    "J. H. Foleis and T. F. Tavares, Texture selection for automatic music genre classification, "
                    "Applied Soft Computing 89, 2020"
                ),
                parts=lambda: read_parts("gtzan_artist_folds.txt"),
                track_id=track_id,
            ),
        ),
    ),
)  # fmt: skip
