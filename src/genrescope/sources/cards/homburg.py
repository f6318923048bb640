"""Homburg, the music audio benchmark of Dortmund: 1,886 songs of artists without a contract, ten seconds of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.sources.cards._common import required
from genrescope.sources.cards.card import Card
from genrescope.sources.folders import folder_tracks
from genrescope.sources.track import Track
from genrescope.tags.artists import artist_key

if TYPE_CHECKING:
    from pathlib import Path

_GENRES = (
    "alternative", "blues", "electronic", "folkcountry", "funksoulrnb", "jazz", "pop", "raphiphop", "rock",
)  # fmt: skip


def tracks(root: Path) -> list[Track]:
    """List the excerpts in the folders of the nine genres, each with the artist that its file's name begins with.

    Files in folders of other names are left out.

    Raises:
        DataError: there are none, or they do not lie in folders of their genres.
    """
    listed = [
        Track(f"{track.genre}/{track.path.stem}", track.path, track.genre, _artist(track.path.stem))
        for track in folder_tracks(root)
        if track.genre in _GENRES
    ]
    return required(
        listed, root, "none of the nine genres found. Expected are files such as alternative/50_Minutes-Nightwalk.mp3"
    )


def _artist(name: str) -> str:
    """Return the artist of a file named `Some_Artist-Some_Title`, in one spelling; empty where it has no such name.

    Example:
        >>> _artist("The_Beeps-tell_me"), _artist("untitled")
        ('beeps', '')
    """
    artist, dash, _ = name.partition("-")
    return artist_key(artist.replace("_", " ")) if dash else ""


CARDS = (
    Card(
        name="homburg",
        title="Homburg: a benchmark dataset for audio classification and clustering",
        citation=(
            "H. Homburg, I. Mierswa, B. Moeller, K. Morik and M. Wurst, A benchmark dataset for audio classification "
            "and clustering, Proc. ISMIR, 2005"
        ),
        terms="Freely available, its authors say, without naming a licence; the songs come from Garageband.com.",
        source="www-ai.cs.uni-dortmund.de/audio.html",
        size="1,886 excerpts of 10 s, 44,100 Hz mp3, by 1,463 artists, 9 genres of 47 to 504",
        genres=_GENRES,
        known_faults=(
            "Genres are very unequal: 504 excerpts are rock and 47 funk, soul or R&B.",
            "Ten seconds of each song only: three windows of this package.",
            "Artists are read from the names of the files; 29 of them have songs in more than one genre.",
        ),
        tracks=tracks,
        by_hand=(
            "Download the nine archives (alternative.zip to rock.zip) from www-ai.cs.uni-dortmund.de/AUDIO in a "
            "browser, and unpack each into a folder of its genre's name: alternative, blues and so on. "
            "No checksums are published."
        ),
    ),
)
