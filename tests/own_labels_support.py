"""Songs of several genres, of one, and of none, for tests of labels that people have given themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conftest import noise, tone, write

from genrescope.files import csv_line, write_text

if TYPE_CHECKING:
    from pathlib import Path

TAGS = {"musicnn-msd": ("blues", "jazz", "happy"), "musicnn-mtt": ("classical", "loud")}
"""Taggers of random weights; `drone` and `hiss` have no tag, so they are learnt from the embedding alone."""
SECONDS = 3.2


def several(folder: Path, *, artists: int = 6) -> Path:
    """Write songs of two genres, of both at once, and of none; return their table. Each artist has one of each."""
    rows = [csv_line(["path", "genre", "group"])]
    for artist in range(artists):
        drone = tone(150.0 + 40 * artist, seconds=SECONDS, level=0.4)
        hiss = noise(SECONDS, level=0.15, seed=artist)
        high = tone(4000.0 + 300 * artist, seconds=SECONDS, level=0.3)
        for genre, sound in (("drone", drone), ("hiss", hiss), ("hiss; drone", drone + hiss), ("not-mine", high)):
            path = folder / f"{genre.replace('; ', '-')}-{artist}.wav"
            write(path, sound)
            rows.append(csv_line([path.name, genre, f"artist {artist}"]))
    write_text(folder / "songs.csv", "".join(rows))
    return folder / "songs.csv"


def one_each(folder: Path, *, artists: int = 6) -> Path:
    """Write songs of one genre each, and negative examples; return their table."""
    table = several(folder, artists=artists)
    kept = [line for line in table.read_text().splitlines() if ";" not in line]
    write_text(folder / "one.csv", "\n".join(kept) + "\n")
    return folder / "one.csv"
